//! Rates: how much in how long, and how much at once (GCRA, the generic cell rate algorithm of ITU-T I.371).

use core::fmt;

use std::collections::HashSet;

use foldhash::quality::RandomState;
use mailward_model::{Span, Timestamp};

use crate::Fingerprint;
use crate::seen::ByPrint;

/// So many in such a time, and so many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// How many.
    pub amount: u32,
    /// In what time.
    pub window: Span,
    /// How many of them at once.
    pub burst: u32,
}

impl Quota {
    /// So many in such a time, all of them at once if need be.
    #[must_use]
    pub const fn new(amount: u32, window: Span) -> Self {
        Self { amount, window, burst: amount }
    }

    /// With another burst.
    #[must_use]
    pub const fn burst(self, burst: u32) -> Self {
        Self { burst, ..self }
    }

    /// Reads `100/1h`, or `100/1h burst 25`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (rate, burst) = match text.split_once(" burst ") {
            Some((rate, burst)) => (rate, Some(burst.trim().parse::<u32>().ok()?)),
            None => (text, None),
        };
        let (amount, window) = rate.trim().split_once('/')?;
        let amount = amount.trim().parse::<u32>().ok().filter(|amount| *amount > 0)?;
        let window = Span::parse(window).filter(|window| window.secs() > 0)?;
        let burst = burst.unwrap_or(amount);
        (burst > 0).then_some(Self { amount, window, burst })
    }

    /// How much time one takes up, in microseconds.
    fn interval(self) -> i64 {
        i64::try_from(self.window.micros() / u64::from(self.amount.max(1))).unwrap_or(i64::MAX)
    }

    /// How much time the whole burst takes up.
    fn all(self) -> i64 {
        self.interval().saturating_mul(self.burst.into())
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.amount, self.window)?;
        if self.burst == self.amount { Ok(()) } else { write!(f, " burst {}", self.burst) }
    }
}

/// What was taken of a quota, as one number: when it will be whole again, in microseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken(i64);

impl Taken {
    /// Takes `n` more; nothing where that is too many, and then tells how long to wait for it.
    ///
    /// # Errors
    /// How long it takes until there is as much.
    pub fn take(&mut self, quota: Quota, n: u32, now: Timestamp) -> Result<(), Span> {
        self.settle(quota, now);
        let interval = quota.interval();
        let after = self.0.max(now.micros()).saturating_add(interval.saturating_mul(n.into()));
        let ahead = after.saturating_sub(now.micros());
        let most = quota.all();
        if ahead > most {
            return Err(Span::from_micros(u64::try_from(ahead - most).unwrap_or(0)));
        }
        self.0 = after;
        Ok(())
    }

    /// More than all is taken after the clock was set back, or the quota was more generous: nobody waits longer for that.
    pub(crate) fn settle(&mut self, quota: Quota, now: Timestamp) {
        self.0 = self.0.min(now.micros().saturating_add(quota.all()));
    }

    /// Gives `n` back that were taken and not used.
    pub fn give_back(&mut self, quota: Quota, n: u32) {
        self.0 = self.0.saturating_sub(quota.interval().saturating_mul(n.into()));
    }

    /// How many are taken at this time, rounded up.
    #[must_use]
    pub fn used(self, quota: Quota, now: Timestamp) -> u32 {
        let ahead = u64::try_from(self.0.saturating_sub(now.micros())).unwrap_or(0);
        u32::try_from(ahead.div_ceil(quota.interval().unsigned_abs().max(1))).unwrap_or(u32::MAX)
    }

    /// As a number, for storage.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// From storage.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }
}

/// What many have taken, at most so many of them.
#[derive(Clone, Debug)]
pub(crate) struct Rates {
    table: ByPrint<Taken>,
    capacity: usize,
    changed: HashSet<Fingerprint, RandomState>,
}

impl Rates {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { table: ByPrint::default(), capacity: capacity.max(1), changed: HashSet::default() }
    }

    /// Somebody takes one.
    pub(crate) fn take(&mut self, key: Fingerprint, quota: Quota, now: Timestamp) -> Result<(), Span> {
        if self.table.len() >= self.capacity && !self.table.contains_key(&key) {
            self.make_room(now);
        }
        self.table.entry(key).or_default().take(quota, 1, now)?;
        self.changed.insert(key);
        Ok(())
    }

    /// What has changed since this was asked last.
    pub(crate) fn take_changes(&mut self) -> Vec<(Fingerprint, Taken)> {
        let changed = core::mem::take(&mut self.changed);
        changed.into_iter().filter_map(|key| Some((key, *self.table.get(&key)?))).collect()
    }

    /// Brings back what was taken.
    pub(crate) fn restore(&mut self, key: Fingerprint, taken: Taken) {
        if self.table.len() < self.capacity {
            self.table.insert(key, taken);
        }
    }

    /// A copy of what these have taken.
    pub(crate) fn excerpt(&self, keys: &[Fingerprint]) -> Self {
        let table = keys.iter().filter_map(|key| Some((*key, *self.table.get(key)?))).collect();
        Self { table, capacity: self.capacity, changed: HashSet::default() }
    }

    /// Whoever has taken nothing that counts any more goes; and if that is not enough, everybody who has taken less than most.
    fn make_room(&mut self, now: Timestamp) {
        self.table.retain(|_, taken| taken.0 > now.micros());
        if self.table.len() * 10 > self.capacity * 9 {
            let mut all: Vec<i64> = self.table.values().map(|taken| taken.0).collect();
            let middle = all.len() / 2;
            let (_, median, _) = all.select_nth_unstable(middle);
            let median = *median;
            self.table.retain(|_, taken| taken.0 > median);
        }
    }
}

#[cfg(test)]
mod tests;
