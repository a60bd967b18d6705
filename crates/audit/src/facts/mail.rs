//! What was said on a port of SMTP, IMAP, POP3 or ManageSieve.

use serde::{Deserialize, Serialize};

use super::Known;

/// What was said with a port, over several connections.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Talk {
    /// The name or address that was asked for.
    pub host: String,
    /// The address that answered.
    pub address: String,
    /// The port.
    pub port: u16,
    /// What is spoken there.
    pub service: MailService,
    /// The address that we spoke from; it may be one that the server trusts.
    pub source: String,
    /// Whether the connection begins with TLS.
    pub implicit_tls: bool,
    /// How it went to connect: absent if nobody listens, unread with the reason otherwise.
    pub greeting: Known<String>,
    /// Milliseconds from connecting to the greeting.
    pub greeting_ms: u64,
    /// What is offered before TLS, a capability per entry, as written: `AUTH PLAIN LOGIN`, `LOGINDISABLED`, `SASL PLAIN`.
    pub plain: Known<Vec<String>>,
    /// What is offered inside of TLS.
    pub secured: Known<Vec<String>>,
    /// What was tried, in order.
    pub tried: Vec<Tried>,
    /// Why it ended early: `421 too many connections`; empty if it did not.
    pub ended: String,
    /// Connections that were opened.
    pub connections: u32,
}

/// What is spoken on a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailService {
    /// SMTP between servers, port 25.
    #[default]
    Smtp,
    /// SMTP of users, ports 587 and 465.
    Submission,
    /// IMAP, ports 143 and 993.
    Imap,
    /// POP3, ports 110 and 995.
    Pop3,
    /// ManageSieve, port 4190.
    Sieve,
}

/// Something that was tried, and the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tried {
    /// What, by a stable name: `relay-plain`, `vrfy`, `mail-before-tls`.
    pub name: String,
    /// Whether inside of TLS.
    pub secured: bool,
    /// What was sent; the decisive line is the last.
    pub sent: Vec<String>,
    /// The answer to the last line, its lines joined by a blank: `554 5.7.1 <…>: Relay access denied`.
    pub reply: String,
}

impl Talk {
    /// `port 587 (submission)`.
    #[must_use]
    pub fn place(&self) -> String {
        format!("port {} ({})", self.port, self.service.name())
    }

    /// What was tried under a name.
    #[must_use]
    pub fn tried(&self, name: &str) -> Option<&Tried> {
        self.tried.iter().find(|tried| tried.name == name)
    }

    /// The words after a capability's name before TLS: `["PLAIN", "LOGIN"]` of `AUTH PLAIN LOGIN`; none if it is not offered.
    #[must_use]
    pub fn offers<'a>(capabilities: &'a [String], name: &str) -> Option<Vec<&'a str>> {
        capabilities.iter().find_map(|line| {
            let mut words = line.split_ascii_whitespace();
            words.next().filter(|word| word.eq_ignore_ascii_case(name))?;
            Some(words.collect())
        })
    }
}

impl MailService {
    /// What people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Submission => "submission",
            Self::Imap => "imap",
            Self::Pop3 => "pop3",
            Self::Sieve => "managesieve",
        }
    }
}

impl Tried {
    /// The code of an SMTP reply; 0 if it has none.
    #[must_use]
    pub fn code(&self) -> u16 {
        self.reply.get(..3).and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    /// Whether the server said yes (2xx, 3xx).
    #[must_use]
    pub fn is_yes(&self) -> bool {
        matches!(self.code(), 200..=399)
    }
}
