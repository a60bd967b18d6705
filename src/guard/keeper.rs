//! What the store is to remember, gathered over a batch of lines and committed in one transaction with the cursors.
//!
//! Where the store fails (a full disk), what was gathered waits and is committed later; no line is lost by that, because
//! no cursor has moved either. What waits is bounded: of a store that fails for days, everything but the bans that hold is
//! given up first, and told.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::path::Path;

use mailward_detect::Login;
use mailward_engine::Seen;
use mailward_model::{Ban, EventKind, Network, Offence, Program, Signal, Timestamp};
use mailward_store::{
    Batch, Counter, CursorAt, Decided, Lifted, Recorded, Retention, Store, StoreError, Tally,
};

/// The store, and what it does not have yet.
#[derive(Debug)]
pub(crate) struct Keeper {
    store: Store,
    pending: Pending,
    committed: Timestamp,
    trouble: Option<String>,
    left_out: LeftOut,
    /// What of that was told.
    told: LeftOut,
}

/// What was never recorded, because the store failed for too long; all of it was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LeftOut {
    offences: u64,
    logins: u64,
    signals: u64,
    /// Bans that had ended before they could be recorded.
    bans: u64,
    /// Ends of bans that somebody lifted.
    lifted: u64,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            (self.offences, "offences"),
            (self.logins, "logins"),
            (self.signals, "signals"),
            (self.bans, "bans that have ended"),
            (self.lifted, "lifted bans"),
        ];
        let some: Vec<String> =
            counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        f.write_str(&some.join(", "))
    }
}

#[derive(Debug, Default)]
struct Pending {
    cursors: BTreeMap<String, String>,
    offences: Vec<(Offence, Box<[u8]>)>,
    signals: Vec<Signal>,
    bans: Vec<(Ban, Option<usize>)>,
    /// Target and begin of the ban, when, by whom and why it was lifted.
    lifted: Vec<(Network, Timestamp, Timestamp, String, String)>,
    logins: Vec<Login>,
    tallies: HashMap<(i64, Counter), u64>,
    lines: Lines,
    /// Where the latest signal is, if it waits.
    latest: Option<usize>,
    /// As many bans may have ended and wait as hold: they are looked through when there are twice as many.
    looked_through: usize,
}

/// Lines of the current hour by program: counted without a hash per line.
#[derive(Debug)]
struct Lines {
    hour: i64,
    all: Vec<(u64, u64)>,
}

impl Default for Lines {
    fn default() -> Self {
        Self { hour: i64::MIN, all: vec![(0, 0); Program::ALL.len()] }
    }
}

/// How much of a raw line is kept for `explain`.
const LINE: usize = 1_024;
/// How many of each kind wait for a store that fails; further ones are only counted.
const WAITING: usize = 100_000;
/// How long counts and cursors alone may wait: lines that led to nothing can be read again.
const LAZY_MICROS: u64 = 1_000_000;

impl Keeper {
    /// Opens the store in this file.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let store = Store::open(path)?;
        Ok(Self {
            store,
            pending: Pending::default(),
            committed: Timestamp::default(),
            trouble: None,
            left_out: LeftOut::default(),
            told: LeftOut::default(),
        })
    }

    /// The store, to ask.
    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    /// The store, for what is not part of a batch.
    pub(crate) const fn store_mut(&mut self) -> &mut Store {
        &mut self.store
    }

    /// Where a source goes on, as it was committed.
    pub(crate) fn cursor_of(&self, source: &str) -> Option<String> {
        self.store.cursor(source).ok().flatten().and_then(|cursor| String::from_utf8(cursor).ok())
    }

    /// Whether something waits to be committed.
    pub(crate) fn is_behind(&self) -> bool {
        !self.pending.cursors.is_empty() || !self.pending.offences.is_empty() || !self.pending.bans.is_empty()
    }

    /// Why the last commit failed, if it did.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// What was never recorded, if anything.
    pub(crate) fn left_out(&self) -> Option<LeftOut> {
        (self.left_out != LeftOut::default()).then_some(self.left_out)
    }

    /// The same, where it became more since it was asked for.
    pub(crate) fn newly_left_out(&mut self) -> Option<LeftOut> {
        let before = std::mem::replace(&mut self.told, self.left_out);
        (self.left_out != before).then_some(self.left_out)
    }

    pub(crate) fn seen(&mut self, seen: Seen) {
        let hour = seen.time.secs().div_euclid(3_600);
        if hour != self.pending.lines.hour {
            self.pending.close_hour(hour);
        }
        if let Some((lines, unknown)) = self.pending.lines.all.get_mut(seen.program as usize) {
            *lines += 1;
            *unknown += u64::from(seen.kind == EventKind::Unknown);
        }
    }

    pub(crate) fn offence(&mut self, offence: &Offence, line: &[u8]) {
        let hour = offence.time.secs().div_euclid(3_600);
        let counter = Counter::Offences(offence.kind);
        *self.pending.tallies.entry((hour, counter)).or_default() += u64::from(offence.count);
        if has_room(&self.pending.offences, &mut self.left_out.offences) {
            let line = line.get(..LINE).unwrap_or(line);
            self.pending.offences.push((offence.clone(), line.into()));
        }
    }

    pub(crate) fn login(&mut self, login: Login) {
        if has_room(&self.pending.logins, &mut self.left_out.logins) {
            self.pending.logins.push(login);
        }
    }

    pub(crate) fn signal(&mut self, signal: Signal) {
        let pending = &mut self.pending;
        pending.latest = None;
        if has_room(&pending.signals, &mut self.left_out.signals) {
            pending.latest = Some(pending.signals.len());
            pending.signals.push(signal);
        }
    }

    /// A ban; one by a rule answers the latest signal.
    pub(crate) fn ban(&mut self, ban: Ban, answers_signal: bool) {
        let pending = &mut self.pending;
        if pending.bans.len() >= WAITING.max(2 * pending.looked_through) {
            let before = pending.bans.len();
            pending.bans.retain(|(waiting, _)| waiting.is_active(ban.from));
            pending.looked_through = pending.bans.len();
            self.left_out.bans += (before - pending.looked_through) as u64;
        }
        let signal = pending.latest.filter(|_| answers_signal);
        pending.bans.push((ban, signal));
    }

    pub(crate) fn lifted(&mut self, ban: &Ban, time: Timestamp, by: &str, why: &str) {
        if has_room(&self.pending.lifted, &mut self.left_out.lifted) {
            self.pending.lifted.push((ban.target, ban.from, time, by.to_owned(), why.to_owned()));
        }
    }

    pub(crate) fn cursor(&mut self, source: &str, cursor: String) {
        if let Some(known) = self.pending.cursors.get_mut(source) {
            *known = cursor;
        } else {
            self.pending.cursors.insert(source.to_owned(), cursor);
        }
    }

    /// Commits what there is, if it matters or has waited long enough. Tells whether all is on the disk.
    pub(crate) fn commit(&mut self, now: Timestamp, at_once: bool) -> bool {
        let pending = &mut self.pending;
        let matters = !(pending.offences.is_empty()
            && pending.signals.is_empty()
            && pending.bans.is_empty()
            && pending.lifted.is_empty()
            && pending.logins.is_empty());
        let waited = now.since(self.committed).micros() >= LAZY_MICROS || now < self.committed;
        if pending.cursors.is_empty() && !matters {
            return true;
        }
        // A store that fails is tried once a second, not at every line: each try takes longer.
        if !(waited || at_once || matters && self.trouble.is_none()) {
            return false;
        }
        let hour = self.pending.lines.hour;
        self.pending.close_hour(hour);
        let mut done = self.pending.commit(&mut self.store);
        if matches!(done, Err(StoreError::Replaced { .. })) {
            done = self.move_over(now).and_then(|()| self.pending.commit(&mut self.store));
        }
        self.committed = now;
        match done {
            Ok(()) => {
                let lines = std::mem::take(&mut self.pending.lines);
                self.pending = Pending { lines, ..Pending::default() };
                self.trouble = None;
                true
            }
            Err(error) => {
                if !error.is_retryable() {
                    // A damaged file may be whole again; until then every try fails the same way.
                    let _ = self.store.reopen();
                }
                self.trouble = Some(error.to_string());
                false
            }
        }
    }

    /// Forgets some of what is old. Tells whether there is more of it.
    pub(crate) fn forget(&mut self, now: Timestamp, policy: &Retention) -> Result<bool, StoreError> {
        match self.store.retain(now, policy) {
            Err(StoreError::Replaced { .. }) => self.move_over(now).map(|()| true),
            done => done.map(|pruned| pruned.more),
        }
    }

    /// Goes on with the file that is in the place of ours by now, or with a new one. The old one is still there for us:
    /// what holds by it, and is not in the other, is written there.
    fn move_over(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let old = &self.store;
        let (cursors, bans, allowed) = (old.cursors()?, old.active_bans(now)?, old.allowlist()?);
        self.store.reopen()?;
        let known: HashSet<Network> = self.store.active_bans(now)?.iter().map(|ban| ban.target).collect();
        let missing = bans.into_iter().filter(|ban| !known.contains(&ban.target));
        self.pending.bans.extend(missing.map(|ban| (ban, None)));
        for (source, cursor) in cursors {
            if let Ok(cursor) = String::from_utf8(cursor) {
                self.pending.cursors.entry(source).or_insert(cursor);
            }
        }
        let known: HashSet<Network> = self.store.allowlist()?.iter().map(|entry| entry.network).collect();
        for entry in allowed.iter().filter(|entry| !known.contains(&entry.network)) {
            self.store.allow(entry)?;
        }
        Ok(())
    }
}

/// Whether one more may wait; counts it where not.
const fn has_room<T>(waiting: &[T], left_out: &mut u64) -> bool {
    let has_room = waiting.len() < WAITING;
    if !has_room {
        *left_out += 1;
    }
    has_room
}

impl Pending {
    fn close_hour(&mut self, next: i64) {
        for (program, (lines, unknown)) in Program::ALL.iter().zip(&mut self.lines.all) {
            for (counter, count) in [(Counter::Lines(*program), lines), (Counter::Unknown(*program), unknown)]
            {
                if *count > 0 {
                    *self.tallies.entry((self.lines.hour, counter)).or_default() += std::mem::take(count);
                }
            }
        }
        self.lines.hour = next;
    }

    fn commit(&self, store: &mut Store) -> Result<(), StoreError> {
        let cursors: Vec<_> = self
            .cursors
            .iter()
            .map(|(source, cursor)| CursorAt { source, cursor: cursor.as_bytes() })
            .collect();
        let offences: Vec<_> =
            self.offences.iter().map(|(offence, line)| Recorded { offence, line }).collect();
        let bans: Vec<_> = self.bans.iter().map(|(ban, signal)| Decided { ban, signal: *signal }).collect();
        let lifted: Vec<_> = self
            .lifted
            .iter()
            .map(|(target, from, time, by, why)| Lifted {
                target: *target,
                from: *from,
                time: *time,
                by,
                why,
            })
            .collect();
        let logins: Vec<_> = self
            .logins
            .iter()
            .map(|login| mailward_store::Login {
                time: login.time,
                account: &login.account,
                address: login.address,
            })
            .collect();
        let tallies: Vec<_> = self
            .tallies
            .iter()
            .map(|((hour, counter), count)| Tally {
                hour: Timestamp::from_secs(hour * 3_600),
                counter: *counter,
                count: *count,
            })
            .collect();
        store.commit(&Batch {
            cursors: &cursors,
            offences: &offences,
            signals: &self.signals,
            bans: &bans,
            lifted: &lifted,
            logins: &logins,
            tallies: &tallies,
        })
    }
}

#[cfg(test)]
mod tests;
