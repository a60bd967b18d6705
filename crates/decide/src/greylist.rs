//! Greylisting: who was never seen is asked to come again, and a mail server does.

use mailward_model::{Network, Span, Timestamp};

use crate::seen::{Seen, SeenTable, seconds};
use crate::{Fingerprint, Secret};

/// Who is greylisted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clients {
    /// Only whoever gives reason for doubt.
    #[default]
    Doubtful,
    /// Everybody.
    All,
}

/// The numbers of the greylist. Delay, window and memory are those of Postgrey 1.37.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GreylistSettings {
    /// Who is greylisted.
    pub clients: Clients,
    /// How long a first attempt is put off.
    pub delay: Span,
    /// Within what time it must come again.
    pub window: Span,
    /// How long whoever came through is known.
    pub memory: Span,
    /// After so many messages that came through, an hour apart, a network is not greylisted any more; 0 never.
    pub auto_allow: u32,
    /// Neighbours that count as one client: pools of senders try again from another address.
    pub ipv4_prefix: u8,
    /// The same for IPv6.
    pub ipv6_prefix: u8,
    /// How much is remembered at the most.
    pub capacity: usize,
}

impl Default for GreylistSettings {
    fn default() -> Self {
        Self {
            clients: Clients::Doubtful,
            delay: Span::from_mins(5),
            window: Span::from_days(2),
            memory: Span::from_days(35),
            auto_allow: 5,
            ipv4_prefix: 24,
            ipv6_prefix: 64,
            capacity: 1_000_000,
        }
    }
}

/// Who sends: his network, or the domain that vouches for him by SPF, so that a big sender's pool is one sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A network.
    Network(Network),
    /// A domain whose SPF record allows the address.
    Domain(String),
}

impl core::fmt::Display for Origin {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Network(network) => network.fmt(f),
            Self::Domain(domain) => domain.fmt(f),
        }
    }
}

/// Who sends to whom: the key of the greylist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Triplet {
    /// Who sends.
    pub origin: Origin,
    /// In whose name, [as it counts](normal).
    pub sender: String,
    /// To whom.
    pub recipient: String,
    /// His domain says that it is not he: then it does not help that somebody here wrote to that address.
    pub is_forged: bool,
}

/// What the greylist says to an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Never seen, or so long ago that it does not count any more.
    New,
    /// Seen, and it came again too early: it takes so much longer.
    Early(Span),
    /// It came again, as a mail server does.
    Passed,
    /// It came through before.
    Known,
    /// Its network came through often enough.
    Allowed,
    /// Somebody here wrote to the sender.
    Correspondent,
}

/// What is to be kept on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenChange {
    /// Whom.
    pub key: Fingerprint,
    /// What is known of him now; nothing any more.
    pub seen: Option<Seen>,
    /// Who that is, where he is known: the disk may have forgotten him.
    pub text: Option<Text>,
}

/// Origin, sender, recipient. An empty sender and recipient is a network that came through, an empty origin and sender somebody whom
/// people here wrote to.
type Text = Box<(String, String, String)>;

/// The greylist: whom it has seen.
#[derive(Clone, Debug)]
pub struct Greylist {
    settings: GreylistSettings,
    secret: Secret,
    table: SeenTable,
    changes: Vec<SeenChange>,
}

/// A network's passes count once in that time.
const APART: u32 = 3_600;
/// Being seen again is written to the disk once in that time.
const FRESH: u32 = 3_600;

impl Greylist {
    /// An empty one.
    #[must_use]
    pub fn new(settings: GreylistSettings, secret: Secret) -> Self {
        Self { settings, secret, table: SeenTable::new(settings.capacity), changes: Vec::new() }
    }

    /// Its numbers.
    #[must_use]
    pub const fn settings(&self) -> &GreylistSettings {
        &self.settings
    }

    /// Other numbers; how much is remembered at the most changes with a restart.
    pub const fn set(&mut self, settings: GreylistSettings) {
        self.settings = settings;
    }

    /// How many are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether nobody is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The network of an address, as it counts here.
    #[must_use]
    pub fn network(&self, address: core::net::IpAddr) -> Network {
        let v4 = mailward_model::canonical(address).is_ipv4();
        Network::around(address, if v4 { self.settings.ipv4_prefix } else { self.settings.ipv6_prefix })
    }

    /// Brings back what was kept.
    pub fn restore(&mut self, key: Fingerprint, seen: Seen) {
        let _ = self.table.put(key, seen);
    }

    /// Forgets somebody; tells whether it knew him.
    pub fn forget(&mut self, key: Fingerprint) -> bool {
        let known = self.table.remove(key).is_some();
        if known {
            self.changes.push(SeenChange { key, seen: None, text: None });
        }
        known
    }

    /// What has changed since this was asked last.
    pub fn take_changes(&mut self) -> Vec<SeenChange> {
        core::mem::take(&mut self.changes)
    }

    /// Somebody here writes to this address: when it answers, it is no stranger.
    pub fn wrote_to(&mut self, recipient: &str, now: Timestamp) {
        let address = recipient.to_ascii_lowercase();
        let key = self.correspondent(&normal(&address));
        let known = self.table.get(key);
        if known.is_none_or(|seen| seconds(now).saturating_sub(seen.at) >= FRESH) {
            let text = Box::new((String::new(), String::new(), address));
            self.put(key, Seen { at: seconds(now), passes: 1 }, text);
        }
    }

    /// A copy of what is known of a triplet.
    pub(crate) fn excerpt(&self, triplet: &Triplet) -> Self {
        let mut excerpt = Self::new(self.settings, self.secret.clone());
        let keys = self.keys(triplet);
        for key in [keys.triplet, keys.origin, keys.sender] {
            if let Some(seen) = self.table.get(key) {
                excerpt.restore(key, seen);
            }
        }
        excerpt
    }

    /// Judges an attempt without changing anything.
    #[must_use]
    pub fn look(&self, triplet: &Triplet, now: Timestamp) -> Standing {
        self.standing(triplet, &self.keys(triplet), now)
    }

    /// Judges an attempt.
    pub fn attempt(&mut self, triplet: &Triplet, now: Timestamp) -> Standing {
        let keys = self.keys(triplet);
        let standing = self.standing(triplet, &keys, now);
        let text = || {
            let (origin, sender) = (triplet.origin.to_string(), triplet.sender.clone());
            Box::new((origin, sender, triplet.recipient.clone()))
        };
        match standing {
            Standing::New => self.put(keys.triplet, Seen::first(now), text()),
            Standing::Passed | Standing::Known => self.pass(keys.triplet, text, now),
            Standing::Early(_) | Standing::Allowed | Standing::Correspondent => {}
        }
        if standing == Standing::Passed || standing == Standing::Allowed {
            self.count_for(keys.origin, &triplet.origin, now);
        }
        standing
    }

    fn standing(&self, triplet: &Triplet, keys: &Keys, now: Timestamp) -> Standing {
        let settings = &self.settings;
        let within = |seen: &Seen, span| now.since(seen.time()) < span;
        let kept = |key| self.table.get(key).filter(|seen| within(seen, settings.memory));
        if kept(keys.sender).is_some() && !triplet.sender.is_empty() && !triplet.is_forged {
            return Standing::Correspondent;
        }
        let often = |seen: Seen| settings.auto_allow > 0 && seen.passes >= settings.auto_allow;
        if kept(keys.origin).is_some_and(often) {
            return Standing::Allowed;
        }
        match kept(keys.triplet) {
            Some(seen) if seen.passes > 0 => Standing::Known,
            Some(seen) if !within(&seen, settings.delay) && within(&seen, settings.window) => {
                Standing::Passed
            }
            // Otherwise the clock was set back, and it would be too early until it has caught up.
            Some(seen) if within(&seen, settings.delay) && seen.time() <= now => {
                Standing::Early(Span::from_micros(settings.delay.micros() - now.since(seen.time()).micros()))
            }
            _ => Standing::New,
        }
    }

    fn pass(&mut self, key: Fingerprint, text: impl FnOnce() -> Text, now: Timestamp) {
        let seen = self.table.get(key).unwrap_or(Seen::first(now));
        if seen.passes == 0 || seconds(now).saturating_sub(seen.at) >= FRESH {
            self.put(key, Seen { at: seconds(now), passes: seen.passes.saturating_add(1) }, text());
        }
    }

    /// A message of this origin came through.
    fn count_for(&mut self, key: Fingerprint, origin: &Origin, now: Timestamp) {
        let known = self.table.get(key).filter(|seen| now.since(seen.time()) < self.settings.memory);
        if known.is_some_and(|seen| seconds(now).saturating_sub(seen.at) < APART) {
            return;
        }
        let passes = known.map_or(0, |seen| seen.passes).saturating_add(1);
        let text = Box::new((origin.to_string(), String::new(), String::new()));
        self.put(key, Seen { at: seconds(now), passes }, text);
    }

    fn put(&mut self, key: Fingerprint, seen: Seen, text: Text) {
        for key in self.table.put(key, seen) {
            self.changes.push(SeenChange { key, seen: None, text: None });
        }
        self.changes.push(SeenChange { key, seen: Some(seen), text: Some(text) });
    }

    fn correspondent(&self, address: &str) -> Fingerprint {
        self.secret.fingerprint(&[b"correspondent", address.as_bytes()])
    }

    fn keys(&self, triplet: &Triplet) -> Keys {
        let origin = triplet.origin.to_string();
        let [sender, recipient] = [&triplet.sender, &triplet.recipient].map(String::as_bytes);
        Keys {
            triplet: self.secret.fingerprint(&[b"triplet", origin.as_bytes(), sender, recipient]),
            origin: self.secret.fingerprint(&[b"origin", origin.as_bytes()]),
            sender: self.correspondent(&triplet.sender),
        }
    }
}

struct Keys {
    triplet: Fingerprint,
    origin: Fingerprint,
    sender: Fingerprint,
}

/// A sender as it counts: lower case; what changes from message to message (BATV, VERP, `+tag`, numbers) is the same.
#[must_use]
pub fn normal(sender: &str) -> String {
    let lower = sender.to_ascii_lowercase();
    let Some((local, domain)) = lower.rsplit_once('@') else { return lower };
    // BATV: prvs=tag-value=local (draft-levine-smtp-batv); some write prvs=local/tag-value.
    let local = match local.strip_prefix("prvs=") {
        Some(rest) => rest.split_once('=').map_or(rest, |(_, local)| local),
        None => local,
    };
    let local = local.split(['+', '=']).next().unwrap_or_default();
    let mut out = String::with_capacity(lower.len());
    for c in local.chars() {
        match c {
            '0'..='9' if out.ends_with('#') => {}
            '0'..='9' => out.push('#'),
            other => out.push(other),
        }
    }
    out.push('@');
    out.push_str(domain);
    out
}

#[cfg(test)]
mod tests;
