//! Findings that the operator accepted: taken out of the findings as long as they hold, and told.

use jiff::civil::Date;
use mailward_report::audit::{AuditReport, FindingView, Suppression};

use crate::config::Accepted;

/// Moves accepted findings aside; entries that are over or match nothing become notes.
pub(super) fn apply(report: &mut AuditReport, accepted: &[Accepted], today: Date) {
    for entry in accepted {
        if entry.until < today {
            report.notes.push(format!(
                "accept: {} was accepted until {} ({}); it counts again. Decide anew in mailward.toml, [audit]",
                entry.check, entry.until, entry.owner
            ));
            continue;
        }
        let (matching, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut report.findings).into_iter().partition(|finding| entry.is_about(finding));
        report.findings = rest;
        if matching.is_empty() {
            report.notes.push(format!(
                "accept: {} {} matches no finding; it may be taken out of mailward.toml, [audit]",
                entry.check, entry.subject
            ));
        }
        report.suppressed.extend(matching.into_iter().map(|finding| FindingView {
            suppression: Some(Suppression {
                reason: entry.reason.clone(),
                owner: entry.owner.clone(),
                until: entry.until.to_string(),
            }),
            ..finding
        }));
    }
}

impl Accepted {
    fn is_about(&self, finding: &FindingView) -> bool {
        self.check.eq_ignore_ascii_case(&finding.id)
            && (self.subject.is_empty() || self.subject == finding.subject)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn finding(id: &str, subject: &str) -> FindingView {
        FindingView { id: id.into(), subject: subject.into(), ..FindingView::default() }
    }

    fn accepted(check: &str, subject: &str, until: Date) -> Accepted {
        Accepted { check: check.into(), subject: subject.into(), until, ..Accepted::default() }
    }

    /// What stays, what is set aside, and how many notes are made of it.
    fn check(entries: &[Accepted], stay: &[(&str, &str)], aside: &[(&str, &str)], notes: usize) {
        let findings =
            vec![finding("SMT-011", ""), finding("DMR-003", "a.example"), finding("DMR-003", "b.example")];
        let mut report = AuditReport { findings, ..AuditReport::default() };
        apply(&mut report, entries, date(2026, 3, 1));
        let pairs = |findings: &[FindingView]| -> Vec<(String, String)> {
            findings.iter().map(|finding| (finding.id.clone(), finding.subject.clone())).collect()
        };
        let owned = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(id, subject)| ((*id).to_owned(), (*subject).to_owned())).collect()
        };
        assert_eq!(pairs(&report.findings), owned(stay));
        assert_eq!(pairs(&report.suppressed), owned(aside));
        assert_eq!(report.notes.len(), notes, "{:?}", report.notes);
    }

    #[test]
    fn what_is_accepted_is_set_aside_while_it_holds() {
        let all = [("SMT-011", ""), ("DMR-003", "a.example"), ("DMR-003", "b.example")];
        let (later, over) = (date(2026, 3, 1), date(2026, 2, 28));
        check(&[], &all, &[], 0);
        check(&[accepted("smt-011", "", later)], &all[1..], &all[..1], 0);
        check(&[accepted("DMR-003", "", later)], &all[..1], &all[1..], 0);
        check(&[accepted("DMR-003", "b.example", later)], &all[..2], &all[2..], 0);
        check(&[accepted("DMR-003", "c.example", later)], &all, &[], 1);
        check(&[accepted("SMT-011", "", over)], &all, &[], 1);
    }
}
