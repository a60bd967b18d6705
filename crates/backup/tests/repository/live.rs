//! Files that change while they are read.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use mailward_backup::{Meter, Selection};
use rusqlite::Connection;

use crate::make::{Bench, restored};

/// Messages that are read and moved on all the time: each one is in the snapshot.
#[test]
fn no_message_is_missed_while_flags_change() {
    let bench = Bench::new();
    let mailbox = bench.mailbox("anna", 300);
    let repository = bench.create();
    let done = AtomicBool::new(false);
    let captured = thread::scope(|scope| {
        scope.spawn(|| {
            let mut seen = false;
            while !done.load(Ordering::Relaxed) {
                seen = !seen;
                for part in ["new", "cur"] {
                    for entry in fs::read_dir(mailbox.join(part)).unwrap().flatten() {
                        let name = entry.file_name().into_string().unwrap();
                        let base = name.split(':').next().unwrap();
                        let flags = if seen { "S" } else { "RS" };
                        fs::rename(entry.path(), mailbox.join("cur").join(format!("{base}:2,{flags}")))
                            .unwrap();
                    }
                }
            }
        });
        let captured: Vec<_> = (0..5).map(|_| bench.capture(&repository)).collect();
        done.store(true, Ordering::Relaxed);
        captured
    });
    for captured in captured {
        let entries = repository.entries(&captured.snapshot, std::slice::from_ref(&mailbox)).unwrap();
        let mut messages: Vec<String> = entries
            .iter()
            .filter(|entry| entry.is_file() && entry.path.parent() != Some(&mailbox))
            .map(|entry| {
                entry.path.file_name().unwrap().to_str().unwrap().split(':').next().unwrap().to_owned()
            })
            .collect();
        messages.sort();
        messages.dedup();
        assert_eq!(messages.len(), 300, "{captured:?}");
    }
}

#[test]
fn a_file_that_is_written_meanwhile_is_read_again_and_told() {
    let bench = Bench::new();
    bench.mailbox("anna", 3);
    let log = bench.path("mail/log");
    fs::write(&log, vec![b'x'; 20_000_000]).unwrap();
    let repository = bench.create();
    let done = AtomicBool::new(false);
    let captured = thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = OpenOptions::new().append(true).open(&log).unwrap();
            while !done.load(Ordering::Relaxed) {
                file.write_all(b"more\n").unwrap();
            }
        });
        let captured = bench.capture(&repository);
        done.store(true, Ordering::Relaxed);
        captured
    });
    assert_eq!(captured.restless, std::slice::from_ref(&log));
    assert_eq!(captured.passes, 3);
    assert_eq!(repository.snapshots().unwrap().len(), 1, "each pass takes the place of the one before");
    // What is there is a beginning of the file, whole up to its length.
    let into = bench.path("back");
    repository.restore(&captured.snapshot, &[], &into, &Meter::silent()).unwrap();
    let back = fs::read(restored(&into, &log)).unwrap();
    assert!(fs::read(&log).unwrap().starts_with(&back));
    assert!(back.len() >= 20_000_000);
}

#[test]
fn a_database_is_whole_with_what_stands_in_its_log() {
    let bench = Bench::new();
    let path = bench.path("mail/accounts.sqlite");
    let database = Connection::open(&path).unwrap();
    database
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE account (name TEXT);",
        )
        .unwrap();
    for number in 0..500 {
        database.execute("INSERT INTO account VALUES (?1)", [format!("user{number}@example.org")]).unwrap();
    }
    fs::write(bench.path("mail/not-one.db"), "Berkeley or anything else").unwrap();
    let repository = bench.create();
    let captured = bench.capture(&repository);
    assert_eq!(captured.databases, std::slice::from_ref(&path));
    let into = bench.path("back");
    repository.restore(&captured.snapshot, &[], &into, &Meter::silent()).unwrap();
    let back = restored(&into, &path);
    assert!(!back.with_extension("sqlite-wal").exists());
    let count: i64 = Connection::open(back)
        .unwrap()
        .query_row("SELECT count(*) FROM account", [], |row| row.get(0))
        .unwrap();
    assert_eq!(count, 500);
    assert_eq!(
        fs::read(restored(&into, &bench.path("mail/not-one.db"))).unwrap(),
        b"Berkeley or anything else"
    );
    // A row in the log alone is a change, too.
    database.execute("INSERT INTO account VALUES ('late')", []).unwrap();
    let next = bench.capture(&repository);
    repository
        .restore(&next.snapshot, std::slice::from_ref(&path), &bench.path("next"), &Meter::silent())
        .unwrap();
    let back = restored(&bench.path("next"), &path);
    let count: i64 = Connection::open(back)
        .unwrap()
        .query_row("SELECT count(*) FROM account", [], |row| row.get(0))
        .unwrap();
    assert_eq!(count, 501);
}

#[test]
fn what_is_made_anew_and_what_is_excluded_is_left_out() {
    let bench = Bench::new();
    let mailbox = bench.mailbox("anna", 3);
    fs::write(mailbox.join("tmp/half"), "delivery that is going on").unwrap();
    fs::write(mailbox.join("dovecot.index.cache"), "cache").unwrap();
    fs::create_dir(bench.path("mail/private")).unwrap();
    fs::write(bench.path("mail/private/file"), "x").unwrap();
    let repository = bench.create();
    let selection = Selection {
        // What lies below another root, and what is not there, changes nothing.
        roots: vec![bench.path("mail/anna"), bench.path("mail"), bench.path("nothing")],
        excludes: vec![bench.path("mail/private")],
    };
    let captured = repository.capture(&selection, &bench.path("scratch"), "mail.example.org").unwrap();
    let names: Vec<_> = repository
        .entries(&captured.snapshot, &[])
        .unwrap()
        .into_iter()
        .filter(mailward_backup::Entry::is_file)
        .map(|entry| entry.path.strip_prefix(bench.path("mail")).unwrap().display().to_string())
        .collect();
    assert_eq!(names.len(), 4, "{names:?}");
    assert!(names.contains(&"anna/dovecot-uidlist".to_owned()));
    assert_eq!(captured.gone, 1);
}
