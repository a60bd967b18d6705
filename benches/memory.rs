//! How much memory the guard and its rooms take, and how fast they start and answer a crowd: `cargo bench --bench memory`,
//! as root.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![expect(clippy::print_stdout, reason = "a bench tells its results on the terminal")]

#[path = "../tests/live/mod.rs"]
mod live;

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use live::daemon::{Daemon, Place, on_processor, resident};
use live::kernel;
use live::mail_log::{now, source};
use live::namespace::{Namespace, run};
use mailward_decide::{Bans, Budget, Cleared, Ladder, NeverBan};
use mailward_detect::{Capacity, Detector, Patience, Rules};
use mailward_enforce::{Firewall, Options};
use mailward_engine::{Effect, Engine, Now};
use mailward_model::{
    Account, Ban, EventKind, Network, Offence, OffenceKind, Origin, Reason, RuleId, Signal, Span, Subject,
    Text, Timestamp, Weight,
};
use mailward_parse::Context;
use mailward_store::{Batch, Decided, Recorded, Store};

const PROGRAM: &str = env!("CARGO_BIN_EXE_mailward");
/// Bans in the full store.
const FULL: u32 = 100_000;

fn main() {
    println!("{:<66} {:>10} {:>10} {:>12}", "figure", "goal", "measured", "on processor");
    crowd();
    sources();
    let Some(_network) = Namespace::new("memory") else { return };
    at_once();
    guard_with_nothing();
    guard_with_bans();
}

fn row(figure: &str, goal: &str, measured: &str) {
    println!("{figure:<66} {goal:>10} {measured:>10}");
}

/// A row of a time, and of that on a processor.
fn time_row(figure: &str, goal: &str, measured: Duration, on_processor: Duration) {
    println!("{figure:<66} {goal:>10} {:>10} {:>12}", seconds(measured), seconds(on_processor));
}

/// Does something; how long it took, and how much of it on a processor.
fn timed(work: impl FnOnce()) -> (Duration, Duration) {
    let (began, before) = (Instant::now(), on_processor("self"));
    work();
    (began.elapsed(), on_processor("self") - before)
}

fn seconds(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

fn own_memory() -> u64 {
    resident(Path::new("/proc/self/status"))
}

/// 100,000 addresses that fail once, as fast as lines come.
fn crowd() {
    let mut engine = engine(now());
    let at = now();
    let lines: Vec<String> = (0..100_000).map(|n| failure(n, at)).collect();
    let (mut effects, mut offences) = (Vec::new(), 0);
    let (took, on_processor) = timed(|| {
        for line in &lines {
            engine.step(0, line.as_bytes(), Now::Clock(at), &mut effects);
            offences += effects.drain(..).filter(|effect| matches!(effect, Effect::Offence(_))).count();
        }
    });
    assert_eq!(offences, lines.len());
    time_row("100,000 addresses fail once: lines through the engine", "0.3 s", took, on_processor);
}

/// A million sources with an offence each, two hundred a second.
fn sources() {
    let at = now();
    let mut engine = engine(at);
    let (mut effects, mut offences) = (Vec::new(), 0);
    let before = own_memory();
    let (took, on_processor) = timed(|| {
        for n in 0..1_000_000 {
            let time = at.plus(Span::from_micros(u64::from(n) * 5_000));
            engine.step(0, failure(n, time).as_bytes(), Now::Logged, &mut effects);
            offences += effects.drain(..).filter(|effect| matches!(effect, Effect::Offence(_))).count();
        }
    });
    assert_eq!(offences, 1_000_000);
    row("1,000,000 sources with an offence each: memory", "150 MB", &megabytes(own_memory() - before));
    row("   the same: remembered", "", &engine.detector().occupancy().sources.to_string());
    time_row("   the same: time, with the making of the lines", "", took, on_processor);
}

fn engine(at: Timestamp) -> Engine {
    let detector = Detector::new(Rules::default(), Patience::default(), Capacity::default());
    let bans = Bans::new(NeverBan::default(), Ladder::default(), Budget::default());
    Engine::new(Context { reference: at, zone: TimeZone::UTC }, detector, bans)
}

/// A failed login from the n-th of addresses that are everywhere, as a botnet's are.
fn failure(n: u32, at: Timestamp) -> String {
    let from = scattered(n);
    format!(
        "{at} mail dovecot: imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): \
         user=<g{n}@example.org>, method=PLAIN, rip={from}, lip=192.0.2.10, TLS: Connection closed, \
         session=<cD{n:08}jGM2RC>"
    )
}

/// Different for every n below 2²⁹, because an odd factor permutes them, and none of them private.
fn scattered(n: u32) -> IpAddr {
    Ipv4Addr::from(0x2000_0000 | n.wrapping_mul(0x9E37_79B1) & 0x1FFF_FFFF).into()
}

/// 5,000 bans in one call.
fn at_once() {
    let (mut firewall, at) = (Firewall::open(Options::default()).unwrap(), now());
    let never = NeverBan::built_in();
    let bans: Vec<Cleared> = (0..5_000).map(|n| never.clear(ban(n, at), at).unwrap()).collect();
    firewall.reconcile(&[], at).unwrap();
    let (took, on_processor) = timed(|| firewall.add(&bans, at).unwrap());
    time_row("5,000 bans at once: in the kernel", "0.3 s", took, on_processor);
    assert_eq!(kernel::banned().unwrap().len(), bans.len());
    firewall.uninstall().unwrap();
}

fn guard_with_nothing() {
    let place = Place::new(PROGRAM);
    fs::File::create(&place.log).unwrap();
    let daemon = started(&place, "start with nothing: until it guards", "");
    row("idle, no bans: resident memory", "15 MB", &megabytes(daemon.resident()));
    drop(daemon.terminate());
    run("nft flush ruleset");
}

fn guard_with_bans() {
    let place = Place::new(PROGRAM);
    fs::File::create(&place.log).unwrap();
    fill(&place);
    let daemon = started(&place, "start with 100,000 bans, fresh kernel: until all are in it", "2 s");
    assert_eq!(kernel::banned().unwrap().len(), FULL as usize);
    row("idle, 100,000 bans: resident memory", "", &megabytes(daemon.resident()));
    drop(daemon.terminate());
    let daemon = started(&place, "start with 100,000 bans, all in the kernel already", "2 s");
    assert_eq!(kernel::banned().unwrap().len(), FULL as usize);
    row("   the same: resident memory", "", &megabytes(daemon.resident()));
}

/// Starts a guard; it guards when the kernel is as it should be.
fn started(place: &Place, figure: &str, goal: &str) -> Daemon {
    let began = Instant::now();
    let mut daemon = place.start();
    let guards = daemon.guards().at;
    time_row(figure, goal, guards - began, on_processor(&daemon.pid().to_string()));
    // Its first look at the log is behind it.
    place.status();
    daemon
}

/// A store with bans of the last hour, and what each was for: a signal and three offences.
fn fill(place: &Place) {
    let mut store = Store::open(&place.database()).unwrap();
    let at = now().minus(Span::from_mins(50));
    for first in (0..FULL).step_by(1_000) {
        let numbers = first..first + 1_000;
        let offences: Vec<Offence> = numbers.clone().flat_map(|n| [n; 3]).map(|n| offence(n, at)).collect();
        let recorded: Vec<_> =
            offences.iter().map(|offence| Recorded { offence, line: b"a line of the log" }).collect();
        let signals: Vec<Signal> = numbers.clone().map(|n| signal(n, at)).collect();
        let bans: Vec<Ban> = numbers.map(|n| ban(n, at)).collect();
        let decided: Vec<_> =
            bans.iter().enumerate().map(|(n, ban)| Decided { ban, signal: Some(n) }).collect();
        let batch = Batch { offences: &recorded, signals: &signals, bans: &decided, ..Batch::default() };
        store.commit(&batch).unwrap();
    }
}

fn ban(n: u32, from: Timestamp) -> Ban {
    Ban {
        target: Network::host(source(n)),
        from,
        until: Some(from.plus(Span::from_hours(6))),
        origin: Origin::Rule,
        by: "auth-failure-fast".into(),
        step: 1,
        reason: "3 × auth-failure in 10m".into(),
    }
}

fn signal(n: u32, time: Timestamp) -> Signal {
    Signal {
        time,
        rule: RuleId("auth-failure-fast"),
        subject: Subject::Address(source(n)),
        kind: OffenceKind::AuthFailure,
        count: 3,
        threshold: 3,
        window: Span::from_mins(10),
        ban: Span::from_hours(6),
    }
}

fn offence(n: u32, time: Timestamp) -> Offence {
    Offence {
        time,
        kind: OffenceKind::AuthFailure,
        event: EventKind::LoginFailed,
        reason: Reason::CredentialsRefused,
        address: source(n),
        account: Account::of(Text::from("anna@example.org")),
        guess: None,
        service: "imap".into(),
        count: 1,
        weight: Weight::Full,
    }
}
