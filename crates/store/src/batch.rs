//! What follows from a batch of log lines.

use core::net::IpAddr;

use mailward_model::{Account, Ban, Network, Offence, OffenceKind, Program, Signal, Timestamp};

/// All that a batch of lines led to, committed in one transaction.
#[derive(Clone, Copy, Debug, Default)]
pub struct Batch<'a> {
    /// Where each source goes on after these lines.
    pub cursors: &'a [CursorAt<'a>],
    /// Offences with their lines.
    pub offences: &'a [Recorded<'a>],
    /// Signals; a ban names the one it came from by its position here.
    pub signals: &'a [Signal],
    /// New bans.
    pub bans: &'a [Decided<'a>],
    /// Bans that end before their time.
    pub lifted: &'a [Lifted<'a>],
    /// Successful logins.
    pub logins: &'a [Login<'a>],
    /// What is added to the counts per hour.
    pub tallies: &'a [Tally],
}

impl Batch<'_> {
    /// Whether it holds something that is announced: it must be on the disk before.
    pub(crate) const fn is_announced(&self) -> bool {
        !self.bans.is_empty() || !self.lifted.is_empty()
    }
}

/// Where a source goes on: bytes that only the source understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CursorAt<'a> {
    /// The source's name.
    pub source: &'a str,
    /// Its cursor.
    pub cursor: &'a [u8],
}

/// An offence and the line it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded<'a> {
    /// The offence.
    pub offence: &'a Offence,
    /// The raw line; at most 1 KiB of it is kept, without a password that Dovecot wrote into it.
    pub line: &'a [u8],
}

/// A ban, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decided<'a> {
    /// The ban.
    pub ban: &'a Ban,
    /// The position in [`Batch::signals`] of the signal it answers.
    pub signal: Option<usize>,
}

/// The end of every ban of exactly this target that holds at that time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifted<'a> {
    /// The target.
    pub target: Network,
    /// When its ban began: in the future, where the clock was set back.
    pub from: Timestamp,
    /// When; bans of the same batch that began no later are lifted, too.
    pub time: Timestamp,
    /// Who lifted it.
    pub by: &'a str,
    /// Why.
    pub why: &'a str,
}

/// A successful login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Login<'a> {
    /// When.
    pub time: Timestamp,
    /// The account.
    pub account: &'a Account,
    /// Where from.
    pub address: IpAddr,
}

/// How often something was counted in an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tally {
    /// A time in that hour; its first moment when read back.
    pub hour: Timestamp,
    /// What was counted.
    pub counter: Counter,
    /// How often.
    pub count: u64,
}

/// What is counted per hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Counter {
    /// Offences of a kind.
    Offences(OffenceKind),
    /// Lines of a program.
    Lines(Program),
    /// Lines of a program that are not known.
    Unknown(Program),
}
