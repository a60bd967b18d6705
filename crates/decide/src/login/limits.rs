//! What single accounts are limited to: protocols, networks, countries.

use core::fmt;
use core::str::FromStr;
use std::collections::HashMap;

use mailward_model::{Account, Network, Text};

/// What an account is limited to; what is empty is not limited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    account: Account,
    protocols: Vec<String>,
    networks: Vec<Network>,
    countries: Vec<String>,
}

/// Why a text is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitError;

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "no limit of an account: write \"scanner@example.org only smtp\", \"alice@example.org from 192.0.2.0/24,DE\", \
             or \"bob@example.org only imap,smtp from 2001:db8::/32\"",
        )
    }
}

impl core::error::Error for LimitError {}

/// `ACCOUNT [only PROTOCOL,…] [from NETWORK-OR-COUNTRY,…]`.
impl FromStr for Limit {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        let mut words = text.split_whitespace();
        let account = words.next().and_then(|name| Account::of(name.into())).ok_or(LimitError)?;
        let mut limit = Self { account, protocols: Vec::new(), networks: Vec::new(), countries: Vec::new() };
        while let Some(what) = words.next() {
            let mut values = words.next().ok_or(LimitError)?.split(',').filter(|value| !value.is_empty());
            match what {
                "only" => limit.protocols.extend(values.map(str::to_ascii_lowercase)),
                "from" => values.try_for_each(|value| limit.add_place(value))?,
                _ => return Err(LimitError),
            }
        }
        let is_limit =
            !(limit.protocols.is_empty() && limit.networks.is_empty() && limit.countries.is_empty());
        is_limit.then_some(limit).ok_or(LimitError)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.account.name())?;
        if !self.protocols.is_empty() {
            write!(f, " only {}", self.protocols.join(","))?;
        }
        let networks = self.networks.iter().map(ToString::to_string);
        let places: Vec<String> = networks.chain(self.countries.iter().cloned()).collect();
        if places.is_empty() { Ok(()) } else { write!(f, " from {}", places.join(",")) }
    }
}

impl Limit {
    fn add_place(&mut self, text: &str) -> Result<(), LimitError> {
        if let Ok(network) = text.parse() {
            self.networks.push(network);
        } else if text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            self.countries.push(text.to_ascii_uppercase());
        } else {
            return Err(LimitError);
        }
        Ok(())
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

    pub(super) fn allows_place(&self, network: Option<Network>, country: Option<&str>) -> bool {
        if self.networks.is_empty() && self.countries.is_empty() {
            return true;
        }
        let in_network =
            network.is_some_and(|network| self.networks.iter().any(|known| known.covers(network)));
        in_network || country.is_some_and(|country| self.countries.iter().any(|known| known == country))
    }
}

/// The limits of all accounts.
#[derive(Clone, Debug, Default)]
pub struct Limits(HashMap<Account, Limit>);

impl Limits {
    /// The limit of an account.
    pub(super) fn of(&self, account: &Account) -> Option<&Limit> {
        self.0.get(account)
    }

    /// The limit of an account, in words.
    #[must_use]
    pub fn told(&self, account: &str) -> Option<String> {
        self.0.get(&Account::of(Text::from(account))?).map(ToString::to_string)
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
            "alice@example.org from 192.0.2.0/24,DE",
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
            "bob with x",
        ] {
            assert_eq!(text.parse::<Limit>(), Err(LimitError), "{text}");
        }
    }

    #[test]
    fn what_a_limit_allows() {
        let limit: Limit = "Bob@Example.org only submission,imap from 192.0.2.0/24,de".parse().unwrap();
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
        for (address, country, allowed) in [
            ("192.0.2.7", None, true),
            ("192.0.2.7", Some("FR"), true),
            ("198.51.100.7", Some("DE"), true),
            ("198.51.100.7", Some("FR"), false),
            ("198.51.100.7", None, false),
        ] {
            assert_eq!(limit.allows_place(address.parse().ok(), country), allowed, "{address} {country:?}");
        }
    }
}
