//! The story of an account or an address out of the events of logs, in bounded memory.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use mailward_model::{Event, EventKind, Network, Text, Timestamp};
use mailward_report::At;
use mailward_report::incident::{BadLogin, PlaceRow, Timeline, TimelineStep};

const HOUR: i64 = 3_600_000_000;
/// Networks, steps, messages and domains that are remembered at most; on a busy server weeks of one account.
const MOST: usize = 20_000;
/// Steps that are told.
const TOLD: usize = 200;

/// After so many wrong passwords from a network a login from there is a guess that hit.
const GUESSES: u64 = 3;
/// So many recipients within an hour, and so many times more than from anywhere else, are not the owner's.
const BURST: u64 = 20;
const TIMES: u64 = 5;
/// So many within an hour are nobody's own, where there is nothing to compare with and no mailbox was opened from there.
const LONE_BURST: u64 = 100;

/// Whose story is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// An account, by its login name.
    Account(String),
    /// An address or a network.
    Network(Network),
}

impl Subject {
    /// What was typed: an address or network, or else an account.
    pub(crate) fn of(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Account(text.to_owned()), Self::Network)
    }
}

/// Hears events in the order of logs, and tells the story.
pub(crate) struct Teller {
    subject: Subject,
    places: BTreeMap<String, Seen>,
    steps: BTreeMap<(i64, String, &'static str), TimelineStep>,
    /// Messages under way, by queue id: the place that sent them, and whether their recipients are counted.
    messages: HashMap<Vec<u8>, (String, bool)>,
    domains: HashMap<String, u64>,
    logs: Option<(At, At)>,
    full: bool,
}

/// What is known of a place.
#[derive(Clone, Debug, Default)]
struct Seen {
    row: PlaceRow,
    address: String,
    first_login: Option<At>,
    failures_before: u64,
    reads: bool,
    /// Recipients by hour.
    hours: BTreeMap<i64, u64>,
}

impl Seen {
    fn peak(&self) -> u64 {
        self.hours.values().copied().max().unwrap_or(0)
    }
}

impl Teller {
    pub(crate) fn of(subject: Subject) -> Self {
        Self {
            subject,
            places: BTreeMap::new(),
            steps: BTreeMap::new(),
            messages: HashMap::new(),
            domains: HashMap::new(),
            logs: None,
            full: false,
        }
    }

    /// Hears an event.
    pub(crate) fn event(&mut self, event: &Event<'_>) {
        let at = At(event.time);
        self.logs = Some(self.logs.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
        match event.kind {
            EventKind::LoginSucceeded => self.login(event, true),
            EventKind::LoginFailed => self.failure(event),
            EventKind::MessageBegun => self.begun(event),
            EventKind::QueueActive => self.active(event),
            EventKind::Delivered => self.outcome(event, "delivered"),
            EventKind::Bounced => self.outcome(event, "bounced"),
            EventKind::Rejected => self.refused(event),
            EventKind::QueueRemoved => {
                self.messages.remove(event.queue_id.bytes());
            }
            _ => {}
        }
    }

    /// The name of the place that an event belongs to, if it is the subject's; with its address.
    fn place(&self, event: &Event<'_>, user: Text<'_>) -> Option<(String, IpAddr)> {
        let address = event.address()?;
        match &self.subject {
            Subject::Account(account) => {
                let same = user.bytes().eq_ignore_ascii_case(account.as_bytes());
                same.then(|| (around(address).to_string(), address))
            }
            Subject::Network(network) if network.contains(address) => {
                let name =
                    if user.is_empty() { "nobody's".to_owned() } else { user.lossy().to_ascii_lowercase() };
                Some((name, address))
            }
            Subject::Network(_) => None,
        }
    }

    fn seen(&mut self, name: &str, address: IpAddr, time: Timestamp) -> Option<&mut Seen> {
        if !self.places.contains_key(name) && self.places.len() >= MOST {
            self.full = true;
            return None;
        }
        let at = At(time);
        let seen = self.places.entry(name.to_owned()).or_insert_with(|| Seen {
            row: PlaceRow { name: name.to_owned(), first: at, last: at, ..PlaceRow::default() },
            address: address.to_string(),
            ..Seen::default()
        });
        seen.row.first = seen.row.first.min(at);
        seen.row.last = seen.row.last.max(at);
        Some(seen)
    }

    fn step(
        &mut self,
        time: Timestamp,
        place: &str,
        what: &'static str,
        count: u64,
    ) -> Option<&mut TimelineStep> {
        let key = (time.micros().div_euclid(HOUR), place.to_owned(), what);
        if !self.steps.contains_key(&key) && self.steps.len() >= MOST {
            self.full = true;
            return None;
        }
        let at = At(time);
        let step = self.steps.entry(key).or_insert_with(|| TimelineStep {
            time: at,
            last: at,
            what: what.to_owned(),
            place: place.to_owned(),
            ..TimelineStep::default()
        });
        step.time = step.time.min(at);
        step.last = step.last.max(at);
        step.count += count;
        Some(step)
    }

    fn login(&mut self, event: &Event<'_>, reads: bool) {
        let Some((place, address)) = self.place(event, event.user) else { return };
        let Some(seen) = self.seen(&place, address, event.time) else { return };
        seen.row.logins += 1;
        seen.reads |= reads;
        if seen.first_login.is_none() {
            seen.first_login = Some(At(event.time));
            seen.failures_before = seen.row.failures;
            seen.address = address.to_string();
        }
        let service = if event.service.is_empty() { event.tag } else { event.service }.lossy().into_owned();
        if let Some(step) = self.step(event.time, &place, "login", 1)
            && !step.text.split(", ").any(|known| known == service)
        {
            let comma = if step.text.is_empty() { "" } else { ", " };
            step.text = format!("{}{comma}{service}", step.text);
        }
    }

    fn failure(&mut self, event: &Event<'_>) {
        let Some((place, address)) = self.place(event, event.user) else { return };
        let count = u64::from(event.count) * u64::from(event.repeated);
        if let Some(seen) = self.seen(&place, address, event.time) {
            seen.row.failures += count;
        }
        self.step(event.time, &place, "wrong-password", count);
    }

    /// Postfix says whose a session is only when a message begins: that is its login, too.
    fn begun(&mut self, event: &Event<'_>) {
        let logged_in = !event.user.is_empty();
        let Some((place, address)) = self.place(event, event.user) else { return };
        if logged_in {
            self.login(event, false);
        }
        if let Some(seen) = self.seen(&place, address, event.time) {
            seen.row.messages += 1;
        }
        self.step(event.time, &place, "sent", 1);
        if self.messages.len() < MOST {
            self.messages.insert(event.queue_id.bytes().to_vec(), (place, false));
        } else {
            self.full = true;
        }
    }

    /// A message that is tried again becomes active again, and has the same recipients.
    fn active(&mut self, event: &Event<'_>) {
        let Some((place, counted)) = self.messages.get_mut(event.queue_id.bytes()) else { return };
        if std::mem::replace(counted, true) {
            return;
        }
        let place = place.clone();
        let recipients = u64::from(event.recipients);
        if let Some(seen) = self.places.get_mut(&place) {
            seen.row.recipients += recipients;
            *seen.hours.entry(event.time.micros().div_euclid(HOUR)).or_default() += recipients;
        }
    }

    fn outcome(&mut self, event: &Event<'_>, what: &'static str) {
        let Some((place, _)) = self.messages.get(event.queue_id.bytes()) else { return };
        let place = place.clone();
        self.step(event.time, &place, what, 1);
        let recipient = event.recipient.lossy().to_ascii_lowercase();
        let domain = recipient.rsplit('@').next().unwrap_or(&recipient).to_owned();
        if self.domains.len() < MOST || self.domains.contains_key(&domain) {
            *self.domains.entry(domain).or_default() += 1;
        }
    }

    /// A refused recipient has no login in its line: the sender tells whose it was, where the place is known already.
    fn refused(&mut self, event: &Event<'_>) {
        let Some((place, _)) = self.place(event, event.sender) else { return };
        if self.places.contains_key(&place)
            && let Some(step) = self.step(event.time, &place, "refused", 1)
        {
            step.text = event.detail.lossy().into_owned();
        }
    }

    /// The story. `more` is what Mailward itself did.
    pub(crate) fn tell(mut self, subject: &str, now: At, more: Vec<TimelineStep>) -> Timeline {
        let judged: Vec<(String, String)> = match self.subject {
            Subject::Account(_) => self
                .places
                .iter()
                .filter_map(|(name, seen)| Some((name.clone(), self.against(seen)?)))
                .collect(),
            Subject::Network(_) => Vec::new(),
        };
        for (name, why) in judged {
            if let Some(seen) = self.places.get_mut(&name) {
                seen.row.why = why;
            }
        }
        let bad = self.places.values().filter(|seen| !seen.row.why.is_empty());
        let first_bad = bad
            .filter_map(|seen| Some((seen.first_login?, seen)))
            .min_by_key(|(time, _)| *time)
            .map(|(time, seen)| BadLogin { time, address: seen.address.clone(), why: seen.row.why.clone() });
        let is_bad = |place: &str| self.places.get(place).is_some_and(|seen| !seen.row.why.is_empty());
        let mut steps: Vec<TimelineStep> = std::mem::take(&mut self.steps)
            .into_values()
            .map(|step| TimelineStep { bad: is_bad(&step.place), ..step })
            .chain(more)
            .collect();
        steps.sort_by_key(|step| step.time);
        let left_out = steps.len().saturating_sub(TOLD);
        steps.drain(..left_out);
        let mut places: Vec<PlaceRow> = self.places.into_values().map(|seen| seen.row).collect();
        places.sort_by_key(|place| place.first);
        let note = "more places, messages or hours than are remembered: give a shorter log".to_owned();
        Timeline {
            subject: subject.to_owned(),
            now,
            logs: self.logs,
            first_bad,
            places,
            recipients: self.domains.into_iter().collect(),
            steps,
            left_out: left_out as u64,
            notes: self.full.then_some(note).into_iter().collect(),
        }
    }

    /// What speaks against a place.
    fn against(&self, seen: &Seen) -> Option<String> {
        seen.first_login?;
        if seen.failures_before >= GUESSES {
            return Some(format!(
                "its first login came after {} wrong passwords from there",
                seen.failures_before
            ));
        }
        let others =
            self.places.values().filter(|other| other.row.name != seen.row.name && other.row.logins > 0);
        let elsewhere: Vec<u64> = others.map(Seen::peak).collect();
        let (peak, most) = (seen.peak(), elsewhere.iter().copied().max().unwrap_or(0));
        if !elsewhere.is_empty() && peak >= BURST && peak >= TIMES * most.max(1) {
            return Some(format!(
                "{peak} recipients within an hour; from nowhere else were there more than {most}"
            ));
        }
        (elsewhere.is_empty() && peak >= LONE_BURST && !seen.reads)
            .then(|| format!("{peak} recipients within an hour, and no mailbox was opened from there"))
    }
}

/// The network that a home or an office has.
const fn around(address: IpAddr) -> Network {
    Network::around(address, if address.is_ipv4() { 24 } else { 56 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;
    use mailward_parse::{Context, Parser, split_lines};

    fn told(subject: &str, lines: &[&str]) -> Timeline {
        let reference = Timestamp::from_micros(1_795_400_000_000_000);
        let mut parser = Parser::new(Context { reference, zone: TimeZone::UTC });
        let mut teller = Teller::of(Subject::of(subject));
        let text = lines.join("\n") + "\n";
        for line in split_lines(text.as_bytes()) {
            teller.event(&parser.parse(line));
        }
        teller.tell(subject, At(reference), Vec::new())
    }

    const HOME: &str = "2026-11-21T08:00:01.000000+00:00 mail dovecot: imap-login: Login: user=<rosa@example.org>, method=PLAIN, rip=203.0.113.21, lip=198.51.100.25, mpid=7, TLS, session=<a>";

    fn message(n: u32, recipients: u32) -> Vec<String> {
        let at =
            format!("2026-11-21T09:00:{n:02}.000000+00:00 mail postfix/submission/smtpd[12]: 4F1A2B{n:04}");
        let queue = format!("2026-11-21T09:00:{n:02}.100000+00:00 mail postfix/qmgr[9]: 4F1A2B{n:04}");
        let sent = format!("2026-11-21T09:00:{n:02}.200000+00:00 mail postfix/smtp[8]: 4F1A2B{n:04}");
        vec![
            format!("{at}: client=unknown[198.51.100.66], sasl_method=PLAIN, sasl_username=rosa@example.org"),
            format!("{queue}: from=<rosa@example.org>, size=300, nrcpt={recipients} (queue active)"),
            format!(
                "{sent}: to=<kim@shop.example>, relay=mx.shop.example[192.0.2.9]:25, delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (250 ok)"
            ),
            format!("{queue}: removed"),
        ]
    }

    #[test]
    fn the_first_bad_login_is_that_of_the_burst() {
        let burst: Vec<String> = (1..=30).flat_map(|n| message(n, 3)).collect();
        let mut lines = vec![HOME];
        lines.extend(burst.iter().map(String::as_str));
        let story = told("Rosa@example.org", &lines);
        let bad = story.first_bad.unwrap();
        assert_eq!(
            (bad.address.as_str(), bad.time.0.to_string().as_str()),
            ("198.51.100.66", "2026-11-21T09:00:01.000000Z")
        );
        assert!(bad.why.starts_with("90 recipients within an hour"), "{}", bad.why);
        let places: Vec<_> =
            story.places.iter().map(|it| (it.name.as_str(), it.logins, it.messages, it.recipients)).collect();
        assert_eq!(places, [("203.0.113.0/24", 1, 0, 0), ("198.51.100.0/24", 30, 30, 90)]);
        assert_eq!(story.recipients.count("shop.example"), 30);
        let steps: Vec<_> = story.steps.iter().map(|it| (it.what.as_str(), it.count, it.bad)).collect();
        assert_eq!(
            steps,
            [("login", 1, false), ("login", 30, true), ("sent", 30, true), ("delivered", 30, true)]
        );
    }

    #[test]
    fn a_login_after_guesses_is_bad_and_a_mistyped_password_is_not() {
        let failed = |n: u32, address: &str, times: u32| {
            format!(
                "2026-11-21T09:0{n}:01.000000+00:00 mail dovecot: imap-login: Disconnected: Connection closed (auth failed, {times} attempts in 4 secs): user=<rosa@example.org>, method=PLAIN, rip={address}, lip=198.51.100.25, TLS, session=<b{n}>"
            )
        };
        let hit = "2026-11-21T09:05:01.000000+00:00 mail dovecot: imap-login: Login: user=<rosa@example.org>, method=PLAIN, rip=198.51.100.66, lip=198.51.100.25, mpid=7, TLS, session=<c>";
        let mistyped = failed(1, "203.0.113.21", 1);
        assert_eq!(told("rosa@example.org", &[&mistyped, HOME]).first_bad, None);
        let guessed = failed(2, "198.51.100.66", 4);
        let story = told("rosa@example.org", &[HOME, &guessed, hit]);
        assert_eq!(story.first_bad.unwrap().why, "its first login came after 4 wrong passwords from there");
        // The same, told of the address.
        let story = told("198.51.100.66", &[HOME, &guessed, hit]);
        let rows: Vec<_> = story.places.iter().map(|it| (it.name.as_str(), it.logins, it.failures)).collect();
        assert_eq!(rows, [("rosa@example.org", 1, 4)]);
        assert_eq!(story.first_bad, None);
    }

    #[test]
    fn an_ordinary_mailing_of_the_owner_is_not_bad() {
        let usual: Vec<String> = (1..=3).flat_map(|n| message(n, 10)).collect();
        let lines: Vec<&str> = usual.iter().map(String::as_str).collect();
        assert_eq!(told("rosa@example.org", &lines).first_bad, None, "there is nothing to compare with");
    }
}
