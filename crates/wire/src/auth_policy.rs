//! Dovecot's auth policy, as Dovecot 2.3 and 2.4 speak it, with the commands of weakforced that its users' scripts call.
//!
//! Dovecot asks `allow` before it looks at a password and again after it was right, and tells by `report` how the login
//! ended. It believes any answer of status 2xx whose body has a number `status`: below 0 refuses, 0 goes on, and more is
//! how many seconds it waits first. A `msg` would be shown to the client, so that ours is always empty.

mod answer;
mod body;

use core::net::IpAddr;
use std::borrow::Cow;

use mailward_model::Network;
use serde::Deserialize;
use thiserror::Error;

use crate::http::Request;

pub use answer::{Answer, Listed, Stats};

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Command<'a> {
    /// May this login go on?
    Allow(Attempt<'a>),
    /// So a login ended.
    Report(Report<'a>),
    /// Forget what was counted, and entries of the block list.
    Reset(Whom<'a>),
    /// What is counted?
    Stats(Whom<'a>),
    /// Put an entry on a list.
    Add(List, Entry<'a>),
    /// Take an entry from a list.
    Remove(List, Entry<'a>),
    /// Tell all entries of a list.
    Show(List),
    /// Are you there?
    Ping,
}

/// weakforced's lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// Refused, whatever is counted (`BL`).
    Block,
    /// Let in, whatever is counted (`WL`).
    Allow,
}

/// A login that is tried. What is not told is empty.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Attempt<'a> {
    /// The user name as it was typed.
    #[serde(borrow)]
    pub login: Cow<'a, str>,
    /// Digits of a hash of name and password.
    #[serde(borrow)]
    pub pwhash: Cow<'a, str>,
    /// The client's address; IPv4-mapped ones are IPv4.
    #[serde(deserialize_with = "body::address")]
    pub remote: Option<IpAddr>,
    /// `imap`, `pop3`, `sieve` …, and `smtp` for Postfix.
    #[serde(borrow)]
    pub protocol: Cow<'a, str>,
    /// Dovecot's session, which its log lines name, too; Postfix has none.
    #[serde(borrow)]
    pub session_id: Cow<'a, str>,
    /// The SASL mechanism; only where `auth_policy_request_attributes` has it.
    #[serde(borrow)]
    pub mech: Cow<'a, str>,
}

/// How a login ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report<'a> {
    /// The login.
    pub attempt: Attempt<'a>,
    /// Whether it succeeded.
    pub success: bool,
    /// Whether it failed because we refused it.
    pub policy_reject: bool,
    /// Why it failed; only Dovecot 2.4 tells.
    pub failure: Failure,
}

/// Why a login failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Failure {
    /// A wrong password.
    Credentials,
    /// No such account.
    Account,
    /// The password is too old.
    Expired,
    /// The account is disabled.
    Disabled,
    /// Dovecot's own trouble.
    Internal,
    /// A policy refused.
    Policy,
    /// Not told (Dovecot 2.3), or not known here.
    #[default]
    #[serde(other)]
    Untold,
}

/// Whom a command is about: an address, an account, or one from the other.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Whom<'a> {
    /// The address.
    #[serde(deserialize_with = "body::address")]
    pub ip: Option<IpAddr>,
    /// The account.
    #[serde(borrow)]
    pub login: Cow<'a, str>,
}

/// An entry of a list: a network, an account, or one from the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry<'a> {
    /// The address or network.
    pub network: Option<Network>,
    /// The account, empty for all.
    pub login: Cow<'a, str>,
    /// For how many seconds; none for as long as somebody takes it away.
    pub seconds: Option<u64>,
    /// Why.
    pub reason: Cow<'a, str>,
}

/// Why a request is no command.
#[derive(Debug, Error)]
pub enum CommandError {
    /// The target names no command, or one that is not served.
    #[error(
        "unknown command; known are allow, report, reset, ping, getDBStats, addBLEntry, delBLEntry, getBL, addWLEntry, delWLEntry, getWL"
    )]
    Unknown,
    /// The body is something else.
    #[error("the body is no JSON object")]
    NoObject,
    /// It is no JSON, or has not what the command needs.
    #[error("the body does not fit the command: {0}")]
    Body(#[from] serde_json::Error),
    /// It names neither an address nor an account.
    #[error("ip, netmask or login is missing")]
    Nobody,
}

impl<'a> Command<'a> {
    /// The command of a request.
    ///
    /// # Errors
    /// [`CommandError`] says what is wrong with it.
    pub fn of(request: &Request<'a>) -> Result<Self, CommandError> {
        let body = request.body;
        Ok(match name(request.target) {
            "allow" => Self::Allow(body::object(body)?),
            "report" => Self::Report(body::report(body)?),
            "reset" => Self::Reset(body::whom(body)?),
            "getDBStats" => Self::Stats(body::whom(body)?),
            "addBLEntry" => Self::Add(List::Block, body::entry(body)?),
            "addWLEntry" => Self::Add(List::Allow, body::entry(body)?),
            "delBLEntry" => Self::Remove(List::Block, body::entry(body)?),
            "delWLEntry" => Self::Remove(List::Allow, body::entry(body)?),
            "getBL" => Self::Show(List::Block),
            "getWL" => Self::Show(List::Allow),
            "ping" => Self::Ping,
            _ => return Err(CommandError::Unknown),
        })
    }
}

impl<'a> Command<'a> {
    /// The question, or the report, of a body alone: a report has `success`.
    ///
    /// # Errors
    /// [`CommandError`] says what is wrong with it.
    pub fn of_body(body: &'a [u8]) -> Result<Self, CommandError> {
        if body::has_end(body)? {
            Ok(Self::Report(body::report(body)?))
        } else {
            Ok(Self::Allow(body::object(body)?))
        }
    }
}

/// The name of the command in a target: `/?command=allow`, `/any/prefix?x=y&command=allow`, `/command/allow`. To a URL
/// that ends in `&` Dovecot appends `command=allow` without a question mark.
fn name(target: &str) -> &str {
    let mut pieces = target.split(['?', '&']);
    let path = pieces.next().unwrap_or_default();
    pieces
        .filter_map(|piece| piece.strip_prefix("command="))
        .next_back()
        .or_else(|| path.rsplit_once("/command/").map(|(_, name)| name.trim_end_matches('/')))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
