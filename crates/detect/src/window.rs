//! What one source did, packed, and what of it lies in a window.

use mailward_model::{OffenceKind, Span, Timestamp, Weight};
use smallvec::SmallVec;

use crate::bounded::Worth;
use crate::rules::Measure;

/// One or more offences of one second, in 64 bits: seconds since the epoch (32), account (16), address within the source
/// (6), kind (4), light (1), number (5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark(u64);

/// What a mark holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) secs: u32,
    /// A tag of the account, 0 for none.
    pub(crate) account: u16,
    /// A tag of the address within an IPv6 /64, of 6 bits; 0 for IPv4.
    pub(crate) address: u8,
    pub(crate) kind: OffenceKind,
    pub(crate) light: bool,
    /// At most 31: more in one line is as much.
    pub(crate) number: u8,
}

impl Mark {
    fn of(facts: Facts) -> Self {
        Self(
            u64::from(facts.secs) << 32
                | u64::from(facts.account) << 16
                | u64::from(facts.address & 0x3f) << 10
                | (facts.kind as u64 & 0xf) << 6
                | u64::from(facts.light) << 5
                | u64::from(facts.number.min(31)),
        )
    }

    const fn secs(self) -> u32 {
        (self.0 >> 32) as u32
    }

    const fn account(self) -> u16 {
        (self.0 >> 16) as u16
    }

    const fn address(self) -> u8 {
        (self.0 >> 10) as u8 & 0x3f
    }

    const fn kind(self) -> u8 {
        (self.0 >> 6) as u8 & 0xf
    }

    const fn light(self) -> bool {
        self.0 & 0x20 != 0
    }

    const fn number(self) -> u32 {
        self.0 as u32 & 0x1f
    }
}

/// What one source did lately: the newest marks.
#[derive(Debug, Default)]
pub(crate) struct History {
    marks: SmallVec<[Mark; 2]>,
}

/// What of a history is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query {
    pub(crate) kind: OffenceKind,
    pub(crate) now: u32,
    pub(crate) window: Span,
    /// Without light offences.
    pub(crate) strict: bool,
    /// The most that one account may contribute.
    pub(crate) per_account: Option<u32>,
}

impl History {
    /// Adds a mark; of more than `most` the oldest goes.
    pub(crate) fn push(&mut self, facts: Facts, most: usize) {
        if self.marks.len() >= most {
            self.marks.remove(0);
        }
        self.marks.push(Mark::of(facts));
    }

    /// The second of the last offence of a kind.
    pub(crate) fn last_of(&self, kind: OffenceKind) -> Option<u32> {
        self.marks.iter().rev().find(|mark| mark.kind() == kind as u8).map(|mark| mark.secs())
    }

    /// All that is in it, of every kind and age: no measure is more.
    pub(crate) fn total(&self) -> u32 {
        self.marks.iter().map(|mark| mark.number()).sum()
    }

    /// Marks that do not fit in place and cost an allocation.
    pub(crate) fn spilled(&self) -> usize {
        if self.marks.spilled() { self.marks.capacity() } else { 0 }
    }

    /// How much of a kind lies in the window that ends now.
    pub(crate) fn measure(&self, measure: Measure, query: Query) -> u32 {
        match measure {
            Measure::Accounts => self.accounts(query),
            _ => match query.per_account {
                None => self.within(query).map(Mark::number).fold(0, u32::saturating_add),
                Some(most) => self.offences_by_account(query, most),
            },
        }
    }

    /// Whether the marks of a kind in a window come from more than one address of the source.
    pub(crate) fn hops(&self, query: Query) -> bool {
        let mut addresses = self.within(query).map(Mark::address);
        let first = addresses.next();
        addresses.any(|address| Some(address) != first)
    }

    fn within(&self, query: Query) -> impl Iterator<Item = Mark> {
        let start = query.now.saturating_sub(u32::try_from(query.window.secs()).unwrap_or(u32::MAX));
        self.marks.iter().copied().filter(move |mark| {
            mark.kind() == query.kind as u8
                && mark.secs() > start
                && mark.secs() <= query.now
                && !(query.strict && mark.light())
        })
    }

    fn accounts(&self, query: Query) -> u32 {
        let mut seen: SmallVec<[u16; 8]> = SmallVec::new();
        for mark in self.within(query) {
            if mark.account() != 0 && !seen.contains(&mark.account()) {
                seen.push(mark.account());
            }
        }
        seen.len() as u32
    }

    fn offences_by_account(&self, query: Query, most: u32) -> u32 {
        let mut seen: SmallVec<[(u16, u32); 8]> = SmallVec::new();
        for mark in self.within(query) {
            match seen.iter_mut().find(|(account, _)| *account == mark.account()) {
                Some((_, number)) => *number = (*number + mark.number()).min(most),
                None => seen.push((mark.account(), mark.number().min(most))),
            }
        }
        seen.iter().map(|(_, number)| number).sum()
    }
}

impl Worth for History {
    fn worth(&self) -> (u32, u32) {
        let guilt = self.marks.iter().map(|mark| mark.number()).fold(0, u32::saturating_add);
        (guilt, self.marks.last().map_or(0, |mark| mark.secs()))
    }
}

/// Seconds since the epoch as the windows count them.
pub(crate) fn seconds(time: Timestamp) -> u32 {
    u32::try_from(time.secs().max(0)).unwrap_or(u32::MAX)
}

/// Whether an offence of this weight is light.
pub(crate) fn is_light(weight: Weight) -> bool {
    weight == Weight::Light
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MOST: usize = 64;

    fn facts() -> impl Strategy<Value = Facts> {
        (1_000..9_000_u32, 0..5_u16, 0..3_u8, 0..3_usize, any::<bool>(), 1..10_u8).prop_map(
            |(secs, account, address, kind, light, number)| Facts {
                secs,
                account,
                address,
                kind: OffenceKind::ALL[kind],
                light,
                number,
            },
        )
    }

    /// The slow, obvious way over all that ever happened.
    fn oracle(all: &[Facts], measure: Measure, query: Query) -> u32 {
        let start = i64::from(query.now) - query.window.secs() as i64;
        let hits: Vec<_> = all
            .iter()
            .filter(|f| f.kind == query.kind && i64::from(f.secs) > start && f.secs <= query.now)
            .filter(|f| !query.strict || !f.light)
            .collect();
        let accounts: std::collections::BTreeSet<_> = hits.iter().map(|f| f.account).collect();
        let sum = |account: u16| {
            hits.iter().filter(|f| f.account == account).map(|f| u32::from(f.number)).sum::<u32>()
        };
        match (measure, query.per_account) {
            (Measure::Accounts, _) => accounts.iter().filter(|a| **a != 0).count() as u32,
            (_, None) => accounts.iter().map(|a| sum(*a)).sum(),
            (_, Some(most)) => accounts.iter().map(|a| sum(*a).min(most)).sum(),
        }
    }

    proptest! {
        #[test]
        fn windows_agree_with_the_oracle(
            mut all in proptest::collection::vec(facts(), 0..MOST),
            now in 1_000..10_000_u32, window in 1..8_000_u64, kind in 0..3_usize, strict: bool,
            per_account in proptest::option::of(1..5_u32), accounts: bool,
        ) {
            all.sort_by_key(|f| f.secs);
            let mut history = History::default();
            all.iter().for_each(|f| history.push(*f, MOST));
            let (kind, window) = (OffenceKind::ALL[kind], Span::from_secs(window));
            let query = Query { kind, now, window, strict, per_account };
            let measure = if accounts { Measure::Accounts } else { Measure::Offences };
            prop_assert_eq!(history.measure(measure, query), oracle(&all, measure, query));
        }
    }

    #[test]
    fn a_history_keeps_the_newest() {
        let mut history = History::default();
        let kind = OffenceKind::AuthFailure;
        for secs in 0..1_000 {
            history.push(Facts { secs, account: 0, address: 0, kind, light: false, number: 1 }, MOST);
        }
        let query =
            Query { kind, now: 1_000, window: Span::from_secs(2_000), strict: true, per_account: None };
        assert_eq!(history.measure(Measure::Offences, query), MOST as u32);
        assert_eq!(history.worth(), (MOST as u32, 999));
    }
}
