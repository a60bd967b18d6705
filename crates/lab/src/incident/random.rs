//! Numbers that look random and are the same in every run: SplitMix64 (Steele, Lea, Flood 2014).

/// The generator's state.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `low` up to, not including, `high`.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % high.saturating_sub(low).max(1)
    }

    /// One of some things.
    pub(super) fn one<T: Copy>(&mut self, things: &[T], otherwise: T) -> T {
        let at = usize::try_from(self.between(0, things.len() as u64)).unwrap_or(0);
        things.get(at).copied().unwrap_or(otherwise)
    }

    /// So many characters of an alphabet.
    pub(super) fn word(&mut self, alphabet: &str, length: usize) -> String {
        let letters: Vec<char> = alphabet.chars().collect();
        (0..length).map(|_| self.one(&letters, 'x')).collect()
    }

    /// A client's port.
    pub(super) fn port(&mut self) -> u16 {
        u16::try_from(self.between(32_768, 60_999)).unwrap_or(40_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_never_changes() {
        // The published test vector.
        let mut random = Random::new(1_234_567);
        let first: Vec<_> = (0..3).map(|_| random.next()).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
        assert_eq!(random.word("ab", 6).len(), 6);
    }
}
