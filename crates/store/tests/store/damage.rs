//! A file that is not whole.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;

use mailward_store::{Batch, Decided, Store, StoreError};

use crate::make::{Place, at, ban, commit_offences, offence};

fn filled(place: &Place) -> Store {
    let mut store = place.open();
    let bans: Vec<_> = (0..2_000).map(|n| ban(&format!("198.18.{}.{}", n / 250, n % 250), n, None)).collect();
    let decided: Vec<_> = bans.iter().map(|ban| Decided { ban, signal: None }).collect();
    store.commit(&Batch { bans: &decided, ..Batch::default() }).unwrap();
    commit_offences(&mut store, &(0..2_000).map(|n| offence(n, "192.0.2.1", None)).collect::<Vec<_>>());
    store
}

/// Overwrites every page that holds these bytes.
fn spoil(place: &Place, mark: &[u8]) {
    let file = OpenOptions::new().read(true).write(true).open(place.path()).unwrap();
    let bytes = std::fs::read(place.path()).unwrap();
    for (n, page) in bytes.chunks(4096).enumerate().skip(1) {
        if page.windows(mark.len()).any(|window| window == mark) {
            file.write_all_at(&[0xa5; 4096], n as u64 * 4096).unwrap();
        }
    }
}

#[test]
fn a_damaged_file_is_told_and_a_new_one_begun() {
    let place = Place::new();
    drop(filled(&place));
    spoil(&place, b"auth-failure-fast");
    let damaged = Store::open(&place.path()).unwrap_err();
    assert!(matches!(damaged, StoreError::Corrupt { .. }), "{damaged}");
    assert!(!damaged.is_retryable());
    assert!(damaged.to_string().contains("Trying again does not help"), "{damaged}");

    let aside = Store::set_aside(&place.path()).unwrap();
    assert!(aside.exists() && !place.path().exists());
    let mut store = place.open();
    assert_eq!(store.active_bans(at(0)).unwrap(), []);
    commit_offences(&mut store, &[offence(0, "192.0.2.1", None)]);
    assert!(matches!(Store::set_aside(&place.path()), Err(StoreError::InUse { .. })));
    drop(store);
    assert_ne!(Store::set_aside(&place.path()).unwrap(), aside, "one does not replace the other");
}

#[test]
fn bans_survive_damaged_offences() {
    let place = Place::new();
    drop(filled(&place));
    spoil(&place, b"imap-login");
    let store = place.open();
    assert_eq!(store.active_bans(at(9_999)).unwrap().len(), 2_000);
    assert!(matches!(store.check(), Err(StoreError::Corrupt { .. })));
    assert!(matches!(store.offences_since(at(0), |_| ()), Err(StoreError::Corrupt { .. })));
}

#[test]
fn what_is_no_database_is_told() {
    for content in [b"not a database at all, but long enough to be taken for one".repeat(99), vec![0; 8192]] {
        let place = Place::new();
        drop(place.open());
        std::fs::write(place.path(), content).unwrap();
        let damaged = Store::open(&place.path()).unwrap_err();
        assert!(matches!(damaged, StoreError::Corrupt { .. }), "{damaged}");
    }
}

#[test]
fn a_file_cut_short_is_told() {
    let place = Place::new();
    drop(filled(&place));
    let length = std::fs::metadata(place.path()).unwrap().len();
    OpenOptions::new().write(true).open(place.path()).unwrap().set_len(length / 2 / 4096 * 4096).unwrap();
    let damaged = Store::open(&place.path()).and_then(|store| store.check()).unwrap_err();
    assert!(matches!(damaged, StoreError::Corrupt { .. }), "{damaged}");
}

/// The file is spoiled under an open store: it goes on as soon as the file is in order again.
#[test]
fn an_open_store_recovers_when_the_file_is_mended() {
    let place = Place::new();
    drop(filled(&place));
    let whole = std::fs::read(place.path()).unwrap();
    let mut store = place.open();
    let ended = store.active_bans(at(9_999)).unwrap().len();
    std::fs::write(place.path(), vec![0xa5; whole.len()]).unwrap();
    assert!(store.reopen().is_err());
    std::fs::write(place.path(), whole).unwrap();
    store.reopen().unwrap();
    assert_eq!(store.active_bans(at(9_999)).unwrap().len(), ended);
}
