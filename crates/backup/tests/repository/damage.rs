//! Bytes that are lost, keys that do not fit, disks that fill up or go away: each is told for what it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mailward_backup::{BackupError, Key, Meter, Repository};

use crate::make::Bench;
use crate::restic::is_clean;

/// The packs of a repository, the largest first.
fn packs(repository: &Path) -> Vec<PathBuf> {
    let directories = fs::read_dir(repository.join("data")).unwrap().flatten();
    let mut all: Vec<PathBuf> = directories
        .flat_map(|directory| fs::read_dir(directory.path()).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    all.sort_by_key(|path| std::cmp::Reverse(fs::metadata(path).unwrap().len()));
    all
}

fn saved() -> (Bench, Repository) {
    let bench = Bench::new();
    bench.mailbox("anna", 60);
    let repository = bench.create();
    bench.capture(&repository);
    (bench, repository)
}

#[test]
fn a_flipped_byte_is_found_and_never_restored() {
    let (bench, repository) = saved();
    let pack = packs(repository.place()).remove(0);
    let mut bytes = fs::read(&pack).unwrap();
    bytes[100] ^= 1;
    fs::write(&pack, bytes).unwrap();
    assert_eq!(repository.check(false).unwrap(), Vec::<String>::new(), "sizes and names are as they were");
    let wrong = repository.check(true).unwrap();
    assert!(!wrong.is_empty());
    let latest = repository.snapshot("latest").unwrap();
    let error = repository.restore(&latest, &[], &bench.path("back"), &Meter::silent()).unwrap_err();
    assert!(matches!(error, BackupError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("mailward backup check --read-data"), "{error}");
    // The pack is given up: what is still on the server is saved anew, and the repository is whole.
    fs::remove_file(&pack).unwrap();
    bench.capture(&bench.open());
    let latest = repository.snapshot("latest").unwrap();
    repository.restore(&latest, &[], &bench.path("whole"), &Meter::silent()).unwrap();
    is_clean(&bench);
}

#[test]
fn a_truncated_pack_is_found() {
    let (bench, repository) = saved();
    let pack = packs(repository.place()).remove(0);
    let length = fs::metadata(&pack).unwrap().len();
    fs::OpenOptions::new().write(true).open(&pack).unwrap().set_len(length / 2).unwrap();
    assert!(!repository.check(false).unwrap().is_empty());
    let latest = repository.snapshot("latest").unwrap();
    let error = repository.restore(&latest, &[], &bench.path("back"), &Meter::silent()).unwrap_err();
    assert!(matches!(error, BackupError::Damaged { .. }), "{error}");
}

#[test]
fn a_damaged_snapshot_is_told() {
    let (_bench, repository) = saved();
    let snapshot =
        fs::read_dir(repository.place().join("snapshots")).unwrap().next().unwrap().unwrap().path();
    fs::write(snapshot, "nonsense").unwrap();
    let error = repository.snapshots().unwrap_err();
    assert!(matches!(error, BackupError::Damaged { .. }), "{error}");
}

#[test]
fn another_key_does_not_open_it() {
    let (bench, repository) = saved();
    let other = Key::make(&bench.path("other")).unwrap();
    let error = Repository::open(repository.place(), &other, None, &Meter::silent()).unwrap_err();
    assert!(matches!(error, BackupError::WrongKey { .. }), "{error}");
    assert!(error.to_string().contains("recovery sheet"), "{error}");
}

#[test]
fn other_files_are_no_repository() {
    let bench = Bench::new();
    bench.mailbox("anna", 1);
    let open = |place: &str| Repository::open(&bench.path(place), &bench.key(), None, &Meter::silent());
    assert!(matches!(open("mail"), Err(BackupError::Missing { .. })));
    assert!(matches!(open("nothing"), Err(BackupError::Missing { .. })));
    let error = Repository::create(&bench.path("mail"), &bench.key(), &Meter::silent()).unwrap_err();
    assert!(matches!(error, BackupError::Occupied { .. }), "{error}");
    assert!(Repository::create(&bench.path("no/such"), &bench.key(), &Meter::silent()).is_err());
}

#[test]
fn a_target_that_went_away_is_told_and_nothing_is_written_in_its_place() {
    let (bench, repository) = saved();
    bench.mailbox("bert", 5);
    fs::rename(repository.place(), bench.path("unplugged")).unwrap();
    fs::create_dir(repository.place()).unwrap();
    let error =
        repository.capture(&bench.selection(), &bench.path("scratch"), "mail.example.org").unwrap_err();
    assert!(matches!(error, BackupError::Vanished { .. }), "{error}");
    assert!(error.to_string().contains("findmnt"), "{error}");
    assert!(repository.snapshots().is_err(), "no list is an empty one");
    assert_eq!(fs::read_dir(repository.place()).unwrap().count(), 0);
    fs::remove_dir(repository.place()).unwrap();
    fs::rename(bench.path("unplugged"), repository.place()).unwrap();
    bench.capture(&bench.open());
    is_clean(&bench);
}

/// A file system of its own, gone at the end.
struct Mount(PathBuf);

impl Mount {
    fn of(place: PathBuf, size: &str) -> Option<Self> {
        fs::create_dir(&place).unwrap();
        let mounted = Command::new("/bin/mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(&place)
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(place));
        }
        eprintln!("SKIPPED: only root may mount a file system");
        None
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("/bin/umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_told_and_what_was_saved_is_kept() {
    let bench = Bench::new();
    bench.mailbox("anna", 30);
    let Some(mount) = Mount::of(bench.path("repository"), "40m") else { return };
    let repository = bench.create();
    let first = bench.capture(&repository).snapshot;
    let noise: Vec<u8> = (0..12_000_000_u64)
        .flat_map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 13).to_le_bytes())
        .collect();
    fs::write(bench.path("mail/noise"), noise).unwrap();
    let error =
        repository.capture(&bench.selection(), &bench.path("scratch"), "mail.example.org").unwrap_err();
    assert!(matches!(error, BackupError::Full { .. }), "{error}");
    assert!(error.to_string().contains("df -h"), "{error}");
    let repository = bench.open();
    assert_eq!(repository.snapshots().unwrap(), [first]);
    assert_eq!(repository.check(true).unwrap(), Vec::<String>::new());
    is_clean(&bench);
    drop(mount);
}

#[test]
fn a_disk_that_is_unmounted_is_told() {
    let bench = Bench::new();
    bench.mailbox("anna", 3);
    let Some(mount) = Mount::of(bench.path("repository"), "20m") else { return };
    let repository = bench.create();
    bench.capture(&repository);
    drop(mount);
    let error =
        repository.capture(&bench.selection(), &bench.path("scratch"), "mail.example.org").unwrap_err();
    assert!(matches!(error, BackupError::Vanished { .. }), "{error}");
    assert_eq!(fs::read_dir(bench.path("repository")).unwrap().count(), 0);
}

#[test]
fn a_restore_onto_a_full_disk_is_told_and_goes_on() {
    let bench = Bench::new();
    bench.mailbox("anna", 3);
    fs::write(bench.path("mail/large"), vec![7_u8; 6_000_000]).unwrap();
    let repository = bench.create();
    let snapshot = bench.capture(&repository).snapshot;
    let Some(mount) = Mount::of(bench.path("back"), "2m") else { return };
    let error = repository.restore(&snapshot, &[], &bench.path("back"), &Meter::silent()).unwrap_err();
    assert!(matches!(error, BackupError::Full { .. }), "{error}");
    Command::new("/bin/mount").args(["-o", "remount,size=20m"]).arg(bench.path("back")).status().unwrap();
    let done = repository.restore(&snapshot, &[], &bench.path("back"), &Meter::silent()).unwrap();
    assert!(done.there > 0);
    assert_eq!(repository.verify(&snapshot, &[], &bench.path("back")).unwrap().wrong, Vec::<PathBuf>::new());
    drop(mount);
}
