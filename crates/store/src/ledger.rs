//! The order of offences in time, without an index over all of them.
//!
//! Log lines come nearly in the order of time, so the numbers of offences are nearly in that order, too. One that comes late
//! (before the latest so far) is marked and stands in an index by time; the others are in order by number, and
//! `milestone` tells the first number of each hour. Numbers are never used again, which SQLite's own would be.

use rusqlite::{Connection, OptionalExtension};

use crate::counts::hour_of;

/// What the file knows of its offences without counting them.
#[derive(Clone, Copy)]
pub(crate) struct Ledger {
    /// How many there are.
    pub(crate) rows: i64,
    /// The number of the next.
    next: i64,
    /// The latest time.
    latest: Option<i64>,
}

/// Where an offence comes.
pub(crate) struct Place {
    pub(crate) id: i64,
    pub(crate) late: bool,
    /// Whether it is the first in order of its hour.
    pub(crate) opens_hour: bool,
}

impl Ledger {
    pub(crate) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        connection
            .prepare_cached("SELECT rows, next, latest FROM ledger")?
            .query_row([], |row| Ok(Self { rows: row.get(0)?, next: row.get(1)?, latest: row.get(2)? }))
    }

    pub(crate) fn save(&self, tx: &Connection) -> rusqlite::Result<()> {
        tx.prepare_cached("UPDATE ledger SET rows = ?1, next = ?2, latest = ?3")?
            .execute((self.rows, self.next, self.latest))
            .map(drop)
    }

    /// The number of the last offence so far; 0 before the first.
    pub(crate) const fn last(&self) -> i64 {
        self.next - 1
    }

    /// Gives the next offence its place.
    pub(crate) fn place(&mut self, time: i64) -> Place {
        let late = self.latest.is_some_and(|latest| time < latest);
        let opens_hour = !late && self.latest.is_none_or(|latest| hour_of(latest) < hour_of(time));
        let place = Place { id: self.next, late, opens_hour };
        self.latest = self.latest.max(Some(time));
        self.next += 1;
        self.rows += 1;
        place
    }
}

pub(crate) fn open_hour(tx: &Connection, time: i64, id: i64) -> rusqlite::Result<()> {
    tx.prepare_cached("INSERT INTO milestone (hour, id) VALUES (?1, ?2)")?
        .execute((hour_of(time), id))
        .map(drop)
}

/// No offence in order with a time in this hour or later has a lower number.
pub(crate) fn first_since(connection: &Connection, hour: i64) -> rusqlite::Result<i64> {
    let found = connection
        .prepare_cached("SELECT id FROM milestone WHERE hour >= ?1 ORDER BY hour LIMIT 1")?
        .query_row([hour], |row| row.get(0))
        .optional()?;
    Ok(found.unwrap_or(i64::MAX))
}
