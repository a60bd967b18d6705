//! Offences, in order to rebuild the windows, and by subject in order to explain.

use mailward_model::{EventKind, Guess, Network, Offence, Reason, Subject, Timestamp, Weight};
use rusqlite::{CachedStatement, Connection, Row, ToSql, params};

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
    let ends = connection
        .query_row("SELECT min(id), max(id) FROM offence", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if let (Some(first), Some(last)) = ends {
        let last: i64 = wanted.last.min(last);
        let mut blocks = Blocks::new(connection, wanted)?;
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
    statement: CachedStatement<'a>,
    first: Box<dyn ToSql>,
    last: Box<dyn ToSql>,
}

impl<'a> Blocks<'a> {
    fn new(connection: &'a Connection, wanted: &Wanted<'_>) -> rusqlite::Result<Self> {
        let of_network = |network: Network| {
            let (first, last) = range(network);
            Ok(Self {
                statement: connection.prepare_cached(BY_ADDRESS)?,
                first: Box::new(first),
                last: Box::new(last),
            })
        };
        match wanted.subject {
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
        block: i64,
        wanted: &Wanted<'_>,
        found: &mut Vec<PastOffence>,
    ) -> rusqlite::Result<()> {
        let limit = i64::try_from(wanted.limit - found.len()).unwrap_or(i64::MAX);
        let Wanted { since, until, last, kind, .. } = wanted;
        let mut rows =
            self.statement.query(params![block, self.first, self.last, since, until, last, kind, limit])?;
        while let Some(row) = rows.next()? {
            if let Some(offence) = offence(row, codes)? {
                found.push(PastOffence { id: row.get(0)?, offence, line: row.get(11)? });
            }
        }
        Ok(())
    }
}

macro_rules! in_block {
    ($index:literal, $column:literal) => {
        concat!(
            "SELECT id, time, address, kind, event, reason, count, service, account, guess, weight, line
             FROM offence INDEXED BY ",
            $index,
            " WHERE id / 4096 = ?1 AND ",
            $column,
            " BETWEEN ?2 AND ?3 AND time BETWEEN ?4 AND ?5 AND id <= ?6 AND (?7 IS NULL OR kind = ?7)
             ORDER BY id DESC LIMIT ?8"
        )
    };
}

const BY_ADDRESS: &str = in_block!("offence_address", "address");
const BY_ACCOUNT: &str = in_block!("offence_account", "account");

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
