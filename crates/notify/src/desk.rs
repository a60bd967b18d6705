//! What is wrong, and what waits to be told: pure, and one document, so that killed anywhere there is all of it as before or
//! all as after.
//!
//! Each channel has a lane of its own. An alert waits in it until nothing holds it back: others that may go with it, the same thing
//! that was told just before, quiet hours, the most messages of an hour, a try that failed. What goes at once, goes in one message.

use std::collections::BTreeMap;

use mailward_model::{Span, Timestamp};
use mailward_report::{At, Severity};
use serde::{Deserialize, Serialize};

use crate::{Alert, Letter, Rules};

/// What is wrong, and what waits to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desk {
    version: u32,
    open: BTreeMap<String, Open>,
    /// What happened lately, and when: whoever is not sure whether he told it tells it again.
    #[serde(default)]
    happened: BTreeMap<String, At>,
    lanes: BTreeMap<String, Lane>,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Open {
    /// Who says so: only he can say that it is over.
    origin: String,
    alert: Alert,
    /// Since when nobody says so any more.
    #[serde(default)]
    missing: Option<At>,
}

/// What a channel has to tell, and has told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lane {
    next_id: u64,
    waiting: Vec<Waiting>,
    /// When something was told last, by key.
    told: BTreeMap<String, At>,
    /// Messages of the last hour.
    sent: Vec<At>,
    /// When the last message went.
    pub last: Option<At>,
    /// Why nothing goes, since the last time that something did.
    pub trouble: Option<Trouble>,
    /// Alerts that waited for too long, or among too many, and were not told.
    pub given_up: u64,
}

/// Why a channel does not work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// What the last try said.
    pub what: String,
    /// When the first one failed.
    pub since: At,
    /// How many failed.
    pub tries: u32,
    /// When it is tried again.
    pub again: At,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Waiting {
    id: u64,
    alert: Alert,
    queued: At,
    not_before: At,
    /// How often it was said.
    times: u32,
    #[serde(default)]
    letter: Option<Letter>,
    /// Whether it is on its way just now: what happens meanwhile is told by itself.
    #[serde(skip)]
    going: bool,
}

/// What goes in one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// The channel's name.
    pub channel: String,
    /// The same for each try.
    pub id: String,
    /// The alerts, each with how often it was said; the worst first.
    pub alerts: Vec<(Alert, u32)>,
    /// A letter, instead of alerts.
    pub letter: Option<Letter>,
    /// Alerts that were given up before.
    pub given_up: u64,
    ids: Vec<u64>,
}

/// The format that is written, and the newest that is read.
const VERSION: u32 = 1;
/// Alerts that wait in a lane.
const WAITING: usize = 500;
/// How long an alert waits at the most.
const STALE: Span = Span::from_days(7);
/// How long it is remembered what was told: as long as something may go on, and its end is told.
const TOLD: Span = Span::from_days(90);
/// How much of it; the oldest make room.
const TOLD_KEYS: usize = 5_000;
/// Alerts in one message.
const TOGETHER: usize = 30;
/// Bytes of an alert's text.
const TEXT: usize = 4_000;
const HOUR: Span = Span::from_hours(1);
/// Minutes until a failed try is repeated.
const PAUSES: [u64; 6] = [1, 2, 5, 10, 30, 60];

impl Desk {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self { version: VERSION, ..Self::default() }
    }

    /// As it was written by [`Desk::to_json`]; an error says why it cannot be read.
    ///
    /// # Errors
    /// When it is damaged, or a newer Mailward wrote it.
    pub fn from_json(bytes: &[u8]) -> Result<Self, String> {
        let mut desk: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if desk.version > VERSION {
            return Err(format!("a newer mailward wrote it (version {})", desk.version));
        }
        // Who says what is wrong may have to look around first.
        desk.open.values_mut().for_each(|open| open.missing = None);
        Ok(desk)
    }

    /// As a document.
    ///
    /// # Errors
    /// None in practice: there are only string keys and whole numbers.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// The lanes by the names of their channels.
    pub fn lanes(&self) -> impl Iterator<Item = (&str, &Lane)> {
        self.lanes.iter().map(|(name, lane)| (name.as_str(), lane))
    }

    /// What is wrong, the worst first.
    #[must_use]
    pub fn open(&self) -> Vec<&Alert> {
        let mut open: Vec<&Alert> = self.open.values().map(|open| &open.alert).collect();
        open.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.since.cmp(&b.since)));
        open
    }

    /// Goes on with these channels, and forgets what waits for others.
    pub fn keep_lanes(&mut self, rules: &Rules) {
        self.lanes.retain(|name, _| rules.routes.iter().any(|route| route.name == *name));
        for route in &rules.routes {
            self.lanes.entry(route.name.clone()).or_default();
        }
    }

    /// Something happened: there is no end of it to tell. What was said before, with the same time, is no news.
    pub fn happened(&mut self, alert: &Alert, rules: &Rules, now: Timestamp) {
        let key = clipped(alert).key;
        if self.happened.get(&key).is_some_and(|before| *before >= alert.since) {
            return;
        }
        self.happened.insert(key, alert.since);
        forget(&mut self.happened, now);
        self.tell(alert, rules, now);
    }

    /// These things are wrong, as `origin` sees it, and nothing else is. What he has not said for as long as `settled` is over.
    pub fn stand(&mut self, origin: &str, alerts: &[Alert], settled: Span, rules: &Rules, now: Timestamp) {
        for alert in alerts {
            let before = self.open.get_mut(&alert.key);
            let is_news = before.as_ref().is_none_or(|open| open.alert.severity < alert.severity);
            let since = before.as_ref().map_or(alert.since, |open| open.alert.since);
            let alert = Alert { since, ..clipped(alert) };
            if is_news {
                self.tell(&alert, rules, now);
            }
            let open = Open { origin: origin.to_owned(), alert, missing: None };
            self.open.insert(open.alert.key.clone(), open);
        }
        for key in self.settled(origin, alerts, settled, now) {
            if let Some(open) = self.open.remove(&key) {
                let over = Alert { resolved: Some(open.missing.unwrap_or(At(now))), ..open.alert };
                self.lanes.values_mut().for_each(|lane| lane.resolve(&over, rules, now));
            }
        }
    }

    /// What nobody has said for long enough.
    fn settled(&mut self, origin: &str, alerts: &[Alert], after: Span, now: Timestamp) -> Vec<String> {
        let mut settled = Vec::new();
        for (key, open) in &mut self.open {
            if open.origin != origin || alerts.iter().any(|alert| alert.key == *key) {
                continue;
            }
            let since = *open.missing.get_or_insert(At(now));
            if now.since(since.0) >= after {
                settled.push(key.clone());
            }
        }
        settled
    }

    /// A letter for all channels that take letters.
    pub fn post(&mut self, letter: &Letter, rules: &Rules, now: Timestamp) {
        for route in rules.routes.iter().filter(|route| route.letters) {
            let alert = Alert { title: letter.subject.clone(), since: At(now), ..Alert::default() };
            self.lanes.entry(route.name.clone()).or_default().push(alert, Some(letter.clone()), now, now);
        }
    }

    fn tell(&mut self, alert: &Alert, rules: &Rules, now: Timestamp) {
        let alert = clipped(alert);
        for route in rules.routes.iter().filter(|route| route.least <= alert.severity) {
            self.lanes.entry(route.name.clone()).or_default().raise(&alert, rules, now);
        }
    }

    /// When there is something to send next.
    #[must_use]
    pub fn next(&self, rules: &Rules, now: Timestamp) -> Option<Timestamp> {
        self.lanes.values().filter_map(|lane| lane.next(rules, now)).min()
    }

    /// What is to be sent now on one of the channels. Until it is told what became of it, it is not given again.
    pub fn take(&mut self, rules: &Rules, now: Timestamp) -> Option<Dispatch> {
        self.lanes.iter_mut().find_map(|(name, lane)| lane.take(name, rules, now))
    }

    /// It was sent.
    pub fn sent(&mut self, dispatch: &Dispatch, now: Timestamp) {
        if let Some(lane) = self.lanes.get_mut(&dispatch.channel) {
            lane.sent(dispatch, now);
        }
    }

    /// It was not, and why.
    pub fn failed(&mut self, dispatch: &Dispatch, what: &str, now: Timestamp) {
        if let Some(lane) = self.lanes.get_mut(&dispatch.channel) {
            lane.failed(what, now);
        }
    }
}

impl Lane {
    /// How many alerts wait.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn raise(&mut self, alert: &Alert, rules: &Rules, now: Timestamp) {
        let told = self.told.get(&alert.key).copied();
        let same = self.waiting.iter_mut().find(|waiting| waiting.is_of(&alert.key));
        if let Some(waiting) = same {
            if waiting.alert.resolved.is_some() && waiting.is_told(told) {
                // It was told, and its end was not: it goes on.
                let id = waiting.id;
                self.waiting.retain(|waiting| waiting.id != id);
                return;
            }
            let since = waiting.alert.since;
            waiting.alert = Alert { since, ..alert.clone() };
            waiting.times = waiting.times.saturating_add(1);
            return;
        }
        let at_once = alert.severity == Severity::Critical;
        let gathered = if at_once { now } else { now.plus(rules.gather) };
        let alike = told.filter(|_| !at_once).map_or(gathered, |told| told.0.plus(rules.alike));
        self.push(alert.clone(), None, gathered.max(alike), now);
    }

    /// It is over. What nobody was told of, and was over before anybody could be, is not told.
    fn resolve(&mut self, over: &Alert, rules: &Rules, now: Timestamp) {
        let told = self.told.get(&over.key).copied();
        if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.is_of(&over.key)) {
            let lasted = over.resolved.unwrap_or_default().0.since(over.since.0);
            waiting.alert.resolved = over.resolved;
            if lasted < rules.gather {
                let id = waiting.id;
                self.waiting.retain(|waiting| waiting.id != id);
            }
        } else if told.is_some_and(|told| told >= over.since)
            || self.waiting.iter().any(|waiting| waiting.going && waiting.alert.key == over.key)
        {
            self.push(over.clone(), None, now.plus(rules.gather), now);
        }
    }

    fn push(&mut self, alert: Alert, letter: Option<Letter>, not_before: Timestamp, now: Timestamp) {
        let id = self.next_id;
        self.next_id += 1;
        let (queued, not_before) = (At(now), At(not_before));
        self.waiting.push(Waiting { id, alert, queued, not_before, times: 1, letter, going: false });
        if self.waiting.len() > WAITING {
            // The least important one, of those the oldest.
            let rank = |waiting: &&Waiting| (waiting.alert.severity, waiting.queued, waiting.id);
            let least = self.waiting.iter().filter(|waiting| !waiting.going).min_by_key(rank);
            if let Some(id) = least.map(|waiting| waiting.id) {
                self.waiting.retain(|waiting| waiting.id != id);
                self.given_up += 1;
            }
        }
    }

    /// From when on the lane itself lets anything through.
    fn opens(&self, rules: &Rules, now: Timestamp) -> Timestamp {
        let failed = self.trouble.as_ref().map_or(now, |trouble| trouble.again.0);
        let full = self.sent.len().checked_sub(rules.hourly).and_then(|first| self.sent.get(first));
        full.map_or(failed, |first| first.0.plus(HOUR).max(failed))
    }

    fn next(&self, rules: &Rules, now: Timestamp) -> Option<Timestamp> {
        let opens = self.opens(rules, now);
        let waiting = self.waiting.iter().filter(|waiting| !waiting.going);
        waiting.map(|waiting| waiting.goes(rules, opens.max(now))).min()
    }

    fn take(&mut self, channel: &str, rules: &Rules, now: Timestamp) -> Option<Dispatch> {
        self.forget(now);
        if self.opens(rules, now) > now {
            return None;
        }
        let mut due: Vec<&mut Waiting> = self
            .waiting
            .iter_mut()
            .filter(|waiting| !waiting.going && waiting.goes(rules, now) <= now)
            .collect();
        due.sort_by_key(|waiting| (std::cmp::Reverse(waiting.alert.severity), waiting.id));
        let letter = due.iter().position(|waiting| waiting.letter.is_some());
        let due: Vec<&mut Waiting> = match letter {
            Some(place) => due.into_iter().skip(place).take(1).collect(),
            None => due.into_iter().take(TOGETHER).collect(),
        };
        let first = due.first()?;
        let id = format!("{}.{}.{}", first.queued.0.micros(), first.id, due.len());
        let letter = first.letter.clone();
        let (mut alerts, mut ids) = (Vec::new(), Vec::new());
        for waiting in due {
            waiting.going = true;
            ids.push(waiting.id);
            alerts.push((waiting.alert.clone(), waiting.times));
        }
        Some(Dispatch { channel: channel.to_owned(), id, alerts, letter, given_up: self.given_up, ids })
    }

    fn sent(&mut self, dispatch: &Dispatch, now: Timestamp) {
        self.waiting.retain(|waiting| !dispatch.ids.contains(&waiting.id));
        if dispatch.letter.is_none() {
            let keys = dispatch.alerts.iter().map(|(alert, _)| alert.key.clone());
            self.told.extend(keys.map(|key| (key, At(now))));
            self.given_up = self.given_up.saturating_sub(dispatch.given_up);
        }
        self.sent.push(At(now));
        self.last = Some(At(now));
        self.trouble = None;
        self.forget(now);
    }

    fn failed(&mut self, what: &str, now: Timestamp) {
        self.waiting.iter_mut().for_each(|waiting| waiting.going = false);
        let (since, tries) =
            self.trouble.as_ref().map_or((At(now), 0), |trouble| (trouble.since, trouble.tries));
        let pause = PAUSES.get(tries as usize).or(PAUSES.last()).copied().unwrap_or(1);
        let again = At(now.plus(Span::from_mins(pause)));
        self.trouble = Some(Trouble { what: what.to_owned(), since, tries: tries.saturating_add(1), again });
    }

    /// Lets go of what is too old to matter.
    fn forget(&mut self, now: Timestamp) {
        // A clock that was set back makes nothing wait for ever.
        self.sent.retain(|sent| sent.0 <= now && now.since(sent.0) < HOUR);
        forget(&mut self.told, now);
        let before = self.waiting.len();
        self.waiting.retain(|waiting| waiting.going || now.since(waiting.queued.0) < STALE);
        self.given_up += (before - self.waiting.len()) as u64;
        if let Some(trouble) = &mut self.trouble {
            trouble.again = trouble.again.min(At(now.plus(HOUR)));
        }
    }
}

impl Waiting {
    /// Whether it tells of this thing, and can still be changed.
    fn is_of(&self, key: &str) -> bool {
        !self.going && self.letter.is_none() && self.alert.key == key
    }

    /// Whether its begin was told.
    fn is_told(&self, told: Option<At>) -> bool {
        told.is_some_and(|told| told >= self.alert.since)
    }

    /// When it goes, if the lane is open from `opens` on.
    fn goes(&self, rules: &Rules, opens: Timestamp) -> Timestamp {
        let at = self.not_before.0.max(opens);
        if self.letter.is_some() { at } else { rules.after_quiet(at, self.alert.severity) }
    }
}

/// Lets go of what is too old, or too much.
fn forget(times: &mut BTreeMap<String, At>, now: Timestamp) {
    times.retain(|_, at| now.since(at.0) < TOLD);
    if times.len() > TOLD_KEYS {
        let mut sorted: Vec<At> = times.values().copied().collect();
        sorted.sort_unstable();
        let oldest = sorted.get(sorted.len() - TOLD_KEYS).copied().unwrap_or_default();
        times.retain(|_, at| *at >= oldest);
    }
}

/// An alert that is not longer than a message should be.
fn clipped(alert: &Alert) -> Alert {
    let clip = |text: &str| match text.char_indices().nth(TEXT) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    };
    Alert { key: clip(&alert.key), text: clip(&alert.text), ..alert.clone() }
}

#[cfg(test)]
mod tests;
