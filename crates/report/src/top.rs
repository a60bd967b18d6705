//! Who attacks right now.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::at::Clock;
use crate::bans::{BanRow, table};
use crate::words::{lasting, number, rate};
use crate::{Align, At, Bar, Bars, Block, Cell, Document, Figure, Table, Tally, Tone, View};

/// Who attacks right now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Top {
    /// When this was so.
    pub now: At,
    /// Over how long the counts go.
    pub window_seconds: u64,
    /// Lines in each second.
    pub lines_per_second: f64,
    /// Offences in the window.
    pub offences: u64,
    /// Bans that hold.
    pub bans: u64,
    /// Packets that the kernel dropped in each second; none where it was not asked.
    pub packets_per_second: Option<f64>,
    /// Offences by kind.
    pub by_kind: Tally,
    /// The sources with the most offences.
    pub by_source: Vec<TopRow>,
    /// The networks with the most offences.
    pub by_network: Vec<TopRow>,
    /// The accounts that are tried most.
    pub by_account: Tally,
    /// The newest bans.
    pub last_bans: Vec<BanRow>,
}

/// A source or a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopRow {
    /// The address or network.
    pub name: String,
    /// Offences in the window.
    pub count: u64,
    /// By kind.
    pub kinds: Tally,
    /// The last one.
    pub last: Option<At>,
    /// Whether it is banned.
    pub banned: bool,
}

impl View for Top {
    fn document(&self, zone: &TimeZone) -> Document {
        let clock = Clock::at(zone, self.now);
        let mut figures = vec![
            (number(self.offences), "offences"),
            (number(self.bans), "bans in force"),
            (rate(self.lines_per_second), "lines a second"),
        ];
        figures.extend(self.packets_per_second.map(|packets| (rate(packets), "packets dropped a second")));
        let figures =
            figures.into_iter().map(|(value, label)| Figure { value: value.into(), label: label.into() });
        let mut blocks = vec![Block::Figures(figures.collect())];
        blocks.extend(self.rows("Sources", &self.by_source, &clock));
        blocks.extend(self.rows("Networks", &self.by_network, &clock));
        blocks.extend(bars("Kinds", &self.by_kind));
        blocks.extend(bars("Accounts", &self.by_account));
        if !self.last_bans.is_empty() {
            let bans = table(&self.last_bans, &clock, self.now, self.last_bans.len() as u64);
            blocks.extend([Block::Section("Last bans".into()), Block::Table(bans)]);
        }
        let title = format!("The last {}", lasting(self.window_seconds));
        Document { title: title.into(), subtitle: clock.full(self.now).into(), blocks }
    }
}

impl Top {
    fn rows(&self, title: &str, rows: &[TopRow], clock: &Clock<'_>) -> Vec<Block> {
        if rows.is_empty() {
            return Vec::new();
        }
        let mut table = Table::new([
            ("who", Align::Left),
            ("offences", Align::Right),
            ("kinds", Align::Wrap),
            ("last", Align::Left),
            ("", Align::Left),
        ]);
        for row in rows {
            let state = if row.banned { Cell::toned("banned", Tone::Bad) } else { Cell::default() };
            table.row([
                row.name.as_str().into(),
                number(row.count).into(),
                row.kinds.few(3).into(),
                row.last.map_or_else(String::new, |at| clock.near(at, self.now)).into(),
                state,
            ]);
        }
        vec![Block::Section(title.into()), Block::Table(table)]
    }
}

fn bars(title: &str, counts: &Tally) -> Vec<Block> {
    let bar = |(name, value): (&str, u64)| Bar { label: name.into(), value, note: Cell::default() };
    let bars =
        Bars { as_series: false, caption: title.into(), rows: counts.iter().take(10).map(bar).collect() };
    if counts.is_empty() { Vec::new() } else { vec![Block::Section(title.into()), Block::Bars(bars)] }
}
