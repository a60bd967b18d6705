//! Random batches, and every question held against lists in memory.

use std::collections::BTreeMap;
use std::net::IpAddr;

use mailward_model::{
    Account, Ban, Network, Offence, OffenceKind, Origin, Program, Signal, Subject, Timestamp,
};
use mailward_store::{
    BanFilter, Batch, Counter, Decided, Lifted, Login, Recorded, Retention, Standing, Store, Tally,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::make::{Place, account, at, ban, ip, offence, signal};

/// What a batch is made of; times are in seconds and small, so that everything meets.
#[derive(Clone, Debug)]
enum Step {
    Offence { time: i64, address: IpAddr, user: Option<u8>, kind: OffenceKind, times: usize },
    Ban { target: Network, from: i64, span: Option<i64>, origin: Origin, answers: Option<(Subject, u32)> },
    Lift { target: Network, time: i64 },
    Login { time: i64, user: u8, address: IpAddr },
    Tally { time: i64, counter: Counter, count: u64 },
}

/// A past offence, ban or signal, numbered by its place.
#[derive(Default)]
struct Oracle {
    offences: Vec<Option<Offence>>,
    bans: Vec<Option<PastBan>>,
    logins: BTreeMap<(Account, IpAddr), (i64, i64, u64)>,
    tallies: BTreeMap<(i64, Counter), u64>,
}

#[derive(Clone)]
struct PastBan {
    ban: Ban,
    lifted: Option<Timestamp>,
    /// The signal and how many offences there were.
    answers: Option<(Signal, usize)>,
}

impl PastBan {
    fn end(&self) -> Timestamp {
        self.lifted.or(self.ban.until).unwrap_or(Timestamp::from_micros(i64::MAX))
    }
}

fn about(subject: &Subject, offence: &Offence) -> bool {
    match subject {
        Subject::Address(address) => offence.address == *address,
        Subject::Network(network) => network.contains(offence.address),
        Subject::Account(account) => offence.account.as_ref() == Some(account),
    }
}

impl Oracle {
    fn living(&self) -> impl DoubleEndedIterator<Item = (usize, &Offence)> {
        self.offences.iter().enumerate().filter_map(|(n, offence)| Some((n, offence.as_ref()?)))
    }

    fn latest(&self, wanted: impl Fn(&Offence) -> bool, end: usize, limit: usize) -> Vec<usize> {
        let mut found: Vec<_> =
            self.living().rev().filter(|(n, offence)| *n < end && wanted(offence)).take(limit).collect();
        found.sort_by_key(|(n, offence)| std::cmp::Reverse((offence.time, *n)));
        found.into_iter().map(|(n, _)| n).collect()
    }

    /// Commits a batch here and there.
    fn commit(&mut self, store: &mut Store, steps: &[Step]) {
        let (mut offences, mut signals, mut bans, mut lifted, mut logins, mut tallies) =
            (vec![], vec![], vec![], vec![], vec![], vec![]);
        for step in steps {
            match step {
                Step::Offence { time, address, user, kind, times } => {
                    let made = Offence {
                        kind: *kind,
                        address: *address,
                        account: user.map(user_of),
                        ..offence(*time, "::1", None)
                    };
                    offences.extend(std::iter::repeat_n(made, *times));
                }
                Step::Ban { target, from, span, origin, answers } => {
                    let answers = answers.as_ref().map(|(subject, count)| {
                        let mut signal = signal(*from, subject.clone());
                        signal.count = *count;
                        signals.push(signal);
                        signals.len() - 1
                    });
                    let mut ban = ban("::1", *from, span.map(|span| from + span));
                    (ban.target, ban.origin) = (*target, *origin);
                    bans.push((ban, answers));
                }
                Step::Lift { target, time } => lifted.push((*target, at(*time))),
                Step::Login { time, user, address } => logins.push((at(*time), user_of(*user), *address)),
                Step::Tally { time, counter, count } => {
                    tallies.push(Tally { hour: at(*time), counter: *counter, count: *count });
                }
            }
        }
        let recorded: Vec<_> = offences.iter().map(|offence| Recorded { offence, line: b"line" }).collect();
        let decided: Vec<_> = bans.iter().map(|(ban, signal)| Decided { ban, signal: *signal }).collect();
        let lifts: Vec<_> = lifted
            .iter()
            .map(|(target, time)| Lifted { target: *target, from: *time, time: *time, by: "me", why: "so" })
            .collect();
        let login: Vec<_> = logins
            .iter()
            .map(|(time, account, address)| Login { time: *time, account, address: *address })
            .collect();
        let batch = Batch {
            cursors: &[],
            offences: &recorded,
            signals: &signals,
            bans: &decided,
            lifted: &lifts,
            logins: &login,
            tallies: &tallies,
        };
        store.commit(&batch).unwrap();

        self.offences.extend(offences.into_iter().map(Some));
        for (ban, answered) in bans {
            let answers = answered.map(|n| (signals[n].clone(), self.offences.len()));
            self.bans.push(Some(PastBan { ban, lifted: None, answers }));
        }
        for (target, time) in lifted {
            for past in self.bans.iter_mut().flatten() {
                if past.ban.target == target
                    && past.ban.from <= time
                    && past.lifted.is_none()
                    && past.ban.is_active(time)
                {
                    past.lifted = Some(time);
                }
            }
        }
        for (time, account, address) in logins {
            let row = self.logins.entry((account, address)).or_insert((i64::MAX, i64::MIN, 0));
            *row = (row.0.min(time.secs()), row.1.max(time.secs()), row.2 + 1);
        }
        for tally in tallies {
            *self.tallies.entry((tally.hour.secs().div_euclid(3600), tally.counter)).or_default() +=
                tally.count;
        }
    }

    fn retain(&mut self, store: &mut Store, now: i64, policy: &Retention) {
        while store.retain(at(now), policy).unwrap().more {}
        let before = |span| at(now).minus(span);
        for slot in &mut self.offences {
            slot.take_if(|offence| offence.time < before(policy.offences));
            if let Some(offence) = slot {
                offence.guess.take_if(|_| offence.time < before(policy.guesses));
            }
        }
        for slot in &mut self.bans {
            slot.take_if(|past| past.end() < before(policy.bans));
        }
        self.logins.retain(|_, row| at(row.1) >= before(policy.logins));
        let first = before(policy.hourly).secs().div_euclid(3600);
        self.tallies.retain(|(hour, _), _| *hour >= first);
    }

    fn check(&self, store: &Store) {
        self.check_offences(store);
        self.check_bans(store);
        let mut logins = BTreeMap::new();
        store
            .logins_since(at(50), |past| {
                let row = (past.first.secs(), past.last.secs(), past.count);
                logins.insert((past.account.clone(), past.address), row);
            })
            .unwrap();
        let expected = self.logins.iter().filter(|(_, row)| row.1 >= 50);
        assert_eq!(logins, expected.map(|(key, row)| (key.clone(), *row)).collect());
        let tallies = store.hourly(at(-20_000), at(100_000)).unwrap();
        let tallies: BTreeMap<_, _> = tallies
            .into_iter()
            .map(|tally| ((tally.hour.secs() / 3600, tally.counter), tally.count))
            .collect();
        assert_eq!(tallies, self.tallies);
    }

    fn check_offences(&self, store: &Store) {
        assert_eq!(store.size().unwrap().offences, self.living().count() as u64);
        for since in [i64::MIN / 1_000_000, 0, 120] {
            let mut expected: Vec<_> =
                self.living().filter(|(_, o)| o.time >= at(since)).map(|(_, o)| o.clone()).collect();
            expected.sort_by_key(|offence| offence.time);
            let mut read = Vec::new();
            store.offences_since(at(since), |offence| read.push(offence.clone())).unwrap();
            assert_eq!(read, expected);
        }
        for (subject, limit) in
            subjects().into_iter().flat_map(|subject| [(subject.clone(), 3), (subject, 5000)])
        {
            let read: Vec<_> =
                store.offences_of(&subject, limit).unwrap().into_iter().map(|past| past.offence).collect();
            let expected = self.latest(|offence| about(&subject, offence), usize::MAX, limit);
            let expected: Vec<_> = expected.into_iter().map(|n| self.offences[n].clone().unwrap()).collect();
            assert_eq!(read, expected, "{subject} {limit}");
        }
    }

    fn check_bans(&self, store: &Store) {
        let living = || {
            self.bans.iter().enumerate().rev().filter_map(|(n, past)| Some((n as i64 + 1, past.as_ref()?)))
        };
        for now in [0, 100, 200] {
            let mut expected: BTreeMap<Network, Timestamp> = BTreeMap::new();
            for (_, past) in living().filter(|(_, past)| past.end() > at(now)) {
                let until = past.ban.until.unwrap_or(Timestamp::from_micros(i64::MAX));
                let known = expected.entry(past.ban.target).or_insert(until);
                *known = until.max(*known);
            }
            let active = store.active_bans(at(now)).unwrap();
            let count = active.len();
            let active: BTreeMap<_, _> = active
                .into_iter()
                .map(|ban| (ban.target, ban.until.unwrap_or(Timestamp::from_micros(i64::MAX))))
                .collect();
            assert_eq!((count, &active), (expected.len(), &expected));
        }
        for target in targets() {
            let read: Vec<_> = store.bans_of(target).unwrap().into_iter().map(|past| past.id).collect();
            let expected: Vec<_> =
                living().filter(|(_, past)| past.ban.target.overlaps(target)).map(|(n, _)| n).collect();
            assert_eq!(read, expected, "{target}");
            let by_rule = || {
                living()
                    .map(|(_, past)| &past.ban)
                    .filter(|b| b.origin == Origin::Rule && b.target.covers(target) && b.from >= at(50))
            };
            let expected =
                Standing { times: by_rule().count() as u32, last: by_rule().map(|ban| ban.from).max() };
            assert_eq!(store.standing(target, at(50)).unwrap(), expected);
        }
        let filter = BanFilter {
            origin: Some(Origin::Rule),
            since: Some(at(30)),
            limit: Some(4),
            ..BanFilter::default()
        };
        let read: Vec<_> = store.bans(&filter).unwrap().into_iter().map(|past| (past.id, past.ban)).collect();
        let wanted = living().filter(|(_, past)| past.ban.origin == Origin::Rule && past.ban.from >= at(30));
        assert_eq!(read, wanted.take(4).map(|(n, past)| (n, past.ban.clone())).collect::<Vec<_>>());
        let filter = BanFilter { ended: Some((at(20), at(60))), ..BanFilter::default() };
        let read: Vec<_> = store.bans(&filter).unwrap().into_iter().map(|past| past.id).collect();
        let wanted = living().filter(|(_, past)| {
            past.lifted.or(past.ban.until).is_some_and(|end| (at(20)..=at(60)).contains(&end))
        });
        assert_eq!(read, wanted.map(|(n, _)| n).collect::<Vec<_>>());
        for (id, past) in living() {
            let chain = store.chain(id).unwrap().unwrap();
            assert_eq!(
                (&chain.ban.ban, chain.ban.lifted.as_ref().map(|lift| lift.time)),
                (&past.ban, past.lifted)
            );
            assert_eq!(chain.signal.is_some(), past.answers.is_some());
            let read: Vec<_> = chain.offences.into_iter().map(|past| past.offence).collect();
            let expected = past.answers.as_ref().map_or(vec![], |(signal, end)| self.evidence(signal, *end));
            assert_eq!(read, expected);
        }
    }

    fn evidence(&self, signal: &Signal, end: usize) -> Vec<Offence> {
        let since = signal.time.minus(signal.window);
        let wanted = |offence: &Offence| {
            let in_time = (since..=signal.time).contains(&offence.time);
            in_time && about(&signal.subject, offence) && offence.kind == signal.kind
        };
        self.latest(wanted, end, 32).into_iter().map(|n| self.offences[n].clone().unwrap()).collect()
    }
}

fn user_of(n: u8) -> Account {
    account(&format!("user{n}"))
}

const ADDRESSES: [&str; 6] =
    ["192.0.2.1", "192.0.2.2", "192.0.3.1", "2001:db8::1", "2001:db8::2:1", "c000:201::1"];
const TARGETS: [&str; 8] = [
    "192.0.2.1",
    "192.0.2.0/24",
    "192.0.2.0/23",
    "0.0.0.0/0",
    "2001:db8::1",
    "2001:db8::/64",
    "2001:db8::/48",
    "c000:201::/32",
];

fn targets() -> Vec<Network> {
    TARGETS.iter().map(|text| text.parse().unwrap()).collect()
}

fn subjects() -> Vec<Subject> {
    let addresses = ADDRESSES.iter().map(|text| Subject::Address(ip(text)));
    let networks = targets().into_iter().map(Subject::Network);
    addresses.chain(networks).chain((0..3).map(|n| Subject::Account(user_of(n)))).collect()
}

fn step() -> impl Strategy<Value = Step> {
    let time = -20..300_i64;
    let address = prop::sample::select(&ADDRESSES[..]).prop_map(ip);
    let target = prop::sample::select(targets());
    let kind = prop::sample::select(vec![OffenceKind::AuthFailure, OffenceKind::Spam]);
    let times = prop_oneof![20 => Just(1_usize), 1 => Just(2500)];
    let origin = prop::sample::select(Origin::ALL);
    let counter = prop::sample::select(vec![
        Counter::Offences(OffenceKind::Spam),
        Counter::Lines(Program::Smtpd),
        Counter::Unknown(Program::Smtpd),
    ]);
    let subject = prop::sample::select(subjects());
    prop_oneof![
        8 => (time.clone(), address.clone(), prop::option::of(0..3_u8), kind, times).prop_map(
            |(time, address, user, kind, times)| Step::Offence { time, address, user, kind, times }
        ),
        4 => (target.clone(), time.clone(), prop::option::of(0..200_i64), origin, prop::option::of((subject, 1..9_u32)))
            .prop_map(|(target, from, span, origin, answers)| Step::Ban { target, from, span, origin, answers }),
        1 => (target, time.clone()).prop_map(|(target, time)| Step::Lift { target, time }),
        2 => (time, 0..3_u8, address).prop_map(|(time, user, address)| Step::Login { time, user, address }),
        2 => (-9_999..99_999_i64, counter, 1..9_u64)
            .prop_map(|(time, counter, count)| Step::Tally { time, counter, count }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_question_is_answered_as_the_oracle_does(
        batches in vec(vec(step(), 0..25), 1..8),
        later in vec(vec(step(), 0..25), 0..3),
        now in 0..2_000_i64,
        spans in vec(0..400_u64, 4),
        hours in 0..20_u64,
        work in 200..4_000_u32,
    ) {
        use mailward_model::Span;
        let place = Place::new();
        let mut oracle = Oracle::default();
        let mut store = place.open();
        for batch in &batches {
            oracle.commit(&mut store, batch);
        }
        oracle.check(&store);
        let spans: Vec<_> = spans.into_iter().map(Span::from_secs).collect();
        let policy = Retention {
            offences: spans[0],
            guesses: spans[1],
            bans: spans[2],
            logins: spans[3],
            hourly: Span::from_hours(hours),
            work,
            ..Retention::default()
        };
        oracle.retain(&mut store, now, &policy);
        oracle.check(&store);
        for batch in &later {
            oracle.commit(&mut store, batch);
        }
        oracle.check(&store);
        store.check().unwrap();
        drop(store);
        oracle.check(&Store::open_read_only(&place.path()).unwrap());
    }
}
