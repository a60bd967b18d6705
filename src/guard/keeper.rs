//! What the store is to remember, gathered over a batch of lines and committed in one transaction with the cursors.
//!
//! Where the store fails (a full disk), what was gathered waits and is committed later; no line is lost by that, because
//! no cursor has moved either.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use mailward_detect::Login;
use mailward_engine::Seen;
use mailward_model::{Ban, EventKind, Network, Offence, Program, Signal, Timestamp};
use mailward_store::{Batch, Counter, CursorAt, Decided, Lifted, Recorded, Store, StoreError, Tally};

/// The store, and what it does not have yet.
#[derive(Debug)]
pub(crate) struct Keeper {
    store: Store,
    pending: Pending,
    committed: Timestamp,
    trouble: Option<String>,
}

#[derive(Debug, Default)]
struct Pending {
    cursors: BTreeMap<String, String>,
    offences: Vec<(Offence, Box<[u8]>)>,
    signals: Vec<Signal>,
    bans: Vec<(Ban, Option<usize>)>,
    lifted: Vec<(Network, Timestamp, String, String)>,
    logins: Vec<Login>,
    tallies: HashMap<(i64, Counter), u64>,
    lines: Lines,
    left_out: u64,
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
/// Offences that wait for a store that fails; further ones are only counted.
const WAITING: usize = 100_000;
/// How long counts and cursors alone may wait: lines that led to nothing can be read again.
const LAZY_MICROS: u64 = 1_000_000;

impl Keeper {
    /// Opens the store in this file.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let store = Store::open(path)?;
        Ok(Self { store, pending: Pending::default(), committed: Timestamp::default(), trouble: None })
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

    /// Offences that were counted only, because the store failed for too long.
    pub(crate) const fn left_out(&self) -> u64 {
        self.pending.left_out
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
        if self.pending.offences.len() >= WAITING {
            self.pending.left_out += 1;
            return;
        }
        let line = line.get(..LINE).unwrap_or(line);
        self.pending.offences.push((offence.clone(), line.into()));
    }

    pub(crate) fn login(&mut self, login: Login) {
        if self.pending.logins.len() < WAITING {
            self.pending.logins.push(login);
        }
    }

    pub(crate) fn signal(&mut self, signal: Signal) {
        self.pending.signals.push(signal);
    }

    /// A ban; one by a rule answers the latest signal.
    pub(crate) fn ban(&mut self, ban: Ban, answers_signal: bool) {
        let signal = self.pending.signals.len().checked_sub(1).filter(|_| answers_signal);
        self.pending.bans.push((ban, signal));
    }

    pub(crate) fn lifted(&mut self, target: Network, time: Timestamp, by: &str, why: &str) {
        self.pending.lifted.push((target, time, by.to_owned(), why.to_owned()));
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
        pending.close_hour(pending.lines.hour);
        match pending.commit(&mut self.store) {
            Ok(()) => {
                let lines = std::mem::take(&mut pending.lines);
                *pending = Pending { lines, left_out: pending.left_out, ..Pending::default() };
                (self.committed, self.trouble) = (now, None);
                true
            }
            Err(error) => {
                self.committed = now;
                if !error.is_retryable() {
                    // A damaged or replaced file may be whole again; until then every try fails the same way.
                    let _ = self.store.reopen();
                }
                self.trouble = Some(error.to_string());
                false
            }
        }
    }
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
            .map(|(target, time, by, why)| Lifted { target: *target, time: *time, by, why })
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
