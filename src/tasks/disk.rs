//! Space and inodes: how much is left, and on which day there will be none.

use std::collections::BTreeMap;

use mailward_audit::Known;
use mailward_audit::facts::Space;
use mailward_report::Severity;
use serde::{Deserialize, Serialize};

use super::{Done, Ground, alert};
use crate::cli::audited;

/// Samples of each file system, by its path and what is counted.
type Memory = BTreeMap<String, Vec<Sample>>;

/// How much was free at a time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Sample {
    /// Seconds since 1970.
    at: i64,
    /// Bytes or inodes.
    free: u64,
}

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
/// Samples that are kept: a month of hours.
const KEPT: usize = 720;
/// What changed in less time than this tells nothing about next week.
const SHORTEST: i64 = 12 * HOUR;
/// What a forecast is told of.
const SOON: f64 = 14.0;
const VERY_SOON: f64 = 3.0;
/// Of a hundred, what must be left.
const LEFT: u64 = 5;

pub(super) fn run(ground: &Ground<'_>, memory: &str) -> anyhow::Result<Done> {
    let mut memory: Memory = serde_json::from_str(memory).unwrap_or_default();
    let facts = audited::space(ground.settings)?;
    let spaces = match &facts.host.space {
        Known::Is(spaces) => spaces,
        Known::Unread(why) => anyhow::bail!("space cannot be told: {why}"),
        Known::Absent | Known::Unasked => anyhow::bail!("there are no directories of mail here"),
    };
    let (mut lines, mut alerts) = (Vec::new(), Vec::new());
    for (what, free, all) in spaces.iter().flat_map(counts) {
        let samples = memory.entry(what.clone()).or_default();
        remember(samples, Sample { at: ground.now.secs(), free });
        let days = days_left(samples);
        let said = said(free, all, days);
        lines.push(format!("{what}: {said}"));
        if let Some(severity) = severity(free, all, days) {
            let title = format!("{what} will be used up");
            alerts.push(alert(
                format!("disk/{what}"),
                severity,
                title,
                said,
                "df -h; df -i; du -xh / | sort -h | tail",
                ground.now,
            ));
        }
    }
    Ok(Done {
        findings: !alerts.is_empty(),
        text: lines.join("\n"),
        alerts,
        memory: Some(serde_json::to_string(&memory)?),
        ..Done::default()
    })
}

/// What is counted on a file system: name, free and all.
fn counts(space: &Space) -> Vec<(String, u64, u64)> {
    let named = |what: &str| format!("{what} of {} ({})", space.path, space.purpose);
    let counts =
        [(named("space"), space.free, space.bytes), (named("inodes"), space.inodes_free, space.inodes)];
    // btrfs and others have no fixed number of inodes.
    counts.into_iter().filter(|(_, _, all)| *all > 0).collect()
}

fn remember(samples: &mut Vec<Sample>, sample: Sample) {
    samples.retain(|other| other.at < sample.at);
    samples.push(sample);
    let extra = samples.len().saturating_sub(KEPT);
    samples.drain(..extra);
}

/// In how many days nothing is left, if it goes on as in the samples (least squares); none where it does not become less.
fn days_left(samples: &[Sample]) -> Option<f64> {
    let (first, last) = (samples.first()?, samples.last()?);
    if last.at - first.at < SHORTEST {
        return None;
    }
    let count = samples.len() as f64;
    let day = |sample: &Sample| (sample.at - first.at) as f64 / DAY as f64;
    let middle = samples.iter().map(day).sum::<f64>() / count;
    let average = samples.iter().map(|sample| sample.free as f64).sum::<f64>() / count;
    let spread: f64 = samples.iter().map(|sample| (day(sample) - middle).powi(2)).sum();
    let slope: f64 =
        samples.iter().map(|sample| (day(sample) - middle) * (sample.free as f64 - average)).sum::<f64>()
            / spread;
    // A thousandth of what is free a day is noise.
    let falls = slope < 0.0 && -slope * 1_000.0 > last.free as f64;
    falls.then(|| last.free as f64 / -slope)
}

fn severity(free: u64, all: u64, days: Option<f64>) -> Option<Severity> {
    let percent = free.saturating_mul(100) / all.max(1);
    match days {
        _ if percent == 0 => Some(Severity::Critical),
        Some(days) if days < VERY_SOON => Some(Severity::High),
        _ if percent < LEFT => Some(Severity::High),
        Some(days) if days < SOON => Some(Severity::Medium),
        _ => None,
    }
}

fn said(free: u64, all: u64, days: Option<f64>) -> String {
    let percent = free.saturating_mul(100) / all.max(1);
    match days {
        Some(days) if days < 1.0 => format!("{percent} % free; full in {:.0} hours", days * 24.0),
        Some(days) if days < 365.0 => format!("{percent} % free; full in {days:.0} days"),
        _ => format!("{percent} % free"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sample an hour: so many hours, free at first, and how much goes in an hour.
    fn samples(hours: i64, free: i64, an_hour: i64) -> Vec<Sample> {
        let noise = |hour: i64| if hour % 2 == 0 { 500 } else { -500 };
        (0..hours)
            .map(|hour| Sample {
                at: hour * HOUR,
                free: (free - hour * an_hour + noise(hour)).max(0).unsigned_abs(),
            })
            .collect()
    }

    #[test]
    fn a_forecast_needs_half_a_day_and_something_that_falls() {
        let days = |samples: &[Sample]| days_left(samples).map(f64::round);
        assert_eq!(days(&samples(5, 1_000_000, 10_000)), None);
        assert_eq!(days(&samples(48, 1_000_000, 0)), None);
        assert_eq!(days(&samples(48, 1_000_000, -10_000)), None);
        // 4,000 an hour are 96,000 a day; 864,000 are left after 34 hours.
        assert_eq!(days(&samples(35, 1_000_000, 4_000)), Some(9.0));
        assert_eq!(days(&[]), None);
    }

    #[test]
    fn what_is_told_and_how_bad_it_is() {
        assert_eq!(said(30, 100, Some(9.2)), "30 % free; full in 9 days");
        assert_eq!(said(30, 100, Some(0.25)), "30 % free; full in 6 hours");
        assert_eq!(said(30, 100, None), "30 % free");
        for (free, days, told) in [
            (50, None, None),
            (50, Some(100.0), None),
            (50, Some(9.0), Some(Severity::Medium)),
            (50, Some(1.0), Some(Severity::High)),
            (4, None, Some(Severity::High)),
            (0, None, Some(Severity::Critical)),
        ] {
            assert_eq!(severity(free, 100, days), told, "{free} {days:?}");
        }
    }

    #[test]
    fn samples_are_bounded_and_a_clock_that_was_set_back_leaves_no_future() {
        let mut kept = Vec::new();
        for hour in 0..2_000 {
            remember(&mut kept, Sample { at: hour * HOUR, free: 1 });
        }
        assert_eq!(kept.len(), KEPT);
        remember(&mut kept, Sample { at: 1_990 * HOUR, free: 1 });
        assert!(kept.windows(2).all(|pair| pair[0].at < pair[1].at));
    }
}
