//! What is not as it should be with Mailward itself.

use mailward_model::Span;
use mailward_report::Severity;
use mailward_report::status::HealthFinding;
use mailward_source::{Reader, SourceStatus, State};

use super::Guard;

/// The findings, the worst first.
// long: a list of what can be wrong
pub(super) fn findings(guard: &Guard, reader: &Reader) -> Vec<HealthFinding> {
    let mut findings = Vec::new();
    if let Some(trouble) = guard.shield.trouble() {
        findings.push(finding(
            "firewall.failed",
            Severity::Critical,
            "Bans do not reach the kernel",
            trouble,
            "",
        ));
    }
    if let Some(trouble) = guard.shield.table_trouble() {
        let title = "postscreen does not know all bans";
        findings.push(finding("postscreen.failed", Severity::High, title, trouble, ""));
    }
    if guard.setup.enforce && !guard.shield.has_firewall() {
        let detail =
            "the mode is enforce, but [firewall] enabled = false or --no-firewall leaves the kernel alone";
        findings.push(finding("firewall.none", Severity::Medium, "Bans do not reach the kernel", detail, ""));
    }
    if let Some(trouble) = guard.keeper.trouble() {
        findings.push(finding("store.failed", Severity::High, "The store cannot be written", trouble, ""));
    }
    if let Some(left_out) = guard.keeper.left_out() {
        let detail = format!("the store failed for too long; counted and not recorded: {left_out}");
        findings.push(finding("store.left-out", Severity::Medium, "Records were left out", &detail, ""));
    }
    if let Some(trouble) = guard.porter.trouble() {
        let title = "Postfix or Dovecot is not answered everywhere, or answers are not remembered";
        findings.push(finding("gate.failed", Severity::High, title, &trouble, ""));
    }
    let wrong_keys = guard.porter.wrong_keys();
    if wrong_keys > 0 {
        let detail = format!("{wrong_keys} questions had a wrong key since the last one with the right one");
        let remedy =
            "if Dovecot asks them, its logins are not guarded: give it [login] key, see mailward login setup";
        findings.push(finding(
            "gate.key",
            Severity::High,
            "The login guard is asked with a wrong key",
            &detail,
            remedy,
        ));
    }
    for trouble in guard.porter.unread() {
        let title = "A table that answers are made by cannot be used";
        findings.push(finding("gate.table", Severity::Medium, title, trouble, ""));
    }
    for source in reader.status() {
        if let Some(trouble) = trouble(&source) {
            let title = format!("{} cannot be read", source.source);
            findings.push(finding("source.trouble", Severity::High, &title, &trouble, ""));
        }
        if source.lost > 0 {
            let detail = source.note.clone().unwrap_or_default();
            let title = format!("Lines of {} may have been lost", source.source);
            findings.push(finding("source.lost", Severity::Medium, &title, &detail, ""));
        }
        findings.extend(clock_skew(guard, &source.source));
    }
    if guard.stats.is_over_budget() {
        let detail = format!(
            "{} bans by rules were not made since the start, the last within an hour",
            guard.stats.over_budget
        );
        let remedy = "mailward top shows what is going on; [budget] in mailward.toml sets the limits";
        findings.push(finding(
            "budget.used-up",
            Severity::High,
            "The budget of bans was used up",
            &detail,
            remedy,
        ));
    }
    findings.extend(drift(guard));
    findings.extend(guard.findings_of_files());
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

/// Why a source is not read, if so.
pub(super) fn trouble(source: &SourceStatus) -> Option<String> {
    match &source.state {
        State::Reading | State::Ended => None,
        State::Missing => Some("it is not there; it is read as soon as it is".into()),
        State::Failed(why) => Some(why.clone()),
    }
}

/// A log whose stamps are far from the clock is read in the wrong zone, or its host's clock is wrong.
fn clock_skew(guard: &Guard, source: &str) -> Option<HealthFinding> {
    let at = guard.sources.iter().position(|known| known == source)?;
    let lag = guard.stats.source(at).lag;
    (guard.live && lag > Span::from_mins(10)).then(|| {
        let detail = format!("its lines are {lag} behind the clock when they are read");
        let remedy = "set [sources] zone to the zone of the log's stamps, or check the clock: timedatectl";
        finding("source.clock", Severity::Medium, "A log's clock differs from ours", &detail, remedy)
    })
}

/// A program that suddenly is not understood: its new release words its lines otherwise.
fn drift(guard: &Guard) -> Option<HealthFinding> {
    let programs = guard.stats.programs();
    let worst = programs
        .iter()
        .filter(|program| program.program != "other" && program.unknown >= 20)
        .find(|program| program.unknown * 20 > program.lines)?;
    let detail =
        format!("{} of {} lines of {} are not understood", worst.unknown, worst.lines, worst.program);
    let remedy = "see them: mailward parse --unknown /var/log/mail.log; and report them";
    Some(finding(
        "parse.drift",
        Severity::Medium,
        "A program writes lines that are not known",
        &detail,
        remedy,
    ))
}

pub(super) fn finding(
    id: &str,
    severity: Severity,
    title: &str,
    detail: &str,
    remedy: &str,
) -> HealthFinding {
    HealthFinding {
        id: id.into(),
        severity,
        title: title.into(),
        detail: detail.into(),
        remedy: remedy.into(),
    }
}

/// Our own memory, as /proc/self/statm tells; 0 where it does not.
pub(super) fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * 4_096
}
