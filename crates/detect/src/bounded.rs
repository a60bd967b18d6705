//! A hash table that never grows over its capacity, whatever an attacker sends.

use std::hash::Hash;

use foldhash::quality::RandomState;
use indexmap::IndexMap;
use indexmap::map::Entry;

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
pub(crate) struct Bounded<K, V> {
    entries: IndexMap<K, V, RandomState>,
    capacity: usize,
    hand: usize,
    evicted: u64,
}

/// How many entries are looked at to make room for one.
const SAMPLE: usize = 16;

impl<K: Hash + Eq + Copy, V: Worth> Bounded<K, V> {
    pub(crate) fn new(capacity: usize) -> Self {
        let entries = IndexMap::with_hasher(RandomState::default());
        Self { entries, capacity: capacity.max(1), hand: 0, evicted: 0 }
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key)
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        self.entries.swap_remove(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many entries had to make room so far.
    pub(crate) const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// The entry of a key, made by `new` where there is none; another one makes room if it must.
    pub(crate) fn entry(&mut self, key: K, new: impl FnOnce() -> V) -> &mut V {
        if self.entries.len() >= self.capacity && !self.entries.contains_key(&key) {
            self.evict();
        }
        match self.entries.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(new()),
        }
    }

    /// Removes the least worthy of a few entries, spread over the table: those that came together lie together.
    pub(crate) fn evict(&mut self) -> Option<V> {
        let len = self.entries.len();
        let least = (0..SAMPLE.min(len))
            .map(|step| (self.hand + step * (len / SAMPLE).max(1)) % len)
            .filter_map(|index| Some((self.entries.get_index(index)?.1.worth(), index)))
            .min();
        let (_, index) = least?;
        self.hand = (self.hand + 1) % len;
        self.evicted += 1;
        self.entries.swap_remove_index(index).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        table.entry(100, || (1, 100));
        assert!(table.get(&3).is_none() && table.len() == 8 && table.evicted() == 1);
        table.entry(101, || (2, 101));
        assert!(table.get(&100).is_none(), "less guilty than all others");
        table.entry(102, || (2, 102));
        assert!(table.get(&0).is_none(), "oldest of the equally guilty");
    }

    #[test]
    fn a_flood_of_newcomers_never_displaces_the_guilty() {
        let mut table = Bounded::new(1_000);
        for key in 0..100_u32 {
            table.entry(key, || (50, 0));
        }
        for key in 1_000..200_000 {
            table.entry(key, || (1, key));
        }
        assert_eq!(table.len(), 1_000);
        assert!((0..100).all(|key| table.get(&key).is_some()));
    }
}
