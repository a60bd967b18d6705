//! The attacks, a family a file; each is one self-describing unit.
//!
//! An attempt is one connection from one address. What the attacker sees is measured by [`run()`]: what was answered,
//! when the first address could no longer connect, how many addresses were shut out.

mod botnet;
mod connections;
mod injection;
mod logins;
mod passwords;
mod port25;
mod run;
mod smuggling;
mod spam;
mod talk;

use std::net::IpAddr;

use crate::client::Trouble;
use crate::topology::{Account, NORA, RCPT_LISTED, SCREEN_LISTED, hopping, rotating, scattered};

pub use run::{Outcome, Settings, Try, run};

/// One attack.
#[derive(Clone, Copy, Debug)]
pub struct Attack {
    /// Its name on the command line and in reports.
    pub name: &'static str,
    /// What the attacker does, in a sentence.
    pub doc: &'static str,
    /// The port that tells whether the attacker is shut out.
    pub port: u16,
    /// Where it comes from.
    pub sources: Sources,
    /// The account that it is after, where it is after one.
    pub target: Account,
    /// Attempts.
    pub count: usize,
    /// Attempts a second.
    pub rate: f64,
    /// Attempts under way at the same time, at the most.
    pub parallel: usize,
    /// When it runs beside others.
    pub company: Company,
    attempt: fn(&Try<'_>) -> Result<(), Trouble>,
    /// Looks at the effect when all is over, from the users' side.
    after: Option<fn(&run::After<'_>)>,
}

/// Whose addresses an attack uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sources {
    /// One address.
    One,
    /// So many addresses, each far from the others.
    Scattered(usize),
    /// So many addresses of one /64.
    Rotating(usize),
    /// An address in each of so many /64 of one /48.
    Hopping(usize),
    /// The addresses on the DNS blocklists.
    Listed,
}

/// Whether an attack bears other traffic beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Company {
    /// It starts before the others because it takes long.
    First,
    /// Any.
    Any,
    /// It uses up the servers' process limits and so runs by itself.
    Alone,
}

/// An attack with the usual figures.
const fn attack(
    name: &'static str,
    doc: &'static str,
    port: u16,
    attempt: fn(&Try<'_>) -> Result<(), Trouble>,
) -> Attack {
    Attack {
        name,
        doc,
        port,
        sources: Sources::One,
        target: NORA,
        count: 16,
        rate: 4.0,
        parallel: 8,
        company: Company::Any,
        attempt,
        after: None,
    }
}

/// Every attack, by family.
#[must_use]
pub fn all() -> Vec<Attack> {
    [
        passwords::ATTACKS,
        botnet::ATTACKS,
        logins::ATTACKS,
        connections::ATTACKS,
        talk::ATTACKS,
        port25::ATTACKS,
        spam::ATTACKS,
        smuggling::ATTACKS,
        injection::ATTACKS,
    ]
    .concat()
}

/// The attack of this name.
#[must_use]
pub fn named(name: &str) -> Option<Attack> {
    all().into_iter().find(|attack| attack.name == name)
}

impl Attack {
    const fn scattered(&self) -> usize {
        if let Sources::Scattered(n) = self.sources { n } else { 0 }
    }

    /// Its own addresses. No two attacks share one; every second single attacker lives in the network of an honest
    /// user, the others each in a network of their own.
    #[must_use]
    pub fn addresses(&self) -> Vec<IpAddr> {
        let place = all().iter().position(|other| other.name == self.name).unwrap_or(0);
        match self.sources {
            Sources::One if place % 2 == 0 => {
                let last = u8::try_from(100 + place).unwrap_or(254);
                vec![IpAddr::from([192, 0, 2, last])]
            }
            Sources::One => vec![IpAddr::from([198, 18, 251, u8::try_from(place).unwrap_or(0)])],
            Sources::Scattered(n) => {
                let taken: usize = all().iter().take(place).map(Self::scattered).sum();
                (taken..taken + n).map(scattered).collect()
            }
            Sources::Rotating(n) => (1..=n).map(rotating).collect(),
            Sources::Hopping(n) => (1..=n).map(hopping).collect(),
            Sources::Listed => SCREEN_LISTED.into_iter().chain(RCPT_LISTED).map(IpAddr::from).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::{HOSTILE_NAMED, INNOCENTS, Place, ROGUE};
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn names_are_unique_and_documented() {
        let names: BTreeSet<_> = all().iter().map(|attack| attack.name).collect();
        assert_eq!(names.len(), all().len());
        for attack in all() {
            assert!(attack.doc.ends_with('.') && attack.doc.len() > 20, "{}", attack.name);
            assert!(attack.count > 0 && attack.rate > 0.0 && attack.parallel > 0, "{}", attack.name);
        }
    }

    #[test]
    fn the_catalogue_holds_every_attack_that_reports_name() {
        let names: BTreeSet<_> = all().iter().map(|attack| attack.name).collect();
        let wanted = "sasl-bruteforce imap-bruteforce pop3-bruteforce sieve-bruteforce imap-persistent \
            password-spray distributed-bruteforce distributed-spray ipv6-rotate ipv6-hop slow-bruteforce lucky-guess \
            plaintext-auth auth-abort spam-burst ssl-probe imap-probe smtp-flood slowloris pregreet helo-abuse rbl \
            relay-probe user-harvest non-smtp-command command-pipelining spam-bot smuggling starttls-injection \
            log-injection";
        for name in wanted.split_whitespace() {
            assert!(names.contains(name), "{name}");
        }
    }

    #[test]
    fn every_attack_has_addresses_of_its_own() {
        let mut owners = BTreeMap::new();
        for attack in all() {
            for address in attack.addresses() {
                assert_eq!(Place::of(address), Some(Place::Bad), "{address}");
                assert_eq!(owners.insert(address, attack.name), None, "{address} of {}", attack.name);
            }
        }
        for address in INNOCENTS.iter().map(|innocent| innocent.address) {
            assert!(!owners.contains_key(&address));
        }
        for address in HOSTILE_NAMED.into_iter().chain([ROGUE]) {
            assert!(!owners.contains_key(&IpAddr::V4(address)));
        }
    }
}
