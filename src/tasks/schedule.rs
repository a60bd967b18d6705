//! When a task is due: pure, in local time, so that half past six stays half past six when the clocks change.

use std::fmt;
use std::str::FromStr;

use jiff::Zoned;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use mailward_model::{Span, Timestamp};

/// How often, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Schedule {
    /// Only when somebody says so.
    Never,
    /// Again so long after the last time.
    Every(Span),
    /// Each day.
    Daily(Time),
    /// On this day of the week.
    Weekly(Weekday, Time),
    /// On this day of the month, or on its last day where it is shorter.
    Monthly(i8, Time),
}

/// The shortest that makes sense.
const SHORTEST: Span = Span::from_mins(1);

impl Schedule {
    /// The first time after `last` at which it is due.
    pub(crate) fn after(self, last: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let local = jiff::Timestamp::from_microsecond(last.micros()).ok()?.to_zoned(zone.clone());
        match self {
            Self::Never => None,
            Self::Every(span) => Some(last.plus(span)),
            Self::Daily(time) => first(&local, local.date().yesterday().ok()?, |day| Some((day, time))),
            Self::Weekly(weekday, time) => {
                let begin = local.date().yesterday().ok()?;
                first(&local, begin, |day| (day.weekday() == weekday).then_some((day, time)))
            }
            Self::Monthly(day, time) => {
                let begin = local.date().first_of_month();
                first(&local, begin, |other| {
                    let wanted = day.min(other.days_in_month());
                    (other.day() == wanted).then_some((other, time))
                })
            }
        }
    }

    /// The same, put off by as much as belongs to this task on this server: not all servers ask the same list in the same second.
    pub(crate) fn due(self, last: Timestamp, jitter: Span, who: &str, zone: &TimeZone) -> Option<Timestamp> {
        let jitter = if matches!(self, Self::Every(_)) { Span::ZERO } else { share(jitter, who) };
        // What was put off counts as of its time, so that it is not due twice.
        self.after(last.minus(jitter), zone).map(|at| at.plus(jitter))
    }
}

/// The first of these times that is after `now`, from a day on. Within two months each schedule has one.
fn first(now: &Zoned, begin: Date, at: impl Fn(Date) -> Option<(Date, Time)>) -> Option<Timestamp> {
    let days = std::iter::successors(Some(begin), |day| day.tomorrow().ok()).take(70);
    let times = days.filter_map(at).filter_map(|(day, time)| {
        // An hour that is left out moves to the one after it, and one that comes twice is its first.
        day.to_datetime(time).to_zoned(now.time_zone().clone()).ok()
    });
    let found = times.into_iter().find(|time| time > now)?;
    Some(Timestamp::from_micros(found.timestamp().as_microsecond()))
}

/// A part of a span that is always the same for the same name (FNV-1a).
fn share(of: Span, who: &str) -> Span {
    let hash = who.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    Span::from_secs(hash % of.secs().max(1))
}

const DAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

impl FromStr for Schedule {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let time = |text: &str| Time::strptime("%H:%M", text).map_err(|_| ());
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            ["never"] => Ok(Self::Never),
            ["every", span] => Span::parse(span).filter(|span| *span >= SHORTEST).map(Self::Every).ok_or(()),
            ["daily", at] => Ok(Self::Daily(time(at)?)),
            ["monthly", day, at] => {
                let day = day.parse().ok().filter(|day| (1..=31).contains(day)).ok_or(())?;
                Ok(Self::Monthly(day, time(at)?))
            }
            [day, at] => {
                let (_, day) = DAYS.iter().find(|(name, _)| name == day).ok_or(())?;
                Ok(Self::Weekly(*day, time(at)?))
            }
            _ => Err(()),
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clock = |time: &Time| time.strftime("%H:%M").to_string();
        match self {
            Self::Never => f.write_str("never"),
            Self::Every(span) => write!(f, "every {span}"),
            Self::Daily(at) => write!(f, "daily {}", clock(at)),
            Self::Weekly(day, at) => {
                let name = DAYS.iter().find(|(_, other)| other == day).map_or("", |(name, _)| name);
                write!(f, "{name} {}", clock(at))
            }
            Self::Monthly(day, at) => write!(f, "monthly {day} {}", clock(at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn berlin() -> TimeZone {
        TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::from_micros(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
    }

    #[test]
    fn what_is_due_after_what() {
        for (schedule, last, due) in [
            ("daily 06:30", "2026-11-22T06:29:59+01:00", "2026-11-22T06:30:00+01:00"),
            ("daily 06:30", "2026-11-22T06:30:00+01:00", "2026-11-23T06:30:00+01:00"),
            ("daily 06:30", "2026-11-22T23:59:59+01:00", "2026-11-23T06:30:00+01:00"),
            ("daily 00:00", "2026-12-31T23:59:59+01:00", "2027-01-01T00:00:00+01:00"),
            // Clocks go forward: the hour is left out that day, and the day after is as always.
            ("daily 02:30", "2026-03-28T02:30:00+01:00", "2026-03-29T03:30:00+02:00"),
            ("daily 02:30", "2026-03-29T03:30:00+02:00", "2026-03-30T02:30:00+02:00"),
            // Clocks go back: the hour comes twice, the task once.
            ("daily 02:30", "2026-10-24T02:30:00+02:00", "2026-10-25T02:30:00+02:00"),
            ("daily 02:30", "2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"),
            ("daily 02:30", "2026-10-25T02:30:00+01:00", "2026-10-26T02:30:00+01:00"),
            ("monday 04:00", "2026-11-22T12:00:00+01:00", "2026-11-23T04:00:00+01:00"),
            ("monday 04:00", "2026-11-23T04:00:00+01:00", "2026-11-30T04:00:00+01:00"),
            ("sunday 02:30", "2026-03-22T02:30:00+01:00", "2026-03-29T03:30:00+02:00"),
            ("monthly 1 05:00", "2026-11-22T00:00:00+01:00", "2026-12-01T05:00:00+01:00"),
            ("monthly 31 05:00", "2026-11-01T00:00:00+01:00", "2026-11-30T05:00:00+01:00"),
            ("monthly 31 05:00", "2026-11-30T05:00:00+01:00", "2026-12-31T05:00:00+01:00"),
            // February, in a year with a leap day and in one without.
            ("monthly 30 05:00", "2028-01-31T05:00:00+01:00", "2028-02-29T05:00:00+01:00"),
            ("monthly 30 05:00", "2027-01-31T05:00:00+01:00", "2027-02-28T05:00:00+01:00"),
            ("monthly 29 05:00", "2028-02-29T05:00:00+01:00", "2028-03-29T05:00:00+02:00"),
            ("every 5m", "2026-11-22T00:00:30+01:00", "2026-11-22T00:05:30+01:00"),
            // A day of 23 hours is no matter to what is counted in hours.
            ("every 24h", "2026-03-28T12:00:00+01:00", "2026-03-29T13:00:00+02:00"),
        ] {
            let parsed: Schedule = schedule.parse().unwrap();
            assert_eq!(parsed.after(at(last), &berlin()), Some(at(due)), "{schedule} after {last}");
        }
        assert_eq!(Schedule::Never.after(at("2026-11-22T00:00:00Z"), &berlin()), None);
    }

    #[test]
    fn what_is_written_is_read_again_and_nonsense_is_not() {
        for text in ["never", "every 5m", "every 6h", "daily 06:30", "sunday 00:00", "monthly 31 23:59"] {
            assert_eq!(text.parse::<Schedule>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "daily",
            "daily 24:00",
            "daily 6",
            "every 10s",
            "every -5m",
            "monthly 0 05:00",
            "monthly 32 05:00",
            "mondays 04:00",
            "monday 04:00 UTC",
            "* * * * *",
        ] {
            assert!(text.parse::<Schedule>().is_err(), "{text}");
        }
    }

    #[test]
    fn after_a_pause_it_is_made_up_for_once() {
        // The server was off for ten days.
        let (daily, zone) = (Schedule::Daily("06:30".parse().unwrap()), berlin());
        let (last, now) = (at("2026-11-10T06:30:00+01:00"), at("2026-11-20T12:00:00+01:00"));
        assert!(daily.after(last, &zone).unwrap() <= now);
        assert_eq!(daily.after(now, &zone), Some(at("2026-11-21T06:30:00+01:00")));
    }

    proptest! {
        /// With any jitter a task is due once in each period, and never twice for the same time.
        #[test]
        fn jitter_puts_off_and_never_repeats(start in 0..2_000_000_000_i64, jitter in 0..7_200_u64, who in "[a-z]{1,8}") {
            let (zone, jitter) = (berlin(), Span::from_secs(jitter));
            let daily = Schedule::Daily("02:30".parse().unwrap());
            let mut last = Timestamp::from_secs(start);
            for _ in 0..20 {
                let due = daily.due(last, jitter, &who, &zone).unwrap();
                prop_assert!(due > last);
                let gap = due.since(last).secs();
                prop_assert!(gap <= 25 * 3_600 + 3_600, "{}", gap);
                if last != Timestamp::from_secs(start) {
                    prop_assert!(gap >= 21 * 3_600, "{}", gap);
                }
                last = due;
            }
        }
    }
}
