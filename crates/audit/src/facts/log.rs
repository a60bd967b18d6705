//! What logs hold.

use serde::{Deserialize, Serialize};

use super::Known;

/// What logs hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogFacts {
    /// The log that was read; empty if none was.
    pub path: String,
    /// How many lines it had.
    pub lines: u64,
    /// When its first line was written, RFC 3339; empty if unknown.
    pub first: String,
    /// When its last line was written.
    pub last: String,
    /// What was tried, one entry per kind, the most frequent first.
    pub attacks: Vec<LoggedAttack>,
    /// Where people logged in from, the most frequent first.
    pub logins: Vec<LoggedSource>,
    /// Which other servers delivered mail that was accepted, the most frequent first.
    pub mailers: Vec<LoggedSource>,
    /// What users and other servers do that a stricter configuration would end.
    pub habits: Vec<LoggedHabit>,
    /// Lines that programs wrote about their own trouble (`No decoder for .zst`), each text once, as written.
    pub troubles: Vec<LoggedLine>,
    /// How good the log itself is.
    pub health: Known<LogHealth>,
    /// Lines that no parser knows; not asked where nobody parsed.
    pub unknown: Known<u64>,
    /// Their most frequent shapes, with what differs replaced.
    pub unknown_shapes: Vec<String>,
}

/// What those who use the server do, and a stricter configuration would end. Whoever neither logged in nor delivered mail does
/// not count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoggedHabit {
    /// What, by a stable name: `old-tls`, `tls-1.2`, `tls-unknown` (it is not logged which), `login-without-tls`, `login-on-25`.
    pub kind: String,
    /// The service, as Postfix and Dovecot name it.
    pub service: String,
    /// How often.
    pub count: u64,
    /// How many accounts or addresses.
    pub distinct: u64,
    /// Some of them, the most frequent first.
    pub examples: Vec<String>,
}

/// How good a log is as a record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogHealth {
    /// The file that was read.
    pub path: String,
    /// Lines that were read: those at its end, if it is very large.
    pub lines: u64,
    /// How time is written: `rfc3339`, `rfc3164` (no year, no zone), or empty if neither.
    pub time: String,
    /// The span between the first and the last line, seconds.
    pub span: i64,
    /// Spans without any line, the longest first, at most 10.
    pub gaps: Vec<LogGap>,
    /// Lines in which a logger says that it lost others, at most 10.
    pub lost: Vec<String>,
    /// Where secrets stand: the line's number and the kind; never the secret. At most 20.
    pub secrets: Vec<(u64, String)>,
}

/// A span without a line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogGap {
    /// The time of the line before, as written.
    pub from: String,
    /// The time of the line after.
    pub to: String,
    /// Seconds.
    pub seconds: i64,
}

/// Attempts of one kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoggedAttack {
    /// The kind by its stable name: `auth-failure`, `tls-failure`, `pregreet`.
    pub kind: String,
    /// The kind in words: `Failed TLS handshakes`.
    pub title: String,
    /// The service that was attacked, as Postfix and Dovecot name it; empty if several.
    pub service: String,
    /// Attempts in all.
    pub count: u64,
    /// Sources in all; `sources` may list fewer.
    pub distinct: u64,
    /// Whether the server already refuses what was tried, so that a ban would only save work: a DNSBL rejection, relay denied.
    pub refused: bool,
    /// Sources, the most frequent first.
    pub sources: Vec<LoggedSource>,
    /// The lines, in the order of the log: all of them, or the first few thousand.
    pub events: Vec<LoggedLine>,
}

/// An address in the log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoggedSource {
    /// The address.
    pub address: String,
    /// How often.
    pub count: u64,
    /// When first, seconds since 1970.
    pub first: i64,
    /// When last.
    pub last: i64,
    /// When Mailward's own rules would have banned it, by itself or with its network.
    pub mailward: Option<i64>,
}

/// A line of a log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoggedLine {
    /// When, milliseconds since 1970.
    pub at: i64,
    /// The address that it is about; empty if none.
    pub source: String,
    /// The attempt it belongs to, by number within its kind: Dovecot and Postfix write two or three lines for one failed login.
    pub attempt: u32,
    /// The line as written, its time included, at most 1 KiB.
    pub line: String,
}
