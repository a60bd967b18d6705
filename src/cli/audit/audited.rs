//! Audits for others than the command: of everything, or of parts.

use std::path::Path;

use indicatif::ProgressBar;
use mailward_audit::{Facts, judge};
use mailward_model::Timestamp;
use mailward_probe::Place;
use mailward_probe::talk::{Mail, Manners, Works, smoke};
use mailward_report::audit::AuditReport;

use super::{Scope, accept, baseline, collect, today, view};
use crate::config::Settings;

/// The server as it is now, with all that may be looked at without being asked for it.
pub(crate) fn facts(config: Option<&Path>, settings: &Settings) -> anyhow::Result<Facts> {
    let (facts, _) = collect::collect_telling(config, settings, &Scope::default(), &ProgressBar::hidden())?;
    Ok(facts)
}

/// What all checks find, compared with the last audit and remembered for the next.
pub(crate) fn whole(settings: &Settings, facts: &Facts) -> anyhow::Result<AuditReport> {
    let mut history = baseline::History::open(Some(settings))?;
    let before = history.before(None, &facts.about.host)?;
    let mut facts = facts.clone();
    if let Some(before) = &before {
        facts.dns.earlier_policies = baseline::policies(before);
    }
    let mut report = judged(settings, &facts, |_| true);
    if let Some(before) = &before {
        baseline::against(&mut report, before);
    }
    history.record(&report)?;
    Ok(report)
}

/// What the checks of some families find.
pub(crate) fn families(settings: &Settings, facts: &Facts, families: &[&str]) -> AuditReport {
    judged(settings, facts, |id| id.split('-').next().is_some_and(|family| families.contains(&family)))
}

fn judged(settings: &Settings, facts: &Facts, wanted: impl Fn(&str) -> bool) -> AuditReport {
    let mut report = view::report(facts, &judge(facts, |check| wanted(check.id)));
    accept::apply(&mut report, &settings.audit.accept, today());
    report
}

/// The queue alone.
pub(crate) fn queue(settings: &Settings) -> anyhow::Result<Facts> {
    Ok(mailward_probe::collect_queue(&super::deployed(settings)?))
}

/// Space and inodes alone.
pub(crate) fn space(settings: &Settings) -> anyhow::Result<Facts> {
    Ok(mailward_probe::collect_space(&super::deployed(settings)?))
}

/// What works on the mail ports, as a client sees it. Nothing is sent, and nobody logs in.
pub(crate) fn services(settings: &Settings) -> anyhow::Result<Works> {
    let options = super::deployed(settings)?;
    // A name for TLS; whom a certificate is for is the audit's business.
    let mut facts = Facts::default();
    facts.about.host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let targets = collect::targets(&facts, &Scope::default())?;
    let hello = "[127.0.0.1]".to_owned();
    let manners = Manners { hello, domains: Vec::new(), deadline: std::time::Duration::from_secs(10) };
    Ok(smoke(&targets, &manners, &Mail::default(), &Place::behind(&options.prefix)))
}

/// When the last line of the log came, as the daemon sees it, and how long it has been running; none where none is.
pub(crate) fn heard(settings: &Settings) -> Option<(Option<Timestamp>, u64)> {
    use mailward_report::status::Status;
    let status: Status =
        crate::cli::remote::Daemon::at(settings.guard.socket.clone()).get("/v1/status", &[]).ok()?;
    let last = status.sources.iter().filter_map(|source| source.last_line).max();
    Some((last.map(|at| at.0), status.uptime_seconds))
}
