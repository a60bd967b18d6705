//! What is new, fixed and unchanged since last time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context as _;
use mailward_audit::facts::AnnouncedPolicy;
use mailward_report::audit::{AuditReport, Gone, PolicyView};
use mailward_store::{Audits, StoreError};

use crate::config::Settings;

/// The audits of this host, where they are remembered.
pub(super) struct History(Option<Audits>);

impl History {
    /// Those of the state directory. `settings` is none where this audit is only a part of one: it is neither compared nor recorded.
    pub(super) fn open(settings: Option<&Settings>) -> anyhow::Result<Self> {
        // Where the daemon never ran, an audit leaves nothing behind.
        let directory = settings.map(|settings| &settings.guard.state_directory).filter(|path| path.is_dir());
        let Some(directory) = directory else { return Ok(Self(None)) };
        match Audits::open(&directory.join("audits.sqlite")) {
            Ok(audits) => Ok(Self(Some(audits))),
            // Whoever is not root has no history, and an audit all the same.
            Err(StoreError::Denied { .. }) => Ok(Self(None)),
            Err(error) => Err(error.into()),
        }
    }

    /// The report in `file`, or that of the last whole audit of a host.
    pub(super) fn before(&self, file: Option<&Path>, host: &str) -> anyhow::Result<Option<AuditReport>> {
        match (file, &self.0) {
            (Some(path), _) => read(path).map(Some),
            (None, Some(audits)) => Ok(audits.last(host)?.and_then(|text| serde_json::from_str(&text).ok())),
            (None, None) => Ok(None),
        }
    }

    /// Remembers an audit.
    pub(super) fn record(&mut self, report: &AuditReport) -> anyhow::Result<()> {
        let Some(audits) = &mut self.0 else { return Ok(()) };
        let slim = AuditReport { attacks: None, ..report.clone() };
        audits.record(report.taken.0, &report.host, &serde_json::to_string(&slim)?)?;
        Ok(())
    }
}

/// The MTA-STS policies of an earlier audit, as facts of this one.
pub(super) fn policies(before: &AuditReport) -> BTreeMap<String, AnnouncedPolicy> {
    let taken = before.taken.0.to_string();
    let policy = |view: &PolicyView| {
        let PolicyView { domain, id, text } = view.clone();
        (domain, AnnouncedPolicy { id, text, taken: taken.clone() })
    };
    before.policies.iter().map(policy).collect()
}

fn read(path: &Path) -> anyhow::Result<AuditReport> {
    let text = std::fs::read(path).with_context(|| {
        format!("cannot read {}; `mailward audit --format json --output FILE` writes one", path.display())
    })?;
    serde_json::from_slice(&text)
        .with_context(|| format!("{} is no report of `mailward audit --format json`", path.display()))
}

/// A finding is the same as long as its fingerprint is. One that is accepted now is not gone.
pub(super) fn against(report: &mut AuditReport, before: &AuditReport) {
    let known: BTreeSet<_> = before.findings.iter().map(|finding| finding.fingerprint.as_str()).collect();
    for finding in &mut report.findings {
        let same = known.contains(finding.fingerprint.as_str());
        finding.change = if same { "unchanged" } else { "new" }.to_owned();
    }
    let all = report.findings.iter().chain(&report.suppressed);
    let now: BTreeSet<_> = all.map(|finding| finding.fingerprint.clone()).collect();
    // What could not be told this time is not fixed either.
    let untold: BTreeSet<_> = report.could_not_tell.iter().map(|told| told.id.clone()).collect();
    let gone = before
        .findings
        .iter()
        .filter(|finding| !now.contains(&finding.fingerprint) && !untold.contains(&finding.id));
    report.fixed = gone
        .map(|finding| Gone {
            fingerprint: finding.fingerprint.clone(),
            id: finding.id.clone(),
            severity: finding.severity,
            summary: finding.summary.clone(),
        })
        .collect();
    report.baseline = Some(before.taken);
}

#[cfg(test)]
mod tests {
    use mailward_report::audit::{FindingView, Told};

    use super::*;

    fn report(findings: &[&str], untold: &[&str]) -> AuditReport {
        AuditReport {
            findings: findings
                .iter()
                .map(|id| FindingView {
                    fingerprint: (*id).into(),
                    id: (*id).into(),
                    ..FindingView::default()
                })
                .collect(),
            could_not_tell: untold.iter().map(|id| Told { id: (*id).into(), ..Told::default() }).collect(),
            ..AuditReport::default()
        }
    }

    #[test]
    fn what_is_gone_is_fixed_unless_it_could_not_be_told() {
        let mut now = report(&["A-001", "A-002"], &["A-004"]);
        against(&mut now, &report(&["A-001", "A-003", "A-004"], &[]));
        let changes: Vec<_> = now.findings.iter().map(|finding| finding.change.as_str()).collect();
        assert_eq!(changes, ["unchanged", "new"]);
        let fixed: Vec<_> = now.fixed.iter().map(|gone| gone.id.as_str()).collect();
        assert_eq!(fixed, ["A-003"]);
    }
}
