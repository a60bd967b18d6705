//! 50,000 lines a second from another thread while the real logrotate(8) rotates in each of its ways, and the reader dies now
//! and then: every line once, in order.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may"
)]

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{
    AtomicBool,
    Ordering::{Acquire, Release},
};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::time::{Duration, Instant};

use mailward_source::{Next, Reader, Spec, Start};

const LOGROTATE: &str = "/usr/sbin/logrotate";
const RATE: u64 = 50_000;
/// Lines of one write, as a busy syslog daemon has them.
const PIECE: usize = 25;
const ROTATIONS: u64 = 8;

/// How many lines each kind gets; more with `MAILWARD_STRESS_LINES`.
fn total() -> u64 {
    std::env::var("MAILWARD_STRESS_LINES").ok().and_then(|lines| lines.parse().ok()).unwrap_or(60_000)
}

/// Writes numbered lines, and asks for a rotation now and then. `reopen` is a file, because logrotate's script makes it.
fn write(place: &Path, gate: &Mutex<()>, rotate: SyncSender<()>, done: &AtomicBool) {
    let (path, reopen) = (place.join("mail.log"), place.join("reopen"));
    let mut file = append(&path);
    let start = Instant::now();
    for n in (0..total()).step_by(PIECE) {
        if reopen.exists() {
            file = append(&path);
            fs::remove_file(&reopen).unwrap();
        }
        let piece: String = (n..n + PIECE as u64)
            .map(|n| format!("Nov 21 10:00:00 mx postfix/smtpd[4711]: {n} connect from unknown[192.0.2.1]\n"))
            .collect();
        let open = gate.lock().unwrap();
        file.write_all(piece.as_bytes()).unwrap();
        drop(open);
        if n % (total() / ROTATIONS) < PIECE as u64 {
            // Another one while one is under way is no further one.
            let _ = rotate.try_send(());
        }
        // The pace, not a signal.
        std::thread::sleep(Duration::from_micros(n * 1_000_000 / RATE).saturating_sub(start.elapsed()));
    }
    let took = start.elapsed();
    drop(rotate);
    // The last rotation may still wait for it.
    while !done.load(Acquire) {
        let _ = fs::remove_file(&reopen);
        std::thread::yield_now();
    }
    eprintln!("{} lines/s written", (total() as f64 / took.as_secs_f64()).round());
}

/// Runs logrotate whenever it is asked to.
fn rotate(place: &Path, gate: Option<&Mutex<()>>, asked: &Receiver<()>) {
    for () in asked {
        // What is written between copytruncate's copy and its truncation is lost, as logrotate(8) says.
        let closed = gate.map(|gate| gate.lock().unwrap());
        let done = Command::new(LOGROTATE)
            .args(["--force", "--state"])
            .arg(place.join("state"))
            .arg(place.join("logrotate.conf"))
            .output()
            .unwrap();
        drop(closed);
        let complaint = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success() || complaint.contains("already exists"), "{complaint}");
    }
}

fn open(place: &Path, cursor: Option<&str>) -> Reader {
    let specs = [Spec::File(place.join("mail.log"))];
    Reader::open(&specs, |_| cursor.map(str::to_owned), Start::Beginning).unwrap()
}

/// Reads all, forgetting now and then what it did not store.
fn read(place: &Path, mut reader: Reader) {
    let (mut cursor, mut next, mut batches, mut deaths) = (None, 0, 0_u64, 0);
    while next < total() {
        batches += 1;
        let dies = batches % 97 == 96;
        match reader.next(Some(Duration::from_secs(60))).unwrap() {
            Next::Batch(batch) => {
                let stored = next;
                for line in std::str::from_utf8(batch.lines).unwrap().lines() {
                    let n: u64 = line.split(' ').nth(5).unwrap().parse().unwrap();
                    assert_eq!(n, next, "{line}");
                    next += 1;
                }
                if dies {
                    next = stored;
                } else {
                    cursor = Some(batch.cursor);
                }
            }
            other => panic!("line {next}: {other:?}"),
        }
        if dies {
            deaths += 1;
            assert_eq!(reader.status()[0].lost, 0, "{:?}", reader.status());
            reader = open(place, cursor.as_deref());
        }
    }
    assert!(matches!(reader.next(Some(Duration::ZERO)).unwrap(), Next::Idle));
    let status = reader.status().remove(0);
    assert_eq!((status.lost, status.lag), (0, 0), "{status:?}");
    eprintln!("{batches} batches, {deaths} deaths; {status:?}");
}

fn append(path: &Path) -> File {
    OpenOptions::new().append(true).create(true).open(path).unwrap()
}

/// One kind of rotation; `hold` stops the writer while logrotate works.
fn check(name: &str, options: &str, hold: bool) {
    if !Path::new(LOGROTATE).exists() {
        eprintln!("SKIPPED: {name} needs the package logrotate");
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let directory: PathBuf = place.path().canonicalize().unwrap();
    let shown = directory.display();
    let script = format!("touch {shown}/reopen; while [ -e {shown}/reopen ]; do sleep 0.01; done");
    let script = if hold { String::new() } else { format!("postrotate\n{script}\nendscript") };
    let config = format!("{shown}/mail.log {{\nrotate 30\nnotifempty\n{options}\n{script}\n}}\n");
    fs::write(directory.join("logrotate.conf"), config).unwrap();
    let (gate, done) = (Mutex::new(()), AtomicBool::new(false));
    let (ask, asked) = mpsc::sync_channel(1);
    let reader = open(&directory, None);
    std::thread::scope(|scope| {
        let (directory, gate, done) = (&directory, &gate, &done);
        scope.spawn(move || {
            rotate(directory, hold.then_some(gate), &asked);
            done.store(true, Release);
        });
        scope.spawn(move || write(directory, gate, ask, done));
        read(directory, reader);
    });
}

#[test]
fn renamed_and_created() {
    check("renamed_and_created", "create\nnocompress", false);
}

#[test]
fn renamed_and_left_to_the_writer() {
    check("renamed_and_left_to_the_writer", "nocreate\nnocompress", false);
}

#[test]
fn as_debian_does() {
    check("as_debian_does", "create\ncompress\ndelaycompress", false);
}

#[test]
fn compressed_at_once() {
    check("compressed_at_once", "create\ncompress", false);
}

#[test]
fn dated() {
    // Names of one second are the same: what is not rotated for that is rotated the next time.
    check("dated", "create\ndateext\ndateformat -%Y%m%d-%s\ncompress\ndelaycompress", false);
}

#[test]
fn copied_and_truncated() {
    check("copied_and_truncated", "copytruncate\nnocompress", true);
}

#[test]
fn as_docker_mailserver_does() {
    check("as_docker_mailserver_does", "copytruncate\ncompress\ndelaycompress", true);
}

#[test]
fn copied_truncated_and_compressed() {
    check("copied_truncated_and_compressed", "copytruncate\ncompress", true);
}
