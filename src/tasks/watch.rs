//! Tasks that are parts of the audit: what its checks find is wrong until they find it no more.

use mailward_report::audit::{AuditReport, FindingView};

use super::{Done, Ground, alert};
use crate::cli::audited;

/// Findings that a text names one by one.
const NAMED: usize = 10;

/// The whole audit, compared with the last one and remembered for the next.
pub(super) fn everything(ground: &Ground<'_>, _: &str) -> anyhow::Result<Done> {
    let report = audited::whole(ground.settings, ground.facts()?)?;
    let mut done = done(ground, &report);
    let new = report.findings.iter().filter(|finding| finding.change == "new").count();
    if report.baseline.is_some() {
        done.text = format!("{new} new, {} fixed since the last audit; {}", report.fixed.len(), done.text);
    }
    Ok(done)
}

/// What the checks of some families find.
pub(super) fn families(ground: &Ground<'_>, _: &str, families: &[&str]) -> anyhow::Result<Done> {
    Ok(done(ground, &audited::families(ground.settings, ground.facts()?, families)))
}

pub(super) fn done(ground: &Ground<'_>, report: &AuditReport) -> Done {
    let now = ground.now;
    let of_finding = |finding: &FindingView| {
        let FindingView { fingerprint, id, severity, summary, subject, .. } = finding;
        let about = if subject.is_empty() { String::new() } else { format!("{subject}: ") };
        let title = format!("{about}{}", finding.title);
        let next = format!("mailward audit --explain {id}");
        // The same thing is one alert, whichever task finds it.
        alert(format!("audit/{fingerprint}"), *severity, title, summary.clone(), &next, now)
    };
    Done {
        findings: !report.findings.is_empty(),
        text: text(report),
        alerts: report.findings.iter().map(of_finding).collect(),
        ..Done::default()
    }
}

fn text(report: &AuditReport) -> String {
    let untold = match report.could_not_tell.len() {
        0 => String::new(),
        untold => format!(", {untold} could not tell"),
    };
    let mut lines = vec![match report.findings.len() {
        0 => format!("nothing is wrong: {} passed{untold}", report.passed.len()),
        found => format!("{found} found, {} passed{untold}", report.passed.len()),
    }];
    let named = report.findings.iter().take(NAMED);
    lines.extend(
        named.map(|finding| format!("{} {}: {}", finding.severity.name(), finding.id, finding.summary)),
    );
    if report.findings.len() > NAMED {
        lines.push(format!("and {} more: mailward audit", report.findings.len() - NAMED));
    }
    lines.join("\n")
}
