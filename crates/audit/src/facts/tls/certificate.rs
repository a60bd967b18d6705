//! Certificates and keys, parsed.

use serde::{Deserialize, Serialize};

use crate::facts::Known;

/// A chain of certificates as a server sent it, or as a file holds it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Chain {
    /// Whether the client asked for the host's name (SNI).
    pub sni: bool,
    /// The certificates, in the order sent.
    pub certificates: Vec<Certificate>,
    /// Whether the first one leads to a root that this system trusts, through those that were sent.
    pub trust: Known<Trust>,
}

/// Where a chain leads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Trust {
    /// Whether it ends in a root that the system trusts. Time and name do not count: they are looked at by themselves.
    pub trusted: bool,
    /// Why not.
    pub reason: String,
}

/// What a certificate says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Certificate {
    /// Whose it is: `CN=mail.example.org`.
    pub subject: String,
    /// Its common name, which clients no longer look at.
    pub common_name: String,
    /// Who signed it.
    pub issuer: String,
    /// Its number, hexadecimal.
    pub serial: String,
    /// The names and addresses it holds for (subjectAltName).
    pub names: Vec<String>,
    /// When it begins, seconds since 1970.
    pub not_before: i64,
    /// When it ends, seconds since 1970.
    pub not_after: i64,
    /// Its key.
    pub key: CertificateKey,
    /// How it is signed: `sha256WithRSAEncryption`, `ecdsa-with-SHA384`; an OID where that has no name here.
    pub signature: String,
    /// What it may be used for (extendedKeyUsage): `serverAuth`; empty if it does not say.
    pub usages: Vec<String>,
    /// Whether it may sign others.
    pub authority: bool,
    /// Whether it signed itself.
    pub self_signed: bool,
    /// Whether it demands a stapled OCSP answer (RFC 7633).
    pub must_staple: bool,
    /// Where its issuer's certificate can be had; a public CA always says so.
    pub issuer_url: Option<String>,
    /// SHA-256 of the certificate, hexadecimal.
    pub sha256: String,
}

/// A public key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CertificateKey {
    /// `RSA`, `EC`, `Ed25519`, `Ed448`, `DSA`; an OID where that has no name here.
    pub kind: String,
    /// The bits of the modulus, or of the curve.
    pub bits: u32,
    /// The curve of an EC key: `P-256`.
    pub curve: String,
    /// SHA-256 of its SubjectCertificateKeyInfo, hexadecimal: what a `3 1 1` TLSA record holds.
    pub spki_sha256: String,
    /// How others can compute its private half, if the public one shows it: `ROCA (CVE-2017-15361)`.
    pub flaw: Known<Option<String>>,
}

impl Certificate {
    /// Whether it holds for a name; a wildcard stands for one label (RFC 6125 6.4.3).
    #[must_use]
    pub fn holds_for(&self, name: &str) -> bool {
        let name = name.trim_end_matches('.');
        self.names.iter().any(|pattern| match pattern.strip_prefix("*.") {
            Some(rest) => name
                .split_once('.')
                .is_some_and(|(label, parent)| !label.is_empty() && parent.eq_ignore_ascii_case(rest)),
            None => pattern.eq_ignore_ascii_case(name),
        })
    }

    /// Its life in seconds.
    #[must_use]
    pub const fn life(&self) -> i64 {
        self.not_after - self.not_before
    }
}
