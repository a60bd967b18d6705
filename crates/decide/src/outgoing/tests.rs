//! What accounts may send: thieves, newsletters, sessions at the same moment.

use super::*;

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(1_000_000_000).plus(Span::from_secs(secs))
}

fn erin() -> Account {
    Account::of("erin@example.com".into()).unwrap()
}

fn message(n: u64) -> Fingerprint {
    Fingerprint::from_bits(n)
}

/// Sends a message; tells whether it was taken.
fn send(outgoing: &mut Outgoing, n: u64, recipients: u32, now: Timestamp) -> bool {
    let account = erin();
    let named =
        (0..recipients).filter(|_| outgoing.recipient(&account, message(n), now).is_ok()).count() as u32;
    let sent = named > 0 && outgoing.data(&account, message(n), named, now).is_ok();
    outgoing.end(message(n));
    sent
}

#[test]
fn a_stolen_password_sends_no_more_than_a_burst() {
    let mut outgoing = Outgoing::new(OutgoingSettings::default());
    // 200 messages with three recipients each, 20 a second.
    let sent = (0..200).filter(|n| send(&mut outgoing, *n, 3, at(n / 20))).count();
    assert_eq!(sent, 25);
}

#[test]
fn sessions_that_ask_at_the_same_moment_do_not_share_the_last_one() {
    let mut outgoing = Outgoing::new(OutgoingSettings::default());
    let named = (0..100).filter(|n| outgoing.recipient(&erin(), message(*n), at(0)).is_ok()).count();
    assert_eq!(named, 25);
}

#[test]
fn a_clock_that_is_set_back_closes_nobody_out() {
    let mut outgoing = Outgoing::new(OutgoingSettings::default());
    assert_eq!((0..200).filter(|n| send(&mut outgoing, *n, 1, at(1_000_000))).count(), 25);
    assert!(!send(&mut outgoing, 201, 1, at(0)));
    assert!(send(&mut outgoing, 202, 1, at(3_600)));
    assert_eq!(outgoing.sent(&erin()).unwrap().hour, (at(3_600), 1));
}

#[test]
fn recipients_that_were_refused_later_do_not_count() {
    let quota = Quota::new(10, HOUR);
    let settings = OutgoingSettings { recipients: Some(quota), ..OutgoingSettings::default() };
    let mut outgoing = Outgoing::new(settings);
    for _ in 0..10 {
        outgoing.recipient(&erin(), message(1), at(0)).unwrap();
    }
    assert!(outgoing.recipient(&erin(), message(2), at(0)).is_err());
    outgoing.data(&erin(), message(1), 3, at(0)).unwrap();
    outgoing.end(message(1));
    assert_eq!(outgoing.limits(&erin(), at(0)).get(1), Some(&("recipients", quota, 3)));
    assert!(outgoing.recipient(&erin(), message(2), at(0)).is_ok());
}

#[test]
fn asked_at_the_end_alone_it_counts_all_of_it() {
    let settings = OutgoingSettings { recipients: Some(Quota::new(10, HOUR)), ..OutgoingSettings::default() };
    let mut outgoing = Outgoing::new(settings);
    assert!(outgoing.data(&erin(), message(1), 8, at(0)).is_ok());
    outgoing.end(message(1));
    let over = outgoing.data(&erin(), message(2), 3, at(0)).unwrap_err();
    assert_eq!((over.what, over.is_news), ("recipients", true));
    assert!(!outgoing.data(&erin(), message(3), 3, at(1)).unwrap_err().is_news);
}

#[test]
fn what_is_usual_is_learned_slowly_and_not_from_a_day_over_the_limit() {
    let mut outgoing = Outgoing::new(OutgoingSettings::default());
    let mut n = 0;
    // Fifty newsletters an hour on two hours of every day, one a minute.
    for day in 0..30 {
        for minute in 0..100 {
            n += 1;
            send(&mut outgoing, n, 1, at(day * 86_400 + minute * 72));
        }
        send(&mut outgoing, n + 10_000, 1, at(day * 86_400 + 80_000));
    }
    let usual = outgoing.sent(&erin()).unwrap().usual;
    assert!((40..=60).contains(&usual), "{usual}");
    let sent = (0..500).filter(|n| send(&mut outgoing, 20_000 + n, 1, at(40 * 86_400))).count();
    assert!(sent >= 2 * usual as usize - 5 && sent <= 2 * usual as usize + 5, "{sent}");
    let before = outgoing.sent(&erin()).unwrap().usual;
    send(&mut outgoing, 99_999, 1, at(42 * 86_400));
    assert_eq!(outgoing.sent(&erin()).unwrap().usual, before);
}

#[test]
fn nothing_is_learned_of_a_thief_on_his_second_day_either() {
    let mut outgoing = Outgoing::new(OutgoingSettings::default());
    let mut n = 0;
    let mut send_many = |many: u64, day: u64, second: u64| {
        for _ in 0..many {
            n += 1;
            send(&mut outgoing, n, 1, at(day * 86_400 + second));
        }
        outgoing.sent(&erin()).unwrap().usual
    };
    for (day, second) in [(0, 36_000), (1, 1_800)] {
        assert_eq!(send_many(1, day, 0), 0);
        send_many(200, day, second);
    }
    assert_eq!(send_many(1, 2, 0), 0);
}

#[test]
fn memory_is_bounded() {
    let settings = OutgoingSettings { capacity: 100, ..OutgoingSettings::default() };
    let mut outgoing = Outgoing::new(settings);
    for n in 0..50_000_u64 {
        let account = Account::of(format!("user{n}@example.com").as_str().into()).unwrap();
        let _ = outgoing.recipient(&account, message(n), at(n));
        assert!(outgoing.accounts.len() <= 100 && outgoing.open.len() <= OPEN);
        if n % 1_000 == 0 {
            outgoing.take_changes();
        }
    }
}
