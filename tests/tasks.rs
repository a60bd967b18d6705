//! Tasks of the daemon: what was missed is made up for once, and what is broken is told once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod live;

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use live::daemon::{PATIENCE, Place};
use mailward_model::{Span, Timestamp};
use mailward_store::{Run, Tasks};

const PROGRAM: &str = env!("CARGO_BIN_EXE_mailward");

/// Only these tasks; alerts go into a file.
fn place(tasks: &str) -> Place {
    let place = Place::new(PROGRAM);
    fs::write(&place.log, "").unwrap();
    let names = [
        "services",
        "queue",
        "disk",
        "audit",
        "certificates",
        "dns",
        "reputation",
        "updates",
        "accounts",
        "logs",
        "digest-daily",
        "digest-weekly",
        "digest-monthly",
    ];
    let others = names.iter().filter(|name| !tasks.contains(**name));
    let never: String = others.map(|name| format!("{name} = \"never\"\n")).collect();
    place.configure(&format!(
        "[tasks]\n{tasks}\n{never}[notify]\ngather = \"0s\"\n\
         [[notify.channels]]\nkind = \"command\"\nletters = true\nprogram = [\"/usr/bin/tee\", \"-a\", \"{}\"]\n",
        place.path("told").display()
    ));
    place
}

fn record(place: &Place) -> Tasks {
    Tasks::open(&place.state.join("tasks.sqlite")).unwrap()
}

/// As if the task had been done two days ago, and the machine been off since.
fn missed(place: &Place, task: &str) {
    let begun = live::mail_log::now().minus(Span::from_days(2));
    let mut tasks = record(place);
    let id = tasks.begin(task, begun, "running").unwrap();
    let run = Run { task: task.into(), begun, took: Span::ZERO, outcome: "fine".into(), text: String::new() };
    tasks.end(id, &run, None).unwrap();
}

/// The runs of a task since then, once there are so many that have ended.
fn runs(place: &Place, task: &str, since: Timestamp, count: usize) -> Vec<Run> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut runs = record(place).runs(Some(task), 100).unwrap();
        runs.retain(|run| run.begun >= since && run.outcome != "running");
        if runs.len() >= count {
            return runs;
        }
        assert!(Instant::now() < deadline, "{task} is not done {count} times: {runs:?}");
        sleep(Duration::from_millis(20));
    }
}

fn told(place: &Place) -> String {
    fs::read_to_string(place.path("told")).unwrap_or_default()
}

fn wait_for(place: &Place, what: &str) {
    let deadline = Instant::now() + PATIENCE;
    while !told(place).contains(what) {
        assert!(Instant::now() < deadline, "{what} is not told: {}", told(place));
        sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_was_missed_is_made_up_for_once_and_a_digest_is_posted() {
    let place = place("disk = \"daily 00:00\"\ndigest-daily = \"daily 00:00\"\njitter = \"0s\"\n");
    let begun = live::mail_log::now();
    missed(&place, "disk");
    missed(&place, "digest-daily");
    for _ in 0..2 {
        let daemon = place.guard_without_firewall();
        let disk = runs(&place, "disk", begun, 1);
        assert_eq!((disk.len(), disk[0].outcome == "failed"), (1, false), "{disk:?}");
        assert!(disk[0].text.contains("% free"), "{disk:?}");
        runs(&place, "digest-daily", begun, 1);
        wait_for(&place, "What needs you");
        daemon.terminate();
    }
    assert_eq!(told(&place).matches("What needs you").count(), 1, "{}", told(&place));
}

#[test]
fn a_task_that_cannot_be_done_is_told_once_and_not_at_every_try() {
    let place = place("backup = \"every 1m\"");
    let title = "MEDIUM: The task backup could not be done";
    for _ in 0..3 {
        let since = live::mail_log::now();
        missed(&place, "backup");
        // What was done before this is long ago, too.
        fs::remove_file(place.state.join("tasks.sqlite")).unwrap();
        missed(&place, "backup");
        let daemon = place.guard_without_firewall();
        let run = runs(&place, "backup", since, 1);
        assert_eq!(run[0].outcome, "failed", "{run:?}");
        wait_for(&place, title);
        daemon.terminate();
    }
    assert_eq!(told(&place).lines().filter(|line| *line == title).count(), 1, "{}", told(&place));
}
