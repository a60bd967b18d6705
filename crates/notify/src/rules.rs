//! When who is told of what.

use jiff::civil::Time;
use jiff::tz::TimeZone;
use mailward_model::{Span, Timestamp};
use mailward_report::Severity;

/// When who is told of what.
#[derive(Clone, Debug)]
pub struct Rules {
    /// How long an alert waits for others to go with it; the critical do not wait.
    pub gather: Span,
    /// How long nothing more is said of what was told; it is counted instead. The critical is said each time.
    pub alike: Span,
    /// When nothing is said but what is loud.
    pub quiet: Option<Quiet>,
    /// From which severity on an alert breaks the quiet.
    pub loud: Severity,
    /// Messages in an hour, of each channel.
    pub hourly: usize,
    /// The zone of the quiet hours, and of times that are told.
    pub zone: TimeZone,
    /// The channels.
    pub routes: Vec<Route>,
}

/// What a channel is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The channel's name.
    pub name: String,
    /// From which severity on it takes alerts.
    pub least: Severity,
    /// Whether it takes letters.
    pub letters: bool,
}

/// Hours of every day: from the first to before the second, over midnight where the second is earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quiet {
    /// Their begin.
    pub from: Time,
    /// Their end.
    pub to: Time,
}

impl Quiet {
    /// When the quiet ends that is at `now`; none where it is not quiet.
    #[must_use]
    pub fn ends(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let local = jiff::Timestamp::from_microsecond(now.micros()).ok()?.to_zoned(zone.clone());
        let (time, over_midnight) = (local.time(), self.to <= self.from);
        let is_quiet = if over_midnight {
            time >= self.from || time < self.to
        } else {
            time >= self.from && time < self.to
        };
        if !is_quiet {
            return None;
        }
        let day = if time < self.to { local.date() } else { local.date().tomorrow().ok()? };
        let end = day.to_datetime(self.to).to_zoned(zone.clone()).ok()?;
        // Where clocks are set back, the hour of the end comes twice, and the first one may be over.
        let end = Timestamp::from_micros(end.timestamp().as_microsecond());
        Some(end.max(now.plus(Span::from_secs(1))))
    }
}

impl Rules {
    /// When what may go at `at` goes: the quiet holds back what is not loud.
    pub(crate) fn after_quiet(&self, at: Timestamp, severity: Severity) -> Timestamp {
        let quiet = self.quiet.filter(|_| severity < self.loud);
        quiet.and_then(|quiet| quiet.ends(at, &self.zone)).unwrap_or(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_hours_end_in_local_time_over_midnight_and_over_changes_of_the_clock() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let at =
            |text: &str| Timestamp::from_micros(text.parse::<jiff::Timestamp>().unwrap().as_microsecond());
        let night = ("22:00", "06:30");
        for (hours, now, ends) in [
            (night, "2026-11-21T22:30:00+01:00", Some("2026-11-22T06:30:00+01:00")),
            (night, "2026-11-22T06:29:59+01:00", Some("2026-11-22T06:30:00+01:00")),
            (night, "2026-11-22T06:30:00+01:00", None),
            (night, "2026-11-22T21:59:59+01:00", None),
            // Clocks go forward, and back, in the night.
            (night, "2026-03-28T23:00:00+01:00", Some("2026-03-29T06:30:00+02:00")),
            (night, "2026-10-24T23:00:00+02:00", Some("2026-10-25T06:30:00+01:00")),
            // The end lies in the hour that is left out.
            (("22:00", "02:30"), "2026-03-28T23:00:00+01:00", Some("2026-03-29T03:30:00+02:00")),
            // The end comes twice; in the second one it is quiet for a moment at most.
            (("22:00", "02:30"), "2026-10-25T02:10:00+01:00", Some("2026-10-25T02:10:01+01:00")),
            (("12:00", "14:00"), "2026-11-22T13:00:00+01:00", Some("2026-11-22T14:00:00+01:00")),
            (("12:00", "14:00"), "2026-11-22T14:00:00+01:00", None),
            (("00:00", "00:00"), "2026-11-22T14:00:00+01:00", Some("2026-11-23T00:00:00+01:00")),
        ] {
            let quiet = Quiet { from: hours.0.parse().unwrap(), to: hours.1.parse().unwrap() };
            assert_eq!(quiet.ends(at(now), &zone), ends.map(at), "{hours:?} at {now}");
        }
    }
}
