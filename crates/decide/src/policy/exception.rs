//! Exceptions: `greylist for client 192.0.2.0/24`.

use core::fmt;
use core::str::FromStr;

use mailward_model::Network;

use crate::policy::{Family, Question};

/// A part of the policy, or all of it, is left out for somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// Which part; none is all of it but bans.
    pub family: Option<Family>,
    /// For whom.
    pub who: Who,
}

/// For whom an exception is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Clients of a network.
    Client(Network),
    /// Clients with such a name, confirmed forward and back, or a name below it.
    Name(String),
    /// An address that sends, or a domain with those below it. Anybody can write any sender.
    Sender(String),
    /// An address that receives, or a domain.
    Recipient(String),
    /// Whoever is logged in so.
    User(String),
    /// A service: its port, or its `policy_context`.
    Service(String),
}

impl Exception {
    /// Whether it holds for a part and a question.
    #[must_use]
    pub fn holds(&self, family: Family, question: &Question<'_>) -> bool {
        let covers = self.family.map_or(family != Family::Bans, |own| own == family);
        covers && self.who.is(question)
    }
}

impl Who {
    fn is(&self, question: &Question<'_>) -> bool {
        match self {
            Self::Client(network) => network.contains(question.client),
            Self::Name(name) => is_within(question.name, name),
            Self::Sender(pattern) => matches(question.sender, pattern),
            Self::Recipient(pattern) => matches(question.recipient, pattern),
            Self::User(user) => question.user.eq_ignore_ascii_case(user),
            Self::Service(service) => question.service == service,
        }
    }
}

/// `kim@partner.example` is that address, `partner.example` every one there and below.
fn matches(address: &str, pattern: &str) -> bool {
    if pattern.contains('@') {
        return address.eq_ignore_ascii_case(pattern);
    }
    address.rsplit_once('@').is_some_and(|(_, domain)| is_within(domain, pattern))
}

fn is_within(name: &str, domain: &str) -> bool {
    let Some(at) = name.len().checked_sub(domain.len()) else { return false };
    let fits = name.get(at..).is_some_and(|tail| tail.eq_ignore_ascii_case(domain));
    !domain.is_empty() && fits && (at == 0 || name.as_bytes().get(at - 1) == Some(&b'.'))
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, value) = match &self.who {
            Who::Client(network) => ("client", network.to_string()),
            Who::Name(name) => ("client-name", name.clone()),
            Who::Sender(pattern) => ("sender", pattern.clone()),
            Who::Recipient(pattern) => ("recipient", pattern.clone()),
            Who::User(user) => ("user", user.clone()),
            Who::Service(service) => ("service", service.clone()),
        };
        write!(f, "{} for {kind} {value}", self.family.map_or("all", Family::name))
    }
}

impl FromStr for Exception {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [part, "for", kind, value] = words.as_slice() else {
            return Err(format!("\"{text}\" is no exception; write: greylist for client 192.0.2.0/24"));
        };
        let family = match (*part, Family::ALL.iter().find(|family| family.name() == *part)) {
            ("all", _) => None,
            (_, Some(family)) => Some(*family),
            _ => {
                return Err(format!(
                    "\"{part}\" is no part of the policy; there are: all, bans, places, senders, accounts, clients, doubts, greylist"
                ));
            }
        };
        let value = (*value).to_owned();
        let who = match *kind {
            "client" => {
                Who::Client(value.parse().map_err(|error: mailward_model::NetworkError| error.to_string())?)
            }
            "client-name" => Who::Name(value),
            "sender" => Who::Sender(value),
            "recipient" => Who::Recipient(value),
            "user" => Who::User(value),
            "service" => Who::Service(value),
            other => {
                return Err(format!(
                    "\"{other}\" is nobody; there are: client, client-name, sender, recipient, user, service"
                ));
            }
        };
        Ok(Self { family, who })
    }
}
