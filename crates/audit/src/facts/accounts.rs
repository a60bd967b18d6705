//! Accounts.

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
    /// Extra fields, without their secrets: `allow_nets=192.0.2.0/24`.
    pub extra: Vec<String>,
}
