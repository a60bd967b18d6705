//! Mail that was sent on purpose, to see what becomes of it: only under `--active`, and only to an address that the operator named.

use serde::{Deserialize, Serialize};

use super::Known;

/// The mails that were sent to one port 25.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Trial {
    /// The operator's address that they were sent to.
    pub recipient: String,
    /// The address of the server.
    pub address: String,
    /// The address that we spoke from; the server may trust it more than a stranger's.
    pub source: String,
    /// What was taken for the end of a mail.
    pub ends: Vec<FalseEnd>,
    /// Mails with something that a content filter must see.
    pub samples: Vec<Sample>,
    /// Why it ended early; empty if it did not.
    pub ended: String,
}

/// A mail with something in its middle that is not `<CR><LF>.<CR><LF>`, and behind it commands for a second mail.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FalseEnd {
    /// What stood there, in the words of RFC 5321: `<LF>.<LF>`.
    pub name: String,
    /// The answers to it and to all that came behind it; none if it was passed over as text.
    pub replies: Known<Vec<String>>,
}

/// A harmless mail that every virus scanner or spam filter knows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sample {
    /// `eicar`, `gtube`.
    pub name: String,
    /// What its message id begins with.
    pub token: String,
    /// The answer to the end of the mail.
    pub reply: Known<String>,
    /// Lines of the log about it, from then on.
    pub log: Vec<String>,
    /// Where it lies in the recipient's mailbox and what its fields say, as `doveadm fetch` tells it; none if it is not there.
    pub stored: Known<Vec<String>>,
}

impl Trial {
    /// `port 25 of 192.0.2.1`.
    #[must_use]
    pub fn place(&self) -> String {
        format!("port 25 of {}", self.address)
    }
}

impl FalseEnd {
    /// Whether the server took it for the end of the mail.
    #[must_use]
    pub fn is_obeyed(&self) -> bool {
        self.replies.known().and_then(|replies| replies.first()).is_some_and(|reply| reply.starts_with('2'))
    }

    /// Whether the server would then have taken a second mail.
    #[must_use]
    pub fn lets_in(&self) -> bool {
        let replies = self.replies.known().map(Vec::as_slice).unwrap_or_default();
        self.is_obeyed() && replies.iter().any(|reply| reply.starts_with("354"))
    }
}
