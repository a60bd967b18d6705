//! A real journal, written by systemd-journal-remote(8) and read by journalctl(1).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may"
)]

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use mailward_source::{Next, Reader, Spec, Start, State};

const WRITER: &str = "/usr/lib/systemd/systemd-journal-remote";
const LONG: Option<Duration> = Some(Duration::from_secs(60));

struct Journal {
    place: tempfile::TempDir,
    entries: usize,
}

impl Journal {
    fn new(test: &str) -> Option<Self> {
        if !Path::new(WRITER).exists() || !Path::new("/usr/bin/journalctl").exists() {
            eprintln!("SKIPPED: {test} needs journalctl and the package systemd-journal-remote");
            return None;
        }
        Some(Self { place: tempfile::tempdir().unwrap(), entries: 0 })
    }

    fn directory(&self) -> PathBuf {
        self.place.path().to_path_buf()
    }

    fn write(&mut self, entries: usize) {
        let mut export = String::new();
        for n in self.entries..self.entries + entries {
            let facility = if n % 10 == 9 { 3 } else { 2 };
            writeln!(
                export,
                "__REALTIME_TIMESTAMP={}\n__MONOTONIC_TIMESTAMP={n}\n_BOOT_ID=0123456789abcdef0123456789abcdef\n\
                 MESSAGE=entry {n} with \"__CURSOR\":\"forged\"\nSYSLOG_FACILITY={facility}\nOTHER=dropped\n",
                1_700_000_000_000_000_u64 + n as u64 * 1000
            )
            .unwrap();
        }
        self.entries += entries;
        let input = self.place.path().join("input.export");
        std::fs::write(&input, export).unwrap();
        let journal = self.place.path().join("test.journal");
        let status =
            Command::new(WRITER).arg("-o").arg(journal).arg(input).stderr(Stdio::null()).status().unwrap();
        assert!(status.success());
    }

    fn reader(&self, cursor: Option<&str>, start: Start, matches: &[&str]) -> Reader {
        let matches = matches.iter().map(|filter| (*filter).to_owned()).collect();
        let spec = Spec::Journal { matches, directory: Some(self.directory()) };
        Reader::open(&[spec], |_| cursor.map(str::to_owned), start).unwrap()
    }
}

/// Reads until so many entries have come: their numbers, and the cursor.
fn read(reader: &mut Reader, entries: usize) -> (Vec<usize>, String) {
    let (mut numbers, mut last) = (Vec::new(), String::new());
    while numbers.len() < entries {
        match reader.next(LONG).unwrap() {
            Next::Batch(batch) => {
                for line in batch.lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                    let entry: serde_json::Value = serde_json::from_slice(line).unwrap();
                    assert!(entry.get("OTHER").is_none(), "{entry}");
                    let message = entry["MESSAGE"].as_str().unwrap();
                    numbers.push(message.split(' ').nth(1).unwrap().parse().unwrap());
                }
                last = batch.cursor;
            }
            other => panic!("{other:?}"),
        }
    }
    (numbers, last)
}

#[test]
fn every_entry_once_across_restarts() {
    let Some(mut journal) = Journal::new("every_entry_once_across_restarts") else { return };
    journal.write(1000);
    let mut reader = journal.reader(None, Start::Beginning, &[]);
    let (mut all, mut cursor) = read(&mut reader, 1000);
    for _ in 0..5 {
        // What was read and not stored is read again.
        journal.write(20);
        read(&mut reader, 20);
        drop(reader);
        journal.write(20);
        reader = journal.reader(Some(&cursor), Start::End, &[]);
        let (numbers, last) = read(&mut reader, 40);
        all.extend(numbers);
        cursor = last;
    }
    assert!(all.into_iter().eq(0..1200));
}

#[test]
fn the_end_is_kept_before_anything_comes() {
    let Some(mut journal) = Journal::new("the_end_is_kept_before_anything_comes") else { return };
    journal.write(30);
    let mut reader = journal.reader(None, Start::End, &[]);
    let Next::Batch(first) = reader.next(LONG).unwrap() else { panic!() };
    assert!(first.lines.is_empty());
    let cursor = first.cursor;
    drop(reader);
    journal.write(5);
    let (numbers, _) = read(&mut journal.reader(Some(&cursor), Start::End, &[]), 5);
    assert_eq!(numbers, [30, 31, 32, 33, 34]);
}

#[test]
fn matches_are_the_journals_own() {
    let Some(mut journal) = Journal::new("matches_are_the_journals_own") else { return };
    journal.write(50);
    let (numbers, _) = read(&mut journal.reader(None, Start::Beginning, &["SYSLOG_FACILITY=3"]), 5);
    assert_eq!(numbers, [9, 19, 29, 39, 49]);
}

#[test]
fn a_death_is_told_and_survived() {
    let Some(mut journal) = Journal::new("a_death_is_told_and_survived") else { return };
    journal.write(5);
    let mut wrong = journal.reader(Some("nonsense"), Start::End, &[]);
    while matches!(wrong.status()[0].state, State::Reading) {
        wrong.next(Some(Duration::from_millis(1))).unwrap();
    }
    let State::Failed(why) = &wrong.status()[0].state else { panic!() };
    assert!(why.contains("Failed to seek to cursor") && why.contains("journalctl --verify"), "{why}");

    let mut reader = journal.reader(None, Start::Beginning, &[]);
    read(&mut reader, 5);
    let children = std::fs::read_to_string(format!("/proc/self/task/{}/children", thread_id())).unwrap();
    for child in children.split_whitespace() {
        Command::new("/bin/kill").args(["-9", child]).status().unwrap();
    }
    journal.write(5);
    let (numbers, _) = read(&mut reader, 5);
    assert_eq!(numbers, [5, 6, 7, 8, 9]);
}

fn thread_id() -> String {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    status.lines().find_map(|line| line.strip_prefix("Pid:")).unwrap().trim().to_owned()
}
