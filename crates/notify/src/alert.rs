//! What the operator should know.

use mailward_report::{At, Severity};
use serde::{Deserialize, Serialize};

/// Something that the operator should know. It begins, may last, and may be over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// The same for the same thing, each time: `firewall.failed`, `account-suspect/alice@example.org`.
    pub key: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is so, in a few words.
    pub title: String,
    /// More about it; an attacker may have written parts of it.
    pub text: String,
    /// What to type next; may be empty.
    pub next: String,
    /// Since when.
    pub since: At,
    /// When it was over, if it is.
    pub resolved: Option<At>,
}

/// A mail that is no alert: a digest. It goes by itself, to the channels that take letters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// Its subject.
    pub subject: String,
    /// For whoever reads text.
    pub text: String,
    /// The same as HTML, for mail.
    pub html: String,
}
