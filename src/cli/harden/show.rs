//! Plans and what became of them, for people and for programs.

use std::io::Write;

use mailward_apply::{Diff, Done, Entry, Prepared, Recovered, Stage};
use mailward_audit::plan::{Plan, Reason};
use serde_json::{Value, json};

use crate::cli::{Format, Outcome};

/// A plan with what becomes of each file.
pub(super) fn plan(plan: &Plan, diffs: &[Diff], format: Format) -> anyhow::Result<()> {
    match format {
        Format::Json => print(&json!({
            "plan": plan.title, "facts": plan.facts, "files": diffs, "steps": plan.steps.len(),
            "warnings": plan.warnings, "publish": plan.publish, "by-hand": plan.by_hand,
        })),
        Format::Text => text(&lines(plan, diffs)),
    }
}

/// A step by itself, and how many there are.
pub(super) fn step(number: usize, of: usize, diffs: &[Diff]) -> anyhow::Result<()> {
    let mut all = vec![String::new(), format!("Step {number} of {of}")];
    all.extend(diffs.iter().flat_map(file));
    text(&all)
}

fn lines(plan: &Plan, diffs: &[Diff]) -> Vec<String> {
    let mut all = Vec::new();
    for warning in &plan.warnings {
        let examples = if warning.examples.is_empty() {
            String::new()
        } else {
            format!(": {}", warning.examples.join(", "))
        };
        all.push(format!("WARNING {} ({} times in the log{examples})", warning.text, warning.count));
    }
    for diff in diffs {
        all.push(String::new());
        all.extend(file(diff));
    }
    titled(
        &mut all,
        "To publish in the DNS:",
        plan.publish.iter().map(|record| {
            format!("{} {} {}  ({})", record.name, record.kind, record.value, named(&record.reason))
        }),
    );
    titled(
        &mut all,
        "To be decided by you:",
        plan.by_hand.iter().map(|hand| {
            let summary = hand.reason.summary.trim_end_matches('.');
            format!("{}: {summary}. {}", named(&hand.reason), hand.advice)
        }),
    );
    all.push(String::new());
    all.push(match diffs.len() {
        0 => "Nothing is to be changed.".to_owned(),
        1 => "1 file is to be changed.".to_owned(),
        count => format!("{count} files are to be changed, in {} steps.", plan.steps.len()),
    });
    all
}

fn titled(all: &mut Vec<String>, title: &str, lines: impl Iterator<Item = String>) {
    let lines: Vec<_> = lines.map(|line| format!("  {line}")).collect();
    if !lines.is_empty() {
        all.extend([String::new(), title.to_owned()]);
        all.extend(lines);
    }
}

fn file(diff: &Diff) -> Vec<String> {
    let host = diff.host.as_ref().map(|host| format!(" ({host} here)")).unwrap_or_default();
    let mut all = vec![format!("{}{host}", diff.path)];
    all.extend(diff.reasons.iter().map(|reason| format!("  {}: {}", named(reason), reason.summary)));
    all.extend(diff.rights.iter().map(|rights| format!("  {rights}")));
    all.extend(diff.lines.iter().map(|line| format!("    {}", printable(line))));
    all
}

fn named(reason: &Reason) -> String {
    if reason.subject.is_empty() {
        reason.check.clone()
    } else {
        format!("{} {}", reason.check, reason.subject)
    }
}

/// A line of somebody's file must not steer a terminal.
fn printable(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    for c in line.chars() {
        if c.is_control() && c != '\t' { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

/// There was nothing to do.
pub(super) fn nothing(format: Format) -> anyhow::Result<Outcome> {
    if format == Format::Json {
        print(&json!({"changed": []}))?;
    }
    Ok(Outcome::Fine)
}

/// A plan that was tried alone.
pub(super) fn tried(prepared: &Prepared, format: Format) -> anyhow::Result<Outcome> {
    match format {
        Format::Json => {
            let files: Vec<_> = prepared.files.iter().map(|file| file.path.as_str()).collect();
            print(&json!({"changed": [], "tried": files}))?;
        }
        Format::Text => text(&["The server's own programs take it. Nothing was changed.".to_owned()])?,
    }
    Ok(Outcome::Fine)
}

/// A plan that was carried out.
pub(super) fn done(done: &Done, format: Format) -> anyhow::Result<Outcome> {
    match format {
        Format::Json => print(&json!({"id": done.id, "changed": done.files, "warnings": done.warnings}))?,
        Format::Text => {
            let mut lines: Vec<_> = done.warnings.iter().map(|warning| format!("NOTE {warning}")).collect();
            lines.push(format!("Done and proved. `mailward harden undo {}` takes it back.", done.id));
            text(&lines)?;
        }
    }
    Ok(Outcome::Fine)
}

/// A plan that was taken back.
pub(super) fn undone(undone: &Recovered, format: Format) -> anyhow::Result<Outcome> {
    match format {
        Format::Json => print(&json!({"id": undone.id, "plan": undone.title, "warnings": undone.warnings}))?,
        Format::Text => {
            text(&[format!(
                "Plan {} ({}) is taken back: every file is as it was.",
                undone.id, undone.title
            )])?;
        }
    }
    Ok(if undone.left.is_empty() { Outcome::Fine } else { Outcome::Findings })
}

/// Plans of the past, the newest first.
pub(super) fn history(entries: &[Entry], format: Format) -> anyhow::Result<Outcome> {
    match format {
        Format::Json => print(&Value::Array(entries.iter().rev().map(entry).collect()))?,
        Format::Text if entries.is_empty() => text(&["No plan was carried out here.".to_owned()])?,
        Format::Text => text(&entries.iter().rev().flat_map(told).collect::<Vec<_>>())?,
    }
    Ok(Outcome::Fine)
}

fn entry(entry: &Entry) -> Value {
    let files: Vec<_> = entry.prepared.files.iter().map(|file| file.path.as_str()).collect();
    json!({
        "id": entry.id, "plan": entry.prepared.plan.title, "stage": entry.stage, "at": entry.at,
        "why": entry.why, "files": files,
    })
}

fn told(entry: &Entry) -> Vec<String> {
    let end = match entry.stage {
        Stage::Done => "holds",
        Stage::Undone => "was taken back",
        _ => "was ended in the middle",
    };
    let files = entry.prepared.files.len();
    let mut lines =
        vec![format!("{}  {}  {end} ({})  {files} files", entry.id, entry.prepared.plan.title, entry.at)];
    lines.extend(entry.why.iter().map(|why| format!("  {why}")));
    lines
}

pub(super) fn text(lines: &[String]) -> anyhow::Result<()> {
    Ok(std::io::stdout().lock().write_all((lines.join("\n") + "\n").as_bytes())?)
}

pub(super) fn print(value: &Value) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{value}")?)
}
