//! Reports that others sent about mail in our domains: DMARC aggregate reports (RFC 9990) and TLS reports (RFC 8460).

use serde::{Deserialize, Serialize};

/// Reports that were received.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reports {
    /// Where they were read: a folder of mails or of report files.
    pub place: String,
    /// DMARC aggregate reports, each once.
    pub dmarc: Vec<DmarcReport>,
    /// TLS reports, each once.
    pub tls: Vec<TlsReport>,
    /// What was no report that could be read: its file, and why.
    pub refused: Vec<(String, String)>,
    /// Reports that came a second time, by organisation and id.
    pub repeated: u64,
}

/// A DMARC aggregate report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DmarcReport {
    /// Who reports.
    pub organisation: String,
    /// The report's id, unique for its organisation.
    pub id: String,
    /// The domain whose policy was applied.
    pub domain: String,
    /// What time it covers, seconds since 1970.
    pub begin: i64,
    /// Its end.
    pub end: i64,
    /// The policy: `none`, `quarantine`, `reject`.
    pub policy: String,
    /// The policy for subdomains; empty if it has none of its own.
    pub subdomain_policy: String,
    /// Its rows.
    pub rows: Vec<DmarcRow>,
}

/// Messages of one source that fared alike.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DmarcRow {
    /// The address that sent.
    pub source: String,
    /// How many messages.
    pub count: u64,
    /// What the receiver did: `none`, `quarantine`, `reject`.
    pub disposition: String,
    /// Whether an aligned DKIM signature was valid.
    pub dkim: bool,
    /// Whether an aligned SPF check passed.
    pub spf: bool,
    /// The domain in From.
    pub header_from: String,
    /// DKIM signatures: domain, selector, result.
    pub signatures: Vec<(String, String, String)>,
    /// SPF checks: domain, result.
    pub senders: Vec<(String, String)>,
}

/// A TLS report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TlsReport {
    /// Who reports.
    pub organisation: String,
    /// The report's id.
    pub id: String,
    /// What time it covers, seconds since 1970.
    pub begin: i64,
    /// Its end.
    pub end: i64,
    /// What was found, by policy.
    pub policies: Vec<TlsPolicyReport>,
}

/// What a sender found with one policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TlsPolicyReport {
    /// The domain.
    pub domain: String,
    /// `sts`, `tlsa`, `no-policy-found`.
    pub kind: String,
    /// Sessions that were secured.
    pub successes: u64,
    /// Sessions that were not.
    pub failures: u64,
    /// Why: the result's type, the receiving host, how many.
    pub details: Vec<(String, String, u64)>,
}

impl DmarcRow {
    /// Whether the message counts as the domain's own.
    #[must_use]
    pub const fn passes(&self) -> bool {
        self.dkim || self.spf
    }
}
