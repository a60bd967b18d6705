//! What has changed in configuration and in the places where intruders stay.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::at::Clock;
use crate::words::{counted, number};
use crate::{At, Block, Cell, Document, Figure, Severity, Tone, View};

/// What has changed since the baseline was accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntegrityReport {
    /// When this was so.
    pub now: At,
    /// What was accepted; none if nothing was yet.
    pub baseline: Option<BaselineView>,
    /// How many files are watched now.
    pub files: u64,
    /// What is different.
    pub changes: Vec<ChangeView>,
    /// What could not be looked at, and why.
    pub unread: Vec<String>,
    /// What else a person should know.
    pub notes: Vec<String>,
    /// Whether this was accepted just now.
    pub accepted: bool,
}

/// A baseline as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaselineView {
    /// SHA-256 over all of it, to compare with a copy that is kept elsewhere.
    pub digest: String,
    /// When it was accepted last.
    pub taken: At,
    /// By whom.
    pub by: String,
    /// How many files it holds.
    pub files: u64,
}

/// A file that is not as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeView {
    /// The file; bytes that are no UTF-8 are replaced.
    pub path: String,
    /// `new`, `changed` or `gone`.
    pub what: String,
    /// What the file is for.
    pub role: String,
    /// What an intruder gains by it.
    pub gain: String,
    /// How bad it is if nobody knows of it.
    pub severity: Severity,
    /// In what it is different: `content`, `mode 0644 → 0666`.
    pub aspects: Vec<String>,
    /// The lines that differ, each after `+`, `-` or a blank; `…` stands for lines that are the same.
    pub diff: Vec<String>,
    /// More about it.
    pub note: String,
}

impl View for IntegrityReport {
    fn document(&self, zone: &TimeZone) -> Document {
        let clock = Clock::at(zone, self.now);
        let mut blocks = vec![Block::Figures(self.figures())];
        blocks.extend(self.notes.iter().map(|note| Block::Paragraph(vec![Cell::dim(note.as_str())])));
        blocks.extend(self.changes.iter().flat_map(change));
        if !self.unread.is_empty() {
            blocks.push(Block::Section("Could not be looked at".into()));
            blocks.extend(self.unread.iter().map(|why| Block::Paragraph(vec![why.as_str().into()])));
        }
        if let Some(baseline) = &self.baseline {
            blocks.push(Block::Section("Baseline".into()));
            blocks.push(Block::Facts(vec![
                ("accepted".into(), format!("{} by {}", clock.full(baseline.taken), baseline.by).into()),
                ("files".into(), number(baseline.files).into()),
                ("SHA-256".into(), baseline.digest.as_str().into()),
            ]));
        }
        blocks.extend(self.next());
        Document { title: self.headline().into(), subtitle: clock.full(self.now).into(), blocks }
    }
}

impl IntegrityReport {
    fn headline(&self) -> String {
        match (&self.baseline, self.changes.len() as u64, self.accepted) {
            (None, ..) => "There is no baseline yet".into(),
            (_, 0, false) => "Nothing has changed since it was accepted".into(),
            (_, 0, true) => "Accepted as it is".into(),
            (_, changes, true) => format!("{} accepted", counted(changes, "change")),
            (_, changes, false) => format!("{} that nobody accepted", counted(changes, "change")),
        }
    }

    fn figures(&self) -> Vec<Figure> {
        let count = |what: &str| self.changes.iter().filter(|change| change.what == what).count() as u64;
        [
            (count("new"), "new"),
            (count("changed"), "changed"),
            (count("gone"), "gone"),
            (self.files, "files watched"),
        ]
        .into_iter()
        .map(|(value, label)| Figure { value: number(value).into(), label: label.into() })
        .collect()
    }

    fn next(&self) -> Vec<Block> {
        let say = |words: &str, command: &str| Block::Paragraph(vec![words.into(), Cell::code(command)]);
        if self.baseline.is_none() {
            return vec![say("Take what is there as right:  ", "mailward integrity accept")];
        }
        if self.changes.is_empty() || self.accepted {
            return Vec::new();
        }
        let one = self.changes.first().map(|change| change.path.as_str()).unwrap_or_default();
        vec![
            say("These are mine:  ", "mailward integrity accept"),
            say("Only this one is:  ", &format!("mailward integrity accept '{one}'")),
        ]
    }
}

fn change(change: &ChangeView) -> Vec<Block> {
    let tone = match change.severity {
        Severity::Critical | Severity::High => Tone::Bad,
        Severity::Medium => Tone::Notable,
        _ => Tone::Plain,
    };
    let aspects = change.aspects.join("; ");
    let mut body = vec![format!("{}: {}", change.role, change.gain)];
    body.extend([aspects, change.note.clone()].into_iter().filter(|text| !text.is_empty()));
    let mut blocks = vec![Block::Notice {
        tone,
        title: format!("{} {}", change.what, change.path).into(),
        body: body.join(". ").into(),
        remedy: "".into(),
    }];
    if !change.diff.is_empty() {
        let lines = change.diff.iter().map(|line| Cell::toned(line.as_str(), tone_of(line))).collect();
        blocks.push(Block::Edit { target: "".into(), lines });
    }
    blocks
}

fn tone_of(line: &str) -> Tone {
    match line.chars().next() {
        Some('+') => Tone::Good,
        Some('-') => Tone::Bad,
        _ => Tone::Dim,
    }
}
