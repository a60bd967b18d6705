//! What a TLS port does.

mod certificate;
mod group;
mod suite;

use core::fmt;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Known;
use crate::Untold;
pub use certificate::{Certificate, CertificateKey, Chain, Trust};
pub use group::{Group, GroupKind};
pub use suite::{Suite, SuiteClass};

/// What a TLS port was found to do. What could not be learnt within the allowed connections stays `Unread`, with the reason.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TlsPort {
    /// The name or address that was connected to, which is also the name asked for (SNI).
    pub host: String,
    /// The address that answered.
    pub address: String,
    /// The port.
    pub port: u16,
    /// What is spoken there.
    pub service: MailProtocol,
    /// Whether TLS was asked for with STARTTLS; otherwise it is expected from the first byte.
    pub starttls: bool,
    /// Whether it speaks TLS at all: STARTTLS is offered and works, or the first byte is TLS.
    pub offered: Known<bool>,
    /// What it said in the clear where TLS was expected from the first byte.
    pub plain_greeting: Known<String>,
    /// Versions, and whether each is accepted.
    pub versions: BTreeMap<TlsVersion, Known<bool>>,
    /// The cipher suites of each accepted version.
    pub suites: BTreeMap<TlsVersion, Suites>,
    /// Who chooses among the suites that both have, before TLS 1.3.
    pub preference: Known<Preference>,
    /// Groups of the key exchange.
    pub groups: Groups,
    /// The finite-field groups that were met, of versions before TLS 1.3.
    pub dh: Vec<DhGroup>,
    /// Whether a handshake signed with SHA-1 or MD5 is accepted (TLS 1.2).
    pub sha1_signature: Known<bool>,
    /// Whether renegotiation is bound to the handshake before it (RFC 5746).
    pub secure_renegotiation: Known<bool>,
    /// Whether it compresses.
    pub compression: Known<bool>,
    /// Whether it refuses a client that was driven to an older version (RFC 7507).
    pub fallback_scsv: Known<bool>,
    /// Whether the master secret is bound to the handshake (RFC 7627).
    pub extended_master_secret: Known<bool>,
    /// Whether it offers heartbeats (RFC 6520).
    pub heartbeat: Known<bool>,
    /// How many bytes it leaked to a heartbeat that lies about its length; 0 if it is not vulnerable.
    pub heartbleed: Known<u32>,
    /// Whether it takes a ChangeCipherSpec before there is a key (CVE-2014-0224).
    pub early_ccs: Known<bool>,
    /// Whether its answers tell a right RSA padding from a wrong one; which differed (ROBOT).
    pub robot: Known<Option<String>>,
    /// How many bytes of early data it takes in TLS 1.3; 0 for none.
    pub early_data: Known<u32>,
    /// How long its session tickets are said to live, seconds; none if it gives no tickets.
    pub ticket_lifetime: Known<Option<u32>>,
    /// Replies that came to a command sent in one packet with STARTTLS; 0 if it was dropped.
    pub starttls_injected: Known<u8>,
    /// Whether it asks every client for a certificate.
    pub asks_client_certificate: Known<bool>,
    /// Whether it staples an OCSP answer, and what that says: `good`, `revoked`, `unknown`.
    pub stapled: Known<Option<String>>,
    /// Certificate chains as sent.
    pub chains: Vec<Chain>,
    /// Connections that were opened.
    pub connections: u32,
    /// How long it took, milliseconds.
    pub millis: u64,
    /// Why the probe ended early, if it did: a 421, a port that is closed.
    pub stopped: Option<String>,
}

/// What is spoken on a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailProtocol {
    /// SMTP, submission included.
    #[default]
    Smtp,
    /// LMTP.
    Lmtp,
    /// IMAP.
    Imap,
    /// POP3.
    Pop3,
    /// ManageSieve.
    Sieve,
}

/// A version of SSL or TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TlsVersion {
    /// SSL 2.0.
    #[serde(rename = "SSLv2")]
    Ssl2,
    /// SSL 3.0.
    #[serde(rename = "SSLv3")]
    Ssl3,
    /// TLS 1.0.
    #[serde(rename = "TLSv1.0")]
    Tls10,
    /// TLS 1.1.
    #[serde(rename = "TLSv1.1")]
    Tls11,
    /// TLS 1.2.
    #[serde(rename = "TLSv1.2")]
    Tls12,
    /// TLS 1.3.
    #[serde(rename = "TLSv1.3")]
    Tls13,
}

/// The cipher suites that a version accepts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Suites {
    /// Those that were chosen in some handshake, in the order they were found.
    pub accepted: Vec<Suite>,
    /// Classes of which none is accepted.
    pub refused: Vec<SuiteClass>,
    /// Whether everything that is not in `accepted` is refused.
    pub complete: bool,
}

/// Who chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preference {
    /// The server's order counts.
    Server,
    /// The client's order counts.
    Client,
}

/// Groups of the key exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Groups {
    /// Those that were chosen in some handshake.
    pub accepted: Vec<Group>,
    /// Those that were refused.
    pub refused: Vec<Group>,
}

/// A finite-field group of a ServerKeyExchange.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DhGroup {
    /// The bits of its prime.
    pub bits: u32,
    /// What it is known as: `ffdhe2048 (RFC 7919)`, `modp2048 (RFC 3526)`.
    pub known_as: Option<String>,
    /// The suite it was met with.
    pub suite: Option<Suite>,
}

impl TlsPort {
    /// What people call it: `port 587 (smtp, STARTTLS)`.
    #[must_use]
    pub fn place(&self) -> String {
        let how = if self.starttls { "STARTTLS" } else { "TLS" };
        format!("port {} ({}, {how})", self.port, self.service)
    }

    /// Whether other servers deliver mail here, who fall back to no encryption at all rather than to a better one.
    #[must_use]
    pub fn is_mx(&self) -> bool {
        self.service == MailProtocol::Smtp && self.port == 25
    }

    /// Whether a version is accepted.
    ///
    /// # Errors
    /// When it could not be learnt.
    pub fn accepts(&self, version: TlsVersion) -> Result<bool, Untold> {
        self.versions
            .get(&version)
            .unwrap_or(&Known::Unasked)
            .get()
            .copied()
            .map_err(|_| self.unlearnt(version))
    }

    /// The accepted suites that `is` holds of, with their versions.
    ///
    /// # Errors
    /// When none was met and not all of them are known to be refused.
    pub fn suites(&self, is: impl Fn(Suite) -> bool) -> Result<Vec<(TlsVersion, Suite)>, Untold> {
        let accepted = |(version, suites): (&TlsVersion, &Suites)| {
            let version = *version;
            suites
                .accepted
                .iter()
                .filter(|suite| is(**suite))
                .map(move |suite| (version, *suite))
                .collect::<Vec<_>>()
        };
        let met: Vec<_> = self.suites.iter().flat_map(accepted).collect();
        if !met.is_empty() || self.refuses_all(&is) {
            return Ok(met);
        }
        Err(self.unlearnt("the cipher suites in question"))
    }

    /// Libraries keep one list of suites for all versions before TLS 1.3, so the newest of those tells for all.
    fn refuses_all(&self, is: &impl Fn(Suite) -> bool) -> bool {
        let old = self.suites.iter().rev().find(|(version, _)| **version < TlsVersion::Tls13);
        let new = self.suites.get(&TlsVersion::Tls13);
        let refuses = |suites: &Suites, suite: Suite| {
            suites.complete || suite.class().is_some_and(|class| suites.refused.contains(&class))
        };
        let no_old = matches!(self.versions.get(&TlsVersion::Tls12), Some(Known::Is(false)));
        let no_new = matches!(self.versions.get(&TlsVersion::Tls13), Some(Known::Is(false)));
        Suite::all().filter(|suite| is(*suite)).all(|suite| match suite.class() {
            Some(SuiteClass::Tls13) => new.map_or(no_new, |suites| refuses(suites, suite)),
            _ => old.map_or(no_old, |(_, suites)| refuses(suites, suite)),
        })
    }

    /// The first certificate of the chain that a client gets that asks for the host's name.
    ///
    /// # Errors
    /// When no certificate was seen.
    pub fn leaf(&self) -> Result<&Certificate, Untold> {
        self.chain()
            .and_then(|chain| chain.certificates.first().ok_or_else(|| self.unlearnt("the certificate")))
    }

    /// The chain that a client gets that asks for the host's name.
    ///
    /// # Errors
    /// When none was seen.
    pub fn chain(&self) -> Result<&Chain, Untold> {
        self.chains
            .iter()
            .find(|chain| chain.sni)
            .or(self.chains.first())
            .ok_or_else(|| self.unlearnt("the certificate"))
    }

    /// That something could not be learnt here.
    #[must_use]
    pub fn unlearnt(&self, what: impl fmt::Display) -> Untold {
        let why = self
            .stopped
            .as_deref()
            .unwrap_or("the connections allowed did not suffice, or it was not looked at");
        Untold::CouldNotTell(format!("{} of {}: {why}", what, self.place()))
    }
}

impl TlsVersion {
    /// All, the oldest first.
    pub const ALL: [Self; 6] = [Self::Ssl2, Self::Ssl3, Self::Tls10, Self::Tls11, Self::Tls12, Self::Tls13];
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ssl2 => "SSL 2.0",
            Self::Ssl3 => "SSL 3.0",
            Self::Tls10 => "TLS 1.0",
            Self::Tls11 => "TLS 1.1",
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        })
    }
}

impl fmt::Display for MailProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Smtp => "smtp",
            Self::Lmtp => "lmtp",
            Self::Imap => "imap",
            Self::Pop3 => "pop3",
            Self::Sieve => "sieve",
        })
    }
}
