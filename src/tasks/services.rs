//! Whether the services work, by talking to them; and whether the log tells of that.

use std::collections::{BTreeMap, BTreeSet};

use mailward_model::{Span, Timestamp};
use mailward_report::Severity;
use serde::{Deserialize, Serialize};

use super::{Done, Ground, alert};
use crate::cli::audited;

/// What worked, and when.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Memory {
    /// What worked at some time, and does not have to be told that it does not until somebody says that it is gone.
    worked: BTreeSet<String>,
    /// How often in a row something did not.
    missed: BTreeMap<String, u32>,
}

/// A service that is just being restarted is none that fails.
const TWICE: u32 = 2;
/// How long the log may say nothing while we ourselves give it something to say.
const SILENCE: Span = Span::from_hours(1);

pub(super) fn run(ground: &Ground<'_>, memory: &str) -> anyhow::Result<Done> {
    let mut memory: Memory = serde_json::from_str(memory).unwrap_or_default();
    let works = audited::services(ground.settings)?;
    let failed = judge(&mut memory, &works);
    let mut alerts: Vec<_> = failed
        .iter()
        .map(|(what, why)| {
            let title = format!("A service does not work any more: {what}");
            alert(
                format!("services/{what}"),
                Severity::High,
                title,
                why.clone(),
                "mailward audit --only SMT,DOV,TLS",
                ground.now,
            )
        })
        .collect();
    let fine = works.values().filter(|works| works.is_ok()).count();
    let mut lines = vec![format!("{fine} things work; {} that worked before do not", failed.len())];
    lines.extend(failed.iter().map(|(what, why)| format!("{what}: {why}")));
    if fine > 0
        && let Some(since) = silent(audited::heard(ground.settings), ground.now)
    {
        let text = format!("the last line is {since} old, although mail ports were talked to since");
        lines.push(format!("the log is silent: {text}"));
        let next = "mailward status; systemctl status rsyslog systemd-journald";
        alerts.push(alert(
            "services/log".into(),
            Severity::High,
            "The mail log is silent".into(),
            text,
            next,
            ground.now,
        ));
    }
    Ok(Done {
        findings: !alerts.is_empty(),
        text: lines.join("\n"),
        alerts,
        memory: Some(serde_json::to_string(&memory)?),
        ..Done::default()
    })
}

/// What worked before and has not done so twice now.
fn judge(memory: &mut Memory, works: &BTreeMap<String, Result<(), String>>) -> Vec<(String, String)> {
    let mut failed = Vec::new();
    for (what, result) in works {
        match result {
            Ok(()) => {
                memory.worked.insert(what.clone());
                memory.missed.remove(what);
            }
            Err(why) if memory.worked.contains(what) => {
                let missed = memory.missed.entry(what.clone()).or_default();
                *missed = missed.saturating_add(1);
                if *missed >= TWICE {
                    failed.push((what.clone(), why.clone()));
                }
            }
            Err(_) => {}
        }
    }
    failed
}

/// For how long the log has said nothing, if that is too long.
fn silent(heard: Option<(Option<Timestamp>, u64)>, now: Timestamp) -> Option<Span> {
    let (last, running) = heard?;
    let running = Span::from_secs(running);
    let since = last.map_or(running, |last| now.since(last));
    (running >= SILENCE && since >= SILENCE).then_some(since)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_worked_and_fails_twice_is_told_and_what_never_worked_is_not() {
        let works = |imap: bool| {
            let state = if imap { Ok(()) } else { Err("no greeting".to_owned()) };
            BTreeMap::from([
                ("143 imap: greeting".to_owned(), state),
                ("110 pop3: greeting".to_owned(), Err(String::new())),
            ])
        };
        let mut memory = Memory::default();
        let failed: Vec<usize> = [true, false, true, false, false, false, true, false]
            .map(|imap| judge(&mut memory, &works(imap)).len())
            .into();
        assert_eq!(failed, [0, 0, 0, 0, 1, 1, 0, 0]);
    }

    #[test]
    fn silence_counts_from_the_last_line_and_not_before_the_daemon_could_have_heard_one() {
        let now = Timestamp::from_secs(100_000);
        let hour = 3_600;
        for (heard, told) in [
            (None, None),
            (Some((None, hour - 1)), None),
            (Some((None, hour)), Some(Span::from_hours(1))),
            (Some((Some(now.minus(Span::from_hours(2))), 60)), None),
            (Some((Some(now.minus(Span::from_hours(2))), 3 * 3_600)), Some(Span::from_hours(2))),
            (Some((Some(now.minus(Span::from_mins(10))), 3 * 3_600)), None),
        ] {
            assert_eq!(silent(heard, now), told, "{heard:?}");
        }
    }
}
