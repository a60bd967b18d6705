//! Who was seen, in 16 bytes each: ten million take less than 300 MB.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use mailward_model::Timestamp;

use crate::Fingerprint;

/// When somebody was seen, and how often he came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Seconds since 1970 of the first attempt, and once he came through of the last time that he did.
    pub at: u32,
    /// How often he came through.
    pub passes: u32,
}

impl Seen {
    /// Seen first now.
    #[must_use]
    pub fn first(now: Timestamp) -> Self {
        Self { at: seconds(now), passes: 0 }
    }

    /// When.
    #[must_use]
    pub fn time(self) -> Timestamp {
        Timestamp::from_secs(self.at.into())
    }

    /// The least is evicted first: who never came through, and of those who was seen the longest ago.
    const fn worth(self) -> (bool, u32) {
        (self.passes > 0, self.at)
    }
}

/// Seconds since 1970, as they are kept: until 2106.
pub(crate) fn seconds(time: Timestamp) -> u32 {
    u32::try_from(time.secs().max(0)).unwrap_or(u32::MAX)
}

/// The keys are fingerprints: there is nothing left to hash.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0 << 8 | u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

/// A table by fingerprint.
pub(crate) type ByPrint<V> = HashMap<Fingerprint, V, BuildHasherDefault<AsItIs>>;

/// Whom the greylist and its kind have seen, at most so many; the oldest make room.
#[derive(Clone, Debug)]
pub(crate) struct SeenTable {
    /// Parts, so that none of them takes long when it grows or is cleaned up.
    parts: Vec<ByPrint<Seen>>,
    capacity: usize,
}

/// With so many, ten million fill tables of 65,536 places to four fifths, and not to little more than half.
const PARTS: usize = 192;
/// The share that makes room at once.
const SHARE: usize = 16;

impl SeenTable {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            parts: (0..PARTS).map(|_| ByPrint::default()).collect(),
            capacity: capacity.div_ceil(PARTS).max(SHARE),
        }
    }

    /// The table's own hash looks at the highest and the lowest bits.
    fn part(&mut self, key: Fingerprint) -> Option<&mut ByPrint<Seen>> {
        self.parts.get_mut((key.bits() >> 32) as usize % PARTS)
    }

    pub(crate) fn get(&self, key: Fingerprint) -> Option<Seen> {
        self.parts.get((key.bits() >> 32) as usize % PARTS)?.get(&key).copied()
    }

    /// Remembers; tells whom it forgot for that.
    pub(crate) fn put(&mut self, key: Fingerprint, seen: Seen) -> Vec<Fingerprint> {
        let capacity = self.capacity;
        let Some(part) = self.part(key) else { return Vec::new() };
        let full = part.len() >= capacity && !part.contains_key(&key);
        let forgotten = if full { least_worthy(part) } else { Vec::new() };
        for old in &forgotten {
            part.remove(old);
        }
        part.insert(key, seen);
        forgotten
    }

    pub(crate) fn remove(&mut self, key: Fingerprint) -> Option<Seen> {
        self.part(key)?.remove(&key)
    }

    pub(crate) fn len(&self) -> usize {
        self.parts.iter().map(HashMap::len).sum()
    }
}

fn least_worthy(part: &ByPrint<Seen>) -> Vec<Fingerprint> {
    let mut all: Vec<_> = part.iter().map(|(key, seen)| (seen.worth(), *key)).collect();
    let share = (all.len() / SHARE).max(1);
    all.select_nth_unstable(share - 1);
    all.truncate(share);
    all.into_iter().map(|(_, key)| key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_make_room_and_whoever_came_through_stays() {
        let mut table = SeenTable::new(PARTS * SHARE);
        // All in one part.
        let key = |n: u64| Fingerprint::from_bits(n);
        for n in 0..SHARE as u64 {
            let passes = u32::from(n == 0);
            assert!(table.put(key(n), Seen { at: n as u32, passes }).is_empty());
        }
        assert_eq!(table.put(key(99), Seen { at: 99, passes: 0 }), [key(1)]);
        assert!(table.get(key(0)).is_some() && table.get(key(1)).is_none() && table.get(key(99)).is_some());
        assert!(table.put(key(99), Seen { at: 100, passes: 1 }).is_empty());
        assert_eq!(table.len(), SHARE);
    }
}
