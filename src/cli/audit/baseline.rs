//! What is new, fixed and unchanged since last time.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context as _;
use mailward_report::audit::{AuditReport, Gone};
use mailward_store::{Audits, StoreError};

use crate::config::Settings;

/// Compares with the report in `file`, or with the last whole audit of this host in the state directory. `history` is none
/// where this audit is only a part of one: it is neither compared nor recorded.
pub(super) fn compare(
    report: &mut AuditReport,
    file: Option<&Path>,
    history: Option<&Settings>,
) -> anyhow::Result<()> {
    if let Some(path) = file {
        against(report, &read(path)?);
    }
    let Some(settings) = history else { return Ok(()) };
    let directory = &settings.guard.state_directory;
    // Where the daemon never ran, an audit leaves nothing behind.
    if !directory.is_dir() {
        return Ok(());
    }
    let mut audits = match Audits::open(&directory.join("audits.sqlite")) {
        Ok(audits) => audits,
        // Whoever is not root has no history, and an audit all the same.
        Err(StoreError::Denied { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if file.is_none()
        && let Some(before) = audits.last(&report.host)?
        && let Ok(before) = serde_json::from_str(&before)
    {
        against(report, &before);
    }
    let slim = AuditReport { attacks: None, ..report.clone() };
    audits.record(report.taken.0, &report.host, &serde_json::to_string(&slim)?)?;
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<AuditReport> {
    let text = std::fs::read(path).with_context(|| {
        format!("cannot read {}; `mailward audit --format json --output FILE` writes one", path.display())
    })?;
    serde_json::from_slice(&text)
        .with_context(|| format!("{} is no report of `mailward audit --format json`", path.display()))
}

/// A finding is the same as long as its fingerprint is. One that is accepted now is not gone.
fn against(report: &mut AuditReport, before: &AuditReport) {
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
