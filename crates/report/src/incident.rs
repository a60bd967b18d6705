//! The story of an account or an address: who logged in from where, what was sent, when it was stopped.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::at::Clock;
use crate::words::{counted, number};
use crate::{Align, At, Block, Cell, Document, Table, Tally, Tone, View};

/// The story of an account or an address, as logs and Mailward's own record tell it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// The account, address or network.
    pub subject: String,
    /// When this was told.
    pub now: At,
    /// The first and the last line of the logs that were read.
    pub logs: Option<(At, At)>,
    /// The first login that is not the owner's, as far as can be told.
    pub first_bad: Option<BadLogin>,
    /// The networks from which it was used, the first one first.
    pub places: Vec<PlaceRow>,
    /// The domains to which messages went, by recipients.
    pub recipients: Tally,
    /// What happened, in order of time.
    pub steps: Vec<TimelineStep>,
    /// How many steps are left out, the oldest ones.
    pub left_out: u64,
    /// What could not be told, and why.
    pub notes: Vec<String>,
}

/// A login that is not the owner's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadLogin {
    /// When.
    pub time: At,
    /// From where.
    pub address: String,
    /// What speaks against it, in a sentence.
    pub why: String,
}

/// A network from which an account was used, or the accounts that a network used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceRow {
    /// The network; for an address or network as the subject, the account.
    pub name: String,
    /// When it was seen first.
    pub first: At,
    /// When it was seen last.
    pub last: At,
    /// Logins that succeeded.
    pub logins: u64,
    /// Passwords that were wrong.
    pub failures: u64,
    /// Messages that were sent.
    pub messages: u64,
    /// Their recipients.
    pub recipients: u64,
    /// What speaks against it; empty if nothing does.
    pub why: String,
}

/// Something that happened, or the same thing several times within an hour.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineStep {
    /// When, for the first time.
    pub time: At,
    /// When, for the last time.
    pub last: At,
    /// `login`, `wrong-password`, `sent`, `delivered`, `bounced`, `refused`, `contained`, `closed`, `changed`.
    pub what: String,
    /// How often.
    pub count: u64,
    /// From where, or which account it was.
    pub place: String,
    /// More about it.
    pub text: String,
    /// Whether it belongs to the attack.
    pub bad: bool,
}

impl View for Timeline {
    fn document(&self, zone: &TimeZone) -> Document {
        let ends = self.steps.first().map(|step| step.time).zip(self.steps.last().map(|step| step.last));
        let clock = Clock::between(zone, ends.map(|(first, _)| first), ends.map(|(_, last)| last));
        let subtitle = match self.logs {
            Some((first, last)) => {
                format!("logs from {} to {}", clock.near(first, self.now), clock.near(last, self.now))
            }
            None => "no log was read".to_owned(),
        };
        let mut blocks = vec![self.verdict(&clock)];
        if !self.places.is_empty() {
            blocks.push(Block::Section("From where".into()));
            blocks.push(Block::Table(self.places(&clock)));
            blocks.extend(self.reasons());
        }
        if !self.recipients.is_empty() {
            blocks.push(Block::Section("To whom".into()));
            blocks.push(Block::Paragraph(vec![self.recipients.few(12).into()]));
        }
        if !self.steps.is_empty() {
            blocks.push(Block::Section("What happened".into()));
            blocks.push(Block::Table(self.story(&clock)));
        }
        blocks.extend(self.notes.iter().map(|note| Block::Paragraph(vec![Cell::dim(note.as_str())])));
        Document { title: format!("The story of {}", self.subject).into(), subtitle: subtitle.into(), blocks }
    }
}

impl Timeline {
    fn verdict(&self, clock: &Clock<'_>) -> Block {
        let Some(bad) = &self.first_bad else {
            let nothing =
                if self.places.is_empty() { "Nobody used it in these logs" } else { "No login stands out" };
            return Block::Notice {
                tone: Tone::Good,
                title: nothing.into(),
                body: "Whoever knows the owner looks through the places below: a network that is not his is an intruder's.".into(),
                remedy: "".into(),
            };
        };
        Block::Notice {
            tone: Tone::Bad,
            title: format!("First bad login: {} from {}", clock.near(bad.time, self.now), bad.address).into(),
            body: bad.why.as_str().into(),
            remedy: self.remedy().into(),
        }
    }

    /// What is to be done next.
    fn remedy(&self) -> String {
        let own = self.steps.iter().rev().find(|step| matches!(step.what.as_str(), "contained" | "closed"));
        match own.map(|step| step.what.as_str()) {
            None => format!("mailward incident contain {}", self.subject),
            Some("contained") => format!("mailward incident close {}", self.subject),
            Some(_) => String::new(),
        }
    }

    fn places(&self, clock: &Clock<'_>) -> Table {
        let mut table = Table::new([
            ("", Align::Left),
            ("first", Align::Left),
            ("last", Align::Left),
            ("logins", Align::Right),
            ("wrong", Align::Right),
            ("sent", Align::Right),
            ("to", Align::Right),
            ("", Align::Left),
        ]);
        let count = |count: u64| if count == 0 { Cell::default() } else { number(count).into() };
        for place in &self.places {
            let tone = if place.why.is_empty() { Tone::Plain } else { Tone::Bad };
            table.row([
                Cell::toned(place.name.as_str(), tone),
                clock.near(place.first, self.now).into(),
                clock.near(place.last, self.now).into(),
                count(place.logins),
                count(place.failures),
                count(place.messages),
                count(place.recipients),
                Cell::toned(if place.why.is_empty() { "" } else { "bad" }, tone),
            ]);
        }
        table.without_empty_columns()
    }

    /// What speaks against each place; of a single one it stands above.
    fn reasons(&self) -> Option<Block> {
        let bad: Vec<_> = self.places.iter().filter(|place| !place.why.is_empty()).collect();
        let facts = bad.iter().map(|place| (place.name.as_str().into(), place.why.as_str().into()));
        (bad.len() > 1).then(|| Block::Facts(facts.collect()))
    }

    fn story(&self, clock: &Clock<'_>) -> Table {
        let mut table = Table::new([
            ("when", Align::Left),
            ("what", Align::Left),
            ("times", Align::Right),
            ("where", Align::Left),
            ("", Align::Wrap),
        ]);
        for step in &self.steps {
            let tone = if step.bad { Tone::Bad } else { Tone::Plain };
            table.row([
                clock.near(step.time, self.now).into(),
                Cell::toned(step.what.as_str(), tone),
                if step.count > 1 { number(step.count).into() } else { Cell::default() },
                Cell::toned(step.place.as_str(), tone),
                step.text.as_str().into(),
            ]);
        }
        if self.left_out > 0 {
            table.all = self.left_out + self.steps.len() as u64;
        }
        table.without_empty_columns()
    }
}

/// Incidents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentList {
    /// When this was so.
    pub now: At,
    /// The newest first.
    pub incidents: Vec<IncidentRow>,
}

/// An incident.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentRow {
    /// Its name.
    pub id: String,
    /// The account.
    pub account: String,
    /// When it was contained.
    pub begun: At,
    /// By whom.
    pub by: String,
    /// How many messages were put on hold.
    pub held: u64,
    /// When it was closed; none while it lasts.
    pub closed: Option<At>,
}

impl View for IncidentList {
    fn document(&self, zone: &TimeZone) -> Document {
        let clock = Clock::at(zone, self.now);
        let mut table = Table::new([
            ("incident", Align::Left),
            ("account", Align::Left),
            ("contained", Align::Left),
            ("by", Align::Left),
            ("held", Align::Right),
            ("closed", Align::Left),
        ]);
        for row in &self.incidents {
            table.row([
                Cell::dim(row.id.as_str()),
                Cell::strong(row.account.as_str()),
                clock.near(row.begun, self.now).into(),
                row.by.as_str().into(),
                number(row.held).into(),
                row.closed
                    .map_or_else(|| Cell::toned("it lasts", Tone::Bad), |at| clock.near(at, self.now).into()),
            ]);
        }
        let open = self.incidents.iter().filter(|row| row.closed.is_none()).count();
        let blocks = if self.incidents.is_empty() { Vec::new() } else { vec![Block::Table(table)] };
        let title = match self.incidents.len() {
            0 => "No incident".to_owned(),
            some => counted(some as u64, "incident"),
        };
        let subtitle = if open == 0 {
            String::new()
        } else {
            format!("{open} not closed: mailward incident close ACCOUNT")
        };
        Document { title: title.into(), subtitle: subtitle.into(), blocks }
    }
}
