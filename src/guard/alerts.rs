//! What of all that happens here somebody is told of.

use mailward_detect::Rules;
use mailward_model::{Signal, Span, Subject, Timestamp};
use mailward_notify::Alert;
use mailward_report::Severity;
use mailward_report::status::HealthFinding;
use mailward_source::Reader;

use super::{Guard, clock, health};
use crate::record::Record;

/// How often it is looked at what is wrong.
const LOOK: Span = Span::from_secs(20);
/// Signals that are older than this are history: a log is read from its beginning.
const RECENT: Span = Span::from_hours(24);
/// As many of them are told again after a restart.
const AGAIN: usize = 500;
/// How long nothing must be seen of it before it is over.
const SETTLED: Span = Span::from_mins(2);
/// Who says what is wrong with the daemon.
const ORIGIN: &str = "guard";

impl Guard {
    /// Tells what is wrong with the daemon now, and by that what is not any more.
    pub(super) fn tell_standing(&mut self, reader: &Reader) {
        let now = clock();
        let looked_ago = now.since(self.told_standing);
        if !self.live || (looked_ago < LOOK && now >= self.told_standing) {
            return;
        }
        self.told_standing = now;
        // Each change of a file is told by itself, when it is seen.
        let findings = health::findings(self, reader).into_iter();
        let alerts = findings.filter(|finding| finding.id != "integrity.changed");
        let alerts = alerts.map(|finding| of_finding(finding, now)).collect();
        self.herald.standing(ORIGIN, alerts, SETTLED);
    }

    /// Tells of a signal that bans nobody: a person has to look.
    pub(super) fn tell_signal(&self, signal: &Signal) {
        if signal.ban == Span::ZERO && clock().since(signal.time) < RECENT {
            let Signal { time, rule, subject, .. } = signal;
            self.herald.happened(of_signal(*time, rule.0, subject, &self.setup.rules));
        }
    }

    /// Tells of signals that are in the store: killed between the two, they were not handed over. What was, is no news.
    pub(super) fn tell_signals_again(&self) {
        let past = self.keeper.store().told_since(clock().minus(RECENT), AGAIN).unwrap_or_default();
        for signal in past.iter().rev() {
            self.herald.happened(of_signal(signal.time, &signal.rule, &signal.subject, &self.setup.rules));
        }
    }

    /// Tells that a file is not as it was.
    pub(super) fn tell_change(&self, record: &Record, severity: Severity) {
        let file = record.target.clone().unwrap_or_default();
        self.herald.happened(Alert {
            key: format!("integrity/{file}"),
            severity,
            title: format!("A file was changed outside of a plan: {file}"),
            text: record.sentence(),
            next: "mailward integrity status".into(),
            since: clock().into(),
            resolved: None,
        });
    }

    /// Tells that something happened at the gate or in the kernel.
    pub(super) fn tell_event(&self, key: &str, severity: Severity, text: &str) {
        self.herald.happened(Alert {
            key: key.to_owned(),
            severity,
            title: text.to_owned(),
            next: "mailward status".into(),
            since: clock().into(),
            ..Alert::default()
        });
    }
}

fn of_finding(finding: HealthFinding, now: Timestamp) -> Alert {
    // The same may be wrong with several sources, which their titles name.
    let key = if finding.id.starts_with("source.") {
        format!("{}/{}", finding.id, finding.title)
    } else {
        finding.id
    };
    let next = if finding.remedy.is_empty() { "mailward status".to_owned() } else { finding.remedy };
    Alert {
        key,
        severity: finding.severity,
        title: finding.title,
        text: finding.detail,
        next,
        since: now.into(),
        resolved: None,
    }
}

fn of_signal(time: Timestamp, id: &str, subject: &Subject, rules: &Rules) -> Alert {
    let rule = rules.rule(id);
    let title = rule.map_or(id, |rule| rule.title);
    let severity = if id == "clients-hidden" { Severity::Medium } else { Severity::High };
    Alert {
        key: format!("{id}/{subject}"),
        severity,
        title: format!("{title}: {subject}"),
        text: rule.map(|rule| rule.why.to_owned()).unwrap_or_default(),
        next: format!("mailward explain {subject}"),
        since: time.into(),
        resolved: None,
    }
}
