//! A desk in the hands of a clock.

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::{Quiet, Route};

fn at(secs: i64) -> Timestamp {
    // 2026-11-22T00:00:00Z, so that hours of the day are those of the tests.
    Timestamp::from_secs(1_795_305_600 + secs)
}

fn rules() -> Rules {
    let route = |name: &str, least, letters| Route { name: name.into(), least, letters };
    Rules {
        gather: Span::from_secs(30),
        alike: Span::from_mins(30),
        quiet: None,
        loud: Severity::Critical,
        hourly: 20,
        zone: TimeZone::UTC,
        routes: vec![route("mail", Severity::Medium, true), route("phone", Severity::High, false)],
    }
}

fn alert(key: &str, severity: Severity, now: Timestamp) -> Alert {
    Alert { key: key.into(), severity, title: key.into(), since: At(now), ..Alert::default() }
}

/// A desk and a clock; what goes out is written as `second channel: key×times …`, an end as `~key`.
struct Office {
    desk: Desk,
    rules: Rules,
    now: i64,
    went: Vec<String>,
}

impl Office {
    fn new(rules: Rules) -> Self {
        let mut desk = Desk::new();
        desk.keep_lanes(&rules);
        Self { desk, rules, now: 0, went: Vec::new() }
    }

    /// Lets time go by, sending whatever is due exactly when the desk says that it is.
    fn until(&mut self, secs: i64) {
        loop {
            while let Some(dispatch) = self.desk.take(&self.rules, at(self.now)) {
                self.went.push(format!("{} {}", self.now, shown(&dispatch)));
                self.desk.sent(&dispatch, at(self.now));
            }
            let next = self.desk.next(&self.rules, at(self.now));
            let next = next.map(|next| next.since(at(0)).secs() as i64);
            match next {
                Some(next) if next <= secs => self.now = next.max(self.now + 1),
                _ => break,
            }
        }
        self.now = secs;
    }

    fn happened(&mut self, key: &str, severity: Severity) {
        self.desk.happened(&alert(key, severity, at(self.now)), &self.rules, at(self.now));
    }

    fn stand(&mut self, wrong: &[(&str, Severity)]) {
        let alerts: Vec<Alert> =
            wrong.iter().map(|(key, severity)| alert(key, *severity, at(self.now))).collect();
        self.desk.stand("guard", &alerts, Span::from_mins(2), &self.rules, at(self.now));
    }

    fn went(&mut self) -> Vec<String> {
        std::mem::take(&mut self.went)
    }
}

fn shown(dispatch: &Dispatch) -> String {
    let alerts = dispatch.alerts.iter().map(|(alert, times)| {
        let end = if alert.resolved.is_some() { "~" } else { "" };
        let often = if *times > 1 { format!("×{times}") } else { String::new() };
        format!("{end}{}{often}", alert.key)
    });
    let letter = dispatch.letter.as_ref().map(|letter| letter.subject.clone());
    let parts: Vec<String> = letter.into_iter().chain(alerts.filter(|key| !key.is_empty())).collect();
    format!("{}: {}", dispatch.channel, parts.join(" "))
}

use Severity::{Critical, High, Low, Medium};

#[test]
fn alerts_that_come_together_go_together_the_worst_first() {
    let mut office = Office::new(rules());
    office.happened("a", Medium);
    office.until(10);
    office.happened("b", High);
    office.happened("unimportant", Low);
    office.until(100);
    assert_eq!(office.went(), ["30 mail: a", "40 mail: b", "40 phone: b"]);
    office.happened("c", Medium);
    office.happened("d", High);
    office.until(200);
    assert_eq!(office.went(), ["130 mail: d c", "130 phone: d"]);
    office.happened("fire", Critical);
    office.until(201);
    assert_eq!(office.went(), ["200 mail: fire", "200 phone: fire"]);
}

#[test]
fn what_stays_broken_is_told_once_and_its_end_once() {
    let mut office = Office::new(rules());
    for second in (0..7_200).step_by(20) {
        office.until(second);
        office.stand(&[("disk", Medium)]);
    }
    assert_eq!(office.went(), ["30 mail: disk"]);
    for second in (7_200..7_600).step_by(20) {
        office.until(second);
        office.stand(&[]);
    }
    assert_eq!(office.went(), ["7350 mail: ~disk"]);
    assert!(office.desk.open().is_empty());
}

#[test]
fn what_nobody_was_told_of_has_no_end_to_tell() {
    let mut office = Office::new(rules());
    office.stand(&[("short", Low)]);
    office.until(200);
    office.stand(&[]);
    office.until(400);
    office.stand(&[]);
    office.until(4_000);
    assert!(office.went().is_empty());
}

#[test]
fn what_gets_worse_is_told_again() {
    let mut office = Office::new(rules());
    office.stand(&[("disk", Medium)]);
    office.until(60);
    office.stand(&[("disk", Critical)]);
    office.until(120);
    assert_eq!(office.went(), ["30 mail: disk", "60 mail: disk", "60 phone: disk"]);
}

#[test]
fn the_same_again_is_counted_and_told_later() {
    let mut office = Office::new(rules());
    for second in 0..600 {
        office.until(second);
        office.happened("guess/alice", High);
    }
    office.until(10_000);
    // The first one 30 s after it began; the rest half an hour after that.
    let went = office.went();
    assert_eq!(
        went,
        [
            "30 mail: guess/alice×30",
            "30 phone: guess/alice×30",
            "1830 mail: guess/alice×570",
            "1830 phone: guess/alice×570"
        ]
    );
}

#[test]
fn something_that_comes_and_goes_does_not_flood() {
    let mut office = Office::new(rules());
    for minute in 0..600 {
        office.until(minute * 60);
        if minute % 6 < 3 { office.stand(&[("flap", Medium)]) } else { office.stand(&[]) }
    }
    // Each half an hour at most an end, and a begin that may have its end with it.
    let went = office.went();
    assert!(went.len() <= 2 * 600 / 30 + 2, "{} {went:?}", went.len());
}

#[test]
fn quiet_hours_hold_back_what_is_not_loud() {
    let quiet = Quiet { from: "22:00".parse().unwrap(), to: "06:30".parse().unwrap() };
    let mut office = Office::new(Rules { quiet: Some(quiet), ..rules() });
    office.happened("a", Medium);
    office.until(3_600);
    office.happened("b", High);
    office.happened("fire", Critical);
    office.desk.post(
        &Letter { subject: "Digest".into(), ..Letter::default() },
        &office.rules,
        at(office.now),
    );
    office.until(12 * 3_600);
    let morning = 6 * 3_600 + 30 * 60;
    assert_eq!(
        office.went(),
        [
            "3600 mail: Digest".to_owned(),
            "3600 mail: fire".to_owned(),
            "3600 phone: fire".to_owned(),
            format!("{morning} mail: b a"),
            format!("{morning} phone: b"),
        ]
    );
}

#[test]
fn an_hour_has_only_so_many_messages() {
    let mut office = Office::new(Rules { hourly: 3, ..rules() });
    for second in 0..3_000 {
        office.until(second);
        office.happened(&format!("k{}", second / 60), Medium);
    }
    office.until(20_000);
    let went = office.went();
    let seconds: Vec<i64> =
        went.iter().map(|line| line.split(' ').next().unwrap().parse().unwrap()).collect();
    assert!(seconds.windows(4).all(|four| four[3] - four[0] >= 3_600), "{went:?}");
    // Nothing is lost by it: what waited goes in one message, and 30 in one at the most.
    let told: std::collections::BTreeSet<&str> = went
        .iter()
        .flat_map(|line| line.split(' ').skip(2))
        .map(|key| key.split('×').next().unwrap())
        .collect();
    assert_eq!(told.len(), 50, "{went:?}");
}

#[test]
fn a_failed_channel_is_tried_less_and_less_often_and_holds_up_no_other() {
    let mut office = Office::new(rules());
    office.happened("a", High);
    office.now = 30;
    let mut tries = Vec::new();
    let mut phone = 0;
    while office.now < 20_000 {
        while let Some(dispatch) = office.desk.take(&office.rules, at(office.now)) {
            if dispatch.channel == "mail" {
                tries.push(office.now);
                office.desk.failed(&dispatch, "refused", at(office.now));
            } else {
                phone += 1;
                office.desk.sent(&dispatch, at(office.now));
            }
        }
        let next = office.desk.next(&office.rules, at(office.now)).unwrap();
        office.now = next.since(at(0)).secs() as i64;
    }
    let minutes: Vec<i64> = tries.windows(2).map(|pair| (pair[1] - pair[0]) / 60).collect();
    assert_eq!(minutes, [1, 2, 5, 10, 30, 60, 60, 60, 60]);
    assert_eq!(phone, 1);
    let (_, lane) = office.desk.lanes().find(|(name, _)| *name == "mail").unwrap();
    let trouble = lane.trouble.as_ref().unwrap();
    assert_eq!((trouble.what.as_str(), trouble.tries), ("refused", tries.len() as u32));
}

#[test]
fn what_happens_while_a_message_is_on_its_way_is_told_by_itself() {
    let mut office = Office::new(rules());
    office.stand(&[("disk", Medium)]);
    let dispatch = office.desk.take(&office.rules, at(30)).unwrap();
    office.stand(&[]);
    office.now = 121;
    office.stand(&[]);
    assert!(office.desk.take(&office.rules, at(200)).is_none_or(|other| shown(&other) == "mail: ~disk"));
    office.desk.sent(&dispatch, at(130));
    assert!(office.desk.lanes().all(|(_, lane)| lane.waiting() <= 1));
}

#[test]
fn the_file_tells_all_and_a_damaged_or_newer_one_is_an_error() {
    let mut office = Office::new(rules());
    office.stand(&[("disk", Medium), ("other\u{1b}\"", High)]);
    office.until(45);
    office.happened("x", High);
    let bytes = office.desk.to_json().unwrap();
    assert_eq!(Desk::from_json(&bytes).unwrap(), office.desk);
    assert!(Desk::from_json(&bytes[..bytes.len() / 2]).is_err());
    let newer = String::from_utf8(bytes).unwrap().replace("\"version\":1", "\"version\":2");
    assert!(Desk::from_json(newer.as_bytes()).unwrap_err().contains("newer"));
}

#[test]
fn what_is_told_again_with_the_same_time_is_no_news() {
    let mut office = Office::new(rules());
    let same = alert("stolen/alice", High, at(0));
    for second in [0, 40, 4_000] {
        office.until(second);
        office.desk = Desk::from_json(&office.desk.to_json().unwrap()).unwrap();
        office.desk.happened(&same, &office.rules, at(office.now));
    }
    office.until(10_000);
    assert_eq!(office.went(), ["30 mail: stolen/alice", "30 phone: stolen/alice"]);
}

#[test]
fn what_waits_is_bounded_and_the_important_stays() {
    let mut office = Office::new(rules());
    office.happened("important", High);
    for n in 0..10_000 {
        office.happened(&format!("noise{n}"), Medium);
    }
    let (_, lane) = office.desk.lanes().find(|(name, _)| *name == "mail").unwrap();
    assert_eq!((lane.waiting(), lane.given_up), (WAITING, 10_001 - WAITING as u64));
    let first = office.desk.take(&office.rules, at(60)).unwrap();
    assert_eq!(first.alerts[0].0.key, "important");
    assert_eq!(first.given_up, 10_001 - WAITING as u64);
}

#[derive(Clone, Debug)]
enum Step {
    Wait(u16),
    Happened(u8),
    Stand(Vec<(u8, Severity)>),
    Send,
    Fail,
    /// Killed and started again, with what is on the disk.
    Restart,
}

fn severity() -> impl Strategy<Value = Severity> {
    prop_oneof![Just(Low), Just(Medium), Just(High), Just(Critical)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..2_000_u16).prop_map(Step::Wait),
        (0..4_u8).prop_map(Step::Happened),
        proptest::collection::vec((4..8_u8, severity()), 0..4).prop_map(Step::Stand),
        Just(Step::Send),
        Just(Step::Fail),
        Just(Step::Restart),
    ]
}

proptest! {
    /// Whatever happens in whatever order, killed at any moment: all that was said loudly enough is told in the end.
    #[test]
    fn nothing_is_lost(steps in proptest::collection::vec(step(), 1..60)) {
        let mut office = Office::new(rules());
        let mut said = std::collections::BTreeSet::new();
        let mut told = std::collections::BTreeSet::new();
        for step in steps {
            match step {
                Step::Wait(secs) => office.now += i64::from(secs),
                Step::Happened(number) => {
                    let severity = [Low, Medium, High, Critical][usize::from(number)];
                    let key = format!("e{number}");
                    office.happened(&key, severity);
                    if severity >= Medium { said.insert(key); }
                }
                Step::Stand(wrong) => {
                    let keys: Vec<(String, Severity)> =
                        wrong.iter().map(|(key, severity)| (format!("s{key}"), *severity)).collect();
                    let wrong: Vec<(&str, Severity)> =
                        keys.iter().map(|(key, severity)| (key.as_str(), *severity)).collect();
                    office.stand(&wrong);
                }
                Step::Send | Step::Fail => {
                    if let Some(dispatch) = office.desk.take(&office.rules, at(office.now)) {
                        if matches!(step, Step::Fail) {
                            office.desk.failed(&dispatch, "no", at(office.now));
                        } else {
                            if dispatch.channel == "mail" {
                                told.extend(dispatch.alerts.iter().map(|(alert, _)| alert.key.clone()));
                            }
                            office.desk.sent(&dispatch, at(office.now));
                        }
                    }
                }
                Step::Restart => {
                    // As if killed between taking and sending: what was on its way is on the disk.
                    let _ = office.desk.take(&office.rules, at(office.now));
                    office.desk = Desk::from_json(&office.desk.to_json().unwrap()).unwrap();
                }
            }
        }
        for _ in 0..100 {
            office.now += 4_000;
            while let Some(dispatch) = office.desk.take(&office.rules, at(office.now)) {
                if dispatch.channel == "mail" {
                    told.extend(dispatch.alerts.iter().map(|(alert, _)| alert.key.clone()));
                }
                office.desk.sent(&dispatch, at(office.now));
            }
        }
        let lost: Vec<_> = said.difference(&told).collect();
        prop_assert!(lost.is_empty(), "{:?}", lost);
        prop_assert!(office.desk.lanes().all(|(_, lane)| lane.waiting() == 0));
    }
}
