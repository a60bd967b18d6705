//! What goes in comes out.

use mailward_model::{Guess, Network, Offence, OffenceKind, Origin, Program, Subject, Weight};
use mailward_store::{
    Allowed, BanFilter, Batch, Counter, CursorAt, Decided, Lift, Lifted, Login, Recorded, Standing, Store,
    Tally,
};

use crate::make::{Place, account, at, ban, commit_offences, ip, net, offence, signal};

#[test]
fn cursors_are_replaced() {
    let place = Place::new();
    let mut store = place.open();
    for cursor in [b"1".as_slice(), b"\0\xff2"] {
        let cursors = [
            CursorAt { source: "/var/log/mail.log", cursor },
            CursorAt { source: "journal", cursor: b"s=1" },
        ];
        store.commit(&Batch { cursors: &cursors, ..Batch::default() }).unwrap();
    }
    drop(store);
    let store = place.open();
    assert_eq!(store.cursor("/var/log/mail.log").unwrap().as_deref(), Some(b"\0\xff2".as_slice()));
    assert_eq!(store.cursor("stdin").unwrap(), None);
    let sources: Vec<_> = store.cursors().unwrap().into_iter().map(|(source, _)| source).collect();
    assert_eq!(sources, ["/var/log/mail.log", "journal"]);
}

#[test]
fn offences_come_back_whole() {
    let place = Place::new();
    let mut store = place.open();
    let odd = Offence {
        guess: Some(Guess::from_bits(u64::MAX)),
        account: Some(account("x>y\u{0}'; DROP TABLE ban; --")),
        count: 0,
        weight: Weight::Weak,
        service: "".into(),
        ..offence(-5, "2001:db8::1", None)
    };
    let offences = [odd, offence(7, "192.0.2.1", Some("Anna@Example.org")), offence(3, "192.0.2.1", None)];
    commit_offences(&mut store, &offences);
    let mut read = Vec::new();
    store.offences_since(at(-10), |offence| read.push(offence.clone())).unwrap();
    assert_eq!(read, [offences[0].clone(), offences[2].clone(), offences[1].clone()]);
    let mut later = 0;
    store.offences_since(at(7), |_| later += 1).unwrap();
    assert_eq!(later, 1);
}

#[test]
fn every_kind_keeps_its_name() {
    let place = Place::new();
    let mut store = place.open();
    let mut offences = Vec::new();
    for (n, kind) in OffenceKind::ALL.iter().enumerate() {
        offences.push(Offence { kind: *kind, ..offence(n as i64, "192.0.2.1", None) });
    }
    commit_offences(&mut store, &offences);
    drop(store);
    let mut read = Vec::new();
    Store::open_read_only(&place.path()).unwrap().offences_since(at(0), |o| read.push(o.kind)).unwrap();
    assert_eq!(read, OffenceKind::ALL);
}

#[test]
fn offences_are_found_by_subject() {
    let place = Place::new();
    let mut store = place.open();
    const DAY: i64 = 86_400;
    commit_offences(
        &mut store,
        &[
            offence(-1, "192.0.2.1", None),
            offence(10 * DAY, "192.0.2.1", Some("anna")),
            offence(12 * DAY + 5, "192.0.2.1", Some("ben")),
            offence(12 * DAY + 1, "192.0.2.200", Some("anna")),
            offence(12 * DAY, "c000:201::1", Some("anna")),
        ],
    );
    let check = |subject: Subject, limit: usize, expected: &[i64]| {
        let found = store.offences_of(&subject, limit).unwrap();
        let times: Vec<_> = found.iter().map(|past| past.offence.time.secs()).collect();
        assert_eq!(times, expected, "{subject}");
        assert!(found.iter().all(|past| past.line == b"imap-login: Disconnected (auth failed)"));
    };
    check(Subject::Address(ip("192.0.2.1")), 9, &[12 * DAY + 5, 10 * DAY, -1]);
    check(Subject::Address(ip("::ffff:192.0.2.1")), 2, &[12 * DAY + 5, 10 * DAY]);
    check(Subject::Address(ip("192.0.2.2")), 9, &[]);
    // As bytes, the IPv6 address lies within the IPv4 network.
    check(Subject::Network(net("192.0.2.0/24")), 9, &[12 * DAY + 5, 12 * DAY + 1, 10 * DAY, -1]);
    check(Subject::Network(net("c000:201::/32")), 9, &[12 * DAY]);
    check(Subject::Network(net("0.0.0.0/0")), 1, &[12 * DAY + 1]);
    check(Subject::Account(account("ANNA")), 9, &[12 * DAY + 1, 12 * DAY, 10 * DAY]);
    check(Subject::Account(account("nobody")), 9, &[]);
}

#[test]
fn a_ban_tells_its_reasons() {
    let place = Place::new();
    let mut store = place.open();
    let guesses: Vec<_> = [0, 100, 200, 900].map(|secs| offence(secs, "192.0.2.1", Some("anna"))).to_vec();
    let other = Offence { kind: OffenceKind::Spam, ..offence(150, "192.0.2.1", None) };
    let line = b"the line".as_slice();
    let recorded: Vec<_> = guesses.iter().chain([&other]).map(|offence| Recorded { offence, line }).collect();
    let signals =
        [signal(200, Subject::Account(account("anna"))), signal(200, Subject::Address(ip("192.0.2.1")))];
    let first = ban("192.0.2.1", 200, Some(3800));
    let second = ban("198.51.100.0/24", 201, None);
    let bans = [Decided { ban: &first, signal: Some(1) }, Decided { ban: &second, signal: None }];
    store.commit(&Batch { offences: &recorded, signals: &signals, bans: &bans, ..Batch::default() }).unwrap();

    let listed = store.bans_of(net("192.0.2.1")).unwrap();
    assert_eq!(listed.iter().map(|past| &past.ban).collect::<Vec<_>>(), [&first]);
    let chain = store.chain(listed[0].id).unwrap().unwrap();
    assert_eq!(chain.ban, listed[0]);
    assert!(chain.signal.as_ref().unwrap().is_of(&signals[1]));
    let times: Vec<_> = chain.offences.iter().map(|past| past.offence.time.secs()).collect();
    assert_eq!(times, [200, 100, 0]);
    assert!(chain.offences.iter().all(|past| past.line == line));
    assert!(store.signals_of(&Subject::Account(account("anna")), 9).unwrap()[0].is_of(&signals[0]));
    assert_eq!(store.signals_of(&Subject::Network(net("192.0.2.1")), 9).unwrap(), []);

    let by_hand = store.bans_of(net("198.51.100.7")).unwrap();
    let chain = store.chain(by_hand[0].id).unwrap().unwrap();
    assert_eq!((chain.signal, chain.offences.len()), (None, 0));
    assert_eq!(store.chain(99).unwrap(), None);
}

#[test]
fn bans_end_and_are_lifted() {
    let place = Place::new();
    let mut store = place.open();
    let (short, long, network) =
        (ban("192.0.2.1", 100, Some(200)), ban("192.0.2.1", 150, Some(300)), ban("2001:db8::/48", 100, None));
    let decided = [&long, &short, &network].map(|ban| Decided { ban, signal: None });
    store.commit(&Batch { bans: &decided, ..Batch::default() }).unwrap();
    assert_eq!(store.active_bans(at(160)).unwrap(), [long.clone(), network.clone()]);
    assert_eq!(store.active_bans(at(299)).unwrap(), [long.clone(), network.clone()]);
    assert_eq!(store.active_bans(at(300)).unwrap(), std::slice::from_ref(&network));

    let lifted = [
        Lifted { target: net("192.0.2.1"), from: at(100), time: at(160), by: "root", why: "customer" },
        Lifted {
            target: net("2001:db8::"),
            from: at(100),
            time: at(160),
            by: "root",
            why: "only within the network",
        },
    ];
    store.commit(&Batch { lifted: &lifted, ..Batch::default() }).unwrap();
    assert_eq!(store.active_bans(at(160)).unwrap(), [network]);
    let ended = store.bans_of(net("192.0.2.0/24")).unwrap();
    let lift = Lift { time: at(160), by: "root".into(), why: "customer".into() };
    assert!(ended.iter().all(|past| past.lifted.as_ref() == Some(&lift) && !past.is_active(at(160))));
    assert_eq!(ended.len(), 2);

    // The clock was set back since the ban began.
    let ahead = ban("192.0.2.2", 900, None);
    store.commit(&Batch { bans: &[Decided { ban: &ahead, signal: None }], ..Batch::default() }).unwrap();
    let lift = Lifted { target: ahead.target, from: ahead.from, time: at(399), by: "root", why: "customer" };
    store.commit(&Batch { lifted: &[lift], ..Batch::default() }).unwrap();
    assert!(!store.active_bans(at(399)).unwrap().contains(&ahead));

    // A lift does not reach a ban that begins later, nor one that had ended.
    let again = ban("192.0.2.1", 400, Some(500));
    let lifted = [Lifted { target: net("192.0.2.1"), from: at(100), time: at(399), by: "root", why: "late" }];
    let bans = [Decided { ban: &again, signal: None }];
    store.commit(&Batch { bans: &bans, lifted: &lifted, ..Batch::default() }).unwrap();
    assert!(store.active_bans(at(400)).unwrap().contains(&again));
}

#[test]
fn bans_are_listed_by_filter() {
    let place = Place::new();
    let mut store = place.open();
    let mut by_hand = ban("203.0.113.9", 50, None);
    (by_hand.origin, by_hand.by) = (Origin::Operator, "anna".into());
    let rule =
        [ban("192.0.2.1", 10, Some(20)), ban("192.0.2.1", 30, Some(90)), ban("192.0.2.0/24", 60, Some(99))];
    let decided: Vec<_> = rule.iter().chain([&by_hand]).map(|ban| Decided { ban, signal: None }).collect();
    store.commit(&Batch { bans: &decided, ..Batch::default() }).unwrap();
    let check = |filter: BanFilter, expected: &[i64]| {
        let starts: Vec<_> = store.bans(&filter).unwrap().iter().map(|past| past.ban.from.secs()).collect();
        assert_eq!(starts, expected, "{filter:?}");
    };
    let all = BanFilter::default;
    check(all(), &[50, 60, 30, 10]);
    check(BanFilter { active_at: Some(at(20)), ..all() }, &[50, 60, 30]);
    check(BanFilter { since: Some(at(50)), ..all() }, &[50, 60]);
    check(BanFilter { origin: Some(Origin::Operator), ..all() }, &[50]);
    check(BanFilter { by: Some("anna".into()), ..all() }, &[50]);
    check(BanFilter { limit: Some(2), ..all() }, &[50, 60]);
    check(BanFilter { limit: Some(2), before: Some(3), ..all() }, &[30, 10]);
    let standing = |target: &str, since: i64| store.standing(net(target), at(since)).unwrap();
    assert_eq!(standing("192.0.2.1", 0), Standing { times: 3, last: Some(at(60)) });
    assert_eq!(standing("192.0.2.1", 20), Standing { times: 2, last: Some(at(60)) });
    assert_eq!(standing("192.0.2.7", 0), Standing { times: 1, last: Some(at(60)) });
    assert_eq!(standing("203.0.113.9", 0), Standing::default());
}

#[test]
fn logins_are_summed_up() {
    let place = Place::new();
    let mut store = place.open();
    let anna = account("anna@example.org");
    let login = |secs, address| Login { time: at(secs), account: &anna, address: ip(address) };
    let logins = [login(50, "192.0.2.1"), login(10, "192.0.2.1"), login(70, "2001:db8::1")];
    store.commit(&Batch { logins: &logins, ..Batch::default() }).unwrap();
    store.commit(&Batch { logins: &logins[..1], ..Batch::default() }).unwrap();
    let mut read = Vec::new();
    store
        .logins_since(at(50), |past| {
            read.push((past.network(), past.first.secs(), past.last.secs(), past.count));
        })
        .unwrap();
    read.sort();
    assert_eq!(read, [(net("192.0.2.0/24"), 10, 50, 3), (net("2001:db8::/64"), 70, 70, 1)]);
    assert_eq!(store.logins_of(&anna, 1).unwrap()[0].address, ip("2001:db8::1"));
    assert_eq!(store.logins_of(&account("ben"), 9).unwrap(), []);
    assert_eq!(store.logins_from(net("192.0.2.0/24"), 9).unwrap()[0].count, 3);
    assert_eq!(store.logins_from(Network::around(ip("2001:db8::2"), 64), 9).unwrap()[0].account, anna);
}

#[test]
fn counts_add_up_by_hour() {
    let place = Place::new();
    let mut store = place.open();
    let tally = |secs, counter, count| Tally { hour: at(secs), counter, count };
    let smtpd = Counter::Lines(Program::Smtpd);
    let tallies = [
        tally(3_600, smtpd, 5),
        tally(7_199, smtpd, 2),
        tally(7_200, Counter::Unknown(Program::Smtpd), u64::MAX),
        tally(7_200, Counter::Unknown(Program::Smtpd), 1),
        tally(-1, Counter::Offences(OffenceKind::Spam), 1),
    ];
    store.commit(&Batch { tallies: &tallies, ..Batch::default() }).unwrap();
    let all = store.hourly(at(-3_600), at(10_000)).unwrap();
    let most = i64::MAX as u64;
    let expected = [
        tally(-3_600, Counter::Offences(OffenceKind::Spam), 1),
        tally(3_600, smtpd, 7),
        tally(7_200, Counter::Unknown(Program::Smtpd), most),
    ];
    assert_eq!(all, expected);
    assert_eq!(store.hourly(at(3_600), at(7_200)).unwrap(), expected[1..2]);
    assert_eq!(store.hourly(at(3_601), at(7_200)).unwrap(), []);
}

#[test]
fn the_allowlist_is_kept() {
    let place = Place::new();
    let mut store = place.open();
    let entry = |network: &str, comment: &str, until: Option<i64>| Allowed {
        network: net(network),
        comment: comment.into(),
        until: until.map(at),
        created: at(1),
        by: "root".into(),
    };
    let (home, office) = (entry("2001:db8::/48", "home", None), entry("192.0.2.0/24", "office", Some(99)));
    store.allow(&home).unwrap();
    store.allow(&entry("192.0.2.0/24", "old", None)).unwrap();
    store.allow(&office).unwrap();
    assert_eq!(store.allowlist().unwrap(), [office, home.clone()]);
    assert!(store.disallow(net("192.0.2.0/24")).unwrap());
    assert!(!store.disallow(net("192.0.2.0/25")).unwrap());
    assert_eq!(store.allowlist().unwrap(), [home]);
}
