//! The greylist against its rules in plain words.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

fn greylist(settings: GreylistSettings) -> Greylist {
    Greylist::new(settings, Secret::new([7; 32]))
}

fn triplet(network: &str, sender: &str, recipient: &str) -> Triplet {
    let origin = Origin::Network(network.parse().unwrap());
    Triplet { origin, sender: normal(sender), recipient: recipient.into(), is_forged: false }
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_000_000_000 + secs)
}

#[test]
fn a_server_that_comes_again_is_known_from_then_on() {
    let mut list = greylist(GreylistSettings::default());
    let mail = triplet("198.51.100.0/24", "kim@partner.example", "alice@example.com");
    for (secs, expected) in [
        (0, Standing::New),
        (10, Standing::Early(Span::from_secs(290))),
        (299, Standing::Early(Span::from_secs(1))),
        (300, Standing::Passed),
        (301, Standing::Known),
        (34 * 86_400, Standing::Known),
        (34 * 86_400 + 35 * 86_400, Standing::New),
    ] {
        assert_eq!(list.look(&mail, at(secs)), expected, "{secs}");
        assert_eq!(list.attempt(&mail, at(secs)), expected, "{secs}");
    }
}

#[test]
fn whoever_was_written_to_is_known_by_the_address_as_it_counts() {
    let mut list = greylist(GreylistSettings::default());
    for address in ["kim42@partner.example", "Bob+Lists@partner.example", "news=7@partner.example"] {
        let answer = triplet("198.51.100.0/24", address, "alice@example.com");
        assert_eq!(list.look(&answer, at(0)), Standing::New, "{address}");
        list.wrote_to(address, at(0));
        assert_eq!(list.look(&answer, at(1)), Standing::Correspondent, "{address}");
        assert_eq!(list.look(&Triplet { is_forged: true, ..answer }, at(1)), Standing::New, "{address}");
    }
}

#[test]
fn a_clock_that_is_set_back_delays_nobody_for_longer() {
    let mut list = greylist(GreylistSettings::default());
    let mail = triplet("198.51.100.0/24", "kim@partner.example", "alice@example.com");
    list.attempt(&mail, at(0));
    assert_eq!(list.attempt(&mail, at(-86_400)), Standing::New);
    assert_eq!(list.attempt(&mail, at(-86_400 + 300)), Standing::Passed);
}

#[test]
fn who_comes_too_late_is_new() {
    let mut list = greylist(GreylistSettings::default());
    let mail = triplet("198.51.100.0/24", "kim@partner.example", "alice@example.com");
    list.attempt(&mail, at(0));
    assert_eq!(list.attempt(&mail, at(2 * 86_400)), Standing::New);
    assert_eq!(list.attempt(&mail, at(2 * 86_400 + 300)), Standing::Passed);
}

#[test]
fn a_network_that_comes_through_five_times_an_hour_apart_is_allowed() {
    let mut list = greylist(GreylistSettings::default());
    let mail = |n: i64| triplet("198.51.100.0/24", &format!("a@{n}.example"), "alice@example.com");
    for n in 0..5 {
        assert_eq!(list.attempt(&mail(n), at(n * 3_600)), Standing::New, "{n}");
        assert_eq!(list.attempt(&mail(n), at(n * 3_600 + 300)), Standing::Passed, "{n}");
    }
    assert_eq!(list.attempt(&mail(9), at(5 * 3_600)), Standing::Allowed);
    let elsewhere = triplet("203.0.113.0/24", "a@9.example", "alice@example.com");
    assert_eq!(list.attempt(&elsewhere, at(5 * 3_600)), Standing::New);
}

#[test]
fn whom_we_wrote_to_may_answer() {
    let mut list = greylist(GreylistSettings::default());
    list.wrote_to("Kim@Partner.example", at(0));
    let mail = triplet("198.51.100.0/24", "kim@partner.example", "alice@example.com");
    assert_eq!(list.attempt(&mail, at(1)), Standing::Correspondent);
    let bounce = triplet("198.51.100.0/24", "", "alice@example.com");
    assert_eq!(list.attempt(&bounce, at(1)), Standing::New);
}

#[test]
fn what_changes_from_message_to_message_is_the_same_sender() {
    for (sender, expected) in [
        ("Kim@Partner.Example", "kim@partner.example"),
        ("kim+news@partner.example", "kim@partner.example"),
        ("prvs=123abc=kim@partner.example", "kim@partner.example"),
        ("bounce-4711-99@list.example", "bounce-#-#@list.example"),
        ("bounce-1=alice=example.com@list.example", "bounce-#@list.example"),
        ("", ""),
        ("no domain", "no domain"),
    ] {
        assert_eq!(normal(sender), expected, "{sender}");
    }
}

#[test]
fn changes_bring_back_the_same_list() {
    let mut list = greylist(GreylistSettings::default());
    let mail = triplet("198.51.100.0/24", "kim@partner.example", "alice@example.com");
    list.attempt(&mail, at(0));
    list.attempt(&mail, at(300));
    list.wrote_to("someone@else.example", at(0));
    let mut other = greylist(GreylistSettings::default());
    let changes = list.take_changes();
    assert!(changes.iter().filter_map(|change| change.text.as_ref()).any(|text| text.0 == "198.51.100.0/24"));
    for change in changes {
        match change.seen {
            Some(seen) => other.restore(change.key, seen),
            None => assert!(other.forget(change.key)),
        }
    }
    assert_eq!(other.look(&mail, at(400)), Standing::Known);
    assert!(list.take_changes().is_empty());
}

proptest! {
    /// Against the rules in plain words: a map from triplet to when it was first seen and when it last came through.
    #[test]
    fn it_does_what_the_rules_say(steps in prop::collection::vec((0_i64..200_000, 0_u8..4), 1..100)) {
        let settings = GreylistSettings { auto_allow: 0, ..GreylistSettings::default() };
        let mut list = greylist(settings);
        let mut oracle: HashMap<u8, (i64, Option<i64>)> = HashMap::new();
        let mut now = 0;
        for (pause, who) in steps {
            now += pause;
            let mail = triplet("198.51.100.0/24", &format!("{}@partner.example", ["a", "b", "c", "d"][usize::from(who)]), "alice@example.com");
            let passes = match oracle.get_mut(&who) {
                // A pass is noted once an hour: that long before the end it may be forgotten.
                Some((_, Some(last))) if now - *last < 35 * 86_400 - 3_600 => { *last = now; true }
                Some((_, Some(last))) if now - *last < 35 * 86_400 => break,
                Some((first, last @ None)) if (300..2 * 86_400).contains(&(now - *first)) => { *last = Some(now); true }
                Some((first, None)) if now - *first < 300 => false,
                _ => { oracle.insert(who, (now, None)); false }
            };
            let standing = list.attempt(&mail, at(now));
            prop_assert_eq!(matches!(standing, Standing::Passed | Standing::Known), passes, "{:?} {} {}", standing, who, now);
        }
    }
}
