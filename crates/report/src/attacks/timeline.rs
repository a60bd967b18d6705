//! Offences over time.

use std::collections::BTreeMap;

use mailward_model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{At, Tally};

/// Counts in equal steps of time, quiet ones too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Timeline {
    /// How long a step is.
    pub step_seconds: u64,
    /// The steps.
    pub steps: Vec<Moment>,
}

/// The counts of one step of time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Moment {
    /// When it begins.
    pub start: At,
    /// All counts together.
    pub count: u64,
    /// Counts by kind.
    pub kinds: Tally,
}

impl Timeline {
    /// Counts at instants, by the hour; hours begin on the hour in UTC.
    #[must_use]
    pub fn hourly<'a>(counts: impl IntoIterator<Item = (At, &'a str, u64)>) -> Self {
        Self::in_steps(3_600, &counts.into_iter().collect::<Vec<_>>())
    }

    /// Counts at instants, in the shortest steps of which there are at most [`Timeline::MOST`].
    #[must_use]
    pub fn fitting<'a>(counts: impl IntoIterator<Item = (At, &'a str, u64)>) -> Self {
        let counts: Vec<_> = counts.into_iter().collect();
        let secs = || counts.iter().map(|(at, ..)| at.0.secs());
        let (first, last) = (secs().min().unwrap_or(0), secs().max().unwrap_or(0));
        let fits = |step: &&u64| {
            let step = i64::try_from(**step).unwrap_or(i64::MAX);
            last.div_euclid(step) - first.div_euclid(step) < Self::MOST
        };
        let longest = STEPS.last().copied().unwrap_or(86_400);
        Self::in_steps(STEPS.iter().find(fits).copied().unwrap_or(longest), &counts)
    }

    /// The most steps of a fitting timeline: what a terminal shows.
    pub const MOST: i64 = 48;

    /// The most steps at all: ten years of hours. Beyond, quiet steps are left out.
    const LIMIT: i64 = 87_660;

    fn in_steps(step_seconds: u64, counts: &[(At, &str, u64)]) -> Self {
        let step = i64::try_from(step_seconds).unwrap_or(i64::MAX).max(1);
        let mut kinds: BTreeMap<i64, BTreeMap<&str, u64>> = BTreeMap::new();
        for (at, kind, count) in counts {
            let sum = kinds.entry(at.0.secs().div_euclid(step)).or_default().entry(kind).or_default();
            *sum = sum.saturating_add(*count);
        }
        let ends = kinds.keys().next().copied().zip(kinds.keys().next_back().copied());
        if let Some((first, last)) = ends.filter(|(first, last)| last - first <= Self::LIMIT) {
            for place in first..=last {
                kinds.entry(place).or_default();
            }
        }
        let steps = kinds.into_iter().map(|(place, kinds)| Moment {
            start: At(Timestamp::from_secs(place.saturating_mul(step))),
            count: kinds.values().sum(),
            kinds: kinds.into_iter().collect(),
        });
        Self { step_seconds, steps: steps.collect() }
    }
}

/// A minute to four weeks.
const STEPS: [u64; 11] = [60, 300, 900, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400, 604_800, 2_419_200];

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> At {
        At(Timestamp::from_secs(secs))
    }

    #[test]
    fn quiet_steps_are_there() {
        let timeline = Timeline::hourly([(at(3_599), "a", 1), (at(10_800), "b", 2), (at(10_801), "a", 1)]);
        let counts: Vec<_> = timeline.steps.iter().map(|step| (step.start.0.secs(), step.count)).collect();
        assert_eq!(counts, [(0, 1), (3_600, 0), (7_200, 0), (10_800, 3)]);
        assert_eq!(Timeline::hourly([]), Timeline { step_seconds: 3_600, steps: vec![] });
    }

    #[test]
    fn steps_suit_the_length() {
        for (secs, step) in
            [(0, 60), (1_300, 60), (3_600, 300), (86_400, 3_600), (7 * 86_400, 21_600), (1 << 40, 2_419_200)]
        {
            let timeline = Timeline::fitting([(at(0), "a", 1), (at(secs), "a", 1)]);
            assert_eq!(timeline.step_seconds, step, "{secs}");
            assert_eq!(timeline.steps.iter().map(|step| step.count).sum::<u64>(), 2);
        }
    }
}
