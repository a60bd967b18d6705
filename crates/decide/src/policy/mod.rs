//! Postfix's question into a verdict, step by step in one order: bans, where and as whom an account may send, accounts' limits, who
//! may anyway, clients' limits, doubts, greylist.
//!
//! Pure: what the DNS says is [`Evidence`], and comes with the question. Every step tells why when it is asked to
//! ([`Policy::explain`]), by the same code.

mod doubt;
mod exception;
mod owner;
mod settings;

use core::net::IpAddr;
use std::sync::Arc;

use mailward_model::{Account, Network, Signal, Stage, Subject, Text, Timestamp};

use crate::greylist::{Clients, Greylist, Origin, Standing, Triplet, normal};
use crate::outgoing::{Outgoing, Over};
use crate::rates::{Quota, Rates, Taken};
use crate::{Bans, Country, Fingerprint, Protection, Secret};

pub use doubt::Doubt;
pub use exception::{Exception, Who};
pub use owner::Owners;
pub use settings::{ClientRates, DoubtSettings, Mode, PolicySettings};

/// What Postfix asks, as far as it is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// At which command.
    pub stage: Stage,
    /// The client's address.
    pub client: IpAddr,
    /// Its name, confirmed forward and back; empty where it has none.
    pub name: &'a str,
    /// What it calls itself.
    pub helo: &'a str,
    /// The envelope sender.
    pub sender: &'a str,
    /// The envelope recipient.
    pub recipient: &'a str,
    /// How many recipients were accepted; at DATA and later.
    pub recipients: u32,
    /// One per message.
    pub instance: &'a str,
    /// Who is logged in.
    pub user: &'a str,
    /// The port or the context of the asking service.
    pub service: &'a str,
}

/// What the DNS and databases say about a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The lists that list it, with the weight of each; below zero they speak for it.
    pub listed: Vec<(String, i32)>,
    /// The sum of what allowlists that did not answer could have said for it; zero or less.
    pub unheard: i32,
    /// What the sender's SPF record says of its address.
    pub spf: Spf,
    /// The country that its address is in.
    pub country: Option<Country>,
}

/// What an SPF record says (RFC 7208 section 2.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spf {
    /// Nothing, or nobody looked.
    #[default]
    None,
    /// The address may send for the domain.
    Pass,
    /// It may perhaps not.
    SoftFail,
    /// It may not.
    Fail,
}

/// What Postfix is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing against it.
    Pass,
    /// Come again; with the words for the client.
    Later(String),
    /// Not by this client now, whatever it wants; it is hung up on.
    HangUp(String),
    /// No; with the words for the client.
    Refuse(String),
}

/// Which part of the policy answered; the names are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Who is banned.
    Bans,
    /// From where accounts may send.
    Places,
    /// As whom accounts may send.
    Senders,
    /// Limits of accounts.
    Accounts,
    /// Limits of clients.
    Clients,
    /// The sum of the doubts.
    Doubts,
    /// The greylist.
    Greylist,
}

impl Family {
    /// Every one, in the order in which they are asked.
    pub const ALL: [Self; 7] = [
        Self::Bans,
        Self::Places,
        Self::Senders,
        Self::Accounts,
        Self::Clients,
        Self::Doubts,
        Self::Greylist,
    ];

    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bans => "bans",
            Self::Places => "places",
            Self::Senders => "senders",
            Self::Accounts => "accounts",
            Self::Clients => "clients",
            Self::Doubts => "doubts",
            Self::Greylist => "greylist",
        }
    }
}

/// What follows from a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What Postfix is told.
    pub answer: Answer,
    /// Who says so; nobody, where it passes.
    pub by: Option<Family>,
    /// What would have been said, by parts that only warn.
    pub warnings: Vec<(Family, String)>,
    /// What people are told.
    pub signal: Option<Signal>,
}

/// A step on the way to a verdict, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What was looked at.
    pub what: &'static str,
    /// What was found.
    pub found: String,
}

/// All that is known to answer Postfix.
#[derive(Clone, Debug)]
pub struct Policy {
    settings: PolicySettings,
    secret: Secret,
    greylist: Greylist,
    outgoing: Outgoing,
    rates: Rates,
    /// Exceptions that were made while it runs.
    allowed: Vec<Exception>,
    owners: Arc<Owners>,
}

/// Clients, networks, senders and domains whose rates are remembered.
const RATES: usize = 200_000;

impl Policy {
    /// A policy that knows nobody yet.
    #[must_use]
    pub fn new(settings: PolicySettings, secret: Secret) -> Self {
        Self {
            greylist: Greylist::new(settings.greylist, secret.clone()),
            outgoing: Outgoing::new(settings.accounts),
            rates: Rates::new(RATES),
            allowed: Vec::new(),
            owners: Arc::default(),
            secret,
            settings,
        }
    }

    /// Other settings; what is known stays.
    pub fn set(&mut self, settings: PolicySettings) {
        self.greylist.set(settings.greylist);
        self.outgoing.set(settings.accounts);
        self.settings = settings;
    }

    /// The settings.
    #[must_use]
    pub const fn settings(&self) -> &PolicySettings {
        &self.settings
    }

    /// Takes over who owns which address.
    pub fn set_owners(&mut self, owners: Owners) {
        self.owners = Arc::new(owners);
    }

    /// The greylist.
    #[must_use]
    pub const fn greylist(&self) -> &Greylist {
        &self.greylist
    }

    /// The greylist, to bring back and forget.
    pub const fn greylist_mut(&mut self) -> &mut Greylist {
        &mut self.greylist
    }

    /// What accounts send.
    #[must_use]
    pub const fn outgoing(&self) -> &Outgoing {
        &self.outgoing
    }

    /// What accounts send, to bring back and forgive.
    pub const fn outgoing_mut(&mut self) -> &mut Outgoing {
        &mut self.outgoing
    }

    /// What clients have taken of their limits since this was asked last.
    pub fn take_rates(&mut self) -> Vec<(Fingerprint, Taken)> {
        self.rates.take_changes()
    }

    /// Brings back what a client has taken.
    pub fn restore_rate(&mut self, key: Fingerprint, taken: Taken) {
        self.rates.restore(key, taken);
    }

    /// Makes an exception besides those of the settings.
    pub fn allow(&mut self, exception: Exception) {
        if !self.allowed.contains(&exception) {
            self.allowed.push(exception);
        }
    }

    /// Takes such an exception back; tells whether there was one.
    pub fn disallow(&mut self, exception: &Exception) -> bool {
        let before = self.allowed.len();
        self.allowed.retain(|other| other != exception);
        self.allowed.len() < before
    }

    /// The exceptions that were made while it runs.
    #[must_use]
    pub fn allowed(&self) -> &[Exception] {
        &self.allowed
    }

    /// Whether what the DNS says could change the answer: it is asked for nobody else.
    #[must_use]
    pub fn wants_evidence(&self, question: &Question<'_>, bans: &Bans, now: Timestamp) -> bool {
        question.stage == Stage::Rcpt
            && question.user.is_empty()
            && !(self.settings.doubts_mode.is_off() && self.settings.greylist_mode.is_off())
            && !is_for_complaints(question.recipient)
            && bans.never_ban().protection(question.client, now).is_none()
            && !self.is_exempt(Family::Doubts, question)
            && !(self.settings.bans.is_on() && bans.is_banned(question.client, now))
    }

    /// Judges a question; what is counted is counted.
    pub fn judge(
        &mut self,
        question: &Question<'_>,
        evidence: &Evidence,
        bans: &Bans,
        now: Timestamp,
    ) -> Verdict {
        self.walk(question, evidence, bans, now, &mut Trail::default())
    }

    /// Judges a question on a copy of what is known about it, and tells every step.
    #[must_use]
    pub fn explain(
        &self,
        question: &Question<'_>,
        evidence: &Evidence,
        bans: &Bans,
        now: Timestamp,
    ) -> (Verdict, Vec<Step>) {
        let mut trail = Trail { steps: Some(Vec::new()), ..Trail::default() };
        let verdict = self.excerpt(question, evidence).walk(question, evidence, bans, now, &mut trail);
        (verdict, trail.steps.unwrap_or_default())
    }

    /// As much of the policy as matters for a question.
    fn excerpt(&self, question: &Question<'_>, evidence: &Evidence) -> Self {
        let account = Account::of(Text::from(question.user));
        let prints: Vec<_> = self.limits(question).into_iter().map(|(_, _, _, print)| print).collect();
        Self {
            settings: self.settings.clone(),
            secret: self.secret.clone(),
            greylist: self.greylist.excerpt(&self.triplet(question, evidence)),
            outgoing: self.outgoing.excerpt(account.as_ref(), self.message(question)),
            rates: self.rates.excerpt(&prints),
            allowed: self.allowed.clone(),
            owners: Arc::clone(&self.owners),
        }
    }

    /// The order of the policy.
    fn walk(
        &mut self,
        question: &Question<'_>,
        evidence: &Evidence,
        bans: &Bans,
        now: Timestamp,
        trail: &mut Trail,
    ) -> Verdict {
        let passed = self
            .banned(question, bans, now, trail)
            .and_then(|()| self.place(question, evidence, trail))
            .and_then(|()| self.sender(question, trail))
            .and_then(|()| self.account(question, now, trail))
            .and_then(|()| self.stranger(question, evidence, bans, now, trail));
        let (answer, by) = match passed {
            Ok(()) => (Answer::Pass, None),
            Err((family, answer)) => (answer, Some(family)),
        };
        Verdict { answer, by, warnings: core::mem::take(&mut trail.warnings), signal: trail.signal.take() }
    }

    fn banned(
        &self,
        question: &Question<'_>,
        bans: &Bans,
        now: Timestamp,
        trail: &mut Trail,
    ) -> Result<(), No> {
        if !bans.is_banned(question.client, now) {
            trail.note("bans", || format!("{} is not banned", question.client));
            return Ok(());
        }
        trail.note("bans", || format!("{} is banned", question.client));
        let answer = Answer::HangUp("4.7.1 Service unavailable; client banned for now".to_owned());
        self.decide(Family::Bans, question, answer, trail)
    }

    /// From where whoever is logged in may send; programs of this host send for everybody.
    fn place(&self, question: &Question<'_>, evidence: &Evidence, trail: &mut Trail) -> Result<(), No> {
        let limit = Account::of(Text::from(question.user))
            .filter(|_| !question.client.is_loopback())
            .and_then(|account| self.settings.limits.of(&account));
        let Some(limit) = limit else { return Ok(()) };
        let country = || evidence.country.map_or_else(|| "nobody knows where".to_owned(), |c| c.to_string());
        trail.note("places", || format!("{} ({}); the limit: {limit}", question.client, country()));
        if limit.allows_place(Some(Network::host(question.client)), evidence.country) {
            return Ok(());
        }
        let answer = Answer::Refuse("5.7.1 This account may not send from there".to_owned());
        self.decide(Family::Places, question, answer, trail)
    }

    /// As whom he may send. Bounces have no sender.
    fn sender(&self, question: &Question<'_>, trail: &mut Trail) -> Result<(), No> {
        let Question { user, sender, .. } = *question;
        let is_asked = question.stage == Stage::Rcpt && !user.is_empty() && !sender.is_empty();
        if !is_asked || self.owners.is_empty() {
            return Ok(());
        }
        let owns = self.owners.may(user, sender);
        let told = if owns { "owns" } else { "does not own" };
        trail.note("senders", || format!("{} {told} <{}>", Text::from(user), Text::from(sender)));
        if owns {
            return Ok(());
        }
        let answer = Answer::Refuse("5.7.1 The sender address is not this account's".to_owned());
        self.decide(Family::Senders, question, answer, trail)
    }

    /// Limits of whoever is logged in, and what is learned of his letters.
    fn account(&mut self, question: &Question<'_>, now: Timestamp, trail: &mut Trail) -> Result<(), No> {
        let Some(account) = Account::of(Text::from(question.user)) else { return Ok(()) };
        if self.settings.accounts_mode.is_off() || self.is_exempt(Family::Accounts, question) {
            trail.note("accounts", || format!("{account} has no limits by the settings"));
            return Ok(());
        }
        let message = self.message(question);
        let taken = match question.stage {
            Stage::Rcpt => self.outgoing.recipient(&account, message, now),
            Stage::Data | Stage::EndOfMessage => {
                self.outgoing.data(&account, message, question.recipients, now)
            }
            _ => return Ok(()),
        };
        if question.stage == Stage::EndOfMessage {
            self.outgoing.end(message);
        }
        let Err(over) = taken else {
            trail.note("accounts", || within_limits(&self.outgoing, &account, now));
            return Ok(());
        };
        trail.note("accounts", || format!("{account} is over its limit of {} {}", over.quota, over.what));
        trail.signal = over.is_news.then(|| suspicion(account, over, now));
        let wait = over.wait.secs().div_ceil(60).max(1);
        let answer =
            Answer::Later(format!("4.7.1 This account has sent more than it may; try again in {wait} min"));
        self.decide(Family::Accounts, question, answer, trail)
    }

    /// Who is not logged in and from nowhere near.
    fn stranger(
        &mut self,
        question: &Question<'_>,
        evidence: &Evidence,
        bans: &Bans,
        now: Timestamp,
        trail: &mut Trail,
    ) -> Result<(), No> {
        if question.stage != Stage::Rcpt {
            trail.note("stage", || format!("{}: strangers are judged at RCPT", question.stage));
            return Ok(());
        }
        if !question.user.is_empty() {
            trail.note("login", || {
                format!("{} is logged in: no doubts, no greylist", Text::from(question.user))
            });
            self.greylist.wrote_to(question.recipient, now);
            return Ok(());
        }
        if let Some(protection) = bans.never_ban().protection(question.client, now) {
            trail.note("never-ban", || format!("{} is {protection}", question.client));
            // Programs on this host write for people here; whoever is only allowed writes to them.
            if !matches!(protection, Protection::Allowed { .. }) {
                self.greylist.wrote_to(question.recipient, now);
            }
            return Ok(());
        }
        self.rates(question, now, trail)?;
        if is_for_complaints(question.recipient) {
            trail.note("recipient", || "postmaster and abuse get their mail whatever the doubts".to_owned());
            return Ok(());
        }
        let doubts = doubt::doubts(question, evidence, &self.settings.doubts);
        let sum = doubts.iter().map(Doubt::weight).fold(0, i32::saturating_add);
        for doubt in &doubts {
            trail.note("doubts", || doubt.to_string());
        }
        trail.note("doubts", || format!("together {sum}; refused from {}", self.settings.doubts.refuse_at));
        if sum >= self.settings.doubts.refuse_at {
            let why: Vec<_> = doubts.iter().filter(|doubt| doubt.weight() > 0).map(Doubt::reason).collect();
            let why = why.join(", ");
            // Whoever is vouched for is not to lose his letter by a list that does not answer today.
            let answer = if sum.saturating_add(evidence.unheard) >= self.settings.doubts.refuse_at {
                Answer::Refuse(format!("5.7.1 Client refused: {why}"))
            } else {
                Answer::Later(format!("4.7.1 Please try again later: {why}"))
            };
            self.decide(Family::Doubts, question, answer, trail)?;
        }
        self.greylisted(question, evidence, sum, now, trail)
    }

    fn rates(&mut self, question: &Question<'_>, now: Timestamp, trail: &mut Trail) -> Result<(), No> {
        for (quota, whose, key, print) in self.limits(question) {
            match self.rates.take(print, quota, now) {
                Ok(()) => {
                    trail.note("clients", || format!("{whose} {}: within {quota}", Text::from(key.as_str())));
                }
                Err(wait) => {
                    trail.note("clients", || {
                        format!("{whose} {}: over {quota}, room in {wait}", Text::from(key.as_str()))
                    });
                    let answer = Answer::Later("4.7.1 Enough recipients for now; try again later".into());
                    self.decide(Family::Clients, question, answer, trail)?;
                }
            }
        }
        Ok(())
    }

    /// The limits of a client: how much, whose, who that is.
    fn limits(&self, question: &Question<'_>) -> Vec<(Quota, &'static str, String, Fingerprint)> {
        let rates = &self.settings.clients;
        let domain = question.recipient.rsplit_once('@').map_or("", |(_, domain)| domain);
        let network = || self.greylist.network(question.client).to_string();
        let all: [(_, _, &dyn Fn() -> String); 4] = [
            (rates.address, "address", &|| question.client.to_string()),
            (rates.network, "network", &network),
            (rates.sender, "sender", &|| question.sender.to_ascii_lowercase()),
            (rates.recipient_domain, "recipient domain", &|| domain.to_ascii_lowercase()),
        ];
        let set = all.into_iter().filter_map(|(quota, whose, key)| Some((quota?, whose, key())));
        set.filter(|(_, _, key)| !key.is_empty())
            .map(|(quota, whose, key)| {
                let print = self.secret.fingerprint(&[whose.as_bytes(), key.as_bytes()]);
                (quota, whose, key, print)
            })
            .collect()
    }

    fn message(&self, question: &Question<'_>) -> Fingerprint {
        self.secret.fingerprint(&[b"message", question.instance.as_bytes()])
    }

    fn greylisted(
        &mut self,
        question: &Question<'_>,
        evidence: &Evidence,
        doubts: i32,
        now: Timestamp,
        trail: &mut Trail,
    ) -> Result<(), No> {
        if self.settings.greylist_mode.is_off() {
            return Ok(());
        }
        let settings = *self.greylist.settings();
        if evidence.listed.iter().any(|(_, weight)| *weight < 0) {
            trail.note("greylist", || "a list vouches for the client: not greylisted".to_owned());
            return Ok(());
        }
        if settings.clients == Clients::Doubtful && doubts < self.settings.doubts.greylist_at {
            trail.note("greylist", || "no reason for doubt: not greylisted".to_owned());
            return Ok(());
        }
        if self.is_exempt(Family::Greylist, question) {
            trail.note("greylist", || "an exception".to_owned());
            return Ok(());
        }
        let triplet = self.triplet(question, evidence);
        let standing = self.greylist.attempt(&triplet, now);
        trail.note("greylist", || told(&triplet, standing));
        let wait = match standing {
            Standing::New => settings.delay,
            Standing::Early(wait) => wait,
            _ => return Ok(()),
        };
        let wait = wait.secs().max(1);
        let answer = Answer::Later(format!("4.7.1 Greylisted; please try again in {wait} s"));
        self.decide(Family::Greylist, question, answer, trail)
    }

    fn triplet(&self, question: &Question<'_>, evidence: &Evidence) -> Triplet {
        let domain = question.sender.rsplit_once('@').map(|(_, domain)| domain.to_ascii_lowercase());
        let origin = match domain.filter(|_| evidence.spf == Spf::Pass) {
            Some(domain) => Origin::Domain(domain),
            None => Origin::Network(self.greylist.network(question.client)),
        };
        Triplet {
            origin,
            sender: normal(question.sender),
            recipient: question.recipient.to_ascii_lowercase(),
            is_forged: matches!(evidence.spf, Spf::Fail | Spf::SoftFail),
        }
    }

    /// Whether a part is left out for this question.
    fn is_exempt(&self, family: Family, question: &Question<'_>) -> bool {
        let mut all = self.settings.exceptions.iter().chain(&self.allowed);
        all.any(|exception| exception.holds(family, question))
    }

    /// What a part says holds, unless it is off, only warns, or is left out for this question.
    fn decide(
        &self,
        family: Family,
        question: &Question<'_>,
        answer: Answer,
        trail: &mut Trail,
    ) -> Result<(), No> {
        let mode = self.settings.mode(family);
        if mode.is_off() || self.is_exempt(family, question) {
            trail.note(family.name(), || "left out by the settings".to_owned());
            return Ok(());
        }
        if mode.is_on() {
            return Err((family, answer));
        }
        trail.note(family.name(), || "only warns".to_owned());
        if let Answer::Later(text) | Answer::HangUp(text) | Answer::Refuse(text) = answer {
            trail.warnings.push((family, text));
        }
        Ok(())
    }
}

/// A part says no.
type No = (Family, Answer);

/// What is gathered on the way.
#[derive(Debug, Default)]
struct Trail {
    steps: Option<Vec<Step>>,
    warnings: Vec<(Family, String)>,
    signal: Option<Signal>,
}

impl Trail {
    /// The words are only made when somebody wants to read them.
    fn note(&mut self, what: &'static str, found: impl FnOnce() -> String) {
        if let Some(steps) = &mut self.steps {
            steps.push(Step { what, found: found() });
        }
    }
}

/// RFC 5321 section 4.5.1, and abuse@ by RFC 2142: who has trouble must be able to say so.
fn is_for_complaints(recipient: &str) -> bool {
    let local = recipient.rsplit_once('@').map_or(recipient, |(local, _)| local);
    ["postmaster", "abuse"].iter().any(|name| local.eq_ignore_ascii_case(name))
}

fn told(triplet: &Triplet, standing: Standing) -> String {
    let whom = format!(
        "from {} in the name of <{}> to <{}>",
        triplet.origin,
        Text::from(triplet.sender.as_str()),
        Text::from(triplet.recipient.as_str())
    );
    match standing {
        Standing::New => format!("never seen {whom}"),
        Standing::Early(wait) => format!("seen {whom}, too early by {wait}"),
        Standing::Passed => format!("came again {whom}"),
        Standing::Known => format!("known {whom}"),
        Standing::Allowed => format!("{} came through often enough", triplet.origin),
        Standing::Correspondent => {
            format!("somebody here wrote to <{}>", Text::from(triplet.sender.as_str()))
        }
    }
}

fn within_limits(outgoing: &Outgoing, account: &Account, now: Timestamp) -> String {
    let limits = outgoing.limits(account, now);
    let limits: Vec<_> =
        limits.iter().map(|(what, quota, used)| format!("{used} of {} {what}", quota.burst)).collect();
    format!("{account} has used {}", limits.join(", "))
}

/// An account over its limit is news: its password may be stolen.
fn suspicion(account: Account, over: Over, now: Timestamp) -> Signal {
    Signal {
        time: now,
        rule: mailward_model::RuleId("account-over-limit"),
        subject: Subject::Account(account),
        kind: mailward_model::OffenceKind::RateExcess,
        count: over.quota.burst.saturating_add(1),
        threshold: over.quota.burst,
        window: over.quota.window,
        ban: mailward_model::Span::ZERO,
    }
}

#[cfg(test)]
mod tests;
