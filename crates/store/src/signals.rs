//! Signals, and the offences behind them.

use mailward_model::{OffenceKind, Signal, Span, Subject, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::codes::Codes;
use crate::column::{Address, account, count, network, span, text, time};
use crate::offences::{Wanted, latest};
use crate::{PastOffence, Store, StoreError};

/// A signal as it was stored. Its rule is a text, because rules come and go with versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastSignal {
    /// Its number in the store.
    pub id: i64,
    /// When the window became full.
    pub time: Timestamp,
    /// The rule.
    pub rule: Box<str>,
    /// Whom it is about.
    pub subject: Subject,
    /// The kind of offence that filled it.
    pub kind: OffenceKind,
    /// How much was in the window.
    pub count: u32,
    /// How much it took.
    pub threshold: u32,
    /// The window.
    pub window: Span,
    /// The first ban's length; zero where it only told.
    pub ban: Span,
    /// The number of the last offence when it was stored: those of the window are no later.
    pub offence: i64,
}

impl PastSignal {
    /// Whether this is what became of `signal`.
    #[must_use]
    pub fn is_of(&self, signal: &Signal) -> bool {
        self.time == signal.time
            && *self.rule == *signal.rule.0
            && self.subject == signal.subject
            && self.kind == signal.kind
            && (self.count, self.threshold) == (signal.count, signal.threshold)
            && (self.window, self.ban) == (signal.window, signal.ban)
    }
}

impl Store {
    /// The latest signals about exactly this subject, latest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn signals_of(&self, subject: &Subject, limit: usize) -> Result<Vec<PastSignal>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read("read the signals", |connection, _| match subject {
            Subject::Address(address) => {
                let wanted = "address = ?1 AND prefix IS NULL";
                collect(connection, wanted, params![Address::of(*address), limit])
            }
            Subject::Network(network) => {
                let wanted = "address = ?1 AND prefix = ?3";
                collect(connection, wanted, params![Address::of(network.address()), limit, network.prefix()])
            }
            Subject::Account(account) => collect(connection, "account = ?1", params![account.name(), limit]),
        })
    }

    /// The signals since a time that only told, and banned nobody; latest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn told_since(&self, since: Timestamp, limit: usize) -> Result<Vec<PastSignal>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read("read the signals", |connection, _| {
            collect(connection, "NOT banned AND ban = 0 AND time >= ?1", params![since.micros(), limit])
        })
    }

    /// The offences that filled a signal's window, latest first, at most `limit`. Where the rule adds up several kinds,
    /// those of the signal's kind; none once the offences were given up by [`Store::retain`].
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn evidence(&self, signal: &PastSignal, limit: usize) -> Result<Vec<PastOffence>, StoreError> {
        self.read("read a ban's evidence", |connection, codes| evidence(connection, codes, signal, limit))
    }
}

pub(crate) fn evidence(
    connection: &Connection,
    codes: &Codes,
    signal: &PastSignal,
    limit: usize,
) -> rusqlite::Result<Vec<PastOffence>> {
    let wanted = Wanted {
        subject: &signal.subject,
        kind: Some(codes.kinds.id(signal.kind as usize)),
        since: signal.time.minus(signal.window).micros(),
        until: signal.time.micros(),
        last: signal.offence,
        limit,
    };
    latest(connection, codes, &wanted)
}

pub(crate) fn signal(connection: &Connection, id: i64) -> rusqlite::Result<Option<PastSignal>> {
    let found = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM signal WHERE id = ?1"))?
        .query_row([id], past)
        .optional()?;
    Ok(found.flatten())
}

fn collect(
    connection: &Connection,
    wanted: &str,
    values: &[&dyn rusqlite::ToSql],
) -> rusqlite::Result<Vec<PastSignal>> {
    let sql = format!("SELECT {COLUMNS} FROM signal WHERE {wanted} ORDER BY time DESC, id DESC LIMIT ?2");
    let mut find = connection.prepare_cached(&sql)?;
    let rows = find.query_map(values, past)?;
    rows.filter_map(Result::transpose).collect()
}

/// None for a kind that only another version knows.
fn past(row: &Row<'_>) -> rusqlite::Result<Option<PastSignal>> {
    let Some(kind) = OffenceKind::from_name(row.get_ref(6)?.as_str()?) else { return Ok(None) };
    let Some(subject) = subject(row)? else { return Ok(None) };
    Ok(Some(PastSignal {
        id: row.get(0)?,
        time: time(row, 1)?,
        rule: text(row, 2)?,
        subject,
        kind,
        count: count(row, 7)?,
        threshold: count(row, 8)?,
        window: span(row, 9)?,
        ban: span(row, 10)?,
        offence: row.get(11)?,
    }))
}

fn subject(row: &Row<'_>) -> rusqlite::Result<Option<Subject>> {
    let address: Option<Address> = row.get(3)?;
    let prefix: Option<u8> = row.get(4)?;
    Ok(match (address, prefix) {
        (None, _) => account(row, 5)?.map(Subject::Account),
        (Some(address), None) => Some(Subject::Address(address.ip())),
        (Some(_), Some(_)) => Some(Subject::Network(network(row, 3)?)),
    })
}

const COLUMNS: &str =
    "id, time, rule, address, prefix, account, kind, count, threshold, window, ban, offence";
