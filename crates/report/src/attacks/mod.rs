//! The attack statistics of a log: what attacked, what only looks like it, when, from where, at whom, and what the rules
//! would have done.

mod document;
mod timeline;

use serde::{Deserialize, Serialize};

use crate::{At, Severity, Tally};

pub use timeline::{Moment, Timeline};

/// What `analyze` finds in a log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AttackReport {
    /// What was read: file names, or `-` for standard input.
    pub inputs: Vec<String>,
    /// From when to when, and how much.
    pub window: Window,
    /// Who wrote how many lines.
    pub programs: Vec<ProgramLines>,
    /// What is an attack, the worst first.
    pub attacks: Vec<Attack>,
    /// What looks hostile and is not; `note` says why.
    pub not_attacks: Vec<Attack>,
    /// Offences by kind, the most frequent first.
    pub by_kind: Vec<KindCount>,
    /// How many distinct sources committed offences.
    pub sources: u64,
    /// The sources with the most offences, the worst first.
    pub by_source: Vec<SourceCount>,
    /// The networks with the most offences, the worst first: IPv4 /24, IPv6 /48.
    pub by_network: Vec<NetworkCount>,
    /// The accounts that were tried most.
    pub by_account: Vec<AccountCount>,
    /// Offences by the hour, quiet hours too.
    pub by_hour: Timeline,
    /// The same in steps that suit the length of the log: for charts.
    pub timeline: Timeline,
    /// Logins that succeeded.
    pub logins: Logins,
    /// The bans that the rules would have made, in order of time.
    pub decisions: Vec<Decision>,
    /// Bans that the rules asked for and that were refused, because they would have hit somebody who is never banned.
    pub refusals: Vec<Decision>,
}

/// The part of time that a log covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Window {
    /// The first line's time; none if no line has one.
    pub first: Option<At>,
    /// The last line's time.
    pub last: Option<At>,
    /// Lines.
    pub lines: u64,
    /// Bytes, after decompression.
    pub bytes: u64,
}

/// How many lines a program wrote, and how many of them are not known here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProgramLines {
    /// Its stable name.
    pub program: String,
    /// Lines.
    pub lines: u64,
    /// Lines that are not known: a number that grows tells of a new format.
    pub unknown: u64,
}

/// One kind of attack, or of what looks like one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Attack {
    /// The stable id: `tls_probe`.
    pub id: String,
    /// In a few words: `TLS handshakes broken off`.
    pub title: String,
    /// The kind of offence.
    pub kind: String,
    /// How bad.
    pub severity: Severity,
    /// How often.
    pub count: u64,
    /// From how many sources.
    pub distinct_sources: u64,
    /// The first time.
    pub first: Option<At>,
    /// The last time.
    pub last: Option<At>,
    /// How often from which address.
    pub per_source: Tally,
    /// How often at which account.
    pub per_account: Tally,
    /// How often for which reason.
    pub by_reason: Tally,
    /// How often on which service.
    pub by_service: Tally,
    /// The network that all sources lie in, where there are several.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source_network: Option<String>,
    /// The mean time between two, in seconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub interval_seconds_mean: Option<f64>,
    /// How many different passwords were tried, where the log has digits of their hashes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub distinct_passwords: Option<u64>,
    /// What a person should know about it.
    pub note: String,
}

/// Offences of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KindCount {
    /// The kind's stable name.
    pub kind: String,
    /// How many.
    pub count: u64,
    /// From how many sources.
    pub sources: u64,
}

/// Offences of one source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SourceCount {
    /// The address.
    pub address: String,
    /// Offences of all kinds.
    pub count: u64,
    /// Offences by kind.
    pub kinds: Tally,
    /// The first time.
    pub first: Option<At>,
    /// The last time.
    pub last: Option<At>,
    /// Logins that succeeded from there.
    pub logins: u64,
    /// The first ban that would have hit it, alone or with its network.
    pub banned: Option<Banned>,
    /// Why it would never be banned, if so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub protected: Option<String>,
}

/// When and why a source would have been banned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Banned {
    /// When.
    pub time: At,
    /// By which rule.
    pub rule: String,
    /// Offences of the source up to then.
    pub after: u64,
}

/// Offences of a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NetworkCount {
    /// The network.
    pub network: String,
    /// Offences.
    pub count: u64,
    /// Sources with offences.
    pub sources: u64,
    /// Offences by kind.
    pub kinds: Tally,
    /// Logins that succeeded from there: with one, nobody should ban it whole.
    pub logins: u64,
}

/// Failures at an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AccountCount {
    /// The login name, as the attacker wrote it.
    pub account: String,
    /// Failed logins.
    pub failures: u64,
    /// From how many sources.
    pub sources: u64,
    /// The first time.
    pub first: Option<At>,
    /// The last time.
    pub last: Option<At>,
    /// Logins that succeeded: such a name exists.
    pub logins: u64,
}

/// Logins that succeeded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Logins {
    /// IMAP.
    pub imap_ok: u64,
    /// POP3.
    pub pop3_ok: u64,
    /// ManageSieve.
    pub sieve_ok: u64,
    /// SMTP AUTH.
    pub smtp_auth_ok: u64,
    /// From how many addresses.
    pub distinct_addresses: u64,
    /// The addresses, by number of logins.
    pub addresses: Tally,
    /// Addresses that a rule would have banned and from which somebody logged in: a break-in, or a wrong ban.
    pub successful_login_from_attacking_address: Vec<String>,
}

impl Logins {
    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.imap_ok + self.pop3_ok + self.sieve_ok + self.smtp_auth_ok
    }
}

/// A ban that the rules would have made, or asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Decision {
    /// When.
    pub time: At,
    /// The address or network.
    pub target: String,
    /// For how long.
    pub seconds: u64,
    /// The rule.
    pub rule: String,
    /// In words; for a refused one, why.
    pub reason: String,
    /// Offences that came from it after the ban, and would not have.
    pub prevented: u64,
}
