//! What single accounts are limited to: protocols, networks, countries.

use core::fmt;
use core::str::FromStr;
use std::collections::HashMap;

use mailward_model::{Account, Network, Text};

use crate::Country;

/// What an account is limited to; what is empty is not limited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    account: Account,
    protocols: Vec<String>,
    networks: Vec<Network>,
    countries: Vec<Country>,
}

/// Stands for every account that has no limit of its own.
const EVERYBODY: &str = "*";

/// Why a text is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitError;

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "no limit of an account: write \"scanner@example.org only smtp\", \"alice@example.org from DE,192.0.2.0/24\", \
             \"bob@example.org only imap,smtp from 2001:db8::/32\", or \"* from DE,AT\" for all others",
        )
    }
}

impl core::error::Error for LimitError {}

/// `ACCOUNT [only PROTOCOL,…] [from NETWORK or COUNTRY,…]`.
impl FromStr for Limit {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        let mut words = text.split_whitespace();
        let account = words.next().and_then(|name| Account::of(name.into())).ok_or(LimitError)?;
        let mut limit = Self { account, protocols: Vec::new(), networks: Vec::new(), countries: Vec::new() };
        while let Some(what) = words.next() {
            let mut values = words.next().ok_or(LimitError)?.split(',');
            match what {
                "only" => limit.protocols = values.map(protocol).collect::<Result<_, _>>()?,
                "from" => values.try_for_each(|value| limit.add_place(value))?,
                _ => return Err(LimitError),
            }
        }
        let is_limit = !limit.protocols.is_empty() || limit.has_places();
        is_limit.then_some(limit).ok_or(LimitError)
    }
}

fn protocol(text: &str) -> Result<String, LimitError> {
    let is_name = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_name.then(|| text.to_ascii_lowercase()).ok_or(LimitError)
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.account.name())?;
        if !self.protocols.is_empty() {
            write!(f, " only {}", self.protocols.join(","))?;
        }
        if self.has_places() {
            let countries = self.countries.iter().map(ToString::to_string);
            let places: Vec<String> =
                countries.chain(self.networks.iter().map(ToString::to_string)).collect();
            write!(f, " from {}", places.join(","))?;
        }
        Ok(())
    }
}

impl Limit {
    /// Whose limit it is; `*` is everybody's.
    #[must_use]
    pub const fn account(&self) -> &Account {
        &self.account
    }

    /// Postfix asks as `smtp` for every port on which it lets log in, and other programs name them: all of it is sending.
    pub(super) fn allows_protocol(&self, protocol: &str) -> bool {
        let canonical = |name: &str| match name {
            "submission" | "submissions" | "smtps" => "smtp".to_owned(),
            "managesieve" => "sieve".to_owned(),
            other => other.to_ascii_lowercase(),
        };
        self.protocols.is_empty()
            || self.protocols.iter().any(|known| canonical(known) == canonical(protocol))
    }

    /// An address whose country nobody knows passes where countries are named: a database that is missing locks nobody out.
    pub(crate) fn allows_place(&self, place: Option<Network>, country: Option<Country>) -> bool {
        let is_in = place.is_some_and(|place| self.networks.iter().any(|known| known.covers(place)));
        let named = !self.countries.is_empty();
        !self.has_places()
            || is_in
            || named && country.is_none_or(|country| self.countries.contains(&country))
    }

    const fn has_places(&self) -> bool {
        !(self.networks.is_empty() && self.countries.is_empty())
    }

    fn add_place(&mut self, text: &str) -> Result<(), LimitError> {
        if let Ok(country) = text.parse() {
            self.countries.push(country);
        } else {
            self.networks.push(text.parse().map_err(|_| LimitError)?);
        }
        Ok(())
    }
}

/// The limits of all accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits(HashMap<Account, Limit>);

impl Limits {
    /// The limit of an account.
    pub(crate) fn of(&self, account: &Account) -> Option<&Limit> {
        self.0.get(account).or_else(|| self.0.get(&Account::of(Text::from(EVERYBODY))?))
    }

    /// The limit of an account, in words.
    #[must_use]
    pub fn told(&self, account: &str) -> Option<String> {
        self.of(&Account::of(Text::from(account))?).map(ToString::to_string)
    }
}

impl FromIterator<Limit> for Limits {
    fn from_iter<I: IntoIterator<Item = Limit>>(limits: I) -> Self {
        Self(limits.into_iter().map(|limit| (limit.account.clone(), limit)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_printed_as_they_are_written() {
        for text in [
            "scanner@example.org only smtp",
            "alice@example.org from 192.0.2.0/24,198.51.100.7",
            "bob@example.org only imap,smtp from 2001:db8::/32",
        ] {
            assert_eq!(text.parse::<Limit>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_limit() {
        for text in [
            "",
            "bob@example.org",
            "bob@example.org only",
            "bob@example.org only ,",
            "bob from nowhere",
            "bob from DEU",
            "bob from DE,",
            "bob only imap from ,",
            "bob with x",
        ] {
            assert_eq!(text.parse::<Limit>(), Err(LimitError), "{text}");
        }
    }

    #[test]
    fn what_a_limit_allows() {
        let limit: Limit = "Bob@Example.org only submission,imap from 192.0.2.0/24".parse().unwrap();
        for (protocol, allowed) in [
            ("smtp", true),
            ("submissions", true),
            ("IMAP", true),
            ("pop3", false),
            ("sieve", false),
            ("", false),
        ] {
            assert_eq!(limit.allows_protocol(protocol), allowed, "{protocol}");
        }
        for (address, allowed) in [("192.0.2.7", true), ("198.51.100.7", false), ("2001:db8::1", false)] {
            assert_eq!(limit.allows_place(address.parse().ok(), None), allowed, "{address}");
            let country = "DE".parse().ok();
            assert_eq!(limit.allows_place(address.parse().ok(), country), allowed, "{address}");
        }
        assert!(!limit.allows_place(None, None));
    }

    #[test]
    fn what_countries_allow() {
        let texts = ["bob@example.org from de,192.0.2.0/24", "* from AT"];
        let limits: Limits = texts.iter().map(|text| text.parse::<Limit>().unwrap()).collect();
        for (account, address, country, allowed) in [
            ("bob@example.org", "198.51.100.7", "DE", true),
            ("bob@example.org", "198.51.100.7", "AT", false),
            ("bob@example.org", "192.0.2.7", "AT", true),
            ("bob@example.org", "198.51.100.7", "", true),
            ("alice@example.org", "192.0.2.7", "AT", true),
            ("alice@example.org", "192.0.2.7", "DE", false),
        ] {
            let limit = limits.of(&Account::of(account.into()).unwrap()).unwrap();
            let is_allowed = limit.allows_place(address.parse().ok(), country.parse().ok());
            assert_eq!(is_allowed, allowed, "{account} {address} {country}");
        }
        assert_eq!(limits.told("bob@example.org").as_deref(), Some("bob@example.org from DE,192.0.2.0/24"));
        assert_eq!(limits.told("alice@example.org").as_deref(), Some("* from AT"));
    }
}
