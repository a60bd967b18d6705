//! Counts by name, and how bad something is.

use core::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Tone;

/// Counts by name, the largest first, in JSON too; equal ones by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Tally(
    #[cfg_attr(feature = "schema", schemars(with = "std::collections::BTreeMap<String, u64>"))]
    Vec<(String, u64)>,
);

impl Tally {
    /// Name and count, the largest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, count)| (name.as_str(), *count))
    }

    /// The count of a name, 0 where it is not there.
    #[must_use]
    pub fn count(&self, name: &str) -> u64 {
        self.iter().find(|(other, _)| *other == name).map_or(0, |(_, count)| count)
    }

    /// All counts together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.iter().map(|(_, count)| count).fold(0, u64::saturating_add)
    }

    /// How many names.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no name.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The largest few as `name count, name count and 5 more`.
    pub(crate) fn few(&self, most: usize) -> String {
        let mut parts: Vec<String> = self
            .iter()
            .take(most)
            .map(
                |(name, count)| {
                    if count == 1 { name.to_owned() } else { format!("{name}\u{a0}\u{d7}{count}") }
                },
            )
            .collect();
        let rest = self.len().saturating_sub(most);
        if rest > 0 {
            parts.push(format!("and {rest} more"));
        }
        parts.join(", ")
    }
}

impl<N: Into<String>> FromIterator<(N, u64)> for Tally {
    fn from_iter<I: IntoIterator<Item = (N, u64)>>(counts: I) -> Self {
        let mut counts: Vec<_> = counts.into_iter().map(|(name, count)| (name.into(), count)).collect();
        counts.sort_by(|(name_a, a), (name_b, b)| b.cmp(a).then_with(|| name_a.cmp(name_b)));
        Self(counts)
    }
}

impl Serialize for Tally {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (name, count) in self.iter() {
            map.serialize_entry(name, &count)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Tally {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Counts)
    }
}

struct Counts;

impl<'de> Visitor<'de> for Counts {
    type Value = Tally;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("counts by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tally, A::Error> {
        let mut counts = Vec::new();
        while let Some(entry) = map.next_entry::<String, u64>()? {
            counts.push(entry);
        }
        Ok(counts.into_iter().collect())
    }
}

/// How bad something is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Background noise of the Internet.
    #[default]
    Info,
    /// Worth a glance.
    Low,
    /// An attack that could succeed one day.
    Medium,
    /// An attack that is hard to see, or close to success.
    High,
    /// Act now.
    Critical,
}

impl Severity {
    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    pub(crate) const fn tone(self) -> Tone {
        match self {
            Self::Info => Tone::Dim,
            Self::Low => Tone::Plain,
            Self::Medium => Tone::Notable,
            Self::High | Self::Critical => Tone::Bad,
        }
    }
}
