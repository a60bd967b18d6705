//! What the store costs: `cargo bench -p mailward-store`. Prints a line for each figure; `MAILWARD_BENCH_DIR` chooses the
//! file system, `MAILWARD_BENCH_ROWS` how many offences.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a benchmark fails by panicking"
)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mailward_model::{
    Account, Ban, EventKind, Network, Offence, OffenceKind, Origin, Reason, Subject, Text, Timestamp, Weight,
};
use mailward_store::{Batch, CursorAt, Decided, Recorded, Retention, Store};

fn main() {
    let folder = std::env::var_os("MAILWARD_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let rows = std::env::var("MAILWARD_BENCH_ROWS").ok().and_then(|n| n.parse().ok()).unwrap_or(3_000_000);
    let folder = tempfile::tempdir_in(folder).unwrap();
    let path = folder.path().join("mailward.db");
    println!("{:<58} {:>8.1} MB", "resident before", resident());
    insert_offences(&path, rows);
    ask_offences(&path);
    ban_many(&path);
    ban_one_by_one(&path);
    retain(&path);
}

fn insert_offences(path: &Path, rows: usize) {
    for (name, places) in [("from 3,000 addresses", 3_000_u64), ("from as many addresses", u64::MAX)] {
        let mut store = Store::open(path).unwrap();
        let mut dice = Dice(7);
        let (mut spent, mut work) = (Duration::ZERO, Duration::ZERO);
        let mut slowest = Duration::ZERO;
        let start = store.size().unwrap();
        let first = start.offences as i64;
        for n in 0..rows / BATCH {
            let offences: Vec<_> =
                (0..BATCH).map(|i| offence(&mut dice, first + (n * BATCH + i) as i64, places)).collect();
            let recorded: Vec<_> = offences.iter().map(|offence| Recorded { offence, line: LINE }).collect();
            let cursors = [CursorAt { source: "/var/log/mail.log", cursor: &n.to_le_bytes() }];
            let (begin, worked) = (Instant::now(), processor());
            store.commit(&Batch { cursors: &cursors, offences: &recorded, ..Batch::default() }).unwrap();
            spent += begin.elapsed();
            work += processor() - worked;
            slowest = slowest.max(begin.elapsed());
        }
        let size = store.size().unwrap();
        let (added, bytes) = (size.offences - start.offences, size.bytes - start.bytes);
        let title = format!("offences {name}, {BATCH} a commit");
        println!("{title:<58} {:>8.0} /s", added as f64 / spent.as_secs_f64());
        println!("{:<58} {:>8.0} /s", "  of one core's time", added as f64 / work.as_secs_f64());
        println!("{:<58} {:>8.1} ms", "  slowest commit", slowest.as_secs_f64() * 1e3);
        println!("{:<58} {:>8.0} B", "  a row", bytes as f64 / added as f64);
        println!("{:<58} {:>8.1} MB", "  resident", resident());
    }
}

fn ask_offences(path: &Path) {
    let store = timed("open", || Store::open(path).unwrap());
    let mut count = 0_u64;
    let begin = Instant::now();
    store.offences_since(Timestamp::from_secs(0), |_| count += 1).unwrap();
    println!("{:<58} {:>8.0} /s", "offences read in order", count as f64 / begin.elapsed().as_secs_f64());
    for subject in [
        Subject::Address(Ipv4Addr::new(198, 18, 0, 7).into()),
        Subject::Network("198.18.0.0/16".parse().unwrap()),
        Subject::Account(account(7)),
    ] {
        timed(&format!("latest 32 of {subject}"), || store.offences_of(&subject, 32).unwrap());
    }
}

fn ban_many(path: &Path) {
    let mut store = Store::open(path).unwrap();
    let bans: Vec<_> = (0..100_000).map(ban).collect();
    let decided: Vec<_> = bans.iter().map(|ban| Decided { ban, signal: None }).collect();
    timed("100,000 bans in one commit", || {
        store.commit(&Batch { bans: &decided, ..Batch::default() }).unwrap();
    });
    drop(store);
    let store = timed("open with 100,000 bans", || Store::open(path).unwrap());
    let active = timed("active_bans of 100,000", || store.active_bans(Timestamp::from_secs(1)).unwrap());
    assert_eq!(active.len(), bans.len());
    drop((active, bans));
    timed("standing of an IPv6 address", || {
        store.standing("2001:db8::1".parse().unwrap(), Timestamp::default()).unwrap()
    });
}

fn ban_one_by_one(path: &Path) {
    let mut store = Store::open(path).unwrap();
    let mut times: Vec<Duration> = (0..1_000)
        .map(|n| {
            let ban = ban(200_000 + n);
            let begin = Instant::now();
            store
                .commit(&Batch { bans: &[Decided { ban: &ban, signal: None }], ..Batch::default() })
                .unwrap();
            begin.elapsed()
        })
        .collect();
    times.sort();
    for (name, place) in [("p50", 500), ("p99", 990), ("max", 999)] {
        println!(
            "{:<58} {:>8.2} ms",
            format!("commit with one ban, on the disk, {name}"),
            times[place].as_secs_f64() * 1e3
        );
    }
}

fn retain(path: &Path) {
    let mut store = Store::open(path).unwrap();
    let policy = Retention { offence_rows: 100_000, ..Retention::default() };
    let (mut calls, mut slowest, begin) = (0_u32, Duration::ZERO, Instant::now());
    while calls < 400 {
        let call = Instant::now();
        let pruned = store.retain(Timestamp::from_secs(0), &policy).unwrap();
        slowest = slowest.max(call.elapsed());
        calls += 1;
        if !pruned.more {
            break;
        }
    }
    let mean = begin.elapsed().as_secs_f64() * 1e3 / f64::from(calls);
    println!("{:<58} {mean:>8.1} ms", format!("retain, {} rows a call, mean of {calls}", policy.work));
    println!("{:<58} {:>8.1} ms", "  slowest", slowest.as_secs_f64() * 1e3);
    println!("{:<58} {:>8.1} MB", "resident at the end", resident());
}

fn timed<T>(name: &str, run: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    let result = run();
    println!("{name:<58} {:>8.2} ms", begin.elapsed().as_secs_f64() * 1e3);
    result
}

/// One every 10 ms, so that three million are eight hours.
fn offence(dice: &mut Dice, n: i64, places: u64) -> Offence {
    let roll = dice.roll();
    let address: IpAddr = match roll % places {
        few if places < u64::MAX => Ipv4Addr::from_bits(0xC612_0000 + few as u32).into(),
        _ if roll & 1 == 0 => Ipv4Addr::from_bits((roll >> 16) as u32).into(),
        _ => Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(roll)).into(),
    };
    Offence {
        time: Timestamp::from_micros(n * 10_000),
        kind: OffenceKind::AuthFailure,
        event: EventKind::LoginFailed,
        reason: Reason::WrongPassword,
        address,
        account: Some(account(roll >> 32 & 0xfff)),
        guess: None,
        service: "imap".into(),
        count: 1,
        weight: Weight::Full,
    }
}

fn account(n: u64) -> Account {
    Account::of(Text::from(format!("user{n}@example.org").as_str())).unwrap()
}

fn ban(n: u32) -> Ban {
    Ban {
        target: Network::host(Ipv4Addr::from_bits(0x0b00_0000 + n * 7).into()),
        from: Timestamp::from_secs(0),
        until: Some(Timestamp::from_secs(3_600 + i64::from(n))),
        origin: Origin::Rule,
        by: "auth-failure-fast".into(),
        step: 1,
        reason: "3 auth-failure in 10m".into(),
    }
}

/// xorshift64*: the same rows in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}

/// Time on a processor, from proc(5): what another program takes from us does not count.
fn processor() -> Duration {
    let times = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    Duration::from_nanos(times.split(' ').next().unwrap().parse().unwrap())
}

/// Megabytes of memory in use, from proc(5).
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

const BATCH: usize = 4_000;

const LINE: &[u8] = b"Oct  9 23:33:02 mail dovecot: imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): \
user=<user7@example.org>, method=PLAIN, rip=198.18.0.7, lip=192.0.2.25, TLS, session=<abcdefghijklmnop>";
