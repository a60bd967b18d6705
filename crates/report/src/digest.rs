//! What a day, a week or a month brought, as a mail: what needs the operator, what changed, what was kept out; and nothing else.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::at::Clock;
use crate::words::{counted, number};
use crate::{
    At, Bar, Bars, Block, Cell, Columns, Document, Figure, Series, Severity, Shown, Tally, Tone, View,
};

/// What a day, a week or a month brought.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    /// The server.
    pub host: String,
    /// `day`, `week` or `month`.
    pub period: String,
    /// From when.
    pub from: At,
    /// Until when.
    pub to: At,
    /// What is wrong now, the worst first.
    pub needs: Vec<Need>,
    /// What changed in the period, newest first, a sentence each.
    pub changes: Vec<Change>,
    /// Tasks that could not do what they do.
    pub failed: Vec<Change>,
    /// Offences by kind.
    pub offences: Tally,
    /// Offences in each step of the period.
    pub timeline: Vec<Count>,
    /// Bans that were made.
    pub bans: u64,
    /// Bans that hold.
    pub holding: u64,
    /// Networks with the most bans.
    pub networks: Tally,
}

/// Something that is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub title: String,
    /// More about it.
    pub text: String,
    /// What to type.
    pub next: String,
    /// Since when.
    pub since: At,
}

/// Something that happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// When.
    pub at: At,
    /// By what it was seen: the task's name.
    pub by: String,
    /// What.
    pub text: String,
}

/// A count of a step in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// When the step begins.
    pub at: At,
    /// How many.
    pub count: u64,
}

/// Things that are told one by one.
const TOLD: usize = 15;
/// Lines of what a task said.
const LINES: usize = 6;

impl Digest {
    /// In a few words, for a subject.
    #[must_use]
    pub fn subject(&self) -> String {
        let needs =
            self.needs.iter().filter(|need| need.severity >= Severity::Medium).count() + self.failed.len();
        let state = match needs {
            0 => "nothing needs you".to_owned(),
            1 => "one thing needs you".to_owned(),
            needs => format!("{needs} things need you"),
        };
        format!("[{}] The last {}: {state}", self.host, self.period)
    }
}

impl View for Digest {
    fn document(&self, zone: &TimeZone) -> Document {
        let clock = Clock::between(zone, Some(self.from), Some(self.to));
        let mut blocks = vec![figures(self)];
        blocks.extend(needs(self, &clock));
        blocks.extend(changes(self, &clock));
        blocks.extend(kept_out(self, &clock));
        Document {
            title: format!("{}: the last {}", self.host, self.period).into(),
            subtitle: format!("{} to {}", clock.short(self.from), clock.short(self.to)).into(),
            blocks,
        }
    }
}

fn figures(digest: &Digest) -> Block {
    let figure = |value: u64, tone: Tone, label: &str| Figure {
        value: Cell::toned(number(value), tone),
        label: label.into(),
    };
    let needs = (digest.needs.len() + digest.failed.len()) as u64;
    let tone = if needs == 0 { Tone::Good } else { Tone::Bad };
    Block::Figures(vec![
        figure(needs, tone, "need you"),
        figure(digest.changes.len() as u64, Tone::Plain, "changes"),
        figure(digest.offences.total(), Tone::Plain, "attempts"),
        figure(digest.bans, Tone::Plain, "bans"),
    ])
}

fn needs(digest: &Digest, clock: &Clock<'_>) -> Vec<Block> {
    let mut blocks = vec![Block::Section("What needs you".into())];
    if digest.needs.is_empty() && digest.failed.is_empty() {
        blocks.push(Block::Paragraph(vec![Cell::toned("Nothing.", Tone::Good)]));
        return blocks;
    }
    blocks.extend(digest.needs.iter().take(TOLD).map(|need| Block::Notice {
        tone: need.severity.tone(),
        title: need.title.as_str().into(),
        body: sentence(&need.text, &format!("since {}", clock.short(need.since))),
        remedy: need.next.as_str().into(),
    }));
    blocks.extend(digest.failed.iter().map(|failed| Block::Notice {
        tone: Tone::Notable,
        title: format!("The task {} could not be done", failed.by).into(),
        body: first_lines(&failed.text).join(" ").into(),
        remedy: format!("mailward task run {}", failed.by).into(),
    }));
    if digest.needs.len() > TOLD {
        let more = format!("and {} more: ", digest.needs.len() - TOLD);
        blocks.push(Block::Paragraph(vec![Cell::dim(more), Cell::code("mailward notify status")]));
    }
    blocks
}

fn sentence(text: &str, more: &str) -> Shown {
    let text = first_lines(text).join(" ");
    if text.is_empty() { more.into() } else { format!("{text} ({more})").into() }
}

fn first_lines(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.trim().is_empty()).take(LINES).collect()
}

fn changes(digest: &Digest, clock: &Clock<'_>) -> Vec<Block> {
    if digest.changes.is_empty() {
        return Vec::new();
    }
    let mut blocks = vec![Block::Section("What changed".into())];
    for change in digest.changes.iter().take(TOLD) {
        let mut cells = vec![Cell::dim(format!("{} {}: ", clock.short(change.at), change.by))];
        cells.push(first_lines(&change.text).join("; ").into());
        blocks.push(Block::Paragraph(cells));
    }
    if digest.changes.len() > TOLD {
        let more = counted((digest.changes.len() - TOLD) as u64, "more change");
        blocks.push(Block::Paragraph(vec![
            Cell::dim(format!("and {more}: ")),
            Cell::code("mailward task log"),
        ]));
    }
    blocks
}

fn kept_out(digest: &Digest, clock: &Clock<'_>) -> Vec<Block> {
    if digest.offences.total() == 0 && digest.bans == 0 {
        return Vec::new();
    }
    let bar = |(name, value): (&str, u64)| Bar { label: name.into(), value, note: Cell::default() };
    let mut blocks = vec![Block::Section("What was kept out".into())];
    blocks.push(Block::Columns(Columns {
        caption: "attempts over time".into(),
        labels: digest.timeline.iter().map(|count| clock.short(count.at).into()).collect(),
        series: vec![Series {
            name: "attempts".into(),
            values: digest.timeline.iter().map(|count| count.count).collect(),
        }],
    }));
    blocks.push(Block::Bars(Bars {
        caption: "attempts by kind".into(),
        rows: digest.offences.iter().take(6).map(bar).collect(),
        as_series: false,
    }));
    let bans = format!("{} in this time; {} now.", counted(digest.bans, "ban"), number(digest.holding));
    blocks.push(Block::Paragraph(vec![bans.into()]));
    if !digest.networks.is_empty() {
        blocks.push(Block::Bars(Bars {
            caption: "networks with the most bans".into(),
            rows: digest.networks.iter().take(5).map(bar).collect(),
            as_series: false,
        }));
    }
    blocks
}
