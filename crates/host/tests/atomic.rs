//! Replacing files, on a real file system.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use mailward_host::atomic::{WriteError, write};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn modes_are_given_or_kept() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("table");
    write(&path, b"one", None).unwrap();
    assert_eq!(mode(&path), 0o600);
    write(&path, b"two", Some(0o640)).unwrap();
    assert_eq!(mode(&path), 0o640);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
    write(&path, b"three", None).unwrap();
    assert_eq!(mode(&path), 0o604);
    assert_eq!(fs::read(&path).unwrap(), b"three");
    assert_eq!(names(place.path()), ["table"]);
}

#[test]
fn owners_are_kept() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("table");
    write(&path, b"one", None).unwrap();
    if chown(&path, Some(12), Some(34)).is_err() {
        eprintln!("SKIPPED: owners_are_kept needs root");
        return;
    }
    write(&path, b"two", None).unwrap();
    let now = fs::metadata(&path).unwrap();
    assert_eq!((now.uid(), now.gid()), (12, 34));
}

#[test]
fn links_stay_links() {
    let place = tempfile::tempdir().unwrap();
    let (real, link) = (place.path().join("real"), place.path().join("link"));
    write(&real, b"one", None).unwrap();
    symlink("real", &link).unwrap();
    write(&link, b"two", None).unwrap();
    assert_eq!(fs::read_link(&link).unwrap(), Path::new("real"));
    assert_eq!(fs::read(&real).unwrap(), b"two");
}

#[test]
fn a_missing_directory_is_told() {
    let place = tempfile::tempdir().unwrap();
    let error = write(&place.path().join("none/table"), b"one", None).unwrap_err();
    assert!(error.to_string().contains("namei -l"), "{error}");
}

#[test]
fn a_full_disk_leaves_the_old_file() {
    let place = tempfile::tempdir().unwrap();
    let mounted = Command::new("/usr/bin/mount")
        .args(["-t", "tmpfs", "-o", "size=64k", "none"])
        .arg(place.path())
        .status()
        .is_ok_and(|status| status.success());
    if !mounted {
        eprintln!("SKIPPED: a_full_disk_leaves_the_old_file needs root and mount(8)");
        return;
    }
    let path = place.path().join("table");
    write(&path, b"old", None).unwrap();
    let result = write(&path, &vec![b'x'; 1 << 20], None);
    let (content, left) = (fs::read(&path).unwrap(), names(place.path()));
    assert!(Command::new("/usr/bin/umount").arg(place.path()).status().unwrap().success());
    assert!(matches!(result, Err(WriteError::Full { .. })), "{result:?}");
    assert_eq!(content, b"old");
    assert_eq!(left, ["table"]);
}
