//! What jails would have done about the attacks in a log.

use std::collections::BTreeMap;

use super::Jail;
use crate::facts::{LogFacts, LoggedAttack};

/// What a jail would have done about one kind of attack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// Attempts of which it counts a line.
    pub counted: u64,
    /// Attempts of which it counts two lines or more.
    pub counted_twice: u64,
    /// Attempts that would not have come through, because their source was banned before.
    pub prevented: u64,
    /// Sources that it bans.
    pub banned: u64,
}

/// When a jail bans whom, in milliseconds since 1970. All lines of the log count together, whatever attack they belong to.
#[must_use]
pub fn bans(jail: &Jail, log: &LogFacts) -> BTreeMap<String, i64> {
    let mut hits: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for event in log.attacks.iter().flat_map(|attack| &attack.events) {
        if let Some(source) = jail.filter.counts(&event.line) {
            hits.entry(source).or_default().push(event.at);
        }
    }
    hits.into_iter().filter_map(|(source, times)| Some((source, first_ban(jail, times)?))).collect()
}

/// When enough hits fall into the jail's window for the first time.
fn first_ban(jail: &Jail, mut times: Vec<i64>) -> Option<i64> {
    times.sort_unstable();
    let needed = usize::try_from(jail.max_retry.max(1)).ok()?;
    let window = jail.find_time.saturating_mul(1000);
    times.windows(needed).find_map(|hits| {
        let (first, last) = (hits.first()?, hits.last()?);
        (last - first <= window).then_some(*last)
    })
}

/// The attempts of an attack, by source and number, with the time of their first line and all their lines.
#[must_use]
pub fn attempts(attack: &LoggedAttack) -> Vec<Attempt<'_>> {
    let mut found: BTreeMap<(&str, u32), Attempt<'_>> = BTreeMap::new();
    for event in &attack.events {
        let new = || Attempt { source: &event.source, at: event.at, lines: Vec::new() };
        let attempt = found.entry((&event.source, event.attempt)).or_insert_with(new);
        attempt.at = attempt.at.min(event.at);
        attempt.lines.push(&event.line);
    }
    found.into_values().collect()
}

/// An attempt in a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempt<'a> {
    /// Where it came from.
    pub source: &'a str,
    /// When its first line was written, milliseconds since 1970.
    pub at: i64,
    /// Its lines.
    pub lines: Vec<&'a str>,
}

impl Attempt<'_> {
    /// Whether a ban at some time would have kept it out.
    #[must_use]
    pub fn is_after(&self, ban: Option<i64>) -> bool {
        ban.is_some_and(|ban| self.at > ban)
    }
}

/// What a jail would have done about an attack, given its bans.
#[must_use]
pub fn effect(jail: &Jail, bans: &BTreeMap<String, i64>, attack: &LoggedAttack) -> Effect {
    let mut effect = Effect::default();
    for attempt in attempts(attack) {
        let lines = attempt.lines.iter().filter(|line| jail.filter.counts(line).is_some()).count();
        effect.counted += u64::from(lines > 0);
        effect.counted_twice += u64::from(lines > 1);
        effect.prevented += u64::from(attempt.is_after(bans.get(attempt.source).copied()));
    }
    let sources = attack.sources.iter().map(|source| source.address.as_str());
    effect.banned = sources.filter(|source| bans.contains_key(*source)).count() as u64;
    effect
}
