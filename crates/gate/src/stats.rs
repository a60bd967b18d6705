//! What was answered, and how fast.

use std::collections::BTreeMap;
use std::time::Duration;

/// Counts since the gate was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Answers to Postfix, by what was said and by whom.
    pub policy: BTreeMap<(&'static str, &'static str), u64>,
    /// How long the answers to Postfix took.
    pub policy_latency: Latency,
    /// Answers to Dovecot, by verdict and ground.
    pub login: BTreeMap<(&'static str, &'static str), u64>,
    /// How long the answers to Dovecot took.
    pub login_latency: Latency,
    /// Questions with a wrong key, since the last one with the right one.
    pub wrong_keys: u64,
    /// What is no request; Postfix's connections are closed then.
    pub garbled: u64,
    /// Changes that were given up, because the disk stood still.
    pub not_kept: u64,
}

/// How long things took: counts by powers of two of microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    counts: [u64; 32],
}

impl Latency {
    /// One more.
    pub fn add(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let place = (u64::BITS - micros.leading_zeros()) as usize;
        if let Some(count) = self.counts.get_mut(place.min(31)) {
            *count += 1;
        }
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// In less than how many microseconds so many of a thousand were done.
    #[must_use]
    pub fn within(&self, of_thousand: u64) -> u64 {
        let wanted = (self.count() * of_thousand).div_ceil(1_000);
        let mut sum = 0;
        let place = self.counts.iter().position(|count| {
            sum += count;
            sum >= wanted
        });
        1 << place.unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_upper_bounds_of_powers_of_two() {
        let mut latency = Latency::default();
        for micros in 0..1_000 {
            latency.add(Duration::from_micros(micros));
        }
        assert_eq!((latency.count(), latency.within(500), latency.within(990)), (1_000, 512, 1_024));
        assert_eq!(Latency::default().within(990), 1);
    }
}
