//! Forgetting by rows, by size and in small pieces.

use mailward_model::{Span, Subject};
use mailward_store::{Allowed, Batch, Decided, Pruned, Recorded, Retention};

use crate::make::{Place, at, ban, commit_offences, ip, net, offence, signal};

const DAY: i64 = 86_400;

#[test]
fn the_defaults_are_the_documented_ones() {
    let place = Place::new();
    let mut store = place.open();
    commit_offences(&mut store, &[0, 22, 23, 29, 30].map(|day| offence(day * DAY + 1, "192.0.2.1", None)));
    let ended = ban("192.0.2.1", 0, Some(DAY));
    let signals =
        [signal(0, Subject::Address(ip("192.0.2.1"))), signal(0, Subject::Address(ip("192.0.2.2")))];
    let bans = [Decided { ban: &ended, signal: Some(0) }];
    store.commit(&Batch { bans: &bans, signals: &signals, ..Batch::default() }).unwrap();
    for (network, until) in [("192.0.2.0/24", Some(at(30 * DAY))), ("198.51.100.0/24", None)] {
        let entry =
            Allowed { network: net(network), comment: "".into(), until, created: at(0), by: "root".into() };
        store.allow(&entry).unwrap();
    }
    let policy = Retention::default();
    let pruned = store.retain(at(30 * DAY + 2), &policy).unwrap();
    let expected = Pruned { offences: 1, guesses: 2, signals: 1, allowed: 1, ..Pruned::default() };
    // The first offence loses its guess and then goes itself.
    assert_eq!(Pruned { guesses: 2, ..pruned }, expected);
    assert_eq!(store.bans_of(net("192.0.2.1")).unwrap().len(), 1);
    assert_eq!(store.allowlist().unwrap().len(), 1);
    let pruned = store.retain(at(366 * DAY + 1), &policy).unwrap();
    assert_eq!((pruned.bans, pruned.signals, pruned.offences), (1, 1, 4));
    assert_eq!(store.retain(at(366 * DAY + 1), &policy).unwrap(), Pruned::default());
    store.check().unwrap();
}

#[test]
fn no_guess_stays_in_the_file() {
    let place = Place::new();
    let mut store = place.open();
    // Eight bytes that stand nowhere else.
    let guess = mailward_model::Guess::from_bits(0x0bad_c0de_1234_5678);
    let mut with_guess = offence(0, "192.0.2.1", Some("anna"));
    with_guess.guess = Some(guess);
    let line = b"auth: x: Password mismatch (SHA1 of given password: 0badc0de)".as_slice();
    store
        .commit(&Batch { offences: &[Recorded { offence: &with_guess, line }], ..Batch::default() })
        .unwrap();
    store.retain(at(8 * DAY), &Retention::default()).unwrap();
    drop(store);
    assert!(
        !place.path().with_extension("db-wal").exists(),
        "the last to close moves the WAL into the database"
    );
    let file = std::fs::read(place.path()).unwrap();
    let holds = |bytes: &[u8]| file.windows(bytes.len()).any(|window| window == bytes);
    assert!(holds(b"Password mismatch"));
    assert!(!holds(&guess.bits().to_be_bytes()) && !holds(b"0badc0de"));
}

#[test]
fn work_is_bounded_and_comes_to_an_end() {
    let place = Place::new();
    let mut store = place.open();
    commit_offences(&mut store, &(0..2_500).map(|n| offence(n, "192.0.2.1", None)).collect::<Vec<_>>());
    let policy =
        Retention { offence_rows: 300, guesses: Span::from_days(999), work: 1_000, ..Retention::default() };
    let mut deleted = Vec::new();
    loop {
        let pruned = store.retain(at(3_000), &policy).unwrap();
        deleted.push(pruned.offences);
        if !pruned.more {
            break;
        }
    }
    assert_eq!(deleted, [1_000, 1_000, 200]);
    let mut left = Vec::new();
    store.offences_since(at(0), |offence| left.push(offence.time.secs())).unwrap();
    assert_eq!(left, (2_200..2_500).collect::<Vec<_>>());
}

#[test]
fn size_is_bounded_and_the_file_shrinks() {
    let place = Place::new();
    let mut store = place.open();
    let line = vec![b'x'; 1024];
    for n in 0..20 {
        let offences: Vec<_> = (0..500).map(|i| offence(n * 500 + i, "192.0.2.1", None)).collect();
        let recorded: Vec<_> = offences.iter().map(|offence| Recorded { offence, line: &line }).collect();
        store.commit(&Batch { offences: &recorded, ..Batch::default() }).unwrap();
    }
    let holding = ban("192.0.2.1", 0, None);
    let ended = ban("192.0.2.2", 0, Some(1));
    let bans = [&holding, &ended].map(|ban| Decided { ban, signal: None });
    store.commit(&Batch { bans: &bans, ..Batch::default() }).unwrap();
    let length = || std::fs::metadata(place.path()).unwrap().len();
    let policy = Retention { bytes: 2 << 20, ..Retention::default() };
    let before = store.size().unwrap();
    while store.retain(at(20_000), &policy).unwrap().more {}
    let after = store.size().unwrap();
    assert!(before.bytes > 10 << 20 && after.bytes <= 2 << 20, "{before:?} {after:?}");
    assert!(after.offences > 500, "no more than needed");
    assert!(length() < 3 << 20, "{}", length());
    // When nothing else is left, bans that ended go, and those that hold stay.
    let policy = Retention { bytes: 1, ..Retention::default() };
    while store.retain(at(20_000), &policy).unwrap().more {}
    while store.retain(at(20_000), &policy).unwrap() != Pruned::default() {}
    assert_eq!(store.size().unwrap().offences, 0);
    assert_eq!(store.active_bans(at(20_000)).unwrap(), [holding]);
    assert_eq!(store.bans_of(net("192.0.2.2")).unwrap(), []);
    store.check().unwrap();
}
