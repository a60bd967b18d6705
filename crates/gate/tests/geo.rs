//! Databases of places: whole ones, and whatever lies where one should be.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do"
)]

mod mmdb;

use std::fs;
use std::path::PathBuf;

use mailward_decide::Whereabouts;
use mailward_gate::{Geo, GeoError};
use mailward_model::{Span, Timestamp};
use proptest::prelude::*;

const ROWS: &[mmdb::Row] = &[
    ("192.0.2.0/24", "DE", Some((52.5, 13.4))),
    ("198.51.100.0/25", "AU", Some((-33.9, 151.2))),
    ("203.0.113.7/32", "FR", None),
    ("2001:db8::/32", "AT", None),
];
const BUILT: u64 = 1_790_000_000;

fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("places.mmdb");
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_secs(i64::try_from(seconds).unwrap())
}

#[test]
fn addresses_are_found_where_the_database_has_them() {
    let (_folder, path) = file(&mmdb::database(ROWS, BUILT));
    let geo = Geo::open(&path, at(BUILT)).unwrap();
    for (address, country, position) in [
        ("192.0.2.7", "DE", Some((52.5, 13.4))),
        ("198.51.100.127", "AU", Some((-33.9, 151.2))),
        ("198.51.100.128", "", None),
        ("203.0.113.7", "FR", None),
        ("203.0.113.8", "", None),
        ("2001:db8:1::1", "AT", None),
        ("::1", "", None),
    ] {
        let expected = Whereabouts { country: country.parse().ok(), position };
        assert_eq!(geo.find(address.parse().unwrap()), expected, "{address}");
    }
}

#[test]
fn what_is_missing_old_or_no_database_is_said_and_not_used() {
    let (_folder, path) = file(&mmdb::database(ROWS, BUILT));
    let days = |count| Span::from_days(count).secs();
    assert!(Geo::open(&path, at(BUILT + days(119))).is_ok());
    assert!(matches!(Geo::open(&path, at(BUILT + days(121))), Err(GeoError::Stale { days: 121, .. })));
    assert!(matches!(Geo::open(&path.join("x"), at(BUILT)), Err(GeoError::Unreadable { .. })));
    for bytes in [&b""[..], b"<html>moved</html>", b"\xab\xcd\xefMaxMind.com"] {
        fs::write(&path, bytes).unwrap();
        assert!(matches!(Geo::open(&path, at(BUILT)), Err(GeoError::Broken { .. })), "{bytes:?}");
    }
}

proptest! {
    /// A download that broke off, or a disk that turns bits: something may not be found, and nothing panics.
    #[test]
    fn a_damaged_database_harms_nobody(cut in any::<u16>(), turned in any::<(u16, u8)>(), address in any::<[u8; 4]>()) {
        let mut bytes = mmdb::database(ROWS, BUILT);
        let place = usize::from(turned.0) % bytes.len();
        bytes[place] ^= turned.1;
        let length = bytes.len();
        bytes.truncate(length - usize::from(cut) % 64);
        let (_folder, path) = file(&bytes);
        if let Ok(geo) = Geo::open(&path, at(BUILT)) {
            for address in [address, [192, 0, 2, 7], [203, 0, 113, 7]] {
                let _ = geo.find(address.into());
            }
        }
    }
}
