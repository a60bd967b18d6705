//! The attack statistics as a document.

use jiff::tz::TimeZone;

use super::{Attack, AttackReport, Decision, SourceCount, Timeline};
use crate::at::Clock;
use crate::words::{bytes, counted, lasting, number, share};
use crate::{
    Align, At, Bar, Bars, Block, Cell, Columns, Document, Figure, Look, Series, Severity, Shown, Table, Tone,
    View, chart, terminal,
};

impl View for AttackReport {
    fn document(&self, zone: &TimeZone) -> Document {
        let clock = Clock::between(zone, self.window.first, self.window.last);
        let page = Writer { report: self, clock };
        let mut blocks = page.opening();
        blocks.extend(page.attacks());
        blocks.extend(page.timeline());
        blocks.extend(page.decisions());
        blocks.extend(page.innocents());
        blocks.extend(page.sources());
        blocks.extend(page.networks());
        blocks.extend(page.accounts());
        blocks.extend(page.logins());
        blocks.extend(page.details());
        blocks.extend(page.programs());
        Document { title: self.title().into(), subtitle: page.subtitle().into(), blocks }
    }

    fn text(&self, look: &Look) -> String {
        let hint = self.hint().map(|hint| format!("\n{}", terminal::render(&hint, look)));
        terminal::render(&self.document(&look.zone), look) + &hint.unwrap_or_default()
    }
}

impl AttackReport {
    /// How to see all of it; only a terminal is short of room.
    fn hint(&self) -> Option<Document> {
        let [input] = self.inputs.as_slice() else { return None };
        let command = format!("mailward analyze --format html --output report.html {input}");
        let text = vec!["All of it, with charts: ".into(), Cell::code(command)];
        let block = Block::Paragraph(text);
        (input != "-" && self.window.lines > 0)
            .then(|| Document { blocks: vec![block], ..Document::default() })
    }

    fn title(&self) -> String {
        match self.inputs.as_slice() {
            [] => "Attacks".into(),
            [one] if one == "-" => "Attacks in standard input".into(),
            [one] => format!("Attacks in {one}"),
            [first, rest @ ..] => {
                format!("Attacks in {first} and {}", counted(rest.len() as u64, "other file"))
            }
        }
    }

    fn offences(&self) -> u64 {
        self.by_kind.iter().map(|kind| kind.count).sum()
    }

    fn unknown(&self) -> u64 {
        self.programs.iter().map(|program| program.unknown).sum()
    }
}

struct Writer<'a> {
    report: &'a AttackReport,
    clock: Clock<'a>,
}

impl Writer<'_> {
    fn subtitle(&self) -> String {
        let window = &self.report.window;
        let size = format!("{}, {}", counted(window.lines, "line"), bytes(window.bytes));
        match (window.first, window.last) {
            (Some(first), Some(last)) => format!(
                "{} to {} ({}) · {size}",
                self.clock.full(first),
                self.clock.near(last, first),
                lasting(last.seconds_since(first)),
            ),
            _ => size,
        }
    }

    fn opening(&self) -> Vec<Block> {
        let report = self.report;
        if report.window.lines == 0 {
            return vec![paragraph("There is not a single line in it.")];
        }
        let known = report.window.lines.saturating_sub(report.unknown());
        let banned = report.decisions.len() as u64;
        let figures = vec![
            figure(number(report.offences()), "offences"),
            figure(number(report.sources), "sources"),
            figure(number(banned), "would-be bans"),
            figure(number(report.logins.total()), "good logins"),
            figure(share(known, report.window.lines), "of lines understood"),
        ];
        let mut blocks = vec![Block::Figures(figures)];
        blocks.extend(self.warnings());
        blocks
    }

    fn warnings(&self) -> Option<Block> {
        let entered = &self.report.logins.successful_login_from_attacking_address;
        (!entered.is_empty()).then(|| Block::Notice {
            tone: Tone::Bad,
            title: "Somebody logged in from an address that attacked".into(),
            body: format!(
                "{}. A guess that worked, or a user who was mistaken for an attacker.",
                few(entered, 5)
            )
            .into(),
            remedy: format!("mailward explain {}", entered.first().map_or("", String::as_str)).into(),
        })
    }

    fn attacks(&self) -> Vec<Block> {
        if self.report.attacks.is_empty() {
            return section("What attacked", paragraph("Nothing that is known here."));
        }
        let mut table = Table::new([
            ("attack", Align::Wrap),
            ("severity", Align::Left),
            ("count", Align::Bar),
            ("sources", Align::Right),
            ("first", Align::Left),
            ("last", Align::Left),
        ]);
        for attack in &self.report.attacks {
            table.row([
                attack.title.as_str().into(),
                Cell::toned(attack.severity.name(), attack.severity.tone()),
                number(attack.count).into(),
                number(attack.distinct_sources).into(),
                self.time(attack.first),
                self.time(attack.last),
            ]);
        }
        section("What attacked", Block::Table(table))
    }

    fn timeline(&self) -> Vec<Block> {
        if self.report.timeline.steps.len() < 2 {
            return Vec::new();
        }
        let title = format!("When, {}", pace(self.report.timeline.step_seconds));
        let mut blocks = section(&title, Block::Columns(self.columns(&self.report.timeline)));
        blocks.extend(section("By kind", Block::Bars(self.kinds())));
        blocks
    }

    /// The most frequent kinds each for itself, the others together.
    fn columns(&self, timeline: &Timeline) -> Columns {
        let kinds: Vec<&str> = self.report.by_kind.iter().map(|kind| kind.kind.as_str()).collect();
        let split = if kinds.len() > chart::SERIES { chart::SERIES } else { kinds.len() };
        let (named, others) = kinds.split_at_checked(split).unwrap_or((&kinds, &[]));
        let mut series: Vec<Series> = named
            .iter()
            .map(|kind| Series {
                name: (*kind).into(),
                values: timeline.steps.iter().map(|step| step.kinds.count(kind)).collect(),
            })
            .collect();
        if !others.is_empty() {
            let rest =
                timeline.steps.iter().map(|step| others.iter().map(|kind| step.kinds.count(kind)).sum());
            series.push(Series { name: "others".into(), values: rest.collect() });
        }
        let tick = |at: At| Shown::from(self.clock.tick(at, timeline.step_seconds));
        Columns {
            caption: format!("Offences {}", pace(timeline.step_seconds)).into(),
            labels: timeline.steps.iter().map(|step| tick(step.start)).collect(),
            series,
        }
    }

    fn kinds(&self) -> Bars {
        let row = |kind: &super::KindCount| Bar {
            label: kind.kind.as_str().into(),
            value: kind.count,
            note: Cell::dim(counted(kind.sources, "source")),
        };
        Bars {
            as_series: true,
            caption: "Offences by kind".into(),
            rows: self.report.by_kind.iter().map(row).collect(),
        }
    }

    fn decisions(&self) -> Vec<Block> {
        let report = self.report;
        if report.decisions.is_empty() && report.refusals.is_empty() {
            let said = "Nothing: no source did enough to be banned.";
            return section("What Mailward would have done", paragraph(said));
        }
        let mut blocks = Vec::new();
        if !report.decisions.is_empty() {
            blocks = section("What Mailward would have done", Block::Table(self.bans(&report.decisions)));
            let prevented: u64 = report.decisions.iter().map(|decision| decision.prevented).sum();
            if prevented > 0 {
                let text = format!("{} after these bans would not have come.", counted(prevented, "offence"));
                blocks.push(paragraph(&text));
            }
        }
        if !report.refusals.is_empty() {
            blocks.extend(section(
                "Asked for by a rule, and refused",
                Block::Table(self.bans(&report.refusals)),
            ));
        }
        blocks
    }

    fn bans(&self, decisions: &[Decision]) -> Table {
        let mut table = Table::new([
            ("when", Align::Left),
            ("who", Align::Left),
            ("for", Align::Left),
            ("rule", Align::Left),
            ("because", Align::Wrap),
        ]);
        for decision in decisions.iter().take(MOST) {
            table.row([
                self.time(Some(decision.time)),
                Cell::strong(decision.target.as_str()),
                lasting(decision.seconds).into(),
                decision.rule.as_str().into(),
                decision.reason.as_str().into(),
            ]);
        }
        glanced(table, decisions.len())
    }

    fn innocents(&self) -> Vec<Block> {
        if self.report.not_attacks.is_empty() {
            return Vec::new();
        }
        let mut table = Table::new([
            ("what", Align::Wrap),
            ("count", Align::Bar),
            ("who", Align::Left),
            ("why it is none", Align::Wrap),
        ]);
        for innocent in &self.report.not_attacks {
            table.row([
                innocent.title.as_str().into(),
                number(innocent.count).into(),
                innocent.per_source.few(2).into(),
                innocent.note.as_str().into(),
            ]);
        }
        section("Looks hostile, is not", Block::Table(table.without_empty_columns()))
    }

    fn sources(&self) -> Vec<Block> {
        if self.report.by_source.is_empty() {
            return Vec::new();
        }
        let mut table = Table::new([
            ("source", Align::Left),
            ("count", Align::Bar),
            ("kinds", Align::Wrap),
            ("first", Align::Left),
            ("last", Align::Left),
            ("would be banned", Align::Wrap),
        ]);
        for source in self.report.by_source.iter().take(MOST) {
            table.row([
                source.address.as_str().into(),
                number(source.count).into(),
                source.kinds.few(3).into(),
                self.time(source.first),
                self.time(source.last),
                self.fate(source),
            ]);
        }
        table.glance = GLANCE;
        table.all = self.report.sources;
        section("Top sources", Block::Table(table))
    }

    fn fate(&self, source: &SourceCount) -> Cell {
        match (&source.banned, &source.protected) {
            (_, Some(_)) => Cell::toned("never", Tone::Good),
            (Some(ban), None) => Cell::strong(format!("after {}, {}", ban.after, self.clock.short(ban.time))),
            (None, None) => Cell::dim("no"),
        }
    }

    fn networks(&self) -> Vec<Block> {
        let shared: Vec<_> = self.report.by_network.iter().filter(|network| network.sources > 1).collect();
        if shared.is_empty() {
            return Vec::new();
        }
        let mut table = Table::new([
            ("network", Align::Left),
            ("offences", Align::Right),
            ("sources", Align::Right),
            ("good logins", Align::Right),
            ("kinds", Align::Wrap),
        ]);
        for network in shared.iter().take(MOST) {
            let tone = if network.logins > 0 { Tone::Good } else { Tone::Dim };
            table.row([
                network.network.as_str().into(),
                number(network.count).into(),
                number(network.sources).into(),
                Cell::toned(number(network.logins), tone),
                network.kinds.few(3).into(),
            ]);
        }
        section("Networks with more than one source", Block::Table(glanced(table, shared.len())))
    }

    fn accounts(&self) -> Vec<Block> {
        if self.report.by_account.is_empty() {
            return Vec::new();
        }
        let mut table = Table::new([
            ("account", Align::Wrap),
            ("failures", Align::Right),
            ("sources", Align::Right),
            ("first", Align::Left),
            ("last", Align::Left),
            ("good logins", Align::Right),
        ]);
        for account in self.report.by_account.iter().take(MOST) {
            table.row([
                Shown::from(account.account.as_str()).clipped(48).as_str().into(),
                number(account.failures).into(),
                number(account.sources).into(),
                self.time(account.first),
                self.time(account.last),
                number(account.logins).into(),
            ]);
        }
        section("Accounts that were tried", Block::Table(glanced(table, self.report.by_account.len())))
    }

    fn logins(&self) -> Vec<Block> {
        let logins = &self.report.logins;
        if logins.total() == 0 {
            return Vec::new();
        }
        let services = [
            ("IMAP", logins.imap_ok),
            ("POP3", logins.pop3_ok),
            ("Sieve", logins.sieve_ok),
            ("SMTP", logins.smtp_auth_ok),
        ];
        let by_service: Vec<_> = services
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| format!("{name} {}", number(count)))
            .collect();
        let attackers = match logins.successful_login_from_attacking_address.as_slice() {
            [] => Cell::toned("none", Tone::Good),
            some => Cell::toned(few(some, 5), Tone::Bad),
        };
        let facts = vec![
            ("by service".into(), by_service.join(", ").into()),
            (
                "from".into(),
                format!("{}: {}", counted(logins.distinct_addresses, "address"), logins.addresses.few(5))
                    .into(),
            ),
            ("from an attacker".into(), attackers),
        ];
        section("Logins that succeeded", Block::Facts(facts))
    }

    fn details(&self) -> Vec<Block> {
        let details: Vec<_> = self.report.attacks.iter().map(|attack| self.detail(attack)).collect();
        if details.is_empty() {
            return Vec::new();
        }
        core::iter::once(Block::Section("More about the attacks".into())).chain(details).collect()
    }

    fn detail(&self, attack: &Attack) -> Block {
        let mut facts: Vec<(Shown, Cell)> = vec![("kind".into(), attack.kind.as_str().into())];
        let mut fact = |name: &str, value: String| {
            if !value.is_empty() {
                facts.push((name.into(), value.into()));
            }
        };
        fact("sources", attack.per_source.few(6));
        fact("network", attack.source_network.clone().unwrap_or_default());
        fact("accounts", attack.per_account.few(6));
        fact("reasons", attack.by_reason.few(6));
        fact("service", attack.by_service.few(4));
        fact("interval", attack.interval_seconds_mean.map(interval).unwrap_or_default());
        fact(
            "passwords",
            attack.distinct_passwords.map(|n| format!("{} different", number(n))).unwrap_or_default(),
        );
        fact("note", attack.note.clone());
        let tone = if attack.severity >= Severity::High { Tone::Bad } else { Tone::Strong };
        let title = format!(
            "{} ({}, {} from {})",
            attack.title,
            attack.id,
            number(attack.count),
            counted(attack.distinct_sources, "source")
        );
        let minor = attack.severity < Severity::Medium;
        Block::Detail { title: Cell::toned(title, tone), blocks: vec![Block::Facts(facts)], minor }
    }

    fn programs(&self) -> Vec<Block> {
        if self.report.programs.is_empty() {
            return Vec::new();
        }
        let mut table =
            Table::new([("program", Align::Left), ("lines", Align::Bar), ("not understood", Align::Right)]);
        let mut programs: Vec<_> = self.report.programs.iter().collect();
        programs.sort_by_key(|program| core::cmp::Reverse((program.unknown, program.lines)));
        table.glance = Some(6);
        for program in programs {
            let unknown = match program.unknown {
                0 => Cell::dim("0"),
                some => {
                    Cell::toned(format!("{} ({})", number(some), share(some, program.lines)), Tone::Notable)
                }
            };
            table.row([program.program.as_str().into(), number(program.lines).into(), unknown]);
        }
        section("Who wrote the log", Block::Table(table))
    }

    fn time(&self, at: Option<At>) -> Cell {
        at.map_or_else(Cell::default, |at| self.clock.short(at).into())
    }
}

/// Rows that a table has at the most.
const MOST: usize = 50;

/// Rows that a terminal shows.
const GLANCE: Option<usize> = Some(10);

/// `by the hour`, `in steps of 5m`.
fn pace(seconds: u64) -> String {
    match seconds {
        60 => "by the minute".into(),
        3_600 => "by the hour".into(),
        86_400 => "by the day".into(),
        604_800 => "by the week".into(),
        other => format!("in steps of {}", lasting(other)),
    }
}

/// `every 32 s`, `every 11m 36s`.
fn interval(mean: f64) -> String {
    match mean {
        mean if mean < 10.0 => format!("every {mean:.1} s on average"),
        mean if mean < 120.0 => format!("every {mean:.0} s on average"),
        mean => format!("every {} on average", lasting(mean.round() as u64)),
    }
}

fn section(title: &str, block: Block) -> Vec<Block> {
    vec![Block::Section(title.into()), block]
}

fn paragraph(text: &str) -> Block {
    Block::Paragraph(vec![text.into()])
}

fn figure(value: String, label: &str) -> Figure {
    Figure { value: value.into(), label: label.into() }
}

/// A table of which a terminal shows the first rows, out of so many.
fn glanced(table: Table, all: usize) -> Table {
    Table { all: all as u64, glance: GLANCE, ..table }
}

fn few(names: &[String], most: usize) -> String {
    let mut text = names.iter().take(most).cloned().collect::<Vec<_>>().join(", ");
    let rest = names.len().saturating_sub(most);
    if rest > 0 {
        text.push_str(&format!(" and {rest} more"));
    }
    text
}
