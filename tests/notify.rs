//! Alerts of the daemon: killed at any moment none is lost, what stays broken is told once, and a channel that does not work is told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod live;

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use live::daemon::{Daemon, PATIENCE, Place};
use live::mail_log::now;
use live::random::Random;
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_mailward");

/// How often the guard is killed; `MAILWARD_KILLS=100` is the full run.
fn kills() -> u64 {
    std::env::var("MAILWARD_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(15)
}

/// Alerts go into a file by tee(1), as soon as there are any.
fn place() -> Place {
    let place = Place::new(PROGRAM);
    fs::write(&place.log, "").unwrap();
    place.configure(&format!(
        "[notify]\ngather = \"0s\"\nmessages-per-hour = 1000\n\
         [[notify.channels]]\nkind = \"command\"\nname = \"file\"\nprogram = [\"/usr/bin/tee\", \"-a\", \"{}\"]\n",
        place.path("told").display()
    ));
    place
}

fn append(log: &Path, text: &str) {
    OpenOptions::new().append(true).open(log).unwrap().write_all(text.as_bytes()).unwrap();
}

/// Somebody guesses at an account three times, and then a login succeeds from a place that is not its owner's. Each account has places
/// of its own: where several log in from is a known place.
fn suspect(n: u64) -> String {
    let account = format!("user{n}@example.org");
    let login = |address: String, session: &str| {
        format!(
            "{} mail dovecot: imap-login: Login: user=<{account}>, method=PLAIN, rip={address}, lip=192.0.2.10, mpid=9, TLS, \
             session=<{session}{n}>\n",
            now()
        )
    };
    let failure = |k: u64| {
        format!(
            "{} mail dovecot: imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): user=<{account}>, \
             method=PLAIN, rip=2001:db8:3{:03x}::1, lip=192.0.2.10, TLS: Connection closed, session=<f{n}x{k}>\n",
            now(),
            n % 4096
        )
    };
    let home = login(format!("2001:db8:1{:03x}::1", n % 4096), "home");
    home + &failure(1) + &failure(2) + &failure(3) + &login(format!("2001:db8:2{:03x}::1", n % 4096), "away")
}

fn told(place: &Place) -> String {
    fs::read_to_string(place.path("told")).unwrap_or_default()
}

fn wait_for(place: &Place, what: &str) {
    let deadline = Instant::now() + PATIENCE;
    while !told(place).contains(what) {
        if Instant::now() >= deadline {
            let explained = place.command(&["explain", what.trim_start_matches(": ")]).output().unwrap();
            panic!("{what} is not told: {}\n{}", told(place), String::from_utf8_lossy(&explained.stdout));
        }
        sleep(Duration::from_millis(10));
    }
}

#[test]
fn killed_at_any_moment_no_alert_is_lost() {
    let place = place();
    let mut random = Random(0x6e6f_7469_6679);
    for n in 0..kills() {
        let daemon = place.guard_without_firewall();
        append(&place.log, &suspect(n));
        sleep(random.up_to(Duration::from_millis(400)));
        daemon.kill();
    }
    let _daemon = place.guard_without_firewall();
    append(&place.log, &suspect(kills()));
    for n in 0..=kills() {
        wait_for(&place, &format!(": user{n}@example.org"));
    }
    let mut times: BTreeMap<u64, usize> = BTreeMap::new();
    for n in 0..=kills() {
        let title = format!("a new place: user{n}@example.org");
        let paragraphs =
            told(&place).lines().filter(|line| line.starts_with("HIGH:") && line.ends_with(&title)).count();
        *times.entry(paragraphs as u64).or_default() += 1;
    }
    eprintln!("{} kills; told so many times each: {times:?}", kills());
    // Killed between the program's end and the note of it, a message comes twice; never three times by one kill.
    assert!(times.keys().all(|times| (1..=2).contains(times)), "{times:?}");
}

#[test]
fn what_stays_broken_is_told_once_whoever_restarts() {
    let place = place();
    let missing = place.path("another.log");
    for _ in 0..3 {
        let mut command = place.guard_command();
        let mut daemon = Daemon::spawn(command.arg("--no-firewall").arg("--log").arg(&missing));
        daemon.guards();
        wait_for(&place, "another.log cannot be read");
        // By now the daemon has looked, and told what is wrong.
        append(&place.log, &suspect(u64::from(daemon.pid())));
        wait_for(&place, &format!(": user{}@example.org", daemon.pid()));
    }
    let broken = |line: &&str| line.starts_with("HIGH: ") && line.ends_with("another.log cannot be read");
    assert_eq!(told(&place).lines().filter(broken).count(), 1, "{}", told(&place));
}

#[test]
fn a_channel_that_does_not_work_is_told_and_what_waits_goes_when_it_does() {
    let place = place();
    fs::create_dir(place.path("told")).unwrap();
    let daemon = place.guard_without_firewall();
    append(&place.log, &suspect(1));
    let status = || -> Value {
        let output = place.command(&["notify", "status", "--format", "json"]).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    };
    configure_state(&place);
    let deadline = Instant::now() + PATIENCE;
    while status()["channels"][0]["trouble"].is_null() {
        assert!(Instant::now() < deadline, "no trouble is told: {}", status());
        sleep(Duration::from_millis(20));
    }
    let channel = status()["channels"][0].clone();
    // Another alert may wait behind it: that there is no firewall.
    assert!(channel["waiting"].as_u64().is_some_and(|waiting| waiting >= 1), "{channel}");
    assert_eq!(channel["trouble"]["tries"], 1, "{channel}");
    assert!(channel["trouble"]["what"].as_str().unwrap().contains("/usr/bin/tee"), "{channel}");
    let tested = place.command(&["notify", "test"]).output().unwrap();
    assert_eq!(tested.status.code(), Some(1), "{tested:?}");
    daemon.terminate();
    fs::remove_dir(place.path("told")).unwrap();
    let tested = place.command(&["notify", "test", "file"]).output().unwrap();
    assert_eq!(tested.status.code(), Some(0), "{tested:?}");
    assert!(told(&place).contains("a test of the channel file"));
    // As if the pause were over: nobody waits for a minute here.
    let file = place.state.join("alerts.json");
    let mut desk: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    desk["lanes"]["file"]["trouble"]["again"] = "2020-01-01T00:00:00Z".into();
    fs::write(&file, desk.to_string()).unwrap();
    let _daemon = place.guard_without_firewall();
    wait_for(&place, "user1@example.org");
}

/// The state directory of the guard is given on its command line; other commands have it from the configuration.
fn configure_state(place: &Place) {
    let path = place.path("mailward.toml");
    let text = fs::read_to_string(&path).unwrap();
    let state = format!("[guard]\nstate-directory = \"{}\"", place.state.display());
    fs::write(&path, text.replace("[guard]", &state)).unwrap();
}
