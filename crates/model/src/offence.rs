//! An event that counts against a source address or an account.

use core::fmt;
use core::net::IpAddr;
use std::borrow::Cow;
use std::sync::Arc;

use crate::named::named;
use crate::{EventKind, Reason, Text, Timestamp};

named! {
    /// What kind of offence; the names are stable and appear everywhere.
    pub enum OffenceKind {
        /// Wrong password or unknown user on SMTP AUTH, IMAP, POP3, ManageSieve.
        AuthFailure = "auth-failure",
        /// Connects to log in and never does, or aborts AUTH.
        AuthProbe = "auth-probe",
        /// Breaks off or garbles TLS handshakes.
        TlsProbe = "tls-probe",
        /// Talks before the greeting.
        Pregreet = "pregreet",
        /// Protocol tests failed: pipelining, non-SMTP command, bare newline, too many errors, junk.
        ProtocolAbuse = "protocol-abuse",
        /// Rejected because a DNS blocklist lists the client.
        Dnsbl = "dnsbl",
        /// Relay access denied.
        RelayProbe = "relay-probe",
        /// Unknown recipients.
        UserHarvest = "user-harvest",
        /// HELO rejected.
        HeloAbuse = "helo-abuse",
        /// Forged or non-existing sender rejected.
        SenderAbuse = "sender-abuse",
        /// Over a connection, message or recipient rate.
        RateExcess = "rate-excess",
        /// Sent malware.
        Malware = "malware",
        /// Sent spam.
        Spam = "spam",
        /// Another rejection by local policy.
        Policy = "policy",
    }
}

named! {
    /// How much an offence weighs.
    pub enum Weight {
        /// It stands in the statistics and never leads to a ban.
        Noted = "noted",
        /// It counts only where the client is known to have no confirmed name.
        Weak = "weak",
        /// It counts only in rules that are not strict: many at once are a probe, one now and then is a mail program.
        Light = "light",
        /// It counts.
        Full = "full",
    }
}

/// Something that counts against a source address, and against an account where it names one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offence {
    /// When.
    pub time: Timestamp,
    /// What kind.
    pub kind: OffenceKind,
    /// The event it came from.
    pub event: EventKind,
    /// The reason in that event.
    pub reason: Reason,
    /// The source.
    pub address: IpAddr,
    /// The account it was aimed at.
    pub account: Option<Account>,
    /// What was guessed, where the log tells.
    pub guess: Option<Guess>,
    /// The service, as in the event.
    pub service: Cow<'static, str>,
    /// How many there were in the one line; 0 where they were counted already, or are the same guess again.
    pub count: u32,
    /// How much each weighs.
    pub weight: Weight,
}

/// A login name as it counts: lower case, valid UTF-8, at most 254 bytes (RFC 5321 section 4.5.3.1.3).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Account(Arc<str>);

impl Account {
    /// The account of a login name; none for an empty one and for Postfix's `(unavailable)`.
    #[must_use]
    pub fn of(user: Text<'_>) -> Option<Self> {
        if user.is_empty() || user.bytes() == b"(unavailable)" {
            return None;
        }
        let mut name = user.lossy();
        if !name.is_ascii() {
            name = name.to_lowercase().into();
        }
        let mut end = name.len().min(254);
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        let name = name.get(..end)?;
        let is_lower = !name.bytes().any(|byte| byte.is_ascii_uppercase());
        Some(Self(if is_lower { name.into() } else { name.to_ascii_lowercase().into() }))
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }
}

/// With control characters escaped: an attacker chose this text.
impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Text::from(&*self.0).fmt(f)
    }
}

/// A digest of what was guessed: the first digits of the password's hash as Dovecot logs them. Kept only in memory and
/// as long as the windows are; enough to tell a device with an old password from a guesser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Guess(u64);

impl Guess {
    /// From logged digits: up to 16 hexadecimal ones count.
    #[must_use]
    pub fn of(digits: Text<'_>) -> Option<Self> {
        if digits.is_empty() {
            return None;
        }
        let digits = digits.bytes().get(..16).unwrap_or(digits.bytes());
        let text = core::str::from_utf8(digits).ok()?;
        // A leading one keeps "00" and "000" apart.
        u64::from_str_radix(text, 16).ok().map(|value| Self(value ^ ((text.len() as u64) << 60)))
    }

    /// As a number, for storage.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// From storage.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}
