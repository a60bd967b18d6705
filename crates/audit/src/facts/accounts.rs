//! Accounts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// An account, without its secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Account {
    /// Its login name: `alice@example.org`.
    pub name: String,
    /// Where it was read: file and line.
    pub place: String,
    /// The scheme of its password: `SHA512-CRYPT`, `PLAIN`, `ARGON2ID`.
    pub scheme: String,
    /// The scheme's work factor: rounds of SHA-crypt, cost of bcrypt, KiB of Argon2; 0 where it has none.
    pub cost: u64,
    /// Whether the password field is empty.
    pub empty: bool,
    /// Whether it is locked (`!`, `*` and the like).
    pub locked: bool,
    /// A keyed digest of salt and hash, to see equal ones; worthless elsewhere.
    pub digest: String,
    /// Whether the guesses that were tried found the password; none when nobody tried.
    pub guessed: Option<bool>,
    /// Whether it is a master user, who opens everybody's mailbox.
    pub master: bool,
    /// Extra fields, without their secrets: `allow_nets=192.0.2.0/24`.
    pub extra: Vec<String>,
}

/// How accounts are used, as logs and Dovecot tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// When the logs that were read begin, seconds since 1970.
    pub from: i64,
    /// When they end.
    pub to: i64,
    /// How many logins succeeded, by service: `imap`, `pop3`, `sieve`, `submission`.
    pub by_service: BTreeMap<String, u64>,
    /// When each account logged in last, seconds since 1970, by its login name in lower case.
    pub last: BTreeMap<String, i64>,
}
