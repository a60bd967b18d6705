//! Signing keys are changed so that at no moment a receiver cannot verify: a new key is made beside the old one, published, signed
//! with once its record is everywhere, and the old one is withdrawn when no message signed with it is under way any more. At which
//! step a domain is follows from key files, tables and the DNS alone: nothing is remembered, and one may ask at any time.

mod opendkim;
pub mod rspamd;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::{Algorithm, Change, Plan, Publish, Reason};
use crate::facts::{Deployment, Facts, Known, SigningKey};
use crate::questions::{led_to, name_servers};
use crate::records::{base64, dkim::Record};
use crate::{Server, Untold};

/// A key's age from which it is changed.
const OLD: i64 = 365;
/// Days from the last signature until the record may go. Postfix gives a message up after five (`maximal_queue_lifetime`), and who
/// forwards it, or verifies when it is read, needs some more.
const IN_FLIGHT: i64 = 7;
const DAY: i64 = 86_400;

/// What an operator wishes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// These domains; all if it is empty.
    pub domains: Vec<String>,
    /// A new key even where the old one is young.
    pub renew: bool,
    /// An Ed25519 key beside the RSA key.
    pub ed25519: bool,
}

/// A domain's key of a kind, and the step that it is at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rotation {
    /// The domain.
    pub domain: String,
    /// The kind of key.
    pub algorithm: Algorithm,
    /// The step.
    #[serde(flatten)]
    pub step: Step,
    /// What the step changes on this server.
    #[serde(skip)]
    changes: Vec<Change>,
}

/// The steps, in their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "step")]
pub enum Step {
    /// A new key is to be made.
    Make {
        /// The new key's record will be here.
        name: String,
        /// Why there has to be one.
        why: String,
    },
    /// The new key's record is to be published.
    Publish {
        /// The record's name.
        name: String,
        /// Its data, in strings of at most 255 octets.
        value: String,
        /// Where it is not as it should be.
        missing: Vec<String>,
    },
    /// The new key is to sign.
    Switch {
        /// The new key's record.
        name: String,
    },
    /// Mail signed with the old key may be under way.
    Wait {
        /// The old key's record.
        name: String,
        /// The day on which it may go.
        until: String,
    },
    /// The old key's record is to go.
    Withdraw {
        /// The record.
        name: String,
    },
    /// The old key is to go.
    Remove {
        /// Its record was here.
        name: String,
    },
    /// All is done.
    Rest {
        /// The record of the key that signs.
        name: String,
        /// How old it is, in days.
        days: i64,
    },
    /// A person has to help first.
    Blocked {
        /// What is in the way, and what to do.
        why: String,
    },
}

/// At which step each domain is.
///
/// # Errors
/// When it cannot be told who signs here, or nobody does.
pub fn rotations(server: &Server<'_>, wishes: &Wishes) -> Result<Vec<Rotation>, Untold> {
    let keys = match &server.facts.dns.signing {
        Known::Is(keys) => keys.as_slice(),
        Known::Absent => &[],
        missing => missing.get()?,
    };
    let looking = Looking { server, keys, signer: Signer::of(server, keys)?, wishes };
    let mut domains: Vec<&String> = server.facts.dns.domains.iter().chain(&wishes.domains).collect();
    domains.sort();
    domains.dedup();
    domains.retain(|domain| wishes.domains.is_empty() || wishes.domains.contains(domain));
    let of = |domain: &&String, algorithm| looking.rotation(domain, algorithm);
    let mut found: Vec<Rotation> = domains
        .iter()
        .flat_map(|domain| [of(domain, Algorithm::Rsa), of(domain, Algorithm::Ed25519)])
        .flatten()
        .collect();
    looking.switch(&mut found);
    Ok(found)
}

/// The plan that takes each of these steps, as far as it is the server's to take.
#[must_use]
pub fn plan(facts: &Facts, rotations: &[Rotation]) -> Plan {
    let mut plan = Plan { title: "dkim".to_owned(), facts: facts.about.taken.clone(), ..Plan::default() };
    for rotation in rotations {
        let reason = rotation.reason();
        for change in &rotation.changes {
            match plan.steps.iter_mut().find(|step| step.change == *change) {
                Some(step) => step.reasons.push(reason.clone()),
                None => {
                    plan.steps.push(super::Step { change: change.clone(), reasons: vec![reason.clone()] });
                }
            }
        }
        if let Step::Publish { name, value, .. } = &rotation.step {
            let (name, kind, value) = (format!("{name}."), "TXT".to_owned(), value.clone());
            plan.publish.push(Publish { name, kind, value, reason });
        }
    }
    plan
}

impl Rotation {
    const fn switches(&self) -> bool {
        matches!(self.step, Step::Switch { .. })
    }

    /// What holds once its changes are made: what the new key signs, verifies.
    fn reason(&self) -> Reason {
        let summary = match &self.step {
            Step::Make { why, .. } => format!("a new key for {}: {why}", self.domain),
            Step::Switch { .. } => {
                format!("the new key of {} is published, and signs from now on", self.domain)
            }
            Step::Remove { .. } => format!("nobody needs the old key of {} any more", self.domain),
            _ => format!("the key of {}", self.domain),
        };
        let subject = match &self.step {
            Step::Make { name, .. }
            | Step::Publish { name, .. }
            | Step::Switch { name }
            | Step::Wait { name, .. }
            | Step::Withdraw { name }
            | Step::Remove { name }
            | Step::Rest { name, .. } => name.clone(),
            Step::Blocked { .. } => String::new(),
        };
        Reason { check: "DKM-018".to_owned(), subject, summary }
    }
}

/// Who signs, and where it is told so.
enum Signer {
    OpenDkim(opendkim::Tables),
    Rspamd(rspamd::Config),
}

impl Signer {
    fn of(server: &Server<'_>, keys: &[SigningKey]) -> Result<Self, Untold> {
        let facts = server.facts;
        let used = |rspamd: bool| {
            keys.iter().any(|key| !key.senders.is_empty() && key.table.contains("rspamd") == rspamd)
        };
        let rspamd = match (used(true), used(false)) {
            (true, false) => true,
            (false, true) => false,
            (true, true) => {
                return Err(Untold::CouldNotTell(
                    "OpenDKIM and Rspamd both sign here; end one of them first: mailward audit --only DKM-016"
                        .to_owned(),
                ));
            }
            (false, false) => Self::rspamd_would_sign(server)?,
        };
        Ok(if rspamd {
            Self::Rspamd(rspamd::Config::of(facts))
        } else {
            Self::OpenDkim(opendkim::Tables::of(server))
        })
    }

    /// Who of the two is to sign where nobody does yet.
    fn rspamd_would_sign(server: &Server<'_>) -> Result<bool, Untold> {
        let facts = server.facts;
        if facts.about.deployment == Deployment::DockerMailserver {
            return Ok(server.dms()?.setting("ENABLE_RSPAMD").is_ok_and(|setting| setting.is_on()));
        }
        let opendkim = matches!(facts.text("/etc/opendkim.conf"), Ok(Some(_)));
        let rspamd = facts.below("/etc/rspamd").next().is_some();
        match (opendkim, rspamd) {
            (true, false) => Ok(false),
            (false, true) => Ok(true),
            (true, true) => {
                let milters = server.postfix()?.value("smtpd_milters").unwrap_or_default();
                Ok(milters.contains("11332") || milters.contains("rspamd"))
            }
            (false, false) => Err(Untold::NotApplicable(
                "nothing here can sign mail: install opendkim (apt install opendkim), and type it again"
                    .to_owned(),
            )),
        }
    }

    /// Where a new key goes.
    fn place(&self, domain: &str, selector: &str, algorithm: Algorithm) -> Change {
        let (file, owner) = match self {
            Self::OpenDkim(tables) => tables.place(domain, selector),
            Self::Rspamd(config) => config.place(domain, selector, algorithm),
        };
        Change::Key { file, algorithm, owner }
    }

    /// Why a kind of key cannot be had here; none if it can.
    fn refuses(&self, algorithm: Algorithm) -> Option<&'static str> {
        let both = algorithm == Algorithm::Ed25519 && matches!(self, Self::OpenDkim(_));
        both.then_some("OpenDKIM 2.11 signs with one key for each domain; Rspamd signs with both kinds")
    }

    /// What makes each new key sign instead of the old ones.
    fn switch(&self, all: &[Switch<'_>]) -> Vec<Result<Vec<Change>, String>> {
        match self {
            Self::OpenDkim(tables) => {
                all.iter().map(|one| tables.switch(&one.new.domain, &one.old, one.new)).collect()
            }
            Self::Rspamd(config) => config.switch(all),
        }
    }

    /// The line that names an unused key, to be taken out.
    fn unnamed(&self, key: &SigningKey) -> Option<Change> {
        match self {
            Self::OpenDkim(tables) => tables.unnamed(key),
            Self::Rspamd(_) => None,
        }
    }

    /// The private key's file.
    fn file(&self, key: &SigningKey) -> String {
        match self {
            Self::OpenDkim(tables) => tables.lasting(&key.place),
            Self::Rspamd(_) => key.place.clone(),
        }
    }

    /// The file that says which key signs for a domain.
    fn table(&self, key: &SigningKey) -> String {
        match self {
            Self::OpenDkim(tables) => tables.signing.clone(),
            Self::Rspamd(_) => key.table.rsplit_once(':').map_or(&*key.table, |(file, _)| file).to_owned(),
        }
    }
}

/// A key that is to sign from now on.
struct Switch<'k> {
    new: &'k SigningKey,
    /// Those of its kind that sign now.
    old: Vec<&'k SigningKey>,
    /// Those of another kind, which go on.
    kept: Vec<&'k SigningKey>,
}

struct Looking<'s, 'f> {
    server: &'s Server<'f>,
    keys: &'f [SigningKey],
    signer: Signer,
    wishes: &'s Wishes,
}

impl<'f> Looking<'_, 'f> {
    /// The step of a domain's key; none for a kind that it neither has nor shall have.
    fn rotation(&self, domain: &str, algorithm: Algorithm) -> Option<Rotation> {
        let own = self.own(domain, algorithm);
        let wanted = algorithm == Algorithm::Rsa || self.wishes.ed25519;
        // What the signer cannot use, and does not, is a file that lies about.
        let counts = |key: &&SigningKey| !key.senders.is_empty() || self.signer.refuses(algorithm).is_none();
        if !wanted && !own.iter().any(counts) {
            return None;
        }
        let (step, changes) = match self.step(domain, algorithm, &own) {
            Ok(found) => found,
            Err(why) => (Step::Blocked { why }, Vec::new()),
        };
        Some(Rotation { domain: domain.to_owned(), algorithm, step, changes })
    }

    /// A domain's keys of a kind, the newest first.
    fn own(&self, domain: &str, algorithm: Algorithm) -> Vec<&'f SigningKey> {
        let kind = |key: &&SigningKey| {
            let known = key.key.known().map_or(Algorithm::Rsa.name(), |public| &*public.algorithm);
            key.domain == domain && known == algorithm.name()
        };
        let mut own: Vec<&SigningKey> = self.keys.iter().filter(kind).collect();
        own.sort_by_key(|key| core::cmp::Reverse(key.modified));
        own
    }

    /// What makes the keys sign whose records are published. A signer's file is changed once, whatever the number of keys.
    fn switch(&self, found: &mut [Rotation]) {
        let switches: Vec<Switch<'_>> = found
            .iter()
            .filter(|rotation| rotation.switches())
            .filter_map(|rotation| {
                let own = self.own(&rotation.domain, rotation.algorithm);
                let old: Vec<&SigningKey> = own.iter().copied().filter(|key| signs(key)).collect();
                let others = self.keys.iter().filter(|key| key.domain == rotation.domain && signs(key));
                let kept = others.filter(|key| !old.iter().any(|old| old.selector == key.selector)).collect();
                Some(Switch { new: newer(&own)?, old, kept })
            })
            .collect();
        let changes = self.signer.switch(&switches);
        for (rotation, changes) in found.iter_mut().filter(|rotation| rotation.switches()).zip(changes) {
            match changes {
                Ok(changes) => rotation.changes = changes,
                Err(why) => rotation.step = Step::Blocked { why },
            }
        }
    }

    fn step(
        &self,
        domain: &str,
        algorithm: Algorithm,
        own: &[&SigningKey],
    ) -> Result<(Step, Vec<Change>), String> {
        // First: a key of a kind that the signer has not beside another would take that one's place.
        if let Some(why) = self.signer.refuses(algorithm) {
            return Err(why.to_owned());
        }
        if let Some(new) = newer(own) {
            return self.coming(new).map(|step| (step, Vec::new()));
        }
        let used: Vec<&SigningKey> = own.iter().copied().filter(|key| signs(key)).collect();
        if let Some(other) = self.signed_as(domain).filter(|_| used.is_empty()) {
            return Err(other);
        }
        let spare = own.iter().copied().filter(is_spare).map(|key| (key, self.removal(key)));
        let spare = spare.into_iter().find(|(_, removal)| !removal.is_empty());
        if let Some(why) = self.due(&used, spare.is_some()) {
            let selector = self.selector(algorithm, own);
            let changes = vec![self.signer.place(domain, &selector, algorithm)];
            return Ok((Step::Make { name: format!("{selector}._domainkey.{domain}"), why }, changes));
        }
        match (spare, used.first()) {
            (Some((old, removal)), Some(current)) => Ok(self.going(old, removal, current)),
            (None, Some(current)) => Ok((
                Step::Rest { name: record_name(current), days: self.days_since(current.modified) },
                vec![],
            )),
            (_, None) => Err(format!("nothing is known of the keys of {domain}")),
        }
    }

    /// A new key: its record first, then it signs.
    fn coming(&self, new: &SigningKey) -> Result<Step, String> {
        let name = record_name(new);
        let public = new.key.known().ok_or_else(|| format!("the key {} cannot be read", new.place))?;
        let missing = self.missing(&name, &public.base64)?;
        if missing.is_empty() {
            return Ok(Step::Switch { name });
        }
        let value = strings(&format!("v=DKIM1; k={}; p={}", public.algorithm, public.base64));
        Ok(Step::Publish { name, value, missing })
    }

    /// What takes an unused key out: its line, and its file, if that is no other key's, too.
    fn removal(&self, key: &SigningKey) -> Vec<Change> {
        let file = self.signer.file(key);
        let is_another = |other: &&SigningKey| record_name(other) != record_name(key);
        let is_shared = self.keys.iter().filter(is_another).any(|other| self.signer.file(other) == file);
        let file = (!is_shared).then_some(Change::Remove { file });
        self.signer.unnamed(key).into_iter().chain(file).collect()
    }

    /// An old key: its record goes when nobody needs it any more, then the key.
    fn going(&self, old: &SigningKey, removal: Vec<Change>, current: &SigningKey) -> (Step, Vec<Change>) {
        let name = record_name(old);
        let dns = &self.server.facts.dns;
        let gone = |question: &str| {
            dns.records("TXT", question)
                .is_ok_and(|texts| texts.iter().all(|text| Record::read(text).key.is_none()))
        };
        if gone(&name) && self.servers(&name).iter().all(|(_, question)| gone(question)) {
            return (Step::Remove { name }, removal);
        }
        // A table that was written later, for another domain, makes the wait longer, never shorter.
        let table = self.server.facts.files.get(&self.signer.table(current)).and_then(Known::known);
        let since = table.map_or_else(|| self.now(), |file| file.modified);
        if self.days_since(since) < IN_FLIGHT {
            let until = day(since + IN_FLIGHT * DAY, "%Y-%m-%d");
            return (Step::Wait { name, until }, Vec::new());
        }
        (Step::Withdraw { name }, Vec::new())
    }

    /// Whether the domain's mail is signed with another domain's key.
    fn signed_as(&self, domain: &str) -> Option<String> {
        let covers = |key: &&SigningKey| {
            key.senders.iter().any(|sender| crate::checks::dkm::covers(sender, domain))
                && key.domain != domain
        };
        let other = self.keys.iter().find(covers)?;
        Some(format!(
            "{} signs mail of {domain} as {}; take {domain} out of that line first",
            self.signer.table(other),
            other.domain
        ))
    }

    /// Why there has to be a new key; none if the one that signs is good. A wish is fulfilled once the old key is on its way out.
    fn due(&self, used: &[&SigningKey], is_changing: bool) -> Option<String> {
        let Some(newest) = used.first() else { return Some("its mail is not signed".to_owned()) };
        let days = self.days_since(newest.modified);
        let bits = newest.key.known().filter(|public| public.algorithm == "rsa").map(|public| public.bits);
        match bits {
            Some(bits) if bits < 2048 => Some(format!("the old one has {bits} bit")),
            _ if self.wishes.renew && !is_changing => Some("you asked for it".to_owned()),
            _ if newest.modified > 0 && days >= OLD => Some(format!("the old one was made {days} days ago")),
            _ => None,
        }
    }

    /// A selector that no key here has: the day, with a letter where that is taken.
    fn selector(&self, algorithm: Algorithm, own: &[&SigningKey]) -> String {
        let first = if algorithm == Algorithm::Rsa { 'r' } else { 'e' };
        let plain = day(self.now(), &format!("{first}%Y%m%d"));
        let taken = |name: &String| own.iter().any(|key| key.selector == *name);
        let names =
            core::iter::once(plain.clone()).chain(('b'..='z').map(|letter| format!("{plain}{letter}")));
        names.into_iter().find(|name| !taken(name)).unwrap_or(plain)
    }

    /// Where a record is not as it should be.
    fn missing(&self, name: &str, key: &str) -> Result<Vec<String>, String> {
        let dns = &self.server.facts.dns;
        let wanted = base64::decode(key);
        let is_there = |texts: &[String]| match texts {
            [text] => {
                let record = Record::read(text);
                record.problems.is_empty() && record.key.map(|key| key.published()) == wanted
            }
            _ => false,
        };
        let own =
            dns.records("TXT", name).map_err(|why| format!("{name} cannot be asked for: {}", why.why()))?;
        let resolver = dns.resolver.known().map_or("the resolver", String::as_str);
        let mut missing: Vec<String> = (!is_there(own)).then(|| resolver.to_owned()).into_iter().collect();
        // A name server that does not answer us tells nothing; the resolver's own answer came from one that did.
        missing.extend(self.servers(name).into_iter().filter_map(|(server, question)| {
            let texts = dns.records("TXT", &question).ok()?;
            (!is_there(texts)).then_some(server)
        }));
        Ok(missing)
    }

    /// The name servers of the zone that a record really is in, and the question for the record that each was asked.
    fn servers(&self, name: &str) -> Vec<(String, String)> {
        let dns = &self.server.facts.dns;
        let name = led_to(dns, "TXT", name);
        let question = |server: String| {
            let address = dns.records("A", &server).ok()?.first()?;
            let question = format!("{name} @{address}");
            Some((server, question))
        };
        name_servers(dns, name).into_iter().filter_map(question).collect()
    }

    fn now(&self) -> i64 {
        self.server.facts.about.taken.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_second)
    }

    fn days_since(&self, moment: i64) -> i64 {
        (self.now() - moment).max(0) / DAY
    }
}

/// Whether somebody's mail is signed with a key.
const fn signs(key: &SigningKey) -> bool {
    !key.senders.is_empty()
}

/// Whether a key is there that nobody's mail is signed with.
const fn is_spare(key: &&SigningKey) -> bool {
    key.senders.is_empty() && matches!(key.key, Known::Is(_))
}

/// The spare key that is newer than those that sign, of a domain's keys of a kind.
fn newer<'k>(own: &[&'k SigningKey]) -> Option<&'k SigningKey> {
    let signing = own.iter().filter(|key| signs(key)).map(|key| key.modified).max();
    own.iter().copied().filter(is_spare).find(|key| signing.is_none_or(|signing| key.modified > signing))
}

/// The name of a key's record.
fn record_name(key: &SigningKey) -> String {
    format!("{}._domainkey.{}", key.selector, key.domain)
}

fn day(seconds: i64, format: &str) -> String {
    jiff::Timestamp::from_second(seconds).map(|time| time.strftime(format).to_string()).unwrap_or_default()
}

/// A TXT record's data: strings of at most 255 octets (RFC 1035 3.3), which verifiers put together again (RFC 6376 3.6.2.2).
fn strings(text: &str) -> String {
    let pieces: Vec<String> =
        text.as_bytes().chunks(255).map(|piece| format!("\"{}\"", String::from_utf8_lossy(piece))).collect();
    pieces.join(" ")
}
