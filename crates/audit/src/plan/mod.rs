//! What shall be changed, in which order and why. A plan is made from facts alone, changes nothing, and is carried out by `apply`:
//! one executor for hardening, accounts, incidents.

pub(crate) mod asking;
mod change;
pub mod dkim;
pub mod edit;
mod foretell;
mod harden;
pub mod in_path;
mod layout;
pub(crate) mod list;
mod modern;
mod shown;
mod stricter;
mod warning;

use serde::{Deserialize, Serialize};

pub use change::{Algorithm, Change, Program};
pub use foretell::foretold;
pub use harden::{Scale, Tls, Wishes, harden};
pub use layout::Layout;

/// What shall be changed. It is not changed itself once it is made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Plan {
    /// What it is for, in a few words: `harden`, `account disable nora@example.org`.
    pub title: String,
    /// When the facts were collected that it was made from, RFC 3339 in UTC.
    pub facts: String,
    /// The changes, in order.
    pub steps: Vec<Step>,
    /// Records that only a person can publish.
    pub publish: Vec<Publish>,
    /// What is wrong and needs a person's decision.
    pub by_hand: Vec<ByHand>,
    /// Whom it may cut off, as the log shows; to be read before it is carried out.
    pub warnings: Vec<Warning>,
}

/// Somebody who does today what a plan ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Warning {
    /// Who does what, and what becomes of it, in a sentence.
    pub text: String,
    /// How often the log has it.
    pub count: u64,
    /// Some of them: addresses, accounts.
    pub examples: Vec<String>,
    /// The checks whose changes end it.
    pub checks: Vec<String>,
}

/// A change, and why it is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The change.
    pub change: Change,
    /// The findings that ask for it. Afterwards none of them may be there any more.
    pub reasons: Vec<Reason>,
}

/// A finding that asks for a change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reason {
    /// The check: `TLS-001`.
    pub check: String,
    /// What has the weakness, as in the finding.
    pub subject: String,
    /// What is wrong, in a sentence.
    pub summary: String,
}

/// A record to publish in the DNS.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Publish {
    /// The whole name, with a dot at its end.
    pub name: String,
    /// Its type: `TXT`.
    pub kind: String,
    /// Its data.
    pub value: String,
    /// The finding that asks for it.
    pub reason: Reason,
}

/// A finding that no plan mends by itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ByHand {
    /// The finding.
    pub reason: Reason,
    /// What to do.
    pub advice: String,
}
