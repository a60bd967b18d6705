//! How the daemon is.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::at::Clock;
use crate::attacks::ProgramLines;
use crate::bans::{BanRow, Dropped, dry_run, table};
use crate::words::{counted, lag, lasting, number, rate, share};
use crate::{Align, At, Bar, Bars, Block, Cell, Document, Figure, Severity, Shown, Table, Tally, Tone, View};

/// How the daemon is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// When this was so.
    pub now: At,
    /// The version of the daemon.
    pub version: String,
    /// `enforce` or `dry-run`.
    pub mode: String,
    /// Its process id.
    pub pid: u32,
    /// How long it has been running.
    pub uptime_seconds: u64,
    /// Its memory, in bytes.
    pub memory_bytes: u64,
    /// Where lines come from.
    pub sources: Vec<SourceStatus>,
    /// Lines since the start.
    pub lines: u64,
    /// Lines in each of the last seconds, on average over the last minute.
    pub lines_per_second: f64,
    /// Who wrote how many lines since the start.
    pub programs: Vec<ProgramLines>,
    /// Offences of the last 24 hours by kind.
    pub offences_24h: Tally,
    /// Logins that succeeded in the last 24 hours.
    pub logins_24h: u64,
    /// Bans that hold.
    pub bans: BanCounts,
    /// The newest bans.
    pub last_bans: Vec<BanRow>,
    /// The kernel's side.
    pub firewall: FirewallStatus,
    /// What is left of the budget.
    pub budget: BudgetStatus,
    /// How many networks are never banned.
    pub never_banned: u64,
    /// Sources that are remembered.
    pub remembered: Remembered,
    /// What is not as it should be, the worst first.
    pub findings: Vec<HealthFinding>,
}

/// A place where lines come from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SourceStatus {
    /// Its path, or `journal`.
    pub name: String,
    /// Lines since the start.
    pub lines: u64,
    /// Bytes that are there and not read yet.
    pub behind_bytes: u64,
    /// From the time in a line until it was decided on, in milliseconds; of the last line.
    pub lag_ms: u64,
    /// When the last line came.
    pub last_line: Option<At>,
    /// Why it cannot be read, if so.
    pub trouble: Option<String>,
}

/// How many bans hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanCounts {
    /// Of addresses.
    pub addresses: u64,
    /// Of networks.
    pub networks: u64,
    /// Made in the last 24 hours.
    pub last_24h: u64,
}

/// The kernel's side.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirewallStatus {
    /// Whether bans go to the kernel.
    pub enabled: bool,
    /// The table, as `nft list table` takes it.
    pub table: String,
    /// Elements that the kernel has.
    pub elements: u64,
    /// Elements that it should have.
    pub desired: u64,
    /// What it dropped since the table was made.
    pub dropped: Dropped,
    /// How often the table was put right after somebody else changed it.
    pub repairs: u64,
    /// The last time.
    pub last_repair: Option<At>,
}

/// What is left of the budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetStatus {
    /// Bans by rules in the last minute.
    pub bans_this_minute: u64,
    /// The most of them.
    pub bans_per_minute: u64,
    /// Bans by rules that hold.
    pub active_bans: u64,
    /// The most of them.
    pub active_bans_most: u64,
    /// IPv4 addresses that they cover.
    pub ipv4_addresses: u64,
    /// The most of them.
    pub ipv4_addresses_most: u64,
    /// Bans that were not made because the budget was used up, since the start.
    pub refused: u64,
}

/// How full the memory of sources is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// Sources with offences.
    pub sources: u64,
    /// The most of them.
    pub capacity: u64,
    /// Sources that had to make room, since the start.
    pub evicted: u64,
}

/// Something about Mailward itself that is not as it should be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthFinding {
    /// The stable id: `source.missing`.
    pub id: String,
    /// How bad.
    pub severity: Severity,
    /// What is so.
    pub title: String,
    /// More about it.
    pub detail: String,
    /// What to do; a command where there is one.
    pub remedy: String,
}

impl View for Status {
    fn document(&self, zone: &TimeZone) -> Document {
        let clock = Clock::at(zone, self.now);
        let mut blocks = vec![Block::Figures(self.figures())];
        if self.mode == "dry-run" {
            blocks.push(dry_run());
        }
        blocks.extend(self.findings.iter().map(notice));
        blocks.extend([Block::Section("Where lines come from".into()), Block::Table(self.sources(&clock))]);
        blocks.extend(self.unknown());
        blocks.extend([Block::Section("Protection".into()), Block::Facts(self.protection(&clock))]);
        if !self.offences_24h.is_empty() {
            blocks.extend([
                Block::Section("Offences of the last 24 hours".into()),
                Block::Bars(self.offences()),
            ]);
        }
        if !self.last_bans.is_empty() {
            let bans = table(&self.last_bans, &clock, self.now, self.last_bans.len() as u64);
            blocks.extend([Block::Section("Last bans".into()), Block::Table(bans)]);
        }
        Document { title: self.headline().into(), subtitle: self.subtitle(&clock).into(), blocks }
    }
}

impl Status {
    fn headline(&self) -> String {
        let worst = self.findings.iter().map(|finding| finding.severity).max();
        match worst {
            Some(Severity::High | Severity::Critical) => "Mailward is running and needs attention".into(),
            _ if self.mode == "dry-run" => "Mailward is running, and only watching".into(),
            _ => "Mailward is guarding this server".into(),
        }
    }

    fn subtitle(&self, clock: &Clock<'_>) -> String {
        format!(
            "{} · version {} · running for {}",
            clock.full(self.now),
            self.version,
            lasting(self.uptime_seconds)
        )
    }

    fn figures(&self) -> Vec<Figure> {
        let active = self.bans.addresses + self.bans.networks;
        [
            (number(active), "bans in force"),
            (number(self.bans.last_24h), "bans in 24h"),
            (number(self.offences_24h.total()), "offences in 24h"),
            (number(self.logins_24h), "good logins in 24h"),
            (rate(self.lines_per_second), "lines a second"),
        ]
        .into_iter()
        .map(|(value, label)| Figure { value: value.into(), label: label.into() })
        .collect()
    }

    fn sources(&self, clock: &Clock<'_>) -> Table {
        let mut table = Table::new([
            ("source", Align::Wrap),
            ("lines", Align::Right),
            ("last line", Align::Left),
            ("delay", Align::Right),
            ("", Align::Wrap),
        ]);
        for source in &self.sources {
            let state = match (&source.trouble, source.behind_bytes) {
                (Some(trouble), _) => Cell::toned(trouble.as_str(), Tone::Bad),
                (None, 0) => Cell::toned("reading", Tone::Good),
                (None, behind) => {
                    Cell::toned(format!("{} behind", crate::words::bytes(behind)), Tone::Notable)
                }
            };
            table.row([
                source.name.as_str().into(),
                number(source.lines).into(),
                source.last_line.map_or_else(|| "none yet".into(), |at| clock.near(at, self.now)).into(),
                source.last_line.map_or_else(String::new, |_| lag(source.lag_ms)).into(),
                state,
            ]);
        }
        table
    }

    /// A share of lines that nobody understands is how a new format shows itself.
    fn unknown(&self) -> Option<Block> {
        let unknown: u64 = self.programs.iter().map(|program| program.unknown).sum();
        let worst: Tally =
            self.programs.iter().filter(|p| p.unknown > 0).map(|p| (p.program.as_str(), p.unknown)).collect();
        let text = format!("{} of {} not understood", number(unknown), counted(self.lines, "line"));
        (unknown > 0).then(|| {
            Block::Paragraph(vec![
                format!("{text} ({}): ", share(unknown, self.lines)).into(),
                worst.few(4).into(),
            ])
        })
    }

    fn protection(&self, clock: &Clock<'_>) -> Vec<(Shown, Cell)> {
        let budget = &self.budget;
        let used = format!(
            "{} of {} bans this minute, {} of {} in force",
            number(budget.bans_this_minute),
            number(budget.bans_per_minute),
            number(budget.active_bans),
            number(budget.active_bans_most)
        );
        let budget = match budget.refused {
            0 => used.into(),
            refused => Cell::toned(format!("{used}; {} refused", number(refused)), Tone::Notable),
        };
        let remembered = format!(
            "{} of {}, {} made room",
            counted(self.remembered.sources, "source"),
            number(self.remembered.capacity),
            number(self.remembered.evicted)
        );
        vec![
            ("firewall".into(), self.firewall()),
            ("repaired".into(), self.repairs(clock)),
            ("budget".into(), budget),
            ("never banned".into(), counted(self.never_banned, "network").into()),
            ("remembered".into(), remembered.into()),
            ("memory".into(), crate::words::bytes(self.memory_bytes).into()),
        ]
    }

    fn firewall(&self) -> Cell {
        let firewall = &self.firewall;
        if !firewall.enabled {
            return Cell::toned("off: bans are recorded, nothing is dropped", Tone::Notable);
        }
        let (all, dropped) = (number(firewall.desired), counted(firewall.dropped.packets, "packet"));
        if firewall.elements == firewall.desired {
            return Cell::toned(
                format!("{all} of {all} elements in {}, {dropped} dropped", firewall.table),
                Tone::Good,
            );
        }
        let has = number(firewall.elements);
        Cell::toned(format!("{has} of {all} elements in {}, {dropped} dropped", firewall.table), Tone::Bad)
    }

    fn repairs(&self, clock: &Clock<'_>) -> Cell {
        match (self.firewall.repairs, self.firewall.last_repair) {
            (0, _) | (_, None) => Cell::dim("never needed"),
            (times, Some(last)) => {
                format!("{}, last {}", counted(times, "time"), clock.near(last, self.now)).into()
            }
        }
    }

    fn offences(&self) -> Bars {
        let bar = |(kind, value): (&str, u64)| Bar { label: kind.into(), value, note: Cell::default() };
        Bars {
            as_series: false,
            caption: "Offences of the last 24 hours by kind".into(),
            rows: self.offences_24h.iter().map(bar).collect(),
        }
    }
}

fn notice(finding: &HealthFinding) -> Block {
    Block::Notice {
        tone: if finding.severity >= Severity::High { Tone::Bad } else { Tone::Notable },
        title: finding.title.as_str().into(),
        body: finding.detail.as_str().into(),
        remedy: finding.remedy.as_str().into(),
    }
}
