//! Changes, as people and programs read them.

use mailward_audit::integrity::{Change, Entry, Kind, Line, Seen, What, diff};
use mailward_model::{Text, Timestamp};
use mailward_report::At;
use mailward_report::integrity::{BaselineView, ChangeView, IntegrityReport};

use super::Baseline;
use crate::cli::severity;

/// Lines of a difference that are shown.
const LINES: usize = 200;

/// What has changed, for people.
pub(crate) fn report(
    baseline: Option<&Baseline>,
    seen: &Seen,
    changes: &[Change],
    now: Timestamp,
) -> IntegrityReport {
    let unread = seen.unread.iter().map(|(path, why)| format!("{}: {why}", shown(path)));
    let mut notes = Vec::new();
    if seen.cut {
        notes.push(
            "there are more files than are watched, or they are too large: some were left out".to_owned(),
        );
    }
    if baseline.is_some_and(Baseline::is_forged) {
        notes.push(
            "the baseline's digest is not the one that Mailward wrote: somebody else changed the baseline. Trust nothing that it says"
                .to_owned(),
        );
    }
    IntegrityReport {
        now: At(now),
        baseline: baseline.map(|baseline| BaselineView {
            digest: baseline.head.digest.clone(),
            taken: At(baseline.head.taken),
            by: baseline.head.by.clone(),
            files: baseline.entries.len() as u64,
        }),
        files: seen.entries.len() as u64,
        changes: changes.iter().map(change).collect(),
        unread: unread.collect(),
        notes,
        accepted: false,
    }
}

fn change(change: &Change) -> ChangeView {
    let role = change.role();
    let mut aspects: Vec<String> = change.aspects().iter().map(ToString::to_string).collect();
    let only = change.before.as_ref().xor(change.after.as_ref());
    aspects.extend(only.map(described));
    let (diff, note) = difference(change);
    ChangeView {
        path: shown(&change.path),
        what: change.what().name().to_owned(),
        role: role.name().to_owned(),
        gain: role.gain().to_owned(),
        severity: severity(change.severity()),
        aspects,
        diff,
        note,
    }
}

fn shown(path: &std::path::Path) -> String {
    Text::new(path.as_os_str().as_encoded_bytes()).to_string()
}

/// What a file is that is new or gone.
fn described(entry: &Entry) -> String {
    let what = match (entry.kind, &entry.link) {
        (Kind::Link, Some(target)) => format!("link to {target}"),
        (Kind::File, _) => format!("file of {} bytes", entry.size),
        (kind, _) => kind.name().to_owned(),
    };
    format!("{what}, mode {:04o}, owner {}:{}", entry.mode, entry.uid, entry.gid)
}

/// The lines that differ, and why they are not shown where they are not.
fn difference(change: &Change) -> (Vec<String>, String) {
    let text = |entry: &Option<Entry>| entry.as_ref().and_then(|entry| entry.text.clone());
    let is_file = |entry: &Option<Entry>| entry.as_ref().is_some_and(|entry| entry.kind == Kind::File);
    let (before, after) = (text(&change.before), text(&change.after));
    let lines = match (change.what(), &before, &after) {
        (What::Gone, ..) => return (Vec::new(), String::new()),
        (What::New, _, Some(after)) => diff("", after),
        (What::Changed, Some(before), Some(after)) => diff(before, after),
        _ if is_file(&change.after) && has_other_content(change) => {
            return (Vec::new(), "It is no text, too large or a secret: the lines are not kept".to_owned());
        }
        _ => return (Vec::new(), String::new()),
    };
    match lines {
        None => (Vec::new(), "It is too long to be shown line by line".to_owned()),
        Some(lines) if lines.is_empty() && has_other_content(change) && change.what() == What::Changed => {
            (Vec::new(), "Only what is masked as a secret has changed".to_owned())
        }
        Some(lines) => cut(lines),
    }
}

fn has_other_content(change: &Change) -> bool {
    let digest = |entry: &Option<Entry>| entry.as_ref().and_then(|entry| entry.digest);
    digest(&change.before) != digest(&change.after)
}

fn cut(lines: Vec<Line>) -> (Vec<String>, String) {
    let all = lines.len();
    let shown = lines.into_iter().take(LINES).map(|line| match line {
        Line::Same(text) => format!("  {text}"),
        Line::Out(text) => format!("- {text}"),
        Line::In(text) => format!("+ {text}"),
        Line::Gap => "…".to_owned(),
    });
    let note = if all > LINES { format!("{} more lines", all - LINES) } else { String::new() };
    (shown.collect(), note)
}
