//! Writes a batch.

use std::borrow::Cow;

use mailward_model::{Account, OffenceKind, Signal, Subject, Timestamp};
use rusqlite::{Connection, TransactionBehavior, params};

use crate::batch::{Batch, CursorAt, Decided, Lifted, Login, Recorded};
use crate::codes::Codes;
use crate::column::{Address, micros};
use crate::ledger::{Ledger, open_hour};
use crate::{Store, StoreError, counts};

/// The longest part of a line that is kept.
const LINE: usize = 1024;

impl Store {
    /// Writes all of a batch, or nothing. When it returns, a batch with a ban or a lifted ban is on the disk (`fsync`);
    /// another is safe from a crash of the process, and from a power failure with the next one that is synced: what a
    /// power failure takes, its cursors take with it.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was written then, and the batch may be committed again later. Among them
    /// [`StoreError::Replaced`]: see [`Store::reopen`].
    pub fn commit(&mut self, batch: &Batch<'_>) -> Result<(), StoreError> {
        self.is_in_place()?;
        self.sync_commits(batch.is_announced())?;
        self.write("write what the log led to", |connection, codes| {
            let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            cursors(&tx, batch.cursors)?;
            let last = offences(&tx, codes, batch.offences)?;
            let signals = signals(&tx, batch, last)?;
            bans(&tx, batch.bans, &signals)?;
            lifted(&tx, batch.lifted)?;
            logins(&tx, batch.logins)?;
            counts::add(&tx, batch.tallies)?;
            tx.commit()
        })
    }
}

fn cursors(tx: &Connection, cursors: &[CursorAt<'_>]) -> rusqlite::Result<()> {
    let mut put = tx.prepare_cached("INSERT OR REPLACE INTO cursor (source, cursor) VALUES (?1, ?2)")?;
    for at in cursors {
        put.execute(params![at.source, at.cursor])?;
    }
    Ok(())
}

/// Tells the number of the last offence.
fn offences(tx: &Connection, codes: &Codes, offences: &[Recorded<'_>]) -> rusqlite::Result<i64> {
    let mut ledger = Ledger::load(tx)?;
    if offences.is_empty() {
        return Ok(ledger.last());
    }
    let mut insert = tx.prepare_cached(
        "INSERT INTO offence (id, time, late, address, kind, event, reason, weight, count, service, account, guess, line)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?;
    for Recorded { offence, line } in offences {
        let time = offence.time.micros();
        let place = ledger.place(time);
        insert.execute(params![
            place.id,
            time,
            place.late,
            Address::of(offence.address),
            codes.kinds.id(offence.kind as usize),
            codes.events.id(offence.event as usize),
            codes.reasons.id(offence.reason as usize),
            codes.weights.id(offence.weight as usize),
            offence.count,
            &*offence.service,
            offence.account.as_ref().map(Account::name),
            offence.guess.map(|guess| guess.bits().cast_signed()),
            &*kept(offence.kind, line),
        ])?;
        if place.opens_hour {
            open_hour(tx, time, place.id)?;
        }
    }
    ledger.save(tx)?;
    Ok(ledger.last())
}

/// The part of a line that is kept. Dovecot's `auth_verbose_passwords` ends a line with `(given password: secret)` or
/// `(SHA1 of given password: d28b6c)`; what was guessed is kept only as the guess, which is forgotten sooner.
fn kept(kind: OffenceKind, line: &[u8]) -> Cow<'_, [u8]> {
    const MARK: &[u8] = b"given password: ";
    let short = line.get(..LINE).unwrap_or(line);
    if kind != OffenceKind::AuthFailure {
        return Cow::Borrowed(short);
    }
    let Some(at) = memchr::memmem::rfind(line, MARK) else { return Cow::Borrowed(short) };
    let (before, rest) = line.split_at(at + MARK.len());
    let end = memchr::memrchr(b')', rest).unwrap_or(rest.len());
    let after = rest.get(end..).unwrap_or_default();
    let mut masked = [before, b"***", after].concat();
    masked.truncate(LINE);
    Cow::Owned(masked)
}

/// Gives the ids, in order; `offence` is the last that they can be about.
fn signals(tx: &Connection, batch: &Batch<'_>, offence: i64) -> rusqlite::Result<Vec<i64>> {
    let mut ids = Vec::with_capacity(batch.signals.len());
    if batch.signals.is_empty() {
        return Ok(ids);
    }
    let mut banned = vec![false; batch.signals.len()];
    for position in batch.bans.iter().filter_map(|decided| decided.signal) {
        if let Some(banned) = banned.get_mut(position) {
            *banned = true;
        }
    }
    for (signal, banned) in batch.signals.iter().zip(banned) {
        ids.push(insert_signal(tx, signal, offence, banned)?);
    }
    Ok(ids)
}

fn insert_signal(tx: &Connection, signal: &Signal, offence: i64, banned: bool) -> rusqlite::Result<i64> {
    let (address, prefix, account) = match &signal.subject {
        Subject::Address(address) => (Some(Address::of(*address)), None, None),
        Subject::Network(network) => (Some(Address::of(network.address())), Some(network.prefix()), None),
        Subject::Account(account) => (None, None, Some(account.name())),
    };
    tx.prepare_cached(
        "INSERT INTO signal (time, rule, address, prefix, account, kind, count, threshold, window, ban, offence, banned)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?
    .insert(params![
        signal.time.micros(),
        signal.rule.0,
        address,
        prefix,
        account,
        signal.kind.name(),
        signal.count,
        signal.threshold,
        micros(signal.window),
        micros(signal.ban),
        offence,
        banned,
    ])
}

fn bans(tx: &Connection, bans: &[Decided<'_>], signals: &[i64]) -> rusqlite::Result<()> {
    if bans.is_empty() {
        return Ok(());
    }
    let mut insert = tx.prepare_cached(
        "INSERT INTO ban (address, prefix, since, until, origin, by, step, reason, signal)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    for Decided { ban, signal } in bans {
        insert.execute(params![
            Address::of(ban.target.address()),
            ban.target.prefix(),
            ban.from.micros(),
            ban.until.map(Timestamp::micros),
            ban.origin.name(),
            &*ban.by,
            ban.step,
            &*ban.reason,
            signal.and_then(|position| signals.get(position)),
        ])?;
    }
    Ok(())
}

fn lifted(tx: &Connection, lifted: &[Lifted<'_>]) -> rusqlite::Result<()> {
    for lift in lifted {
        tx.prepare_cached(
            "UPDATE ban SET lifted = ?3, lifted_by = ?4, lifted_why = ?5
             WHERE address = ?1 AND prefix = ?2 AND since <= max(?3, ?6) AND lifted IS NULL AND (until IS NULL OR until > ?3)",
        )?
        .execute(params![
            Address::of(lift.target.address()),
            lift.target.prefix(),
            lift.time.micros(),
            lift.by,
            lift.why,
            lift.from.micros(),
        ])?;
    }
    Ok(())
}

fn logins(tx: &Connection, logins: &[Login<'_>]) -> rusqlite::Result<()> {
    for login in logins {
        tx.prepare_cached(
            "INSERT INTO login (account, address, first, last, count) VALUES (?1, ?2, ?3, ?3, 1)
             ON CONFLICT DO UPDATE SET first = min(first, excluded.first), last = max(last, excluded.last), count = count + 1",
        )?
        .execute(params![login.account.name(), Address::of(login.address), login.time.micros()])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &str) {
        let kept = kept(OffenceKind::AuthFailure, line.as_bytes());
        assert_eq!(String::from_utf8_lossy(&kept), expected);
    }

    #[test]
    fn passwords_in_lines_are_not_kept() {
        check(
            "auth: sql(a): Password mismatch (given password: s)ecret)",
            "auth: sql(a): Password mismatch (given password: ***)",
        );
        check(
            "x: unknown user (SHA1 of given password: d28b6c)",
            "x: unknown user (SHA1 of given password: ***)",
        );
        check(
            "sql(given password: a): no (given password: b) end",
            "sql(given password: a): no (given password: ***) end",
        );
        check("cut (given password: secr", "cut (given password: ***");
        check("no password at all", "no password at all");
    }

    #[test]
    fn lines_are_bounded_after_the_password_is_gone() {
        let line = format!("{} (given password: {})", "x".repeat(1000), "y".repeat(5000));
        let kept = kept(OffenceKind::AuthFailure, line.as_bytes());
        assert!(kept.len() <= LINE && !kept.contains(&b'y'));
        assert_eq!(super::kept(OffenceKind::Spam, &[b'z'; 2000]).len(), LINE);
    }
}
