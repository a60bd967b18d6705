//! What a program said.

use serde::{Deserialize, Serialize};

/// What SpamAssassin learned, in the database that amavis uses.
pub const LEARNED: &str = "sa-learn --dbpath /var/lib/amavis/.spamassassin/bayes --dump magic";

/// What a program said, and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Said {
    /// Its exit status; none if a signal ended it.
    pub status: Option<i32>,
    /// Its standard output, with what is no UTF-8 replaced.
    pub stdout: String,
    /// Its standard error, likewise.
    pub stderr: String,
    /// Whether one of the two was longer than what is kept.
    pub truncated: bool,
}

impl Said {
    /// A program that succeeded.
    #[must_use]
    pub fn ok(stdout: impl Into<String>) -> Self {
        Self { status: Some(0), stdout: stdout.into(), ..Self::default() }
    }
}
