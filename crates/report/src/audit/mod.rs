//! What an audit found: findings with their evidence and remedies, what is right, what could not be told, and what the log
//! says about attacks.

mod coverage;
mod document;
mod sarif;

use serde::{Deserialize, Serialize};

use crate::attacks::AttackReport;
use crate::{At, Severity};

pub use coverage::{CoverageReport, Unstopped};
pub use document::Explained;

/// What an audit found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct AuditReport {
    /// The version of this document; it grows when a field changes its meaning or goes away.
    pub schema: u32,
    /// The version of Mailward that judged.
    pub mailward: String,
    /// The server's name.
    pub host: String,
    /// What runs the mail server: `plain`, `docker-mailserver`.
    pub deployment: String,
    /// When the facts were collected.
    pub taken: At,
    /// How it was asked: `this host`, `docker exec -i mailserver`, `from outside`.
    pub from: String,
    /// The findings that count, the worst first.
    pub findings: Vec<FindingView>,
    /// Findings that the operator accepted, with the reason.
    pub suppressed: Vec<FindingView>,
    /// Findings of last time that are gone.
    pub fixed: Vec<Gone>,
    /// What was compared with, where there is a last time.
    pub baseline: Option<At>,
    /// Checks that passed.
    pub passed: Vec<Told>,
    /// Checks that are about something that is not here.
    pub not_applicable: Vec<Told>,
    /// Checks that could not be made; never counted as passed.
    pub could_not_tell: Vec<Told>,
    /// A line per part of the server.
    pub areas: Vec<AreaView>,
    /// The services that the configuration turned on; empty where nobody said what runs.
    pub services: Vec<ServiceView>,
    /// Which attacks of the log somebody would stop.
    pub coverage: Vec<Covered>,
    /// The MTA-STS policies, for the next audit to compare with.
    pub policies: Vec<PolicyView>,
    /// The attacks in the log, where one was read.
    pub attacks: Option<AttackReport>,
    /// Mistakes in the suppressions: expired ones, ones that match nothing.
    pub notes: Vec<String>,
}

/// A finding in a document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct FindingView {
    /// Stays the same from audit to audit as long as the weakness does.
    pub fingerprint: String,
    /// The check's id.
    pub id: String,
    /// How bad it is here.
    pub severity: Severity,
    /// The part of the server.
    pub area: String,
    /// What has it: a service, a file, a domain, an account; empty for the server as a whole.
    pub subject: String,
    /// The check's title.
    pub title: String,
    /// What is wrong here.
    pub summary: String,
    /// What causes it.
    pub cause: String,
    /// What can happen because of it.
    pub effect: String,
    /// What shows it.
    pub evidence: Vec<EvidenceView>,
    /// What mends it.
    pub remedy: RemedyView,
    /// Where to read more.
    pub references: Vec<String>,
    /// How it compares with last time: `new`, `unchanged`; empty without a last time.
    pub change: String,
    /// Why the operator accepted it, by whom and until when.
    pub suppression: Option<Suppression>,
}

/// Something seen that shows a weakness.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct EvidenceView {
    /// Where.
    pub place: String,
    /// What was seen there.
    pub seen: String,
}

/// What mends a finding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct RemedyView {
    /// What to do.
    pub advice: String,
    /// The edits, in order.
    pub edits: Vec<EditView>,
    /// The command that puts them in force.
    pub apply: String,
    /// The command that shows that it worked.
    pub prove: String,
}

/// A change of a file, or of a record to publish.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct EditView {
    /// The file, or `DNS`.
    pub target: String,
    /// Lines to take out.
    pub remove: Vec<String>,
    /// Lines to put in.
    pub add: Vec<String>,
}

/// Why a finding was accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Suppression {
    /// Why.
    pub reason: String,
    /// By whom.
    pub owner: String,
    /// The last day on which it holds.
    pub until: String,
}

/// A finding that is gone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Gone {
    /// Its fingerprint.
    pub fingerprint: String,
    /// Its check.
    pub id: String,
    /// How bad it was.
    pub severity: Severity,
    /// What was wrong.
    pub summary: String,
}

/// A check that did not fail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Told {
    /// Its id.
    pub id: String,
    /// The weakness that it looks for.
    pub title: String,
    /// What shows that it is not there, or why it could not be told.
    pub because: String,
}

/// The sum of a part of the server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct AreaView {
    /// Its name.
    pub title: String,
    /// Checks that failed.
    pub failed: u64,
    /// Checks that passed.
    pub passed: u64,
    /// Checks that are about something that is not here.
    pub not_applicable: u64,
    /// Checks that could not be made.
    pub could_not_tell: u64,
    /// The worst finding.
    pub worst: Option<Severity>,
}

/// A service that the configuration turned on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct ServiceView {
    /// Its name.
    pub name: String,
    /// What turned it on.
    pub because: String,
    /// Whether it runs.
    pub running: bool,
    /// What shows it.
    pub seen: String,
}

/// A domain's MTA-STS policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct PolicyView {
    /// The domain.
    pub domain: String,
    /// The id that announces it.
    pub id: String,
    /// The policy as it was fetched.
    pub text: String,
}

/// A kind of attack in the log, and who would stop it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Covered {
    /// What it is.
    pub attack: String,
    /// Whether the server refuses what was tried anyway, so that a ban would only save work.
    pub refused: bool,
    /// How often it was seen.
    pub seen: u64,
    /// From how many sources.
    pub sources: u64,
    /// Of the sources, how many Mailward's rules would ban.
    pub mailward: u64,
    /// Of the sources, how many somebody else on this host would ban.
    pub others: u64,
    /// Who bans them: `Mailward` where its guard runs, `fail2ban postfix`.
    pub by: Vec<String>,
    /// Of the sources, how many nobody would ban; Mailward's rules ban where its guard runs.
    pub nobody: u64,
    /// Those, the most frequent first, at most 100.
    pub unstopped: Vec<Unstopped>,
}

/// A check, for who wants to know what it is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct CheckView {
    /// Its id.
    pub id: String,
    /// The weakness.
    pub title: String,
    /// What it belongs to.
    pub family: String,
    /// How bad it is where nothing says otherwise.
    pub severity: Severity,
    /// What can happen because of it.
    pub why: String,
    /// What is looked at.
    pub proof: String,
    /// What to do.
    pub fix: String,
    /// Where to read more.
    pub references: Vec<String>,
}

/// The JSON schema of an [`AuditReport`].
#[cfg(feature = "schema")]
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(AuditReport).to_value()
}

impl AuditReport {
    /// How many findings are this bad.
    #[must_use]
    pub fn count(&self, severity: Severity) -> u64 {
        self.findings.iter().filter(|finding| finding.severity == severity).count() as u64
    }

    /// As SARIF 2.1.0, for code hosts and other programs that read it.
    ///
    /// # Errors
    /// None in practice: the document has only string keys.
    pub fn sarif(&self) -> Result<String, serde_json::Error> {
        let mut text = serde_json::to_string_pretty(&sarif::log(self))?;
        text.push('\n');
        Ok(text)
    }

    /// With everything about one check's findings, and nothing else; none where it has none.
    #[must_use]
    pub fn only(&self, id: &str) -> Option<Vec<&FindingView>> {
        let all = self.findings.iter().chain(&self.suppressed);
        let found: Vec<_> = all.filter(|finding| finding.id.eq_ignore_ascii_case(id)).collect();
        (!found.is_empty()).then_some(found)
    }
}
