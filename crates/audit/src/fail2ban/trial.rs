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
    let doubled = super::sample::lines_counted(&jail.filter, super::sample::IMAP).max(1);
    for event in log.attacks.iter().flat_map(|attack| &attack.events) {
        if let Some(source) = jail.filter.counts(&event.line) {
            // The log's facts hold one line of an attempt; fail2ban sees them all.
            let lines =
                if event.line.contains(" dovecot") && event.line.contains("-login: ") { doubled } else { 1 };
            hits.entry(source).or_default().extend(std::iter::repeat_n(event.at, lines));
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

/// What a jail would have done about an attack, given its bans.
#[must_use]
pub fn effect(jail: &Jail, bans: &BTreeMap<String, i64>, attack: &LoggedAttack) -> Effect {
    let mut attempts: BTreeMap<(&str, u32), (i64, u32)> = BTreeMap::new();
    for event in &attack.events {
        let entry = attempts.entry((&event.source, event.attempt)).or_insert((event.at, 0));
        entry.0 = entry.0.min(event.at);
        entry.1 += u32::from(jail.filter.counts(&event.line).is_some());
    }
    let mut effect = Effect::default();
    for ((source, _), (at, lines)) in &attempts {
        effect.counted += u64::from(*lines > 0);
        effect.counted_twice += u64::from(*lines > 1);
        effect.prevented += u64::from(bans.get(*source).is_some_and(|banned| at > banned));
    }
    let sources = attack.sources.iter().map(|source| source.address.as_str());
    effect.banned = sources.filter(|source| bans.contains_key(*source)).count() as u64;
    effect
}
