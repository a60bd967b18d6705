//! Files, permissions, locks and versions.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use mailward_store::{Batch, Decided, Pruned, Retention, Store, StoreError};
use rusqlite::Connection;

use crate::make::{Place, at, ban, is_root};

#[test]
fn files_are_for_the_owner_only() {
    let place = Place::new();
    let mut store = place.open();
    let ban = ban("192.0.2.1", 0, None);
    store.commit(&Batch { bans: &[Decided { ban: &ban, signal: None }], ..Batch::default() }).unwrap();
    let mode = |name: &str| {
        let path = place.path().parent().unwrap().join(name);
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(mode(""), 0o700);
    for name in ["mailward.db", "mailward.db-wal", "mailward.db-shm", "mailward.db-lock"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
}

#[test]
fn one_writes_and_others_read() {
    let place = Place::new();
    assert!(matches!(Store::open_read_only(&place.path()), Err(StoreError::Missing { .. })));
    let mut writer = place.open();
    let busy = Store::open(&place.path()).unwrap_err();
    assert!(matches!(busy, StoreError::InUse { .. }), "{busy}");
    let reader = Store::open_read_only(&place.path()).unwrap();
    let ban = ban("192.0.2.1", 0, None);
    writer.commit(&Batch { bans: &[Decided { ban: &ban, signal: None }], ..Batch::default() }).unwrap();
    assert_eq!(reader.active_bans(at(1)).unwrap(), std::slice::from_ref(&ban));
    let mut reader = reader;
    let refused = reader.commit(&Batch { bans: &[Decided { ban: &ban, signal: None }], ..Batch::default() });
    assert!(matches!(refused, Err(StoreError::Denied { .. })));
    drop(writer);
    // Nobody else has it open now.
    drop(reader);
    assert_eq!(Store::open_read_only(&place.path()).unwrap().active_bans(at(1)).unwrap(), [ban]);
    place.open();
}

#[test]
fn an_open_store_opens_again() {
    let place = Place::new();
    let mut store = place.open();
    store.reopen().unwrap();
    assert!(matches!(Store::open(&place.path()), Err(StoreError::InUse { .. })));
    store.commit(&Batch::default()).unwrap();
}

#[test]
fn a_file_that_is_moved_away_is_noticed() {
    let place = Place::new();
    let mut store = place.open();
    std::fs::rename(place.path(), place.path().with_extension("old")).unwrap();
    let moved = store.retain(at(0), &Retention::default()).unwrap_err();
    assert!(matches!(moved, StoreError::Replaced { .. }), "{moved}");
    store.reopen().unwrap();
    assert_eq!(store.retain(at(0), &Retention::default()).unwrap(), Pruned::default());
}

#[test]
fn who_holds_it_too_long_is_told() {
    let place = Place::new();
    let mut store = place.open();
    let shell = Connection::open(place.path()).unwrap();
    shell.execute_batch("BEGIN IMMEDIATE").unwrap();
    let ban = ban("192.0.2.1", 0, None);
    let batch = Batch { bans: &[Decided { ban: &ban, signal: None }], ..Batch::default() };
    let busy = store.commit(&batch).unwrap_err();
    assert!(matches!(busy, StoreError::Busy { .. }) && busy.is_retryable(), "{busy}");
    shell.execute_batch("COMMIT").unwrap();
    store.commit(&batch).unwrap();
}

const DENIED: &str = "MAILWARD_TEST_DENIED";

/// Runs itself again as another user.
#[test]
fn others_are_refused() {
    if let Some(path) = std::env::var_os(DENIED) {
        for refused in [Store::open(path.as_ref()), Store::open_read_only(path.as_ref())] {
            let refused = refused.unwrap_err();
            assert!(matches!(refused, StoreError::Denied { .. }), "{refused}");
        }
        return;
    }
    let place = Place::new();
    let _store = place.open();
    let again = Command::new("/usr/bin/setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "opening::others_are_refused"])
        .env(DENIED, place.path())
        .output();
    match again {
        Ok(output) if is_root() => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        }
        _ => eprintln!("SKIPPED: others_are_refused needs root and /usr/bin/setpriv, to be another user"),
    }
}

fn change(place: &Place, sql: &str) {
    Connection::open(place.path()).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn a_newer_or_older_schema_is_told() {
    let place = Place::new();
    drop(place.open());
    change(&place, "PRAGMA user_version = 9999");
    for newer in [Store::open(&place.path()), Store::open_read_only(&place.path())] {
        let newer = newer.unwrap_err();
        assert!(matches!(newer, StoreError::Newer { found: 9999, .. }), "{newer}");
        assert!(!newer.is_retryable());
    }
    change(&place, "PRAGMA user_version = 0");
    assert!(matches!(Store::open_read_only(&place.path()), Err(StoreError::Older { found: 0, .. })));
}

#[test]
fn another_programs_database_is_left_alone() {
    let place = Place::new();
    std::fs::create_dir(place.path().parent().unwrap()).unwrap();
    change(&place, "CREATE TABLE accounts (x); INSERT INTO accounts VALUES (1)");
    let foreign = Store::open(&place.path()).unwrap_err();
    assert!(matches!(foreign, StoreError::Foreign { .. }), "{foreign}");
    change(&place, "INSERT INTO accounts VALUES (2)");
}

#[test]
fn names_of_another_version_are_no_error() {
    let place = Place::new();
    let mut store = place.open();
    crate::make::commit_offences(&mut store, &[crate::make::offence(1, "192.0.2.1", None)]);
    drop(store);
    change(&place, "UPDATE name SET name = 'later-' || name WHERE name = 'wrong-password'");
    let mut reasons = Vec::new();
    Store::open_read_only(&place.path()).unwrap().offences_since(at(0), |o| reasons.push(o.reason)).unwrap();
    place.open().offences_since(at(0), |o| reasons.push(o.reason)).unwrap();
    assert_eq!(reasons, [mailward_model::Reason::Other; 2]);
}
