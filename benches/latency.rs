//! How long it takes from the decisive line of a log, the third failed login, until the source is in the kernel's set and
//! until the ban is announced: `cargo bench --bench latency`, as root.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![expect(clippy::print_stdout, reason = "a bench tells its results on the terminal")]

#[path = "../tests/live/mod.rs"]
mod live;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use live::daemon::{Daemon, PATIENCE, Place};
use live::kernel;
use live::mail_log::{MailLog, source};
use live::namespace::Namespace;
use live::random::Random;
use live::stop::Stop;
use mailward_enforce::{Firewall, Heard, Monitor, Options};

/// As many as the budget allows in a minute.
const BANS: u32 = 1_000;
/// Only the third failure is decisive: strangers may fail while many others do.
const CONFIG: &str = "[rules.server-spray]\nenabled = false\n";

fn main() {
    let Some(_network) = Namespace::new("latency") else { return };
    println!("{BANS} bans, one after the other; milliseconds      p50      p95      p99      max   goal");
    measure("a quiet log", 0, Duration::ZERO);
    measure("2,000 other lines a second", BANS, Duration::from_micros(500));
}

/// Measures with a guard of its own, while other lines are written with this pause between them.
fn measure(what: &str, first: u32, pause: Duration) {
    let place = Place::new(env!("CARGO_BIN_EXE_mailward"));
    place.configure(CONFIG);
    let mut daemon = place.guard();
    let stop = AtomicBool::new(false);
    let log = Mutex::new(MailLog::new(&place.log));
    let times = scope(|scope| {
        if !pause.is_zero() {
            scope.spawn(|| write_daily_life(&log, &stop, pause));
        }
        let _stopping = Stop(&stop);
        ban_in_turn(&log, &mut daemon, first)
    });
    let in_kernel = kernel::banned().unwrap();
    assert!((first..first + BANS).all(|n| kernel::holds(&in_kernel, source(n))));
    let (enforced, announced): (Vec<_>, Vec<_>) = times.into_iter().unzip();
    print(&format!("{what}: in the kernel"), enforced, "p50 2, p99 10");
    print(&format!("{what}: announced"), announced, "");
}

fn write_daily_life(log: &Mutex<MailLog>, stop: &AtomicBool, pause: Duration) {
    let mut random = Random(7);
    while !stop.load(Ordering::Relaxed) {
        log.lock().unwrap().daily_life(&mut random);
        sleep(pause);
    }
}

/// For each source: from before its third failure is written until the kernel tells of it, and until it is announced.
fn ban_in_turn(log: &Mutex<MailLog>, daemon: &mut Daemon, first: u32) -> Vec<(Duration, Duration)> {
    let mut random = Random(42);
    let firewall = Firewall::open(Options::default()).unwrap();
    let mut monitor = Monitor::open(&firewall).unwrap();
    let mut ban = |from| {
        log.lock().unwrap().failures([from; 2].into_iter());
        // The guard sleeps by then, as it does on a quiet machine.
        sleep(Duration::from_millis(5) + random.up_to(Duration::from_millis(10)));
        assert_eq!(monitor.hear().unwrap(), Heard::Nothing);
        let mut log = log.lock().unwrap();
        let began = Instant::now();
        log.failure(from);
        drop(log);
        assert_eq!(monitor.wait(PATIENCE).unwrap(), Heard::Change, "{from}");
        let enforced = began.elapsed();
        let announced = daemon.bans(from).at - began;
        let _ = monitor.hear().unwrap();
        (enforced, announced)
    };
    (first..first + BANS).map(|n| ban(source(n))).collect()
}

fn print(what: &str, mut times: Vec<Duration>, goal: &str) {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!("{what:<48} {:8.2} {:8.2} {:8.2} {:8.2}   {goal}", at(0.5), at(0.95), at(0.99), at(1.0));
}
