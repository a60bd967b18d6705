//! Forgetting: by age, by number of rows and by size, a bounded piece of work at a time.

use mailward_model::{Span, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior};

use crate::counts::hour_of;
use crate::ledger::{Ledger, first_since};
use crate::schema::number;
use crate::{Store, StoreError, health};

/// How long things are remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Offences with their lines, and signals that led to no ban.
    pub offences: Span,
    /// At most so many offences: over that the first that were committed go.
    pub offence_rows: u64,
    /// What was guessed (digits of a password's hash), within an offence.
    pub guesses: Span,
    /// Bans after their end, with their signals.
    pub bans: Span,
    /// Logins of an account from an address after the last one.
    pub logins: Span,
    /// Counts per hour.
    pub hourly: Span,
    /// At most so many bytes: over them the first offences go, and then the bans that ended first.
    pub bytes: u64,
    /// At most so many rows change in one call, so that the log does not wait.
    pub work: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            offences: Span::from_days(30),
            offence_rows: 10_000_000,
            guesses: Span::from_days(7),
            bans: Span::from_days(365),
            logins: Span::from_days(90),
            hourly: Span::from_days(730),
            bytes: 2 << 30,
            work: 1_000,
        }
    }
}

/// What one call of [`Store::retain`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Offences deleted.
    pub offences: u64,
    /// Guesses forgotten in offences that stay.
    pub guesses: u64,
    /// Signals deleted.
    pub signals: u64,
    /// Bans deleted.
    pub bans: u64,
    /// Logins deleted.
    pub logins: u64,
    /// Counts per hour deleted.
    pub tallies: u64,
    /// Allowlist entries deleted, because they ended.
    pub allowed: u64,
    /// Pages given back to the file system.
    pub pages: u64,
    /// Whether there is more to do: call again.
    pub more: bool,
}

impl Store {
    /// Forgets what is due, at most [`Retention::work`] rows of it. Best called often, and when there is nothing else to do.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was deleted then. Among them [`StoreError::Replaced`]: see [`Store::reopen`].
    pub fn retain(&mut self, now: Timestamp, policy: &Retention) -> Result<Pruned, StoreError> {
        self.is_in_place()?;
        self.sync_commits(false)?;
        self.write("forget what is old", |connection, _| {
            let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let pruned = prune(&tx, now, policy)?;
            tx.commit()?;
            let pruned = shrink(connection, pruned)?;
            if !pruned.more {
                checkpoint(connection)?;
            }
            Ok(pruned)
        })
    }
}

fn prune(tx: &Connection, now: Timestamp, policy: &Retention) -> rusqlite::Result<Pruned> {
    let before = |span: Span| now.minus(span).micros();
    let size = health::size(tx)?;
    let mut work = Work { tx, left: policy.work.max(1).into() };
    let mut pruned =
        Pruned { guesses: work.run(FORGET_GUESSES, before(policy.guesses))?, ..Pruned::default() };

    pruned.offences = work.delete_offences(before(policy.offences))?;
    let too_large = size.bytes > policy.bytes;
    let rows = size.offences.saturating_sub(pruned.offences);
    let excess = if too_large { rows } else { rows.saturating_sub(policy.offence_rows) };
    pruned.offences += work.run_up_to(excess, DELETE_FIRST, i64::MAX)?;
    let mut ledger = Ledger::load(tx)?;
    ledger.rows -= i64::try_from(pruned.offences).unwrap_or(i64::MAX);
    ledger.save(tx)?;

    pruned.signals = work.run(DELETE_UNANSWERED, before(policy.offences))?;
    let no_offence_left = too_large && rows == 0;
    let ended = if no_offence_left { now.micros() } else { before(policy.bans) };
    (pruned.bans, pruned.signals) = work.delete_bans(ended, pruned.signals)?;

    pruned.logins = work.run(DELETE_LOGINS, before(policy.logins))?;
    pruned.tallies = work.run(DELETE_TALLIES, hour_of(before(policy.hourly)))?;
    pruned.allowed = work.run(DELETE_ALLOWED, now.micros())?;
    pruned.more = work.left == 0;
    Ok(pruned)
}

/// What is left to do of the rows that a call may change.
struct Work<'a> {
    tx: &'a Connection,
    left: u64,
}

impl Work<'_> {
    /// Runs a statement that takes a bound and a limit.
    fn run(&mut self, sql: &str, bound: i64) -> rusqlite::Result<u64> {
        self.run_up_to(u64::MAX, sql, bound)
    }

    fn run_up_to(&mut self, most: u64, sql: &str, bound: i64) -> rusqlite::Result<u64> {
        let limit = i64::try_from(most.min(self.left)).unwrap_or(i64::MAX);
        if limit == 0 {
            return Ok(0);
        }
        let changed = self.tx.prepare_cached(sql)?.execute([bound, limit])? as u64;
        self.left = self.left.saturating_sub(changed);
        Ok(changed)
    }

    /// Deletes offences from before a time: first those in order, which end before the first number of the next hour.
    fn delete_offences(&mut self, before: i64) -> rusqlite::Result<u64> {
        let hour = hour_of(before);
        let end = first_since(self.tx, hour.saturating_add(1))?;
        let mut deleted = 0;
        if self.left > 0 {
            let limit = i64::try_from(self.left).unwrap_or(i64::MAX);
            deleted = self.tx.prepare_cached(DELETE_IN_ORDER)?.execute([before, limit, end])? as u64;
            self.left = self.left.saturating_sub(deleted);
        }
        if self.left > 0 {
            self.tx.prepare_cached("DELETE FROM milestone WHERE hour < ?1")?.execute([hour])?;
        }
        Ok(deleted + self.run(DELETE_LATE, before)?)
    }

    /// Deletes bans that ended before, and signals that no other ban answers; counts both, signals from `signals` on.
    fn delete_bans(&mut self, ended: i64, mut signals: u64) -> rusqlite::Result<(u64, u64)> {
        let mut bans = 0;
        while self.left > 0 {
            let oldest = self.tx.prepare_cached(OLDEST_BAN)?.query_row([ended], ban_and_signal);
            let Some((id, signal)) = oldest.optional()? else { break };
            bans += self.tx.prepare_cached("DELETE FROM ban WHERE id = ?1")?.execute([id])? as u64;
            signals += self.tx.prepare_cached(DELETE_ANSWERED)?.execute([signal])? as u64;
            self.left -= 1;
        }
        Ok((bans, signals))
    }
}

fn ban_and_signal(row: &Row<'_>) -> rusqlite::Result<(i64, Option<i64>)> {
    Ok((row.get(0)?, row.get(1)?))
}

/// Gives pages back once an eighth of the file is free; what is less will be filled again.
fn shrink(connection: &Connection, mut pruned: Pruned) -> rusqlite::Result<Pruned> {
    let pages = number(connection, "page_count")?;
    let free = number(connection, "freelist_count")?;
    let give = (free - pages / 8).min(PAGES);
    if give > 0 {
        connection.execute_batch(&format!("PRAGMA incremental_vacuum({give})"))?;
        pruned.pages = (pages - number(connection, "page_count")?).max(0).cast_unsigned();
        pruned.more |= give == PAGES;
    }
    Ok(pruned)
}

/// Moves the WAL into the database as far as no reader needs it, so that no commit has to.
fn checkpoint(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
}

/// At most so many pages are moved in one call.
const PAGES: i64 = 64;

const FORGET_GUESSES: &str = "UPDATE offence SET guess = NULL WHERE id IN
    (SELECT id FROM offence WHERE time < ?1 AND guess IS NOT NULL ORDER BY time LIMIT ?2)";

const DELETE_IN_ORDER: &str = "DELETE FROM offence WHERE id IN
    (SELECT id FROM offence WHERE id < ?3 AND NOT late AND time < ?1 ORDER BY id LIMIT ?2)";

const DELETE_LATE: &str = "DELETE FROM offence WHERE id IN
    (SELECT id FROM offence WHERE late AND time < ?1 ORDER BY time LIMIT ?2)";

const DELETE_FIRST: &str =
    "DELETE FROM offence WHERE id IN (SELECT id FROM offence WHERE id < ?1 ORDER BY id LIMIT ?2)";

const DELETE_UNANSWERED: &str = "DELETE FROM signal WHERE id IN
    (SELECT id FROM signal WHERE NOT banned AND time < ?1 ORDER BY time LIMIT ?2)";

const OLDEST_BAN: &str = "SELECT id, signal FROM ban WHERE coalesce(lifted, until, 9223372036854775807) < ?1
    ORDER BY coalesce(lifted, until, 9223372036854775807) LIMIT 1";

const DELETE_ANSWERED: &str =
    "DELETE FROM signal WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM ban WHERE signal = ?1)";

const DELETE_LOGINS: &str = "DELETE FROM login WHERE (account, address) IN
    (SELECT account, address FROM login WHERE last < ?1 ORDER BY last LIMIT ?2)";

const DELETE_TALLIES: &str = "DELETE FROM hourly WHERE (hour, counter, name) IN
    (SELECT hour, counter, name FROM hourly WHERE hour < ?1 ORDER BY hour LIMIT ?2)";

const DELETE_ALLOWED: &str = "DELETE FROM allowlist WHERE (address, prefix) IN
    (SELECT address, prefix FROM allowlist WHERE until < ?1 LIMIT ?2)";
