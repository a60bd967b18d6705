//! One ground at a time, and their order.

use mailward_model::Account;

use super::*;

const STRANGER: &str = "198.51.100.7";

fn source(rule: &'static str, count: u32, threshold: u32) -> Window {
    Window { rule: RuleId(rule), over: Over::Source, closes_network: false, count, threshold }
}

fn of(over: Over, count: u32, threshold: u32) -> Window {
    Window { over, ..source("a-rule", count, threshold) }
}

fn check(change: impl FnOnce(&mut Circumstances<'_>), windows: &[Window], verdict: Verdict, ground: &str) {
    let account = Account::of("bob@example.org".into()).unwrap();
    let mut login = Circumstances {
        time: Timestamp::from_secs(0),
        network: STRANGER.parse().ok(),
        country: None,
        account: Some(&account),
        protocol: "imap",
        password_was_right: false,
        place: Place::Strange,
        account_is_used: true,
        is_banned: false,
        is_protected: false,
        windows,
    };
    change(&mut login);
    let limits = ["bob@example.org only imap,smtp from 198.51.100.0/24,203.0.113.0/24"];
    let limits = limits.into_iter().map(|limit| limit.parse().unwrap()).collect();
    let mut lists = Lists::default();
    let entry = |network: &str| Entry {
        network: network.parse().ok(),
        account: None,
        until: Some(Timestamp::from_secs(10)),
        reason: "test".into(),
    };
    lists.add(List::Block, entry("198.51.100.64/28"), login.time);
    lists.add(List::Allow, entry("198.51.100.65"), login.time);
    let judged = judge(&login, &limits, &lists);
    assert_eq!((judged.verdict, judged.ground.name()), (verdict, ground), "{login:?}");
}

use Verdict::{Pass, Refuse, Wait};

#[test]
fn one_ground_at_a_time() {
    check(|_| {}, &[], Pass, "nothing");
    check(|login| login.network = None, &[], Pass, "local");
    check(|login| login.network = "::1".parse().ok(), &[], Pass, "local");
    check(|login| login.network = "198.51.100.66".parse().ok(), &[], Refuse, "blocked");
    check(|login| login.network = "198.51.100.65".parse().ok(), &[], Pass, "allowed");
    check(|login| login.is_banned = true, &[], Refuse, "banned");
    check(|login| login.protocol = "pop3", &[], Refuse, "protocol");
    check(|login| login.network = "192.0.2.1".parse().ok(), &[], Refuse, "elsewhere");
    check(|login| login.is_protected = true, &[source("x", 9, 3)], Pass, "never-ban");
    check(|login| login.place = Place::Own, &[], Pass, "own-place");
}

#[test]
fn a_source_waits_before_it_is_refused() {
    check(|_| {}, &[source("x", 1, 3)], Pass, "nothing");
    check(|_| {}, &[source("x", 2, 3)], Wait, "nearly-full");
    check(|_| {}, &[source("x", 3, 3)], Refuse, "guesser");
    check(|_| {}, &[source("x", 1, 10), source("y", 10, 10)], Refuse, "guesser");
    // A threshold of 1 refuses at the first failure, and keeps nobody waiting who never failed.
    check(|_| {}, &[source("x", 0, 1)], Pass, "nothing");
    check(|login| login.place = Place::Own, &[source("x", 30, 30)], Refuse, "guesser");
    check(|login| login.place = Place::Own, &[source("x", 29, 30)], Pass, "own-place");
}

#[test]
fn an_attacked_account_lets_its_own_places_in() {
    let siege = of(Over::Account, 4, 4);
    check(|_| {}, &[of(Over::Account, 3, 4)], Pass, "nothing");
    check(|_| {}, &[siege], Refuse, "locked");
    check(|login| login.place = Place::Own, &[siege], Pass, "own-place");
    check(|login| login.place = Place::Others, &[siege], Wait, "locked");
    // Nobody knows where its owner is: only those who failed are refused.
    check(|login| login.account_is_used = false, &[siege], Wait, "locked");
    check(|login| login.account_is_used = false, &[siege, source("x", 1, 9)], Refuse, "locked");
}

#[test]
fn a_network_of_guessers() {
    let (full, closing) =
        (of(Over::Network, 4, 4), Window { closes_network: true, ..of(Over::Network, 12, 12) });
    check(|_| {}, &[full], Wait, "network");
    check(|_| {}, &[full, source("x", 1, 9)], Refuse, "network");
    check(|_| {}, &[full, closing], Refuse, "network");
    check(|login| login.place = Place::Others, &[closing], Wait, "network");
    check(|login| login.place = Place::Own, &[closing], Pass, "own-place");
}

#[test]
fn a_right_password_that_may_be_stolen() {
    let (spray, guessed) = (source("auth-spray", 3, 4), of(Over::Account, 3, 4));
    fn right(login: &mut Circumstances<'_>) {
        login.password_was_right = true;
    }
    check(right, &[], Pass, "nothing");
    check(right, &[spray], Refuse, "stolen-password");
    check(|_| {}, &[spray], Wait, "nearly-full");
    check(right, &[source("auth-spray", 2, 4)], Pass, "nothing");
    check(right, &[source("x", 2, 3)], Wait, "nearly-full");
    check(right, &[guessed], Refuse, "stolen-password");
    check(|_| {}, &[guessed], Pass, "nothing");
    for place in [Place::Own, Place::Others] {
        let at = |login: &mut Circumstances<'_>| (login.password_was_right, login.place) = (true, place);
        check(at, &[guessed], Pass, if place == Place::Own { "own-place" } else { "nothing" });
    }
    let unused =
        |login: &mut Circumstances<'_>| (login.password_was_right, login.account_is_used) = (true, false);
    check(unused, &[guessed], Pass, "nothing");
}
