//! Why an address is banned, or why it is not: the chain line → event → offence → signal → ban.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::at::Clock;
use crate::bans::BanRow;
use crate::words::{counted, lasting, number};
use crate::{Align, At, Block, Cell, Document, Link, Shown, Table, Tally, Tone, View};

/// What is known about an address, and what followed from it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The address or network that was asked for.
    pub subject: String,
    /// When this was so.
    pub now: At,
    /// `enforce` or `dry-run`.
    pub mode: String,
    /// The ban that holds: of the address, or of a network around it.
    pub ban: Option<BanRow>,
    /// Why it is never banned, if so.
    pub protected: Option<String>,
    /// Offences in the record by kind.
    pub offences: Tally,
    /// The first offence in the record.
    pub first: Option<At>,
    /// The last offence in the record.
    pub last: Option<At>,
    /// Logins that succeeded from there.
    pub logins: Tally,
    /// The last of them.
    pub last_login: Option<At>,
    /// What led to what, in order of time.
    pub chain: Vec<ChainStep>,
    /// Steps before these that are not shown.
    pub left_out: u64,
    /// How full the windows are: what is missing until a ban.
    pub windows: Vec<WindowFill>,
    /// Earlier bans, the newest first.
    pub earlier: Vec<BanRow>,
    /// What the next offence would do, or what would have happened: in words.
    pub outlook: String,
}

/// A line of the log and all that followed from it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainStep {
    /// When.
    pub time: At,
    /// The file it stands in, with the line or the position; empty where it is not known.
    pub place: String,
    /// The line, as it stands in the log; empty where it was not kept.
    pub line: String,
    /// What it says.
    pub event: Option<EventView>,
    /// What it counts as.
    pub offence: Option<OffenceView>,
    /// Rules whose window it filled.
    pub signals: Vec<SignalView>,
    /// What was decided on each signal.
    pub decisions: Vec<DecisionView>,
}

/// An event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventView {
    /// What happened: the event's stable name.
    pub event: String,
    /// The program.
    pub program: String,
    /// The service.
    pub service: String,
    /// The reason's stable name.
    pub reason: String,
    /// The other fields that were there, by name.
    pub fields: Vec<(String, String)>,
}

/// An offence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffenceView {
    /// The kind.
    pub kind: String,
    /// How many; 0 where it was counted already.
    pub count: u32,
    /// How much it weighs.
    pub weight: String,
    /// The account it was aimed at.
    pub account: Option<String>,
}

/// A signal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalView {
    /// The rule.
    pub rule: String,
    /// Its title.
    pub title: String,
    /// Whom it is about.
    pub subject: String,
    /// How much was in the window.
    pub count: u32,
    /// How much it takes.
    pub threshold: u32,
    /// How long the window is.
    pub window_seconds: u64,
}

/// What was decided.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionView {
    /// Whether a ban was made, or would have been in a dry run.
    pub banned: bool,
    /// Whom.
    pub target: String,
    /// For how long; none is until lifted.
    pub seconds: Option<u64>,
    /// In words: the reason, or why there was no ban.
    pub why: String,
}

/// How full a rule's window is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowFill {
    /// The rule.
    pub rule: String,
    /// What is in its window.
    pub count: u32,
    /// How much it takes; more for who is known.
    pub threshold: u32,
    /// How long the window is.
    pub window_seconds: u64,
}

impl View for Explanation {
    fn document(&self, zone: &TimeZone) -> Document {
        let clock =
            Clock::between(zone, self.chain.first().map(|step| step.time), self.last.or(Some(self.now)));
        let mut blocks = vec![Block::Facts(self.facts(&clock))];
        if !self.chain.is_empty() {
            blocks.push(Block::Section("What led to what".into()));
            if self.left_out > 0 {
                let text = format!("{} before these are left out.", counted(self.left_out, "line"));
                blocks.push(Block::Paragraph(vec![Cell::dim(text)]));
            }
            blocks.extend(self.chain.iter().map(|step| chain(step, &clock)));
        }
        if !self.windows.is_empty() {
            blocks.extend([Block::Section("How near to a ban".into()), Block::Table(self.fills())]);
        }
        if !self.earlier.is_empty() {
            let table = crate::bans::table(&self.earlier, &clock, self.now, self.earlier.len() as u64);
            blocks.extend([Block::Section("Earlier bans".into()), Block::Table(table)]);
        }
        if !self.outlook.is_empty() {
            blocks.extend([
                Block::Section("And now".into()),
                Block::Paragraph(vec![self.outlook.as_str().into()]),
            ]);
        }
        blocks.extend(self.commands());
        Document { title: self.headline().into(), subtitle: clock.full(self.now).into(), blocks }
    }
}

impl Explanation {
    fn headline(&self) -> String {
        let subject = &self.subject;
        match (&self.ban, &self.protected, self.offences.is_empty()) {
            (Some(_), ..) if self.mode == "dry-run" => format!("{subject} would be banned (dry run)"),
            (Some(_), ..) => format!("{subject} is banned"),
            (None, Some(_), _) => format!("{subject} is never banned"),
            (None, None, false) => format!("{subject} is not banned"),
            (None, None, true) => format!("{subject} did nothing that counts"),
        }
    }

    fn facts(&self, clock: &Clock<'_>) -> Vec<(Shown, Cell)> {
        let mut facts: Vec<(Shown, Cell)> = Vec::new();
        if let Some(ban) = &self.ban {
            let left = match ban.until {
                Some(until) => format!("until {}, {} more", clock.full(until), ban.rest(self.now)),
                None => "until lifted".into(),
            };
            facts.push(("banned".into(), Cell::toned(format!("{}, {left}", ban.target), Tone::Bad)));
            let by = format!("{} ({})", if ban.by.is_empty() { &ban.origin } else { &ban.by }, ban.reason);
            facts.push(("by".into(), by.into()));
            if ban.in_kernel == Some(false) {
                let text = "not yet: mailward status tells why";
                facts.push(("in the kernel".into(), Cell::toned(text, Tone::Bad)));
            }
        }
        if let Some(why) = &self.protected {
            facts.push(("protected".into(), Cell::toned(why.as_str(), Tone::Good)));
        }
        let offences = if self.offences.is_empty() { "none".into() } else { self.offences.few(6) };
        facts.push(("offences".into(), offences.into()));
        if let (Some(first), Some(last)) = (self.first, self.last) {
            facts.push((
                "from".into(),
                format!("{} to {}", clock.full(first), clock.near(last, first)).into(),
            ));
        }
        let logins = match (self.logins.is_empty(), self.last_login) {
            (true, _) | (_, None) => "none".into(),
            (false, Some(last)) => {
                Cell::toned(format!("{}, last {}", self.logins.few(4), clock.full(last)), Tone::Good)
            }
        };
        facts.push(("good logins".into(), logins));
        facts
    }

    fn fills(&self) -> Table {
        let mut table = Table::new([
            ("rule", Align::Left),
            ("in the window", Align::Right),
            ("bans at", Align::Right),
            ("window", Align::Right),
        ]);
        for fill in &self.windows {
            let tone = if fill.count >= fill.threshold { Tone::Bad } else { Tone::Plain };
            table.row([
                fill.rule.as_str().into(),
                Cell::toned(number(fill.count.into()), tone),
                number(fill.threshold.into()).into(),
                lasting(fill.window_seconds).into(),
            ]);
        }
        table
    }

    fn commands(&self) -> Option<Block> {
        let command = match (&self.ban, &self.protected) {
            (Some(ban), _) => format!("mailward unban {}", ban.target),
            (None, None) if !self.offences.is_empty() => {
                format!("mailward allow {} --comment WHO", self.subject)
            }
            _ => return None,
        };
        let label = if self.ban.is_some() { "To lift it: " } else { "If it is one of yours: " };
        Some(Block::Paragraph(vec![label.into(), Cell::code(command)]))
    }
}

fn chain(step: &ChainStep, clock: &Clock<'_>) -> Block {
    let link = |name: &str, text: Cell, details: Vec<Shown>| Link { step: name.into(), text, details };
    let mut links = Vec::new();
    let time = clock.short(step.time);
    let text = if step.line.is_empty() { Cell::dim("(not kept)") } else { step.line.as_str().into() };
    let place = if step.place.is_empty() { time } else { format!("{time}  {}", step.place) };
    links.push(link("line", text, vec![place.into()]));
    links.extend(step.event.as_ref().map(|event| link("event", event_text(event), event_details(event))));
    links.extend(step.offence.as_ref().map(|offence| link("offence", offence_text(offence), Vec::new())));
    links.extend(step.signals.iter().map(|signal| {
        let text = format!("{}: {}", signal.rule, signal.title);
        link("signal", Cell::toned(text, Tone::Notable), vec![signal_detail(signal).into()])
    }));
    links.extend(step.decisions.iter().map(decision));
    Block::Chain(links)
}

fn event_text(event: &EventView) -> Cell {
    let program = if event.service.is_empty() {
        event.program.clone()
    } else {
        format!("{} {}", event.program, event.service)
    };
    match event.reason.as_str() {
        "" | "none" => format!("{}, by {program}", event.event).into(),
        reason => format!("{} ({reason}), by {program}", event.event).into(),
    }
}

fn event_details(event: &EventView) -> Vec<Shown> {
    let fields: Vec<_> = event.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if fields.is_empty() { Vec::new() } else { vec![fields.join("  ").into()] }
}

fn offence_text(offence: &OffenceView) -> Cell {
    let account = offence.account.as_ref().map(|account| format!(" at {account}")).unwrap_or_default();
    let how = match (offence.count, offence.weight.as_str()) {
        (0, _) => ", counted already".to_owned(),
        (_, "noted") => ", noted only".to_owned(),
        (1, "full") => String::new(),
        (count, "full") => format!(", {count} at once"),
        (1, weight) => format!(", {weight}"),
        (count, weight) => format!(", {count} at once, {weight}"),
    };
    format!("{}{account}{how}", offence.kind).into()
}

fn signal_detail(signal: &SignalView) -> String {
    let SignalView { subject, count, threshold, window_seconds, .. } = signal;
    format!("{subject}: {count} in {}, it takes {threshold}", lasting(*window_seconds))
}

fn decision(decision: &DecisionView) -> Link {
    let length =
        decision.seconds.map_or_else(|| "until lifted".into(), |seconds| format!("for {}", lasting(seconds)));
    let (step, text) = match decision.banned {
        true => ("ban", Cell::toned(format!("{} {length}", decision.target), Tone::Bad)),
        false => ("no ban", Cell::toned(decision.target.as_str(), Tone::Good)),
    };
    Link { step: step.into(), text, details: vec![decision.why.as_str().into()] }
}
