//! A hash table that never grows over its capacity, whatever an attacker sends.

use std::hash::BuildHasher;

use foldhash::quality::RandomState;

use crate::index::Index;

/// How much an entry is worth keeping.
pub(crate) trait Worth {
    /// Compared as a pair: the entry with the smallest is evicted first. For offenders this is guilt, then the time of
    /// the last offence in seconds.
    fn worth(&self) -> (u32, u32);
}

/// A table of at most `capacity` entries. When it is full, of [`SAMPLE`] entries the least worthy makes room: as good as
/// the exact order in practice, at a constant price, and with no list to maintain. Keys that an attacker chooses are
/// hashed with a seed of this process.
#[derive(Debug)]
pub(crate) struct Bounded<V> {
    index: Index,
    entries: Vec<(u64, V)>,
    hasher: RandomState,
    capacity: usize,
    hand: usize,
    evicted: u64,
}

/// How many entries are looked at to make room for one.
const SAMPLE: usize = 16;

impl<V: Worth> Bounded<V> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            index: Index::default(),
            entries: Vec::new(),
            hasher: RandomState::default(),
            capacity: capacity.clamp(1, Index::MOST),
            hand: 0,
            evicted: 0,
        }
    }

    #[inline]
    pub(crate) fn get(&self, key: impl Into<u64>) -> Option<&V> {
        let at = self.find(key.into())?;
        self.entries.get(at).map(|(_, value)| value)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: impl Into<u64>) -> Option<&mut V> {
        let at = self.find(key.into())?;
        self.entries.get_mut(at).map(|(_, value)| value)
    }

    pub(crate) fn remove(&mut self, key: impl Into<u64>) -> Option<V> {
        let at = self.find(key.into())?;
        Some(self.take_out(at))
    }

    /// Removes all whose keys are such.
    pub(crate) fn remove_those(&mut self, is_such: impl Fn(u64) -> bool) -> Vec<V> {
        let keys: Vec<u64> = self.entries.iter().map(|(key, _)| *key).filter(|key| is_such(*key)).collect();
        keys.into_iter().filter_map(|key| self.remove(key)).collect()
    }

    /// All values, to change them.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.entries.iter_mut().map(|(_, value)| value)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many entries had to make room so far.
    pub(crate) const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// The entry of a key, made by `new` where there is none; another one makes room if it must.
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "the index tells positions of entries")]
    pub(crate) fn entry(&mut self, key: impl Into<u64>, new: impl FnOnce() -> V) -> &mut V {
        let key = key.into();
        let at = self.find(key).unwrap_or_else(|| {
            if self.entries.len() >= self.capacity {
                self.evict();
            }
            self.entries.push((key, new()));
            self.index.push(self.hash(key))
        });
        &mut self.entries[at].1
    }

    /// Removes the least worthy of a few entries, spread over the table: those that came together lie together.
    pub(crate) fn evict(&mut self) -> Option<V> {
        let len = self.entries.len();
        let least = (0..SAMPLE.min(len))
            .map(|step| (self.hand + step * (len / SAMPLE).max(1)) % len)
            .filter_map(|at| Some((self.entries.get(at)?.1.worth(), at)))
            .min();
        let (_, at) = least?;
        self.hand = (self.hand + 1) % len;
        self.evicted += 1;
        Some(self.take_out(at))
    }

    #[inline]
    fn find(&self, key: u64) -> Option<usize> {
        self.index.find(self.hash(key), |at| self.entries.get(at).is_some_and(|(known, _)| *known == key))
    }

    fn take_out(&mut self, at: usize) -> V {
        let hash = |at: usize| self.entries.get(at).map_or(0, |(key, _)| self.hash(*key));
        self.index.swap_remove(at, hash(at), hash(self.entries.len() - 1));
        self.entries.swap_remove(at).1
    }

    fn hash(&self, key: u64) -> u32 {
        self.hasher.hash_one(key) as u32
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_table_agrees_with_a_map(
            steps in proptest::collection::vec((any::<bool>(), 0..60_u32), 0..300),
        ) {
            let (mut table, mut map) = (Bounded::new(1_000), HashMap::new());
            for (number, (adds, key)) in (0..).zip(steps) {
                prop_assert_eq!(table.get(key), map.get(&key));
                if adds {
                    prop_assert_eq!(table.entry(key, || (0, number)), map.entry(key).or_insert((0, number)));
                } else {
                    prop_assert_eq!(table.remove(key), map.remove(&key));
                }
                prop_assert_eq!(table.len(), map.len());
            }
            prop_assert!(map.iter().all(|(key, value)| table.get(*key) == Some(value)));
        }
    }

    impl Worth for (u32, u32) {
        fn worth(&self) -> (u32, u32) {
            *self
        }
    }

    #[test]
    fn the_least_guilty_and_oldest_make_room() {
        let mut table = Bounded::new(8);
        for key in 0..8_u32 {
            table.entry(key, || (if key == 3 { 1 } else { 2 }, key));
        }
        table.entry(100_u32, || (1, 100));
        assert!(table.get(3_u32).is_none() && table.len() == 8 && table.evicted() == 1);
        table.entry(101_u32, || (2, 101));
        assert!(table.get(100_u32).is_none(), "less guilty than all others");
        table.entry(102_u32, || (2, 102));
        assert!(table.get(0_u32).is_none(), "oldest of the equally guilty");
    }

    #[test]
    fn a_flood_of_newcomers_never_displaces_the_guilty() {
        let mut table = Bounded::new(1_000);
        for key in 0..100_u32 {
            table.entry(key, || (50, 0));
        }
        for key in 1_000..200_000_u32 {
            table.entry(key, || (1, key));
        }
        assert_eq!(table.len(), 1_000);
        assert!((0..100_u32).all(|key| table.get(key).is_some()));
    }
}
