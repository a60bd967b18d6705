//! Which attacks of a log somebody would stop, in an audit and by itself.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::Covered;
use crate::words::number;
use crate::{Align, Block, Cell, Document, Shown, Table, Tone, View};

/// Which attacks of a log somebody on a host would stop.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CoverageReport {
    /// The version of this document; it grows when a field changes its meaning or goes away.
    pub schema: u32,
    /// The host's name.
    pub host: String,
    /// The log that was read.
    pub log: String,
    /// The time of its first line.
    pub first: String,
    /// The time of its last line.
    pub last: String,
    /// Whether Mailward's guard runs there; none if that is not known.
    pub guard: Option<bool>,
    /// A row per kind of attack, the most frequent first.
    pub coverage: Vec<Covered>,
}

/// A source of attacks that nobody would stop.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Unstopped {
    /// Its address.
    pub address: String,
    /// How often it attacked.
    pub count: u64,
}

impl CoverageReport {
    /// Whether a kind of attack that the server does not refuse anyway comes from sources that nobody would stop.
    #[must_use]
    pub fn has_gaps(&self) -> bool {
        self.gaps().next().is_some()
    }

    fn gaps(&self) -> impl Iterator<Item = &Covered> {
        self.coverage.iter().filter(|row| row.nobody > 0 && !row.refused)
    }

    fn subtitle(&self) -> String {
        // To the minute: 2026-11-21T10:00:00.000000Z.
        let minute = |time: &str| time.get(..16).unwrap_or(time).replace('T', " ");
        match self.first.is_empty() {
            true => self.log.clone(),
            false => format!("{} · {} to {} UTC", self.log, minute(&self.first), minute(&self.last)),
        }
    }

    fn guard(&self) -> &'static str {
        match self.guard {
            Some(true) => "Mailward's guard runs here.",
            Some(false) => "Mailward's guard does not run here: its column says what it would do.",
            None => "Whether Mailward's guard runs here is not known: its column says what its rules do.",
        }
    }
}

impl View for CoverageReport {
    fn document(&self, _: &TimeZone) -> Document {
        let mut blocks = vec![Block::Paragraph(vec![self.guard().into()])];
        if self.coverage.is_empty() {
            blocks.push(Block::Notice {
                tone: Tone::Good,
                title: "No attack was found in the log".into(),
                body: Shown::default(),
                remedy: Shown::default(),
            });
        }
        blocks.extend(table(&self.coverage));
        blocks.extend(stopped_by_nobody(&self.gaps().collect::<Vec<_>>()));
        Document {
            title: format!("Coverage of {}", self.host).into(),
            subtitle: self.subtitle().into(),
            blocks,
        }
    }
}

/// Kind by kind, who would stop it.
pub(super) fn table(rows: &[Covered]) -> Vec<Block> {
    if rows.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new([
        ("attack in the log", Align::Wrap),
        ("seen", Align::Right),
        ("sources", Align::Right),
        ("Mailward", Align::Right),
        ("others", Align::Right),
        ("who bans them", Align::Wrap),
    ]);
    for row in rows {
        let others = number(row.others);
        let others = if row.others == 0 { Cell::toned(others, Tone::Bad) } else { others.into() };
        table.row([
            row.attack.as_str().into(),
            number(row.seen).into(),
            number(row.sources).into(),
            number(row.mailward).into(),
            others,
            if row.by.is_empty() { Cell::dim("nobody") } else { row.by.join(", ").into() },
        ]);
    }
    let explained =
        "How many of the sources Mailward's rules would ban, and how many somebody else on this host.";
    vec![
        Block::Section("Who would stop the attacks in the log".into()),
        Block::Paragraph(vec![Cell::dim(explained)]),
        Block::Table(table),
    ]
}

/// The sources that nobody would stop, of kinds that the server does not refuse anyway.
fn stopped_by_nobody(gaps: &[&Covered]) -> Vec<Block> {
    if gaps.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new([
        ("attack in the log", Align::Wrap),
        ("sources that nobody stops", Align::Right),
        ("the most frequent", Align::Wrap),
    ]);
    for row in gaps {
        let first = row.unstopped.iter().take(5);
        let first: Vec<_> =
            first.map(|source| format!("{} ({})", source.address, number(source.count))).collect();
        table.row([
            row.attack.as_str().into(),
            Cell::toned(number(row.nobody), Tone::Bad),
            first.join(", ").into(),
        ]);
    }
    vec![Block::Section("Attacks that nobody here stops".into()), Block::Table(table)]
}
