//! Looks at the server from outside, before and after a plan.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::ProgressBar;
use mailward_apply::Witness;
use mailward_audit::plan::{Change, Layout, Plan, Reason, foretold};
use mailward_audit::postfix::elements;
use mailward_audit::{Audit, Check, Facts, Finding, Server, Untold, judge};
use mailward_probe::Place;
use mailward_probe::talk::{Mail, Manners, Target, smoke};

use super::Ground;
use super::plan::Made;
use crate::cli::audit::collect::{self, Scope};

/// Mail ports, the queue, and the audit.
pub(super) struct Outside<'a> {
    config: Option<&'a Path>,
    ground: &'a Ground,
    scope: &'a Scope,
    targets: Vec<Target>,
    manners: Manners,
    mail: Mail,
    place: Place,
    /// Ports that the plan itself closes.
    closed: BTreeSet<u16>,
    expected: Expected,
}

/// What the audit is to say after a plan.
struct Expected {
    /// What it said before.
    before: Audit,
    /// Checks that will not be able to tell: the plan itself ends what they looked at, or they would have to leave a trace.
    silent: BTreeSet<&'static str>,
}

impl<'a> Outside<'a> {
    pub(super) fn new(
        config: Option<&'a Path>,
        ground: &'a Ground,
        scope: &'a Scope,
        made: &Made,
    ) -> anyhow::Result<Self> {
        // A literal of our own address offends no rule about names in HELO.
        let hello = "[127.0.0.1]".to_owned();
        let manners = Manners { hello, domains: Vec::new(), deadline: Duration::from_secs(10) };
        Ok(Self {
            config,
            ground,
            scope,
            targets: if scope.offline { Vec::new() } else { collect::targets(&made.facts, scope)? },
            manners,
            mail: mail(&made.facts),
            place: Place::behind(&ground.options.prefix),
            closed: closed(&made.prepared.plan),
            expected: Expected::of(made),
        })
    }
}

impl Witness for Outside<'_> {
    fn works(&self) -> BTreeMap<String, Result<(), String>> {
        if self.targets.is_empty() {
            return BTreeMap::new();
        }
        let mut works = smoke(&self.targets, &self.manners, &self.mail, &self.place);
        works.retain(|name, _| !self.closed.iter().any(|port| name.starts_with(&format!("port {port} "))));
        works
    }

    fn left(&self, reasons: &[Reason]) -> Result<Vec<Reason>, String> {
        // What is being done is told already.
        let bar = ProgressBar::hidden();
        let facts = collect::collect_telling(self.config, &self.ground.settings, self.scope, &bar);
        let facts = facts.map_err(|error| error.to_string())?.0;
        let asked: BTreeSet<&str> = reasons.iter().map(|reason| reason.check.as_str()).collect();
        let now = judge(&facts, |check| asked.contains(check.id));
        Ok(reasons.iter().filter_map(|reason| self.expected.left(reason, &now)).collect())
    }
}

impl Expected {
    fn of(made: &Made) -> Self {
        let changes = made.prepared.plan.steps.iter().map(|step| &step.change);
        let facts = foretold(&made.facts, &Layout::of(&made.facts), changes);
        let silent = judge(&facts, |_| true)
            .results
            .into_iter()
            .filter(|result| matches!(result.judged, Err(Untold::CouldNotTell(_))))
            .map(|result| result.check.id);
        Self { before: judge(&made.facts, |_| true), silent: silent.collect() }
    }

    /// What is left of a finding that asked for a change. One that is milder now was mended where that is meant to be, as at port
    /// 25, where weak TLS is better than none.
    fn left(&self, reason: &Reason, now: &Audit) -> Option<Reason> {
        let left = |summary: String| Some(Reason { summary, ..reason.clone() });
        if let Some(found) = worst(now, reason) {
            let as_bad = worst(&self.before, reason).is_none_or(|was| found.severity >= was.severity);
            return if as_bad { left(found.summary.clone()) } else { None };
        }
        let told = now.results.iter().find(|result| result.check.id == reason.check)?;
        match &told.judged {
            Err(Untold::CouldNotTell(why)) if !self.silent.contains(told.check.id) => {
                left(format!("whether it is mended cannot be told: {why}"))
            }
            _ => None,
        }
    }
}

/// The worst finding of a check that is about the same.
fn worst<'a>(audit: &'a Audit, reason: &Reason) -> Option<&'a Finding> {
    let is_it =
        |(check, finding): &(&Check, &Finding)| check.id == reason.check && finding.subject == reason.subject;
    audit.findings().into_iter().find(is_it).map(|(_, finding)| finding)
}

/// Whom mail is tried for: a few of those who are there, and nobody.
fn mail(facts: &Facts) -> Mail {
    let accounts = facts.accounts.known().map(Vec::as_slice).unwrap_or_default();
    let real =
        accounts.iter().filter(|account| account.name.contains('@') && !account.locked && !account.master);
    let recipients = real.map(|account| account.name.clone()).take(2).collect();
    Mail { recipients, sink: sink(facts), lmtp: lmtp(facts) }
}

/// `double-bounce` at the first domain that Postfix delivers locally.
fn sink(facts: &Facts) -> Option<String> {
    let server = Server::new(facts);
    let postfix = server.postfix().ok()?;
    let local = postfix.value("mydestination")?;
    let domain = elements(&local).into_iter().find(|name| !name.contains(['/', ':', '$']))?.to_owned();
    let name = postfix.value("double_bounce_sender").unwrap_or_else(|| "double-bounce".to_owned());
    Some(format!("{name}@{domain}"))
}

/// Dovecot's LMTP socket, where Postfix hands mail to it through one of this machine.
fn lmtp(facts: &Facts) -> Option<PathBuf> {
    if !facts.about.prefix.is_empty() {
        return None;
    }
    let server = Server::new(facts);
    let postfix = server.postfix().ok()?;
    let transports = ["virtual_transport", "mailbox_transport", "local_transport"];
    let socket = transports.iter().find_map(|name| {
        let value = postfix.value(name)?;
        value.strip_prefix("lmtp:unix:").map(str::to_owned)
    })?;
    let queue = postfix.value("queue_directory").unwrap_or_else(|| "/var/spool/postfix".to_owned());
    Some(PathBuf::from(queue).join(socket))
}

/// Ports that a plan closes by asking for just that.
fn closed(plan: &Plan) -> BTreeSet<u16> {
    plan.steps.iter().flat_map(|step| ports(&step.change)).collect()
}

fn ports(change: &Change) -> Vec<u16> {
    const LISTENERS: [(&str, u16); 5] =
        [("imap", 143), ("imaps", 993), ("pop3", 110), ("pop3s", 995), ("sieve", 4190)];
    const SERVICES: [(&str, u16); 5] =
        [("submission/", 587), ("submissions/", 465), ("smtps/", 465), ("587/", 587), ("465/", 465)];
    const VARIABLES: [(&str, &[u16]); 3] =
        [("ENABLE_POP3", &[110, 995]), ("ENABLE_IMAP", &[143, 993]), ("ENABLE_MANAGESIEVE", &[4190])];
    match change {
        Change::Dovecot { blocks, name, value } if name == "port" && value == "0" => {
            let listener = blocks.last().and_then(|block| block.strip_prefix("inet_listener "));
            LISTENERS.iter().filter(|(name, _)| Some(*name) == listener).map(|(_, port)| *port).collect()
        }
        Change::Dovecot { name, value, .. } if name == "protocols" => {
            let serves = |listener: &str| value.split_whitespace().any(|word| listener.starts_with(word));
            LISTENERS.iter().filter(|(name, _)| !serves(name)).map(|(_, port)| *port).collect()
        }
        Change::Service { service, line: None } => {
            SERVICES.iter().filter(|(name, _)| service.starts_with(name)).map(|(_, port)| *port).collect()
        }
        Change::Variable { name, value } if value.as_deref() != Some("1") => VARIABLES
            .iter()
            .filter(|(known, _)| name == known)
            .flat_map(|(_, ports)| *ports)
            .copied()
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use mailward_audit::{CheckResult, Judged, Outcome, Severity, find};

    use super::*;

    fn audit(judged: Judged) -> Audit {
        let (_, check) = find("TLS-010").unwrap();
        Audit { results: vec![CheckResult { check, judged }] }
    }

    fn fails(subject: &str, severity: Severity) -> Audit {
        audit(Ok(Outcome::Fail(vec![Finding::new(severity, subject, "still weak")])))
    }

    /// What is left of `TLS-010 port 25`, which was of medium severity, when the audit ends like this.
    fn check(now: &Audit, silent: &[&'static str], left: Option<&str>) {
        let silent = silent.iter().copied().collect();
        let expected = Expected { before: fails("port 25", Severity::Medium), silent };
        let reason = Reason { check: "TLS-010".into(), subject: "port 25".into(), summary: "weak".into() };
        assert_eq!(expected.left(&reason, now).map(|reason| reason.summary).as_deref(), left);
    }

    #[test]
    fn what_is_as_bad_is_left() {
        check(&fails("port 25", Severity::Medium), &[], Some("still weak"));
        check(&fails("port 25", Severity::High), &[], Some("still weak"));
        check(&fails("port 25", Severity::Low), &[], None);
        check(&fails("port 465", Severity::High), &[], None);
        check(&audit(Ok(Outcome::Pass("strong".to_owned()))), &[], None);
    }

    #[test]
    fn what_cannot_be_told_counts_as_gone_only_where_that_was_foretold() {
        let untold = audit(Err(Untold::CouldNotTell("no answer".to_owned())));
        check(&untold, &[], Some("whether it is mended cannot be told: no answer"));
        check(&untold, &["TLS-010"], None);
        check(&audit(Err(Untold::NotApplicable("no TLS".to_owned()))), &[], None);
    }
}
