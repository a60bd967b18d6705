//! A file system that is really full.

use std::path::{Path, PathBuf};
use std::process::Command;

use mailward_store::{Batch, CursorAt, Decided, Recorded, Store, StoreError};

use crate::make::{at, ban, is_root, offence};

const FOLDER: &str = "MAILWARD_TEST_TMPFS";

/// Runs a test of this file as a process of its own in a mount namespace of its own, with a tmpfs of 256 kB. False, and
/// loudly, where that is not allowed.
fn within_tmpfs(test: &str) -> bool {
    if std::env::var_os(FOLDER).is_some() {
        return true;
    }
    let folder = tempfile::tempdir().unwrap();
    let script =
        "mount -t tmpfs -o size=256k,mode=700 tmpfs \"$1\" && exec \"$2\" --exact \"$3\" --nocapture";
    let status = Command::new("/usr/bin/unshare")
        .args(["--mount", "--propagation", "private", "/bin/sh", "-c", script, "sh"])
        .arg(folder.path())
        .arg(std::env::current_exe().unwrap())
        .arg(test)
        .env(FOLDER, folder.path())
        .status();
    match status {
        Ok(status) if is_root() => assert!(status.success(), "{test} in the tmpfs: {status}"),
        _ => eprintln!("SKIPPED: {test} needs root and /usr/bin/unshare, to mount a small tmpfs"),
    }
    false
}

fn folder() -> PathBuf {
    std::env::var_os(FOLDER).unwrap().into()
}

fn enlarge(size: &str) {
    let status =
        Command::new("/bin/mount").args(["-o", &format!("remount,size={size}")]).arg(folder()).status();
    assert!(status.unwrap().success());
}

/// A batch of offences and a ban, the n-th.
fn commit(store: &mut Store, n: i64) -> Result<(), StoreError> {
    let offences: Vec<_> = (0..20).map(|i| offence(n * 20 + i, "192.0.2.1", None)).collect();
    let recorded: Vec<_> = offences.iter().map(|offence| Recorded { offence, line: &[b'x'; 500] }).collect();
    let ban = ban(&format!("198.51.100.{n}"), n, None);
    let cursors = [CursorAt { source: "log", cursor: &n.to_le_bytes() }];
    store.commit(&Batch {
        cursors: &cursors,
        offences: &recorded,
        bans: &[Decided { ban: &ban, signal: None }],
        ..Batch::default()
    })
}

fn check(store: &Store, commits: i64) {
    assert_eq!(store.active_bans(at(0)).unwrap().len() as i64, commits);
    assert_eq!(store.size().unwrap().offences as i64, commits * 20);
    assert_eq!(store.cursor("log").unwrap().unwrap(), (commits - 1).to_le_bytes());
    store.check().unwrap();
}

fn is_full<T: std::fmt::Debug>(result: Result<T, StoreError>, path: &Path) {
    let error = result.unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
    assert!(error.is_retryable());
    assert!(error.to_string().contains(&format!("df -h {}", path.parent().unwrap().display())), "{error}");
}

#[test]
fn a_full_disk_is_told_and_outlived() {
    if !within_tmpfs("full_disk::a_full_disk_is_told_and_outlived") {
        return;
    }
    let path = folder().join("mailward.db");
    let mut store = Store::open(&path).unwrap();
    let mut commits = 0;
    let full = loop {
        match commit(&mut store, commits) {
            Ok(()) => commits += 1,
            Err(error) => break error,
        }
    };
    assert!(commits > 0, "{full}");
    is_full(Err::<(), _>(full), &path);
    for _ in 0..20 {
        is_full(commit(&mut store, commits), &path);
        check(&store, commits);
    }
    // Reading, also by another, goes on; so does a store that is opened anew.
    check(&Store::open_read_only(&path).unwrap(), commits);
    drop(store);
    let mut store = Store::open(&path).unwrap();
    check(&store, commits);

    // With room again the same batch goes through on the same store.
    let before = commits;
    while commit(&mut store, commits).is_ok() {
        commits += 1;
    }
    enlarge("2m");
    for _ in 0..20 {
        commit(&mut store, commits).unwrap();
        commits += 1;
    }
    assert!(commits >= before + 20);
    check(&store, commits);
}

#[test]
fn no_room_for_a_store_at_all() {
    if !within_tmpfs("full_disk::no_room_for_a_store_at_all") {
        return;
    }
    std::fs::write(folder().join("mail"), vec![0; 220 << 10]).unwrap();
    let path = folder().join("mailward.db");
    is_full(Store::open(&path), &path);
    std::fs::remove_file(folder().join("mail")).unwrap();
    let mut store = Store::open(&path).unwrap();
    commit(&mut store, 0).unwrap();
    check(&store, 1);
}
