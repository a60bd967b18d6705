//! Offences, in order to rebuild the windows, and by subject in order to explain.

use mailward_model::{EventKind, Guess, Network, Offence, Reason, Subject, Timestamp, Weight};
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, ToSql, params};

use crate::codes::Codes;
use crate::column::{Address, account, count, range, text, time};
use crate::{Store, StoreError};

/// An offence with its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastOffence {
    /// Its number in the store.
    pub id: i64,
    /// The offence.
    pub offence: Offence,
    /// The raw line, as far as it was kept.
    pub line: Vec<u8>,
}

impl Store {
    /// Gives `f` every offence at `since` or later, by time and then in the order they were committed.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn offences_since(&self, since: Timestamp, mut f: impl FnMut(&Offence)) -> Result<(), StoreError> {
        self.read("read the offences", |connection, codes| {
            let mut find = connection.prepare_cached(
                "SELECT id, time, address, kind, event, reason, count, service, account, guess, weight FROM offence
                 WHERE time >= ?1 ORDER BY time, id",
            )?;
            let mut rows = find.query([since.micros()])?;
            while let Some(row) = rows.next()? {
                offence(row, codes)?.iter().for_each(&mut f);
            }
            Ok(())
        })
    }

    /// The latest offences of an address, a network or against an account, latest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn offences_of(&self, subject: &Subject, limit: usize) -> Result<Vec<PastOffence>, StoreError> {
        let all = Period { from: Timestamp::from_micros(i64::MIN), to: Timestamp::from_micros(i64::MAX) };
        self.read("read the offences", |connection, codes| {
            latest(connection, codes, subject, all, None, limit)
        })
    }
}

/// Both ends included.
#[derive(Clone, Copy)]
pub(crate) struct Period {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

/// Goes from day to day, because the indices begin with the day.
pub(crate) fn latest(
    connection: &Connection,
    codes: &Codes,
    subject: &Subject,
    period: Period,
    kind: Option<i64>,
    limit: usize,
) -> rusqlite::Result<Vec<PastOffence>> {
    let mut of_day = DayQuery::new(connection, subject)?;
    let mut found = Vec::new();
    let mut day = day_at_or_before(connection, day_of(period.to))?;
    while let Some(this) = day.filter(|day| *day >= day_of(period.from) && found.len() < limit) {
        of_day.read(codes, this, period, kind, limit - found.len(), &mut found)?;
        day = day_at_or_before(connection, this - 1)?;
    }
    Ok(found)
}

struct DayQuery<'a> {
    statement: CachedStatement<'a>,
    first: Box<dyn ToSql>,
    last: Box<dyn ToSql>,
}

impl<'a> DayQuery<'a> {
    fn new(connection: &'a Connection, subject: &Subject) -> rusqlite::Result<Self> {
        let of_network = |network: Network| {
            let (first, last) = range(network);
            Ok(Self {
                statement: connection.prepare_cached(BY_ADDRESS)?,
                first: Box::new(first),
                last: Box::new(last),
            })
        };
        match subject {
            Subject::Address(address) => of_network(Network::host(*address)),
            Subject::Network(network) => of_network(*network),
            Subject::Account(account) => Ok(Self {
                statement: connection.prepare_cached(BY_ACCOUNT)?,
                first: Box::new(account.name().to_owned()),
                last: Box::new(account.name().to_owned()),
            }),
        }
    }

    fn read(
        &mut self,
        codes: &Codes,
        day: i64,
        period: Period,
        kind: Option<i64>,
        limit: usize,
        found: &mut Vec<PastOffence>,
    ) -> rusqlite::Result<()> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let (from, to) = (period.from.micros(), period.to.micros());
        let mut rows = self.statement.query(params![day, self.first, self.last, from, to, kind, limit])?;
        while let Some(row) = rows.next()? {
            if let Some(offence) = offence(row, codes)? {
                found.push(PastOffence { id: row.get(0)?, offence, line: row.get(11)? });
            }
        }
        Ok(())
    }
}

macro_rules! day_query {
    ($column:literal) => {
        concat!(
            "SELECT id, time, address, kind, event, reason, count, service, account, guess, weight, line FROM offence
             WHERE time / 86400000000 = ?1 AND ",
            $column,
            " BETWEEN ?2 AND ?3 AND time BETWEEN ?4 AND ?5 AND (?6 IS NULL OR kind = ?6)
             ORDER BY +time DESC, id DESC LIMIT ?7"
        )
    };
}

const BY_ADDRESS: &str = day_query!("address");
const BY_ACCOUNT: &str = day_query!("account");

/// The last day with an offence until then.
fn day_at_or_before(connection: &Connection, day: i64) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached(
            "SELECT time / 86400000000 FROM offence WHERE time / 86400000000 <= ?1
             ORDER BY time / 86400000000 DESC LIMIT 1",
        )?
        .query_row([day], |row| row.get(0))
        .optional()
}

/// As SQLite divides: towards zero.
const fn day_of(time: Timestamp) -> i64 {
    time.micros() / 86_400_000_000
}

/// None for a kind that only another version knows.
fn offence(row: &Row<'_>, codes: &Codes) -> rusqlite::Result<Option<Offence>> {
    let Some(kind) = codes.kinds.value(row.get(3)?) else { return Ok(None) };
    let address: Address = row.get(2)?;
    let guess: Option<i64> = row.get(9)?;
    Ok(Some(Offence {
        time: time(row, 1)?,
        kind,
        event: codes.events.value(row.get(4)?).unwrap_or(EventKind::Unknown),
        reason: codes.reasons.value(row.get(5)?).unwrap_or(Reason::Other),
        address: address.ip(),
        account: account(row, 8)?,
        guess: guess.map(|bits| Guess::from_bits(bits.cast_unsigned())),
        service: text(row, 7)?,
        count: count(row, 6)?,
        // What another version weighs in a way of its own counts for nothing here.
        weight: codes.weights.value(row.get(10)?).unwrap_or(Weight::Noted),
    }))
}
