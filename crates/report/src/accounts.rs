//! Accounts, and who is connected.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::at::Clock;
use crate::words::counted;
use crate::{Align, At, Block, Cell, Document, Table, Tone, View};

/// The accounts that files hold, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountList {
    /// When this was so.
    pub now: At,
    /// Since when logins are known; none without a log.
    pub from: Option<At>,
    /// The accounts.
    pub accounts: Vec<AccountRow>,
    /// What could not be seen.
    pub notes: Vec<String>,
}

/// An account in a document; no secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRow {
    /// Its login name.
    pub name: String,
    /// `open`, `disabled`, `master` where it opens everybody's mailbox, or `elsewhere` where a database has it, whose passwords are not
    /// read.
    pub state: String,
    /// How its password is stored.
    pub scheme: String,
    /// When somebody logged in last, as far as logs tell.
    pub last: Option<At>,
    /// What is to be said of it.
    pub marks: Vec<Mark>,
    /// File and line.
    pub place: String,
}

/// Something that is to be said of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The audit's check, for `mailward explain`.
    pub check: String,
    /// In a word.
    pub word: String,
}

/// Who is connected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionList {
    /// The sessions.
    pub sessions: Vec<SessionRow>,
    /// What could not be seen.
    pub notes: Vec<String>,
}

/// An open session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRow {
    /// Whose it is; empty where nobody can say.
    pub account: String,
    /// `imap`, `submission`.
    pub service: String,
    /// `dovecot` or `postfix`.
    pub program: String,
    /// The client, with its port where it is known.
    pub client: String,
    /// The process, by the number that its log lines have.
    pub pid: u32,
}

impl View for AccountList {
    fn document(&self, zone: &TimeZone) -> Document {
        let clock = Clock::at(zone, self.now);
        let subtitle = match self.from {
            Some(from) => format!("logins are known since {}", clock.near(from, self.now)),
            None => "without a log, nobody knows who logged in when".into(),
        };
        let mut blocks = Vec::new();
        if !self.accounts.is_empty() {
            blocks.push(Block::Table(self.table(&clock)));
        }
        let marked = self.accounts.iter().find_map(|account| account.marks.first());
        if let Some(mark) = marked {
            blocks.push(Block::Paragraph(vec![
                format!("What \"{}\" is about: ", mark.word).into(),
                Cell::code(format!("mailward explain {}", mark.check)),
            ]));
        }
        blocks.extend(notes(&self.notes));
        let title = counted(self.accounts.len() as u64, "account");
        Document { title: title.into(), subtitle: subtitle.into(), blocks }
    }
}

impl AccountList {
    fn table(&self, clock: &Clock<'_>) -> Table {
        let mut table = Table::new([
            ("account", Align::Left),
            ("state", Align::Left),
            ("last login", Align::Left),
            ("stored as", Align::Left),
            ("to look at", Align::Wrap),
        ]);
        for account in &self.accounts {
            let tone = match account.state.as_str() {
                "open" => Tone::Plain,
                "disabled" | "elsewhere" => Tone::Dim,
                _ => Tone::Notable,
            };
            let words: Vec<&str> = account.marks.iter().map(|mark| mark.word.as_str()).collect();
            table.row([
                Cell::strong(account.name.as_str()),
                Cell::toned(account.state.as_str(), tone),
                account.last.map_or_else(Cell::default, |last| clock.near(last, self.now).into()),
                Cell::dim(account.scheme.as_str()),
                Cell::toned(words.join(", "), Tone::Notable),
            ]);
        }
        table.without_empty_columns()
    }
}

impl View for SessionList {
    fn document(&self, _zone: &TimeZone) -> Document {
        let mut table = Table::new([
            ("account", Align::Left),
            ("service", Align::Left),
            ("from", Align::Left),
            ("program", Align::Left),
            ("process", Align::Right),
        ]);
        for session in &self.sessions {
            let account = match session.account.as_str() {
                "" => Cell::dim("not said yet"),
                account => Cell::strong(account),
            };
            table.row([
                account,
                session.service.as_str().into(),
                session.client.as_str().into(),
                Cell::dim(session.program.as_str()),
                Cell::dim(session.pid.to_string()),
            ]);
        }
        let title = match self.sessions.len() {
            0 => "Nobody is connected".to_owned(),
            some => counted(some as u64, "session"),
        };
        let mut blocks = Vec::new();
        if !self.sessions.is_empty() {
            blocks.push(Block::Table(table));
        }
        blocks.extend(notes(&self.notes));
        Document { title: title.into(), blocks, ..Document::default() }
    }
}

fn notes(notes: &[String]) -> impl Iterator<Item = Block> {
    notes.iter().map(|note| Block::Paragraph(vec![Cell::toned(note.as_str(), Tone::Notable)]))
}
