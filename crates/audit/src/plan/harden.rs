//! From findings to a plan: what the checks ask for, one change for each thing, the harmless first.

use core::cmp::Reverse;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::edit::Format;
use super::{ByHand, Change, Layout, Plan, Program, Publish, Reason, Step, foretold, stricter, warning};
use crate::finding::Finding;
use crate::{Audit, Check, Outcome, Server};

/// What an operator wishes of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Wishes {
    /// Only these checks or families; all if it is empty.
    pub only: Vec<String>,
    /// Findings that were accepted: a check, and a subject, or nothing for all of its subjects.
    pub accepted: Vec<(String, String)>,
    /// Whom it serves.
    pub scale: Scale,
    /// What clients that log in have to speak.
    pub tls: Tls,
}

/// What clients that log in have to speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// TLS 1.2 or 1.3, as all mail programs of the last ten years do.
    #[default]
    Intermediate,
    /// TLS 1.3, where nobody would be locked out.
    Modern,
}

/// Whom a server serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// A family, an office.
    #[default]
    SingleDomain,
    /// Customers.
    Hoster,
}

/// Makes a plan of what the audit found.
#[must_use]
pub fn harden(server: &Server<'_>, audit: &Audit, wishes: &Wishes) -> Plan {
    let mut findings: Vec<_> =
        audit.findings().into_iter().filter(|(check, finding)| wishes.wants(check, finding)).collect();
    findings.sort_by_key(|(check, finding)| (cuts_off(check.id), Reverse(finding.severity)));
    let mut making = Making { server, layout: Layout::of(server.facts), wishes, plan: Plan::default() };
    for (check, finding) in findings {
        making.finding(check, finding);
    }
    if wishes.tls == Tls::Modern {
        making.modern();
    }
    making.prove(audit);
    let Making { mut plan, .. } = making;
    "harden".clone_into(&mut plan.title);
    plan.facts.clone_from(&server.facts.about.taken);
    plan.warnings = warning::warnings(server.facts, &plan.steps);
    plan
}

/// Checks whose changes end what somebody may do today; they come after all others.
fn cuts_off(id: &str) -> bool {
    const LATE: [&str; 12] = [
        "TLS-", "SMT-003", "SMT-004", "SMT-005", "SMT-006", "SMT-018", "SMT-019", "SMT-020", "DOV-001",
        "DOV-002", "DOV-015", "QTA-001",
    ];
    LATE.iter().any(|late| id.starts_with(late))
}

impl Wishes {
    fn wants(&self, check: &Check, finding: &Finding) -> bool {
        let family = check.id.split('-').next().unwrap_or_default();
        let named = |word: &String| word.eq_ignore_ascii_case(check.id) || word.eq_ignore_ascii_case(family);
        let accepted = self.accepted.iter().any(|(id, subject)| {
            id.eq_ignore_ascii_case(check.id) && (subject.is_empty() || *subject == finding.subject)
        });
        !accepted && (self.only.is_empty() || self.only.iter().any(named))
    }
}

struct Making<'s, 'f> {
    server: &'s Server<'f>,
    layout: Layout,
    wishes: &'s Wishes,
    plan: Plan,
}

impl Making<'_, '_> {
    /// All changes of a finding become steps, or none.
    fn finding(&mut self, check: &Check, finding: &Finding) {
        let reason = Reason {
            check: check.id.to_owned(),
            subject: finding.subject.clone(),
            summary: finding.summary.clone(),
        };
        let published =
            records(finding).map(|(name, kind, value)| Publish { name, kind, value, reason: reason.clone() });
        let before = self.plan.publish.len();
        self.plan.publish.extend(published);
        let has_records = self.plan.publish.len() > before;
        let changes: Vec<_> = finding.remedy.changes.iter().map(|change| self.sized(change)).collect();
        match self.steps_with(&changes, &reason) {
            Ok(steps) if !changes.is_empty() => self.plan.steps = steps,
            Ok(_) if has_records => {}
            Ok(_) => self.by_hand(reason, advice(check, finding)),
            Err(why) => self.by_hand(reason, format!("{} {why}", advice(check, finding))),
        }
    }

    /// What no finding asks for, but the operator.
    fn modern(&mut self) {
        let (check, subject) = ("TLS-001".to_owned(), "modern".to_owned());
        let reason = Reason { check, subject, summary: "who logs in speaks TLS 1.3".to_owned() };
        let made = super::modern::changes(self.server).and_then(|changes| self.steps_with(&changes, &reason));
        match made {
            Ok(steps) => self.plan.steps = steps,
            Err(why) => self.by_hand(reason, why),
        }
    }

    fn by_hand(&mut self, reason: Reason, advice: String) {
        self.plan.by_hand.push(ByHand { reason, advice });
    }

    /// The plan's steps with these changes; why not, where one cannot be made or stands against another.
    fn steps_with(&self, changes: &[Change], reason: &Reason) -> Result<Vec<Step>, String> {
        let mut steps = self.plan.steps.clone();
        for change in changes {
            self.check(change)?;
            match steps.iter_mut().find(|step| step.change.target() == change.target()) {
                None => steps.push(Step { change: change.clone(), reasons: vec![reason.clone()] }),
                Some(step) => {
                    if step.change != *change {
                        let both = stricter::of_both(self.server, &step.change, change);
                        step.change = both.ok_or_else(|| against(step, change))?;
                    }
                    if !step.reasons.contains(reason) {
                        step.reasons.push(reason.clone());
                    }
                }
            }
        }
        Ok(steps)
    }

    /// Whether a change can be made here and makes a difference.
    fn check(&self, change: &Change) -> Result<(), String> {
        let Some(file) = self.layout.file(change) else {
            return Err("It would be lost with the container, so it has to come from its image or a patch."
                .to_owned());
        };
        let known = self.server.facts.file(&file).ok().flatten();
        let text = known.and_then(|file| file.text.known());
        match self.layout.rewrite(text.map(String::as_str), [change]) {
            Err(clash) if text.is_some() => Err(format!("It cannot be done by itself: {clash}.")),
            // Without the text only the executor can tell.
            _ => Ok(()),
        }
    }

    /// Findings that would still be there afterwards are left to a person, with their changes.
    fn prove(&mut self, audit: &Audit) {
        let changes: Vec<_> = self.plan.steps.iter().map(|step| step.change.clone()).collect();
        let facts = foretold(self.server.facts, &self.layout, &changes);
        let after = Server::new(&facts);
        let reasons: BTreeSet<_> = self.plan.steps.iter().flat_map(|step| step.reasons.clone()).collect();
        for reason in reasons {
            let found = audit
                .findings()
                .into_iter()
                .find(|(check, finding)| check.id == reason.check && finding.subject == reason.subject);
            let Some((check, finding)) = found else { continue };
            let told = finding.remedy.changes.iter().all(|change| is_foretold(&self.layout, change));
            if !told || !is_there(check, finding, &after) {
                continue;
            }
            for step in &mut self.plan.steps {
                step.reasons.retain(|known| *known != reason);
            }
            let more = "Its changes alone would not be enough here.";
            self.by_hand(reason, format!("{} {more}", advice(check, finding)));
        }
        self.plan.steps.retain(|step| !step.reasons.is_empty());
    }

    /// The change with its number fitted to whom the server serves.
    fn sized(&self, change: &Change) -> Change {
        match (change, self.wishes.scale) {
            (Change::Parameter { name, value: Some(value) }, Scale::Hoster) => {
                Change::Parameter { name: name.clone(), value: Some(for_hoster(name, value)) }
            }
            (Change::Override { service, name, value: Some(value) }, Scale::Hoster) => Change::Override {
                service: service.clone(),
                name: name.clone(),
                value: Some(for_hoster(name, value)),
            },
            _ => change.clone(),
        }
    }
}

/// Customers behind one address are many: five times as much.
fn for_hoster(name: &str, value: &str) -> String {
    let rate = name.starts_with("smtpd_client_") && name.ends_with("_rate_limit");
    match value.parse::<u64>() {
        Ok(number) if rate => (number * 5).to_string(),
        _ => value.to_owned(),
    }
}

/// Whether facts show what becomes of a change: what fail2ban, Rspamd and the like make of their files is known once they were
/// asked.
fn is_foretold(layout: &Layout, change: &Change) -> bool {
    let sections = matches!(change, Change::Setting { .. }) && layout.format(change) == Format::Sections;
    let asked = [Program::Fail2ban, Program::Rspamd, Program::Clamav, Program::Systemd, Program::Rsyslog];
    let variable = matches!(change, Change::Variable { .. });
    !sections && !variable && !asked.contains(&layout.program(change))
}

/// Whether a check finds the same again.
fn is_there(check: &Check, finding: &Finding, server: &Server<'_>) -> bool {
    match (check.judge)(server) {
        Ok(Outcome::Fail(findings)) => findings.iter().any(|known| known.subject == finding.subject),
        _ => false,
    }
}

fn against(step: &Step, change: &Change) -> String {
    let other = step.reasons.first().map_or("another finding", |reason| reason.check.as_str());
    format!("{other} wants another value of {}: decide which.", change.target())
}

fn advice(check: &Check, finding: &Finding) -> String {
    let own = &finding.remedy.advice;
    if own.is_empty() { check.fix.to_owned() } else { own.clone() }
}

/// The records that a finding asks to publish, as far as they are whole: `name. IN TXT "..."`.
fn records(finding: &Finding) -> impl Iterator<Item = (String, String, String)> {
    let lines = finding.remedy.edits.iter().filter(|edit| edit.target == "DNS").flat_map(|edit| &edit.add);
    lines.filter(|line| !line.contains(['<', '…'])).filter_map(|line| {
        let (name, rest) = line.split_once(" IN ").or_else(|| line.split_once(' '))?;
        let (kind, value) = rest.split_once(' ')?;
        let sound = name.ends_with('.') && kind.bytes().all(|byte| byte.is_ascii_uppercase());
        sound.then(|| (name.to_owned(), kind.to_owned(), value.to_owned()))
    })
}
