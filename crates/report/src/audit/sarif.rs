//! SARIF 2.1.0 (OASIS): what code hosts and security dashboards read.

use serde_json::{Value, json};

use super::{AuditReport, FindingView};
use crate::Severity;

/// The whole log.
pub(super) fn log(report: &AuditReport) -> Value {
    let mut rules: Vec<Value> = Vec::new();
    for finding in report.findings.iter().chain(&report.suppressed) {
        if rules.iter().all(|rule| rule["id"] != finding.id.as_str()) {
            rules.push(rule(finding));
        }
    }
    let findings = report.findings.iter().chain(&report.suppressed);
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "Mailward", "version": report.mailward, "rules": rules } },
            "results": findings.map(result).collect::<Vec<_>>(),
        }],
    })
}

fn rule(finding: &FindingView) -> Value {
    json!({
        "id": finding.id,
        "shortDescription": { "text": finding.title },
        "fullDescription": { "text": if finding.effect.is_empty() { &finding.title } else { &finding.effect } },
        "help": { "text": finding.remedy.advice },
        "defaultConfiguration": { "level": level(finding.severity) },
        "properties": { "security-severity": score(finding.severity), "tags": ["security", finding.area] },
    })
}

fn result(finding: &FindingView) -> Value {
    let mut result = json!({
        "ruleId": finding.id,
        "level": level(finding.severity),
        "message": { "text": message(finding) },
        "locations": finding.evidence.iter().map(|seen| location(&seen.place, &seen.seen)).collect::<Vec<_>>(),
        "partialFingerprints": { "mailward/v1": finding.fingerprint },
    });
    if let (Some(map), Some(why)) = (result.as_object_mut(), &finding.suppression) {
        map.insert("suppressions".to_owned(), json!([{ "kind": "external", "justification": why.reason }]));
    }
    result
}

fn message(finding: &FindingView) -> String {
    if finding.remedy.advice.is_empty() {
        finding.summary.clone()
    } else {
        format!("{} {}", finding.summary, finding.remedy.advice)
    }
}

/// Evidence `file:line` is a place in a file; all else is a logical one.
fn location(place: &str, seen: &str) -> Value {
    let line = place.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse::<u32>().ok()?)));
    match line {
        Some((file, line)) if line > 0 => json!({
            "physicalLocation": {
                "artifactLocation": { "uri": file.trim_start_matches('/') },
                "region": { "startLine": line, "snippet": { "text": seen } },
            },
        }),
        _ => json!({ "logicalLocations": [{ "fullyQualifiedName": place }], "message": { "text": seen } }),
    }
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

/// The number by which GitHub sorts, in the middle of CVSS's range for the word.
const fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "2.5",
        Severity::Info => "0.0",
    }
}
