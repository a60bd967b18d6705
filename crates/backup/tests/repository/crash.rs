//! Killed at any moment: what was proven before is there, whole, and the repository is clean.
//!
//! `MAILWARD_CRASH_ROUNDS` says how often; ten times by itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use mailward_backup::{Key, Meter, Repository, Snapshot};

use crate::make::{Bench, selection_of};
use crate::restic::is_clean;

/// What is killed.
const ACTIONS: [&str; 3] = ["run", "forget", "restore"];

/// Where the process that is to be killed works, and at what: `run /tmp/…`.
const ORDER: &str = "MAILWARD_CRASH_ORDER";

/// The process that is killed: this very test, called again with an order.
#[test]
fn child() {
    let Ok(order) = std::env::var(ORDER) else { return };
    let (action, place) = order.split_once(' ').unwrap();
    let place = Path::new(place);
    let key = Key::read(&place.join("key")).unwrap();
    let repository = Repository::open(&place.join("repository"), &key, None, &Meter::silent()).unwrap();
    match action {
        "run" => {
            repository.capture(&selection_of(place), &place.join("scratch"), "mail.example.org").unwrap();
        }
        "forget" => {
            // The first is the one that has to stay.
            let snapshots = repository.snapshots().unwrap();
            let old: Vec<Snapshot> = snapshots.into_iter().skip(1).rev().skip(1).collect();
            repository.forget(&old, Duration::ZERO).unwrap();
        }
        _ => {
            let latest = repository.snapshot("latest").unwrap();
            repository.restore(&latest, &[], &place.join("back"), &Meter::silent()).unwrap();
        }
    }
}

fn start(action: &str, bench: &Bench) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["crash::child", "--exact"])
        .env(ORDER, format!("{action} {}", bench.path("").display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// How long it takes undisturbed.
fn lasts(action: &str, bench: &Bench) -> Duration {
    let begun = Instant::now();
    assert!(start(action, bench).wait().unwrap().success(), "{action}");
    begun.elapsed()
}

/// Numbers that are the same in every run of the test (xorshift, Marsaglia 2003).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// New mail: enough for packs of its own.
fn deliver(bench: &Bench, round: usize, dice: &mut Dice) {
    let mailbox = bench.path("mail/anna/new");
    for message in 0..20 {
        let bytes: Vec<u8> = (0..10_000).flat_map(|_| dice.roll().to_le_bytes()).collect();
        fs::write(mailbox.join(format!("{}.R{round}M{message}.mail", 1_770_000_000 + round)), bytes).unwrap();
    }
    // What goes makes packs partly unused.
    let old = mailbox.join(format!(
        "{}.R{}M0.mail",
        1_770_000_000 + round.saturating_sub(2),
        round.saturating_sub(2)
    ));
    let _ = fs::remove_file(old);
}

#[test]
fn killed_at_any_moment_nothing_is_lost() {
    let rounds =
        std::env::var("MAILWARD_CRASH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(10);
    let mut dice = Dice(0x1234_5678_9ABC_DEF1);
    let bench = Bench::new();
    bench.mailbox("anna", 50);
    deliver(&bench, 0, &mut dice);
    let proven = bench.capture(&bench.create()).snapshot;
    let whole = |at: &str| {
        let repository = bench.open();
        assert!(repository.snapshots().unwrap().contains(&proven), "{at}: the proven snapshot is there");
        assert_eq!(repository.check(true).unwrap(), Vec::<String>::new(), "{at}");
        is_clean(&bench);
    };
    deliver(&bench, 1, &mut dice);
    let mut usual = ACTIONS.map(|action| lasts(action, &bench));
    for round in 0..rounds {
        let which = round % ACTIONS.len();
        deliver(&bench, round + 2, &mut dice);
        if which == 1 {
            // Something that can go.
            lasts("run", &bench);
        }
        let at = Duration::from_micros(dice.roll() % u64::try_from(usual[which].as_micros()).unwrap().max(1));
        let mut child = start(ACTIONS[which], &bench);
        thread::sleep(at);
        child.kill().unwrap();
        let ended = child.wait().unwrap();
        let said = format!("round {round}, {} killed after {at:?} ({ended})", ACTIONS[which]);
        eprintln!("{said}");
        whole(&said);
        usual[which] = usual[which].max(at);
    }
    // What was killed is said again, and done.
    for action in ACTIONS {
        lasts(action, &bench);
    }
    whole("at the end");
    let repository = bench.open();
    repository.restore(&proven, &[], &bench.path("proven"), &Meter::silent()).unwrap();
    assert_eq!(repository.verify(&proven, &[], &bench.path("proven")).unwrap().wrong, Vec::<PathBuf>::new());
    let latest = repository.snapshot("latest").unwrap();
    assert_eq!(repository.verify(&latest, &[], &bench.path("back")).unwrap().wrong, Vec::<PathBuf>::new());
}

/// A run that was killed has sent its packs already; the next one does not send them again.
#[test]
fn a_run_goes_on_where_it_was_killed() {
    let bench = Bench::new();
    let mut dice = Dice(0xFEED_5678_9ABC_DEF1);
    bench.mailbox("anna", 5);
    let repository = bench.create();
    let noise = |dice: &mut Dice| (0..6_000_000).flat_map(|_| dice.roll().to_le_bytes()).collect::<Vec<u8>>();
    for name in ["one", "two", "three"] {
        fs::write(bench.path("mail").join(name), noise(&mut dice)).unwrap();
    }
    let data = bench.path("repository/data");
    let packs = || -> u64 {
        let directories = fs::read_dir(&data).unwrap().flatten();
        let files = directories.flat_map(|directory| fs::read_dir(directory.path()).unwrap().flatten());
        files
            .filter(|file| !file.file_name().to_string_lossy().contains('-'))
            .map(|file| file.metadata().unwrap().len())
            .sum()
    };
    let mut child = start("run", &bench);
    while packs() == 0 && child.try_wait().unwrap().is_none() {
        thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let sent = packs();
    assert!(sent > 0);
    if !repository.snapshots().unwrap().is_empty() {
        eprintln!("SKIPPED: the run was faster than the kill");
        return;
    }
    let added = bench.capture(&repository).snapshot.added;
    assert!(added + sent < 150_000_000, "{sent} bytes were there, and {added} were sent again");
    is_clean(&bench);
}
