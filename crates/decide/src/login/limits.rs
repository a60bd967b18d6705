//! What single accounts are limited to: protocols, networks.

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
}

/// Why a text is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitError;

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "no limit of an account: write \"scanner@example.org only smtp\", \"alice@example.org from 192.0.2.0/24\", \
             or \"bob@example.org only imap,smtp from 2001:db8::/32\"",
        )
    }
}

impl core::error::Error for LimitError {}

/// `ACCOUNT [only PROTOCOL,…] [from NETWORK,…]`.
impl FromStr for Limit {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        let mut words = text.split_whitespace();
        let account = words.next().and_then(|name| Account::of(name.into())).ok_or(LimitError)?;
        let mut limit = Self { account, protocols: Vec::new(), networks: Vec::new() };
        while let Some(what) = words.next() {
            let values = words.next().ok_or(LimitError)?.split(',');
            match what {
                "only" => limit.protocols = values.map(protocol).collect::<Result<_, _>>()?,
                "from" => limit.networks = values.map(network).collect::<Result<_, _>>()?,
                _ => return Err(LimitError),
            }
        }
        let is_limit = !(limit.protocols.is_empty() && limit.networks.is_empty());
        is_limit.then_some(limit).ok_or(LimitError)
    }
}

fn protocol(text: &str) -> Result<String, LimitError> {
    let is_name = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_name.then(|| text.to_ascii_lowercase()).ok_or(LimitError)
}

fn network(text: &str) -> Result<Network, LimitError> {
    text.parse().map_err(|_| LimitError)
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.account.name())?;
        if !self.protocols.is_empty() {
            write!(f, " only {}", self.protocols.join(","))?;
        }
        if !self.networks.is_empty() {
            let networks: Vec<String> = self.networks.iter().map(ToString::to_string).collect();
            write!(f, " from {}", networks.join(","))?;
        }
        Ok(())
    }
}

impl Limit {
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

    pub(super) fn allows_place(&self, place: Option<Network>) -> bool {
        self.networks.is_empty()
            || place.is_some_and(|place| self.networks.iter().any(|known| known.covers(place)))
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
            "bob from DE",
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
            assert_eq!(limit.allows_place(address.parse().ok()), allowed, "{address}");
        }
        assert!(!limit.allows_place(None));
    }
}
