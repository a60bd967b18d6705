//! What the DNS answered.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::Known;
use crate::Untold;

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
    /// MTA-STS policies as an earlier audit found them, by domain.
    pub earlier_policies: BTreeMap<String, AnnouncedPolicy>,
    /// Whether the questions come from outside of the server, so that its port 53 may be asked as a stranger.
    pub outside: bool,
    /// Zones of the block lists that are asked about the server's addresses and domains.
    pub lists: Vec<String>,
    /// The keys that outgoing mail is signed with, and key files that no table names.
    pub signing: Known<Vec<SigningKey>>,
}

/// An MTA-STS policy with the id that announced it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AnnouncedPolicy {
    /// The id of the TXT record.
    pub id: String,
    /// The policy.
    pub text: String,
    /// When it was found, RFC 3339.
    pub taken: String,
}

/// A key that outgoing mail is signed with. The private half never leaves the collector.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SigningKey {
    /// The domain that signs (`d=`).
    pub domain: String,
    /// The selector (`s=`).
    pub selector: String,
    /// Where it is: the private key's path.
    pub place: String,
    /// Where it was found: `/etc/opendkim/KeyTable:3`.
    pub table: String,
    /// Whose mail is signed with it, as the signer's table has it: `*@example.org`; empty if no table names the key.
    pub senders: Vec<String>,
    /// Its public half.
    pub key: Known<PublicKey>,
    /// When its file was changed last, seconds since 1970; 0 if that is not known.
    pub modified: i64,
    /// Why a message that it signed does not verify with the published record; empty if it does.
    pub round_trip: Known<String>,
    /// What it signed, until the published record is known; it never leaves the collector.
    #[serde(skip)]
    pub sample: Option<String>,
}

/// The public half of a signing key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PublicKey {
    /// `rsa`, `ed25519`.
    pub algorithm: String,
    /// Bits of the modulus; 256 for Ed25519.
    pub bits: u32,
    /// Base64 as `p=` of its record has it: SubjectPublicKeyInfo of an RSA key, the 32 octets of an Ed25519 key.
    pub base64: String,
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
    /// When the first of the signatures over the records ends, seconds since 1970; none if they are not signed.
    pub signed_until: Option<i64>,
    /// When that signature begins.
    pub signed_from: Option<i64>,
    /// The code of the same question with checking disabled (CD), asked after `SERVFAIL`.
    pub unchecked: Option<String>,
    /// How long the answer took, milliseconds.
    pub millis: u32,
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
    /// Why the server gave no answer though it was reached: the connection was refused, no TLS, no HTTP.
    pub failure: String,
}

impl Dns {
    /// How a question is written: `TXT _dmarc.example.org`.
    #[must_use]
    pub fn question(kind: &str, name: &str) -> String {
        let name = name.to_ascii_lowercase();
        match name.trim_end_matches('.') {
            "" => format!("{kind} ."),
            name => format!("{kind} {name}"),
        }
    }

    /// The answer to a question, whatever its code: `answer("TXT", "_dmarc.example.org")`.
    ///
    /// # Errors
    /// When it was not asked, or nobody answered.
    pub fn answer(&self, kind: &str, name: &str) -> Result<&Answer, Untold> {
        let question = Self::question(kind, name);
        match self.answers.get(&question) {
            Some(answer) => answer.get(),
            None => self
                .resolver
                .get()
                .and_then(|_| Err(Untold::CouldNotTell(format!("{question} was not asked of the DNS")))),
        }
    }

    /// The records that answer a question; none if there are none.
    ///
    /// # Errors
    /// When it was not asked, nobody answered, or the resolver could not say (`SERVFAIL`, `REFUSED`).
    pub fn records(&self, kind: &str, name: &str) -> Result<&[String], Untold> {
        let answer = self.answer(kind, name)?;
        match answer.code.as_str() {
            "NOERROR" | "NXDOMAIN" => Ok(&answer.records),
            code => Err(Untold::CouldNotTell(format!(
                "the resolver answered {} with {code}",
                Self::question(kind, name)
            ))),
        }
    }

    /// The addresses of a name, of both families.
    ///
    /// # Errors
    /// As [`records`](Self::records), when neither family gave one.
    pub fn addresses_of(&self, name: &str) -> Result<Vec<IpAddr>, Untold> {
        let (four, six) = (self.records("A", name), self.records("AAAA", name));
        let found: Vec<IpAddr> = [&four, &six]
            .into_iter()
            .flatten()
            .flat_map(|records| records.iter())
            .filter_map(|record| record.parse().ok())
            .collect();
        if found.is_empty() {
            four?;
            six?;
        }
        Ok(found)
    }

    /// The mail exchangers of a domain by preference, the preference before the name; `.` is the null MX.
    ///
    /// # Errors
    /// As [`records`](Self::records).
    pub fn exchangers(&self, domain: &str) -> Result<Vec<(u16, String)>, Untold> {
        let mut all: Vec<(u16, String)> = self
            .records("MX", domain)?
            .iter()
            .filter_map(|record| {
                let (preference, name) = record.split_once(' ')?;
                Some((preference.parse().ok()?, name.trim().to_ascii_lowercase()))
            })
            .collect();
        all.sort();
        Ok(all)
    }
}

impl Answer {
    /// An answer with records.
    #[must_use]
    pub fn of(records: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            code: "NOERROR".to_owned(),
            records: records.into_iter().map(Into::into).collect(),
            ttl: 3600,
            ..Self::default()
        }
    }

    /// That the name does not exist.
    #[must_use]
    pub fn nothing() -> Self {
        Self { code: "NXDOMAIN".to_owned(), ..Self::default() }
    }

    /// Whether the name itself does not exist.
    #[must_use]
    pub fn no_such_name(&self) -> bool {
        self.code == "NXDOMAIN"
    }
}
