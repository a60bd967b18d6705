//! What the DNS answered.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Known;

/// What the DNS answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dns {
    /// The resolver that was asked, `192.0.2.53:53`.
    pub resolver: Known<String>,
    /// Whether it validates DNSSEC: it set AD for a name that is known to be signed.
    pub validating: Known<bool>,
    /// The mail domains that are served: from configuration, accounts and the command line.
    pub domains: Vec<String>,
    /// The names that the server calls itself: `myhostname`, MX targets that are ours.
    pub hosts: Vec<String>,
    /// Addresses under which the Internet sees the server.
    pub addresses: Vec<String>,
    /// Answers by question, type before name, in lower case without a dot at the end: `TXT example.org`,
    /// `PTR 1.2.0.192.in-addr.arpa`, `A 1.2.0.192.zen.dnsbl.example`.
    pub answers: BTreeMap<String, Known<Answer>>,
    /// Documents fetched by HTTPS, by URL: MTA-STS policies, BIMI images.
    pub fetched: BTreeMap<String, Known<Fetched>>,
}

/// An answer of the DNS. A name that does not exist is an answer without records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Answer {
    /// `NOERROR`, `NXDOMAIN`, `SERVFAIL`, `REFUSED`.
    pub code: String,
    /// The records of the type that was asked for, in presentation format without quotes: `10 mail.example.org`, or the text of a
    /// TXT record with its strings joined.
    pub records: Vec<String>,
    /// Names that a CNAME led to, in order.
    pub aliases: Vec<String>,
    /// Whether the resolver vouches for it (AD).
    pub authenticated: bool,
    /// The least time to live of the records, seconds.
    pub ttl: u32,
}

/// A document fetched by HTTPS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fetched {
    /// The status: 200.
    pub status: u16,
    /// The type that the server gave it.
    pub content_type: String,
    /// The document, at most 64 KiB.
    pub body: String,
    /// Where it redirected to, which was not followed.
    pub redirect: Option<String>,
    /// What is wrong with the server's certificate; empty if nothing is.
    pub certificate: String,
}

impl Dns {
    /// The answer to a question: `answer("TXT", "_dmarc.example.org")`.
    ///
    /// # Errors
    /// When it was not asked, or nobody answered.
    pub fn answer(&self, kind: &str, name: &str) -> Result<&Answer, crate::Untold> {
        let question = format!("{kind} {}", name.trim_end_matches('.').to_ascii_lowercase());
        match self.answers.get(&question) {
            Some(answer) => answer.get(),
            None => self.resolver.get().and_then(|_| {
                Err(crate::Untold::CouldNotTell(format!("{question} was not asked of the DNS")))
            }),
        }
    }
}
