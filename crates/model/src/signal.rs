//! A detector's window is full.

use core::fmt;
use core::net::IpAddr;

use crate::{Account, Network, OffenceKind, Span, Timestamp};

/// The stable id of a detection rule, such as `auth-failure-fast`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(pub &'static str);

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

/// Whom a signal is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// One address.
    Address(IpAddr),
    /// A network.
    Network(Network),
    /// An account.
    Account(Account),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Network(network) => network.fmt(f),
            Self::Account(account) => account.fmt(f),
        }
    }
}

/// A detector says: this is an attack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// When the window became full.
    pub time: Timestamp,
    /// The rule.
    pub rule: RuleId,
    /// Whom it is about.
    pub subject: Subject,
    /// The kind of offence that filled it.
    pub kind: OffenceKind,
    /// How much was in the window.
    pub count: u32,
    /// How much it takes.
    pub threshold: u32,
    /// The window.
    pub window: Span,
    /// The first ban's length; zero where the signal only tells.
    pub ban: Span,
}

impl Signal {
    /// Whether it asks for a ban, or only tells.
    #[must_use]
    pub const fn asks_for_ban(&self) -> bool {
        self.ban.micros() > 0
    }
}
