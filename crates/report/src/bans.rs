//! The bans that hold.

use jiff::tz::TimeZone;
use mailward_model::Ban;
use serde::{Deserialize, Serialize};

use crate::at::Clock;
use crate::words::{counted, lasting, number};
use crate::{Align, At, Block, Cell, Document, Table, Tone, View};

/// The bans that hold, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanList {
    /// When this was so.
    pub now: At,
    /// `enforce`, or `dry-run`: then nobody is really banned.
    pub mode: String,
    /// How many bans hold; more than are listed if the list was cut.
    pub total: u64,
    /// The bans.
    pub bans: Vec<BanRow>,
}

/// A ban in a document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanRow {
    /// The address or network.
    pub target: String,
    /// Since when.
    pub from: At,
    /// Until when; none is until lifted.
    pub until: Option<At>,
    /// Who asked for it: `rule`, `operator` or `import`.
    pub origin: String,
    /// The rule, the operator or the tool.
    pub by: String,
    /// The step on the ladder, from 1; 0 where none applies.
    pub step: u32,
    /// In words.
    pub reason: String,
    /// Whether the kernel has it; none where nobody asked.
    pub in_kernel: Option<bool>,
    /// What the kernel dropped by it, where it counts.
    pub dropped: Option<Dropped>,
}

/// What the kernel dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

impl From<&Ban> for BanRow {
    fn from(ban: &Ban) -> Self {
        Self {
            target: ban.target.to_string(),
            from: At(ban.from),
            until: ban.until.map(At),
            origin: ban.origin.name().into(),
            by: ban.by.to_string(),
            step: ban.step,
            reason: ban.reason.to_string(),
            in_kernel: None,
            dropped: None,
        }
    }
}

impl BanRow {
    /// `for 3h 20m more`, `until lifted`.
    pub(crate) fn rest(&self, now: At) -> String {
        self.until.map_or_else(|| "until lifted".into(), |until| lasting(until.seconds_since(now)))
    }

    /// What the kernel made of it, where it was asked.
    fn in_the_kernel(&self) -> Cell {
        match (self.in_kernel, self.dropped) {
            (Some(false), _) => Cell::toned("missing", Tone::Bad),
            (_, Some(dropped)) => format!("{} dropped", number(dropped.packets)).into(),
            (Some(true), None) => Cell::dim("there"),
            (None, None) => Cell::default(),
        }
    }

    /// `3 auth-failure in 10m (auth-failure-fast, ban no. 2)`.
    fn because(&self) -> String {
        let author = match (self.origin.as_str(), self.step) {
            ("rule", 0 | 1) => self.by.clone(),
            ("rule", step) => format!("{}, ban no. {step}", self.by),
            (origin, _) => format!("{origin} {}", self.by).trim_end().to_owned(),
        };
        if self.reason.is_empty() { author } else { format!("{} ({author})", self.reason) }
    }
}

impl View for BanList {
    fn document(&self, zone: &TimeZone) -> Document {
        let clock = Clock::at(zone, self.now);
        let networks = self.bans.iter().filter(|ban| ban.target.contains('/')).count() as u64;
        let subtitle = match networks {
            0 => clock.full(self.now),
            some => format!("{}; {} listed", clock.full(self.now), counted(some, "network")),
        };
        let title = match self.total {
            0 => "Nobody is banned".into(),
            total => format!("{} in force", counted(total, "ban")),
        };
        let mut blocks = Vec::new();
        if self.mode == "dry-run" {
            blocks.push(dry_run());
        }
        if !self.bans.is_empty() {
            blocks.push(Block::Table(table(&self.bans, &clock, self.now, self.total)));
            blocks.push(Block::Paragraph(vec![
                "Why one of them: ".into(),
                Cell::code(format!("mailward explain {}", self.bans.first().map_or("", |ban| &ban.target))),
            ]));
        }
        Document { title: title.into(), subtitle: subtitle.into(), blocks }
    }
}

/// What must stand above all else while nothing is enforced.
pub(crate) fn dry_run() -> Block {
    Block::Notice {
        tone: Tone::Notable,
        title: "Dry run: nobody is really banned".into(),
        body: "Decisions are made and recorded, the firewall is left alone. To ban, set mode = \"enforce\" in [guard], then:"
            .into(),
        remedy: "systemctl reload mailward".into(),
    }
}

/// Bans as a table; what the kernel counted only where it was asked.
pub(crate) fn table(bans: &[BanRow], clock: &Clock<'_>, now: At, total: u64) -> Table {
    let mut table = Table::new([
        ("who", Align::Left),
        ("since", Align::Left),
        ("time left", Align::Right),
        ("because", Align::Wrap),
        ("kernel", Align::Right),
    ]);
    for ban in bans {
        table.row([
            Cell::strong(ban.target.as_str()),
            clock.near(ban.from, now).into(),
            ban.rest(now).into(),
            ban.because().into(),
            ban.in_the_kernel(),
        ]);
    }
    table.all = total;
    table.without_empty_columns()
}
