//! Who is known: the places of successful logins, mail servers that deliver, names that were confirmed.

use mailward_model::{Network, Span, Timestamp};
use smallvec::SmallVec;

use crate::bounded::{Bounded, Worth};
use crate::source::{Neighbourhood, Source};
use crate::window::seconds;

/// What is known of one source.
#[derive(Debug, Default)]
struct Place {
    login: u32,
    delivery: u32,
    named: u32,
    unnamed: u32,
    /// When it last did anything.
    seen: u32,
    /// Connections to smtpd and postscreen that are open.
    open: u32,
}

impl Place {
    fn standing(&self, time: Timestamp, memory: Span) -> Standing {
        let since = seconds(time.minus(memory));
        Standing {
            precious: is_fresh(self.login, since),
            delivers: is_fresh(self.delivery, since) && self.named > self.unnamed,
            nameless: self.unnamed > self.named,
        }
    }
}

impl Worth for Place {
    fn worth(&self) -> (u32, u32) {
        let rank = if self.login > 0 { 2 } else { u32::from(self.delivery > 0 || self.open > 0) };
        (rank, self.seen.max(self.login).max(self.delivery))
    }
}

/// The last login from a network.
#[derive(Debug, Default)]
struct LastLogin(u32);

impl Worth for LastLogin {
    fn worth(&self) -> (u32, u32) {
        (0, self.0)
    }
}

/// A source that did nothing for so many seconds has no connection open.
const FORGET: u32 = 1_800;

/// What a source is known for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Somebody logged in from there lately.
    pub(crate) precious: bool,
    /// It is a named mail server that delivered lately.
    pub(crate) delivers: bool,
    /// It is known to have no confirmed name.
    pub(crate) nameless: bool,
}

/// What is known of the sources that behave.
#[derive(Debug)]
pub(crate) struct Places {
    places: Bounded<Place>,
    networks: Bounded<LastLogin>,
    memory: Span,
}

impl Places {
    pub(crate) fn new(capacity: usize, memory: Span) -> Self {
        Self { places: Bounded::new(capacity), networks: Bounded::new(capacity), memory }
    }

    pub(crate) fn login(&mut self, source: Source, time: Timestamp) {
        let now = seconds(time);
        let place = self.places.entry(source, Place::default);
        place.login = place.login.max(now);
        for network in source.neighbourhoods() {
            let last = self.networks.entry(network, LastLogin::default);
            last.0 = last.0.max(now);
        }
    }

    /// A mail server delivered a message; only one with a confirmed name becomes known by that.
    pub(crate) fn delivery(&mut self, source: Source, time: Timestamp) {
        let place = self.places.entry(source, Place::default);
        place.delivery = seconds(time);
    }

    /// A connection was opened, by a client whose name Postfix confirmed, or did not, or did not look up. Tells how many
    /// are open.
    pub(crate) fn opened(&mut self, source: Source, named: Option<bool>, time: Timestamp) -> (u32, Standing) {
        let now = seconds(time);
        let place = self.places.entry(source, Place::default);
        // A lost line would leave a connection open for ever.
        if now.saturating_sub(place.seen) > FORGET {
            place.open = 0;
        }
        place.open = place.open.saturating_add(1);
        place.seen = now;
        match named {
            Some(true) => place.named = now,
            Some(false) => place.unnamed = now,
            None => {}
        }
        (place.open, place.standing(time, self.memory))
    }

    /// A connection was closed.
    pub(crate) fn closed(&mut self, source: Source) {
        if let Some(place) = self.places.get_mut(source) {
            place.open = place.open.saturating_sub(1);
        }
    }

    /// What is known of a source.
    pub(crate) fn standing(&self, source: Source, time: Timestamp) -> Standing {
        self.places.get(source).map_or_else(Standing::default, |place| place.standing(time, self.memory))
    }

    /// Whether somebody logged in from this source lately.
    pub(crate) fn is_precious(&self, source: Source, time: Timestamp) -> bool {
        self.standing(source, time).precious
    }

    /// Whether somebody logged in from anywhere in this network lately.
    pub(crate) fn is_precious_network(&self, network: Network, time: Timestamp) -> bool {
        self.networks
            .get(Neighbourhood::of(network))
            .is_some_and(|last| is_fresh(last.0, seconds(time.minus(self.memory))))
    }
}

const fn is_fresh(then: u32, since: u32) -> bool {
    then > 0 && then >= since
}

/// What is known of one account.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// The last login.
    login: u32,
    /// Networks it logged in from, the latest last.
    networks: SmallVec<[Neighbourhood; 2]>,
    /// Strangers that failed on it: source and second, each source once, the latest last.
    pub(crate) strangers: SmallVec<[(Source, u32); 2]>,
    /// Failures of strangers since the last login: their seconds, the latest last.
    failures: SmallVec<[u32; 4]>,
}

impl Worth for Record {
    fn worth(&self) -> (u32, u32) {
        let last = self.strangers.last().map_or(0, |(_, secs)| *secs);
        (if self.login > 0 { u32::MAX } else { self.strangers.len() as u32 }, last.max(self.login))
    }
}

impl Record {
    /// The most strangers, networks and failures that are kept of one account.
    const MOST: usize = 32;

    /// A stranger failed.
    pub(crate) fn failed(&mut self, source: Source, now: u32, number: u32) {
        self.strangers.retain(|(other, _)| *other != source);
        if self.strangers.len() >= Self::MOST {
            self.strangers.remove(0);
        }
        self.strangers.push((source, now));
        for _ in 0..number.min(Self::MOST as u32) {
            if self.failures.len() >= Self::MOST {
                self.failures.remove(0);
            }
            self.failures.push(now);
        }
    }

    /// Forgets who failed on it.
    pub(crate) fn pardon(&mut self) {
        self.strangers.clear();
        self.failures.clear();
    }

    /// Strangers that failed since a second.
    pub(crate) fn strangers_since(&self, start: u32) -> impl Iterator<Item = Source> + Clone + '_ {
        self.strangers.iter().filter(move |(_, secs)| *secs > start).map(|(source, _)| *source)
    }

    /// Whether anybody ever logged in with it.
    pub(crate) const fn is_used(&self) -> bool {
        self.login > 0
    }

    /// Whether anybody logged in with it since a second.
    pub(crate) const fn logged_in_since(&self, start: u32) -> bool {
        self.login > 0 && self.login >= start
    }

    /// Whether it was logged in with from the network of a source.
    pub(crate) fn knows(&self, source: Source) -> bool {
        source.neighbourhoods().any(|network| self.networks.contains(&network))
    }

    /// A login succeeded. Returns how many failures of strangers since `start` preceded it, if it came from a network
    /// that the account never logged in from.
    pub(crate) fn succeeded(&mut self, source: Source, now: u32, start: u32) -> u32 {
        self.login = self.login.max(now);
        if self.came_from(source.neighbourhoods()) {
            return 0;
        }
        let failures = self.failures.iter().filter(|secs| **secs > start).count() as u32;
        self.failures.clear();
        failures
    }

    /// Notes networks as the latest; tells whether one was known.
    fn came_from(&mut self, networks: impl DoubleEndedIterator<Item = Neighbourhood> + Clone) -> bool {
        if self.networks.iter().rev().take(networks.clone().count()).copied().eq(networks.clone().rev()) {
            return true;
        }
        let mut is_known = false;
        for network in networks {
            if let Some(at) = self.networks.iter().position(|known| *known == network) {
                is_known = true;
                self.networks.remove(at);
            } else if self.networks.len() >= Self::MOST {
                self.networks.remove(0);
            }
            self.networks.push(network);
        }
        is_known
    }
}
