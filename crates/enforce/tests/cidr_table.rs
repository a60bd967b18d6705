//! The CIDR table, read by Postfix itself.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "namespace/mod.rs"]
mod namespace;

use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use mailward_decide::Cleared;
use mailward_enforce::{CidrTable, CidrTableError, Written};
use mailward_model::Timestamp;
use namespace::ban;

const NOW: Timestamp = Timestamp::from_secs(1_000);

fn write(table: &CidrTable, bans: &[Cleared]) -> Written {
    table.write(&bans.iter().collect::<Vec<_>>(), NOW).unwrap()
}

fn bans() -> Vec<Cleared> {
    vec![
        ban("2001:db8:1::/48", None),
        ban("203.0.113.0/24", Some(Timestamp::from_secs(2_000))),
        ban("198.51.100.7", None),
        ban("198.51.100.8", Some(Timestamp::from_secs(1_000))),
        ban("198.51.100.7", Some(Timestamp::from_secs(9_000))),
    ]
}

#[test]
fn the_table_lists_what_holds_and_stays_as_it_is_when_nothing_changes() {
    let directory = tempfile::tempdir().unwrap();
    let table = CidrTable::new(directory.path().join("mailward.cidr"));
    assert_eq!(write(&table, &bans()), Written::Replaced);
    let text = std::fs::read_to_string(table.path()).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines, ["198.51.100.7 reject", "203.0.113.0/24 reject", "2001:db8:1::/48 reject"]);
    let before = std::fs::metadata(table.path()).unwrap();
    assert_eq!(before.permissions().mode() & 0o777, 0o644);
    let mut shuffled = bans();
    shuffled.reverse();
    assert_eq!(write(&table, &shuffled), Written::Unchanged);
    assert_eq!(std::fs::metadata(table.path()).unwrap().ino(), before.ino());
    assert_eq!(write(&table, &[]), Written::Replaced);
    assert!(std::fs::read_to_string(table.path()).unwrap().lines().all(|line| line.starts_with('#')));
}

#[test]
fn owner_and_mode_stay_and_nothing_is_left_beside_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let table = CidrTable::new(directory.path().join("mailward.cidr"));
    write(&table, &[]);
    std::fs::set_permissions(table.path(), std::fs::Permissions::from_mode(0o640)).unwrap();
    let is_root = chown(table.path(), Some(12), Some(34)).is_ok();
    assert_eq!(write(&table, &bans()), Written::Replaced);
    let after = std::fs::metadata(table.path()).unwrap();
    assert_eq!(after.permissions().mode() & 0o777, 0o640);
    assert!(!is_root || (after.uid(), after.gid()) == (12, 34));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn a_file_that_is_not_ours_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let table = CidrTable::new(directory.path().join("postscreen_access.cidr"));
    std::fs::write(table.path(), "192.0.2.1 permit\n").unwrap();
    let refused = table.write(&[], NOW).unwrap_err();
    assert!(matches!(refused, CidrTableError::Foreign { .. }), "{refused}");
    assert_eq!(std::fs::read_to_string(table.path()).unwrap(), "192.0.2.1 permit\n");
}

#[test]
fn postfix_reads_it_as_meant() {
    const POSTMAP: &str = "/usr/sbin/postmap";
    if !Path::new(POSTMAP).exists() {
        let said = format!("SKIPPED: {POSTMAP} is not there (Debian package postfix)\n");
        std::io::stderr().write_all(said.as_bytes()).unwrap();
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let table = CidrTable::new(directory.path().join("mailward.cidr"));
    write(&table, &bans());
    for (address, answer) in [
        ("198.51.100.7", "reject\n"),
        ("198.51.100.8", ""),
        ("203.0.113.255", "reject\n"),
        ("203.0.114.0", ""),
        ("2001:db8:1::25", "reject\n"),
        ("2001:db8:2::25", ""),
    ] {
        let map = format!("cidr:{}", table.path().display());
        let output = Command::new(POSTMAP).args(["-q", address, &map]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), answer, "{address}");
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
