//! Stamps: RFC 3339 in its variants, RFC 3164 without year and zone, and what to do about both.

use jiff::civil::{Date, DateTime, Time};
use mailward_model::{Span, Timestamp};

use crate::parser::Context;
use crate::scan::{six_digits, take_until};

/// When a line was logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stamp {
    /// The stamp says so, zone and all.
    Exact(Timestamp),
    /// The zone, and perhaps the year, came from the context.
    Local(Timestamp),
}

/// Reads stamps. Remembers the day and the hour it is in, since the next line nearly always has the same.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    context: Context,
    last: Timestamp,
    minute: Minute,
    yearless_minute: Cached<13, i64>,
    day: Cached<10, i64>,
    hour: Cached<13, Hour>,
    yearless_hour: Cached<9, Hour>,
}

#[derive(Clone, Copy, Debug)]
struct Cached<const N: usize, T> {
    key: [u8; N],
    value: Option<T>,
}

/// The minute of the last stamp in rsyslog's FileFormat, whose length is fixed: `2025-10-10T01:33:`, the offset, and when it
/// began.
#[derive(Clone, Copy, Debug)]
struct Minute {
    key: [u8; 17],
    offset: [u8; 6],
    begin: i64,
}

/// An hour of local time.
#[derive(Clone, Copy, Debug)]
enum Hour {
    /// The offset is the same throughout: microseconds since the epoch at its beginning.
    Steady(i64),
    /// The clocks change within it, or it comes twice.
    Shifting(Date, i8),
}

impl<const N: usize, T: Copy> Cached<N, T> {
    const EMPTY: Self = Self { key: [0; N], value: None };

    fn of(&self, key: &[u8; N]) -> Option<T> {
        if self.key == *key { self.value } else { None }
    }

    const fn keep(&mut self, key: [u8; N], value: T) {
        *self = Self { key, value: Some(value) };
    }
}

impl Clock {
    pub(crate) fn new(context: Context) -> Self {
        let last = context.reference;
        let minute = Minute { key: [0; 17], offset: [0; 6], begin: 0 };
        let (day, hour) = (Cached::EMPTY, Cached::EMPTY);
        let (yearless_hour, yearless_minute) = (Cached::EMPTY, Cached::EMPTY);
        Self { context, last, minute, yearless_minute, day, hour, yearless_hour }
    }

    pub(crate) fn set_reference(&mut self, reference: Timestamp) {
        // A cached hour stays right while the reference only moves within a day; a log may live for years.
        if self.context.reference.secs().div_euclid(86_400) != reference.secs().div_euclid(86_400) {
            (self.yearless_hour, self.yearless_minute) = (Cached::EMPTY, Cached::EMPTY);
        }
        self.context.reference = reference;
    }

    /// The last stamp that was read, at first the reference.
    pub(crate) const fn last(&self) -> Timestamp {
        self.last
    }

    pub(super) const fn set_last(&mut self, time: Timestamp) {
        self.last = time;
    }

    /// A stamp of the same minute as the one before, in the two forms of rsyslog's files and no other.
    #[inline(always)]
    pub(super) fn same_minute<'a>(
        &mut self,
        line: &'a [u8],
        outer: Option<Timestamp>,
    ) -> Option<(Stamp, &'a [u8])> {
        let is_exact = line.first()?.is_ascii_digit();
        let (stamp, rest) = match outer {
            _ if is_exact => self.same_exact_minute(line)?,
            None => self.same_yearless_minute(line)?,
            Some(_) => return None,
        };
        let (Stamp::Exact(time) | Stamp::Local(time)) = stamp;
        self.last = time;
        Some((stamp, rest))
    }

    /// `Oct 10 01:33:12 `, without a fraction.
    #[inline(always)]
    fn same_yearless_minute<'a>(&self, line: &'a [u8]) -> Option<(Stamp, &'a [u8])> {
        let (key, after) = line.split_first_chunk::<13>()?;
        let begin = self.yearless_minute.of(key)?;
        let &[s1, s2, b' ', ..] = after else { return None };
        Some((Stamp::Local(Timestamp::from_micros(begin + two(s1, s2)? * 1_000_000)), after.get(2..)?))
    }

    /// `2025-10-10T01:33:12.345678+02:00`.
    #[inline(always)]
    fn same_exact_minute<'a>(&self, line: &'a [u8]) -> Option<(Stamp, &'a [u8])> {
        let (stamp, rest) = line.split_first_chunk::<32>()?;
        let (key, after) = stamp.split_first_chunk::<17>()?;
        let &[s1, s2, b'.', a, b, c, d, e, f, ref offset @ ..] = after else { return None };
        if *key != self.minute.key || *offset != self.minute.offset {
            return None;
        }
        let micros = six_digits([s2, b'.', a, b, c, d, e, f])?.cast_signed();
        let time = self.minute.begin + two(s1, s2)? * 1_000_000 + micros;
        Some((Stamp::Exact(Timestamp::from_micros(time)), rest))
    }

    /// Keeps the minute of an exact stamp of that form.
    fn keep_minute(&mut self, line: &[u8], time: i64) {
        let Some((key, after)) = line.split_first_chunk::<17>() else { return };
        let &[s1, s2, b'.', _, _, _, _, _, _, ref after @ ..] = after else { return };
        let (Some(second), Some(offset)) = (two(s1, s2), after.first_chunk::<6>()) else { return };
        let micros = time.rem_euclid(1_000_000);
        if matches!(offset, [b'+' | b'-', _, _, b':', _, _]) {
            self.minute = Minute { key: *key, offset: *offset, begin: time - micros - second * 1_000_000 };
        }
    }

    /// The stamp in front and what follows it. `outer` spares the work on a stamp without zone that would not count.
    pub(super) fn stamp<'a>(
        &mut self,
        line: &'a [u8],
        outer: Option<Timestamp>,
    ) -> Option<(Stamp, &'a [u8])> {
        let (stamp, rest) = if line.first()?.is_ascii_digit() {
            self.rfc3339(line, outer)?
        } else {
            self.rfc3164(line, outer)?
        };
        let (Stamp::Exact(time) | Stamp::Local(time)) = stamp;
        self.last = time;
        Some((stamp, rest))
    }

    /// `2025-10-10T01:33:12.345678+02:00`, also with a blank for the `T`, a comma for the point, and without an offset.
    fn rfc3339<'a>(&mut self, line: &'a [u8], outer: Option<Timestamp>) -> Option<(Stamp, &'a [u8])> {
        let (key, rest) = line.split_first_chunk::<10>()?;
        let &[b'T' | b' ', h1, h2, ref rest @ ..] = rest else { return None };
        let hour = two(h1, h2).filter(|&hour| hour < 24)?;
        let (past_hour, rest) = minute_second(rest)?;
        let (micros, rest) = fraction(rest);
        if let Some((offset, rest)) = offset(rest) {
            let day = self.days(key)?;
            let secs = day * 86_400 + hour * 3_600 + past_hour - offset;
            let time = secs * 1_000_000 + micros;
            self.keep_minute(line, time);
            return Some((Stamp::Exact(Timestamp::from_micros(time)), rest));
        }
        if let Some(outer) = outer {
            return Some((Stamp::Local(outer), rest));
        }
        let hour = self.hour_with_year(line.first_chunk()?, hour)?;
        Some((Stamp::Local(self.at(hour, past_hour, micros)?), rest))
    }

    /// `Oct 10 01:33:12`, the day padded with a blank or a zero, perhaps with a fraction.
    fn rfc3164<'a>(&mut self, line: &'a [u8], outer: Option<Timestamp>) -> Option<(Stamp, &'a [u8])> {
        let (key, rest) = line.split_first_chunk::<9>()?;
        let (past_hour, rest) = minute_second(rest)?;
        let (micros, rest) = fraction(rest);
        let known = self.yearless_hour.of(key);
        if let (None, Some(outer)) = (known, outer) {
            yearless(key)?;
            return Some((Stamp::Local(outer), rest));
        }
        let hour = match known {
            Some(hour) => hour,
            None => self.hour_without_year(key)?,
        };
        let time = self.at(hour, past_hour, micros)?;
        if let (Hour::Steady(begin), Some(key)) = (hour, line.first_chunk()) {
            self.yearless_minute.keep(*key, begin + past_hour / 60 * 60_000_000);
        }
        Some((Stamp::Local(time), rest))
    }

    /// Days since the epoch of `2025-10-10`.
    fn days(&mut self, key: &[u8; 10]) -> Option<i64> {
        if let Some(days) = self.day.of(key) {
            return Some(days);
        }
        let date = date(key)?;
        let days = i64::from((date - Date::constant(1970, 1, 1)).get_days());
        self.day.keep(*key, days);
        Some(days)
    }

    fn hour_with_year(&mut self, key: &[u8; 13], hour: i64) -> Option<Hour> {
        if let Some(hour) = self.hour.of(key) {
            return Some(hour);
        }
        let found = self.hour_of(date(key.first_chunk()?)?, i8::try_from(hour).ok()?)?;
        self.hour.keep(*key, found);
        Some(found)
    }

    /// The year is the latest that does not put the hour more than a day after the reference: right across New Year,
    /// for an old file, and with a clock or zone that is off. 29 February may be eight years back.
    fn hour_without_year(&mut self, key: &[u8; 9]) -> Option<Hour> {
        let (month, day, hour) = yearless(key)?;
        let limit = self.context.reference.plus(Span::from_hours(24)).micros();
        let this_year = self.zoned(self.context.reference)?.year();
        let fits = |year: i16| {
            let date = Date::new(year, month, day).ok()?;
            (self.local(date.to_datetime(clock_time(hour, 0)?))? <= limit).then_some(date)
        };
        let date = (0..=9).find_map(|back| fits(this_year + 1 - back))?;
        let found = self.hour_of(date, hour)?;
        self.yearless_hour.keep(*key, found);
        Some(found)
    }

    fn hour_of(&self, date: Date, hour: i8) -> Option<Hour> {
        let (first, last) = (clock_time(hour, 0)?, clock_time(hour, 3_599)?);
        let zone = &self.context.zone;
        let begin = zone.to_ambiguous_timestamp(date.to_datetime(first));
        let end = zone.to_ambiguous_timestamp(date.to_datetime(last));
        let is_certain = !begin.is_ambiguous() && !end.is_ambiguous();
        let begin = begin.compatible().ok()?.as_microsecond();
        let end = end.compatible().ok()?.as_microsecond();
        let is_steady = is_certain && end - begin == 3_599_000_000;
        Some(if is_steady { Hour::Steady(begin) } else { Hour::Shifting(date, hour) })
    }

    fn at(&self, hour: Hour, past_hour: i64, micros: i64) -> Option<Timestamp> {
        let begin = match hour {
            Hour::Steady(begin) => begin + past_hour * 1_000_000,
            Hour::Shifting(date, hour) => self.shifting(date.to_datetime(clock_time(hour, past_hour)?))?,
        };
        Some(Timestamp::from_micros(begin + micros))
    }

    /// A local time that may come twice, when the clocks go back: the second time if the first would be before the last line.
    fn shifting(&self, local: DateTime) -> Option<i64> {
        let earlier = self.local(local)?;
        let later = self.context.zone.to_ambiguous_timestamp(local).later().ok()?.as_microsecond();
        let last = self.last.micros();
        // Lines of several processes may be a little out of order.
        let is_past = last - earlier > 120_000_000;
        Some(if is_past && (later - last).abs() < 3_600_000_000 { later } else { earlier })
    }

    fn local(&self, local: DateTime) -> Option<i64> {
        Some(self.context.zone.to_ambiguous_timestamp(local).compatible().ok()?.as_microsecond())
    }

    fn zoned(&self, time: Timestamp) -> Option<DateTime> {
        let time = jiff::Timestamp::from_microsecond(time.micros()).ok()?;
        Some(self.context.zone.to_datetime(time))
    }
}

fn clock_time(hour: i8, past_hour: i64) -> Option<Time> {
    // A leap second is told as the second before it.
    let (minute, second) = (past_hour / 60, past_hour % 60);
    Time::new(hour, i8::try_from(minute.min(59)).ok()?, i8::try_from(second).ok()?, 0).ok()
}

fn date(key: &[u8; 10]) -> Option<Date> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = key else { return None };
    let year = two(y1, y2)? * 100 + two(y3, y4)?;
    let (month, day) = (two(m1, m2)?, two(d1, d2)?);
    Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// Month, day and hour of `Oct 10 01`.
fn yearless(key: &[u8; 9]) -> Option<(i8, i8, i8)> {
    let &[m1, m2, m3, b' ', d1, d2, b' ', h1, h2] = key else { return None };
    let month = (1..).zip(MONTHS).find(|(_, name)| **name == [m1, m2, m3])?.0;
    let day = two(if d1 == b' ' { b'0' } else { d1 }, d2).filter(|day| (1..=31).contains(day))?;
    let hour = two(h1, h2).filter(|&hour| hour < 24)?;
    Some((month, i8::try_from(day).ok()?, i8::try_from(hour).ok()?))
}

const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// Seconds past the hour of `:33:12`.
fn minute_second(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let &[b':', m1, m2, b':', s1, s2, ref rest @ ..] = bytes else { return None };
    let (minute, second) = (two(m1, m2)?, two(s1, s2)?);
    (minute < 60 && second <= 60).then_some((minute * 60 + second, rest))
}

/// Microseconds of `.345678` or `,345`; zero where there is no fraction. Finer digits are dropped.
fn fraction(bytes: &[u8]) -> (i64, &[u8]) {
    let [b'.' | b',', digits @ ..] = bytes else { return (0, bytes) };
    let (digits, rest) = take_until(digits, |b| !b.is_ascii_digit());
    let mut micros = 0;
    let mut unit = 100_000;
    for &digit in digits.iter().take(6) {
        micros += i64::from(digit - b'0') * unit;
        unit /= 10;
    }
    (micros, rest)
}

/// Seconds east of UTC of `Z`, `+02:00`, `+0200` or `+02`; `None` where there is no offset.
fn offset(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let (sign, digits) = match bytes {
        [b'Z' | b'z', rest @ ..] => return Some((0, rest)),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let &[h1, h2, ref rest @ ..] = digits else { return None };
    let hours = two(h1, h2)?;
    let (minutes, rest) = match rest {
        [b':', m1, m2, rest @ ..] | [m1, m2, rest @ ..] if two(*m1, *m2).is_some() => (two(*m1, *m2)?, rest),
        _ => (0, rest),
    };
    Some((sign * (hours * 3_600 + minutes * 60), rest))
}

fn two(tens: u8, ones: u8) -> Option<i64> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| i64::from(tens) * 10 + i64::from(ones))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::{self, TimeZone};

    fn clock(reference: &str, zone: &str) -> Clock {
        let reference: jiff::Timestamp = reference.parse().unwrap();
        let zone = TimeZone::posix(zone).unwrap_or_else(|_| TimeZone::fixed(tz::offset(0)));
        Clock::new(Context { reference: Timestamp::from_micros(reference.as_microsecond()), zone })
    }

    fn check(clock: &mut Clock, line: &str, want: &str) {
        let got = clock.stamp(line.as_bytes(), None);
        let got = got.map(|(Stamp::Exact(time) | Stamp::Local(time), _)| time.to_string());
        assert_eq!(got.unwrap_or_default(), want, "{line}");
    }

    const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
    const LORD_HOWE: &str = "LHST-10:30LHDT-11,M10.1.0,M4.1.0";

    #[test]
    fn exact_stamps() {
        let mut clock = clock("2026-01-01T00:00:00Z", BERLIN);
        for (line, want) in [
            ("2025-10-10T01:33:12.345678+02:00 x", "2025-10-09T23:33:12.345678Z"),
            ("2025-10-10T01:33:12.3+02:00", "2025-10-09T23:33:12.300000Z"),
            ("2025-10-10T01:33:12.123456789Z", "2025-10-10T01:33:12.123456Z"),
            ("2025-10-10T01:33:12.345678+02:00 x", "2025-10-09T23:33:12.345678Z"),
            ("2025-10-10T01:33:59.000001+02:00 x", "2025-10-09T23:33:59.000001Z"),
            ("2025-10-10T01:33:60.999999+02:00", "2025-10-09T23:34:00.999999Z"),
            ("2025-10-10T01:33:13.345678-02:00", "2025-10-10T03:33:13.345678Z"),
            ("2025-10-10T01:33:13.345678-02:00", "2025-10-10T03:33:13.345678Z"),
            ("2025-10-10T01:33:1x.345678-02:00", ""),
            ("2025-10-10T01:33:13.34567x-02:00", "2025-10-09T23:33:13.345670Z"),
            ("2025-10-10T01:33:12-0330", "2025-10-10T05:03:12.000000Z"),
            ("2025-10-10T01:33:12+02 x", "2025-10-09T23:33:12.000000Z"),
            ("2026-11-20 17:48:41+00:00 INFO", "2026-11-20T17:48:41.000000Z"),
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000Z"),
            ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000000Z"),
            ("2025-10-10 01:41:17,484 fail2ban", "2025-10-09T23:41:17.484000Z"),
            ("2025-01-10 01:41:17 x", "2025-01-10T00:41:17.000000Z"),
            ("2025-02-29T00:00:00Z", ""),
            ("2025-13-01T00:00:00Z", ""),
            ("2025-10-10T24:00:00Z", ""),
            ("2025-10-10T01:60:00Z", ""),
            ("2025-10-10", ""),
            ("", ""),
        ] {
            check(&mut clock, line, want);
        }
    }

    #[test]
    fn a_year_is_found_across_new_year() {
        for (reference, line, want) in [
            ("2026-01-01T00:00:30Z", "Dec 31 23:59:59 x", "2025-12-31T22:59:59.000000Z"),
            ("2026-01-01T00:00:30Z", "Jan  1 00:00:01 x", "2025-12-31T23:00:01.000000Z"),
            ("2025-12-31T23:59:59Z", "Jan 01 00:30:00 x", "2025-12-31T23:30:00.000000Z"),
            ("2026-06-15T12:00:00Z", "Jun 16 01:00:00 x", "2026-06-15T23:00:00.000000Z"),
            ("2026-06-15T12:00:00Z", "Jun 18 01:00:00 x", "2025-06-17T23:00:00.000000Z"),
            ("2026-06-15T12:00:00Z", "Feb 29 12:00:00.5 x", "2024-02-29T11:00:00.500000Z"),
            ("1904-01-01T00:00:00Z", "Feb 29 12:00:00 x", "1896-02-29T11:00:00.000000Z"),
            ("2026-06-15T12:00:00Z", "Feb 30 12:00:00 x", ""),
            ("2026-06-15T12:00:00Z", "Okt 10 12:00:00 x", ""),
            ("2026-06-15T12:00:00Z", "Oct 10 12:00 x", ""),
        ] {
            check(&mut clock(reference, BERLIN), line, want);
        }
    }

    #[test]
    fn clocks_that_change() {
        // Forward: 02:30 does not exist and is 03:30. Back: 02:30 comes twice, told apart by the lines before.
        let mut spring = clock("2026-06-01T00:00:00Z", BERLIN);
        check(&mut spring, "Mar 29 01:59:59", "2026-03-29T00:59:59.000000Z");
        check(&mut spring, "Mar 29 02:30:00", "2026-03-29T01:30:00.000000Z");
        check(&mut spring, "Mar 29 03:00:00", "2026-03-29T01:00:00.000000Z");
        let mut autumn = clock("2026-12-01T00:00:00Z", BERLIN);
        for (line, want) in [
            ("Oct 25 02:10:00", "2026-10-25T00:10:00.000000Z"),
            ("Oct 25 02:59:59", "2026-10-25T00:59:59.000000Z"),
            ("Oct 25 02:59:58", "2026-10-25T00:59:58.000000Z"),
            ("Oct 25 02:00:01", "2026-10-25T01:00:01.000000Z"),
            ("Oct 25 02:00:02", "2026-10-25T01:00:02.000000Z"),
            ("Oct 25 03:00:00", "2026-10-25T02:00:00.000000Z"),
        ] {
            check(&mut autumn, line, want);
        }
        // Half an hour: the offset changes within the hour.
        let mut island = clock("2026-12-01T00:00:00Z", LORD_HOWE);
        check(&mut island, "Oct  4 01:59:59", "2026-10-03T15:29:59.000000Z");
        check(&mut island, "Oct  4 02:45:00", "2026-10-03T15:45:00.000000Z");
    }

    #[test]
    fn a_moved_reference_moves_the_year() {
        let mut clock = clock("2025-12-31T12:00:00Z", BERLIN);
        check(&mut clock, "Dec 31 12:00:00", "2025-12-31T11:00:00.000000Z");
        clock.set_reference(Timestamp::from_micros(1_798_718_400_000_000));
        check(&mut clock, "Dec 31 12:00:00", "2026-12-31T11:00:00.000000Z");
    }
}
