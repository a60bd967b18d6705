//! A source that may not connect, and why.

use crate::named::named;
use crate::{Network, Timestamp};

/// A ban: of an address or a network, for a reason, until a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// The address or network.
    pub target: Network,
    /// Since when.
    pub from: Timestamp,
    /// Until when; none is until lifted.
    pub until: Option<Timestamp>,
    /// Who asked for it.
    pub origin: Origin,
    /// The rule, for [`Origin::Rule`]; the name of the tool, for [`Origin::Import`]; the operator, for [`Origin::Operator`].
    pub by: Box<str>,
    /// The step on the ladder of growing times, from 1; 0 where none applies.
    pub step: u32,
    /// In words, for a person: `3 auth-failure in 10m`.
    pub reason: Box<str>,
}

impl Ban {
    /// Whether it holds at `now`.
    #[must_use]
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// When it ends, to compare with other bans: one until lifted outlasts all others.
    #[must_use]
    pub const fn end(&self) -> (bool, Option<Timestamp>) {
        (self.until.is_none(), self.until)
    }
}

named! {
    /// Who asked for a ban.
    pub enum Origin {
        /// A detection rule.
        Rule = "rule",
        /// A person.
        Operator = "operator",
        /// Brought along from another tool.
        Import = "import",
    }
}
