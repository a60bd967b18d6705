//! Offences, in order to rebuild the windows, and by subject in order to explain.

use mailward_model::{EventKind, Guess, Network, Offence, Reason, Subject, Timestamp, Weight};
use rusqlite::types::Value;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};

use crate::codes::Codes;
use crate::column::{Address, account, count, range, text, time};
use crate::counts::hour_of;
use crate::ledger::first_since;
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
            let first = first_since(connection, hour_of(since.micros()))?;
            let mut in_order = connection.prepare_cached(IN_ORDER)?;
            let mut late = connection.prepare_cached(LATE)?;
            let numbered =
                |row: &Row<'_>| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(0)?, offence(row, codes)?));
            let mut in_order = in_order.query_map([since.micros(), first], numbered)?.peekable();
            let mut late = late.query_map([since.micros()], numbered)?.peekable();
            loop {
                let late_is_next = match (in_order.peek(), late.peek()) {
                    (Some(Ok(in_order)), Some(Ok(late))) => (late.0, late.1) < (in_order.0, in_order.1),
                    (in_order, _) => in_order.is_none(),
                };
                let next = if late_is_next { late.next() } else { in_order.next() };
                let Some(next) = next else { return Ok(()) };
                next?.2.iter().for_each(&mut f);
            }
        })
    }

    /// The offences of an address, a network or against an account that were committed last, at most `limit`, latest first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn offences_of(&self, subject: &Subject, limit: usize) -> Result<Vec<PastOffence>, StoreError> {
        self.read("read the offences", |connection, codes| {
            latest(
                connection,
                codes,
                &Wanted { subject, kind: None, since: i64::MIN, until: i64::MAX, last: i64::MAX, limit },
            )
        })
    }
}

/// Which offences to find.
pub(crate) struct Wanted<'a> {
    pub(crate) subject: &'a Subject,
    /// The code of a kind.
    pub(crate) kind: Option<i64>,
    /// The earliest time.
    pub(crate) since: i64,
    /// The latest time.
    pub(crate) until: i64,
    /// The last number.
    pub(crate) last: i64,
    pub(crate) limit: usize,
}

/// Goes from block to block, as the indices do.
pub(crate) fn latest(
    connection: &Connection,
    codes: &Codes,
    wanted: &Wanted<'_>,
) -> rusqlite::Result<Vec<PastOffence>> {
    let mut found = Vec::new();
    // Both in one question would look at every row.
    let end = |sql: &str| connection.prepare_cached(sql)?.query_row([], |row| row.get(0));
    let ends = (end("SELECT min(id) FROM offence")?, end("SELECT max(id) FROM offence")?);
    if let (Some(first), Some(last)) = ends {
        let last: i64 = wanted.last.min(last);
        let mut blocks = Blocks::new(connection, wanted.subject)?;
        for block in (block_of(first)..=block_of(last)).rev() {
            if found.len() >= wanted.limit {
                break;
            }
            blocks.read(codes, block, wanted, &mut found)?;
        }
    }
    found.sort_by_key(|past| core::cmp::Reverse((past.offence.time, past.id)));
    Ok(found)
}

/// As the schema divides.
const fn block_of(id: i64) -> i64 {
    id / 4096
}

struct Blocks<'a> {
    ids: CachedStatement<'a>,
    row: CachedStatement<'a>,
    first: Value,
    last: Value,
}

impl<'a> Blocks<'a> {
    fn new(connection: &'a Connection, subject: &Subject) -> rusqlite::Result<Self> {
        let of_network = |network| {
            let (first, last) = range(network);
            (BY_ADDRESS, first.into(), last.into())
        };
        let (ids, first, last) = match subject {
            Subject::Address(address) => of_network(Network::host(*address)),
            Subject::Network(network) => of_network(*network),
            Subject::Account(account) => {
                let name = Value::Text(account.name().to_owned());
                (BY_ACCOUNT, name.clone(), name)
            }
        };
        Ok(Self { ids: connection.prepare_cached(ids)?, row: connection.prepare_cached(ROW)?, first, last })
    }

    /// Sorted here: SQLite would make a temporary table for each block, which costs more than the look-up.
    fn read(
        &mut self,
        codes: &Codes,
        block: i64,
        wanted: &Wanted<'_>,
        found: &mut Vec<PastOffence>,
    ) -> rusqlite::Result<()> {
        let ids = self.ids.query_map(params![block, self.first, self.last], |row| row.get(0))?;
        let mut ids: Vec<i64> = ids.collect::<rusqlite::Result<_>>()?;
        ids.retain(|id| *id <= wanted.last);
        ids.sort_unstable_by_key(|id| core::cmp::Reverse(*id));
        for id in ids {
            if found.len() >= wanted.limit {
                break;
            }
            let past = self
                .row
                .query_row(params![id, wanted.since, wanted.until, wanted.kind], |row| past(row, codes));
            found.extend(past.optional()?.flatten());
        }
        Ok(())
    }
}

fn past(row: &Row<'_>, codes: &Codes) -> rusqlite::Result<Option<PastOffence>> {
    let Some(offence) = offence(row, codes)? else { return Ok(None) };
    Ok(Some(PastOffence { id: row.get(0)?, offence, line: row.get(11)? }))
}

const IN_ORDER: &str = "SELECT id, time, address, kind, event, reason, count, service, account, guess, weight
    FROM offence WHERE id >= ?2 AND NOT late AND time >= ?1 ORDER BY id";

const LATE: &str = "SELECT id, time, address, kind, event, reason, count, service, account, guess, weight
    FROM offence WHERE late AND time >= ?1 ORDER BY time, id";

const BY_ADDRESS: &str = "SELECT id FROM offence INDEXED BY offence_address
    WHERE id / 4096 = ?1 AND address BETWEEN ?2 AND ?3";

const BY_ACCOUNT: &str = "SELECT id FROM offence INDEXED BY offence_account
    WHERE id / 4096 = ?1 AND account BETWEEN ?2 AND ?3";

const ROW: &str =
    "SELECT id, time, address, kind, event, reason, count, service, account, guess, weight, line
    FROM offence WHERE id = ?1 AND time BETWEEN ?2 AND ?3 AND (?4 IS NULL OR kind = ?4)";

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
        service: String::from(text(row, 7)?).into(),
        count: count(row, 6)?,
        // What another version weighs in a way of its own counts for nothing here.
        weight: codes.weights.value(row.get(10)?).unwrap_or(Weight::Noted),
    }))
}
