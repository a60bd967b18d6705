//! A store that fails for days, and one that is moved away.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};

use mailward_model::{Account, OffenceKind, Origin, Reason, RuleId, Span, Subject, Text, Weight};
use mailward_store::{Allowed, BanFilter};
use tempfile::TempDir;

use super::*;

fn keeper(folder: &TempDir) -> Keeper {
    Keeper::open(&folder.path().join("mailward.db")).unwrap()
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_760_000_000 + secs)
}

fn address(n: u32) -> IpAddr {
    Ipv4Addr::from(0xC612_0000 + n).into()
}

fn ban(n: u32, from: i64, until: i64) -> Ban {
    Ban {
        target: Network::host(address(n)),
        from: at(from),
        until: Some(at(until)),
        origin: Origin::Rule,
        by: "auth-failure-fast".into(),
        step: 1,
        reason: "3 × auth-failure in 10m".into(),
    }
}

fn signal(n: u32) -> Signal {
    Signal {
        time: at(0),
        rule: RuleId("auth-failure-fast"),
        subject: Subject::Address(address(n)),
        kind: OffenceKind::AuthFailure,
        count: 3,
        threshold: 3,
        window: Span::from_mins(10),
        ban: Span::from_hours(1),
    }
}

fn offence(secs: i64) -> Offence {
    Offence {
        time: at(secs),
        kind: OffenceKind::AuthFailure,
        event: EventKind::LoginFailed,
        reason: Reason::WrongPassword,
        address: address(7),
        account: Account::of(Text::from("anna@example.org")),
        guess: None,
        service: "imap".into(),
        count: 1,
        weight: Weight::Full,
    }
}

#[test]
fn what_waits_is_bounded_and_no_ban_that_holds_is_given_up() {
    let folder = TempDir::new().unwrap();
    let mut keeper = keeper(&folder);
    let most = WAITING as u32;
    for n in 0..most + 3 {
        keeper.offence(&offence(0), b"a line");
        keeper.signal(signal(n));
        // Every tenth goes on; the others are over before the last comes.
        keeper.ban(ban(n, n.into(), if n % 10 == 0 { 1_000_000 } else { i64::from(n) + 60 }), true);
    }
    assert!(keeper.pending.bans.len() <= WAITING && keeper.pending.signals.len() == WAITING);
    assert!(keeper.commit(at(200_000), true), "{:?}", keeper.trouble());
    let told = keeper.newly_left_out().unwrap().to_string();
    let ended = most - most / 10 - 54;
    assert_eq!(told, format!("3 offences, 3 signals, {ended} bans that have ended"));
    assert_eq!((keeper.newly_left_out(), keeper.left_out().is_some()), (None, true));

    let holding = keeper.store().active_bans(at(200_000)).unwrap();
    assert_eq!(holding.len() as u32, most / 10 + 1);
    let last = keeper.store().bans(&BanFilter { limit: Some(4), ..BanFilter::default() }).unwrap();
    let signals: Vec<bool> = last.iter().map(|past| past.signal.is_some()).collect();
    assert_eq!(signals, [false, false, false, true], "those of the last three were left out");
}

#[test]
fn a_store_that_is_moved_away_is_made_again_with_all_that_holds() {
    let folder = TempDir::new().unwrap();
    let (mut keeper, path) = (keeper(&folder), folder.path().join("mailward.db"));
    let network = "192.0.2.0/24".parse().unwrap();
    let allowed =
        Allowed { network, comment: "office".into(), until: None, created: at(0), by: "root".into() };
    keeper.store_mut().allow(&allowed).unwrap();
    keeper.cursor("a", "1".into());
    keeper.cursor("b", "2".into());
    keeper.ban(ban(1, 0, 3_600), false);
    keeper.ban(ban(2, 0, 5), false);
    assert!(keeper.commit(at(0), true));

    fs::rename(&path, folder.path().join("aside")).unwrap();
    keeper.cursor("a", "3".into());
    keeper.ban(ban(3, 10, 3_600), false);
    assert!(keeper.commit(at(10), true), "{:?}", keeper.trouble());
    fs::remove_file(&path).unwrap();
    assert!(keeper.forget(at(20), &Retention::default()).unwrap());
    assert!(keeper.commit(at(20), true), "{:?}", keeper.trouble());
    assert!(!keeper.forget(at(20), &Retention::default()).unwrap());

    let store = Store::open_read_only(&path).unwrap();
    store.check().unwrap();
    let mut holding = store.active_bans(at(20)).unwrap();
    holding.sort_by_key(|ban| ban.target);
    assert_eq!(holding, [ban(1, 0, 3_600), ban(3, 10, 3_600)]);
    assert_eq!(store.cursors().unwrap(), [("a".into(), b"3".to_vec()), ("b".into(), b"2".to_vec())]);
    assert_eq!(store.allowlist().unwrap(), [allowed]);
}

#[test]
fn forgetting_tells_whether_there_is_more() {
    let folder = TempDir::new().unwrap();
    let mut keeper = keeper(&folder);
    (0..25).for_each(|n| keeper.offence(&offence(n), b"a line"));
    assert!(keeper.commit(at(30), true));
    let policy = Retention { offences: Span::from_secs(60), work: 10, ..Retention::default() };
    let now = at(3_600);
    let more: Vec<bool> = (0..3).map(|_| keeper.forget(now, &policy).unwrap()).collect();
    assert_eq!(more, [true, true, false]);
}
