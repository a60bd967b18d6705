//! Instants in documents.

use core::fmt;

use jiff::tz::TimeZone;
use mailward_model::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant in a document: RFC 3339 in UTC with microseconds in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct At(#[cfg_attr(feature = "schema", schemars(with = "String"))] pub Timestamp);

impl At {
    /// Seconds from an earlier instant to this one; 0 if it is not earlier.
    #[must_use]
    pub const fn seconds_since(self, earlier: Self) -> u64 {
        self.0.since(earlier.0).secs()
    }
}

impl From<Timestamp> for At {
    fn from(time: Timestamp) -> Self {
        Self(time)
    }
}

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for At {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let instant: jiff::Timestamp = text.parse().map_err(serde::de::Error::custom)?;
        Ok(Self(Timestamp::from_micros(instant.as_microsecond())))
    }
}

/// Shows instants in a zone; short ones leave out what all instants of a document share.
#[derive(Clone, Debug)]
pub(crate) struct Clock<'a> {
    zone: &'a TimeZone,
    short: &'static str,
}

impl<'a> Clock<'a> {
    /// For a document whose instants lie between two.
    pub(crate) fn between(zone: &'a TimeZone, first: Option<At>, last: Option<At>) -> Self {
        let day = |at: Option<At>| civil(zone, at?).map(|zoned| zoned.date());
        let short = match (day(first), day(last)) {
            (Some(first), Some(last)) if first == last => "%H:%M:%S",
            (Some(first), Some(last)) if first.year() == last.year() => "%b %d %H:%M",
            _ => "%Y-%m-%d %H:%M",
        };
        Self { zone, short }
    }

    /// For a document about the present: today's instants by the time of day.
    pub(crate) fn at(zone: &'a TimeZone, now: At) -> Self {
        Self::between(zone, Some(now), Some(now))
    }

    /// Without what the document's instants share.
    pub(crate) fn short(&self, at: At) -> String {
        self.print(at, self.short)
    }

    /// The time of day for an instant on the same day as `now`, else with the date.
    pub(crate) fn near(&self, at: At, now: At) -> String {
        Self::between(self.zone, Some(at), Some(now)).short(at)
    }

    /// With everything.
    pub(crate) fn full(&self, at: At) -> String {
        self.print(at, "%Y-%m-%d %H:%M:%S %:z")
    }

    /// As a label on an axis whose ticks are this many seconds apart.
    pub(crate) fn tick(&self, at: At, step_seconds: u64) -> String {
        self.print(at, if step_seconds < 86_400 { "%H:%M" } else { "%b %d" })
    }

    fn print(&self, at: At, form: &str) -> String {
        match civil(self.zone, at) {
            Some(zoned) => zoned.strftime(form).to_string(),
            None => at.0.to_string(),
        }
    }
}

/// An instant beyond what calendars hold has none.
fn civil(zone: &TimeZone, at: At) -> Option<jiff::Zoned> {
    Some(jiff::Timestamp::from_microsecond(at.0.micros()).ok()?.to_zoned(zone.clone()))
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
