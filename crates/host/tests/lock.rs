//! Two holders of one lock.

use std::time::Duration;

use mailward_host::lock::{Lock, LockError, Mark, Turn, is_held};

#[test]
fn one_at_a_time() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("guard.lock");
    assert!(!is_held(&path));
    let first = Lock::acquire(&path).unwrap();
    assert!(is_held(&path));
    let error = Lock::acquire(&path).unwrap_err();
    let LockError::Held { owner, .. } = &error else { panic!("{error}") };
    assert_eq!(*owner, std::process::id().to_string());
    drop(first);
    assert!(!is_held(&path));
    Lock::acquire(&path).unwrap();
}

#[test]
fn a_link_is_no_lock() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("guard.lock");
    std::os::unix::fs::symlink("/dev/null", &path).unwrap();
    assert!(matches!(Lock::acquire(&path), Err(LockError::Refused { .. })));
}

#[test]
fn turns_are_taken_one_after_another() {
    let directory = tempfile::tempdir().unwrap();
    let first = Turn::wait(directory.path(), Duration::ZERO).unwrap();
    let busy = Turn::wait(directory.path(), Duration::ZERO).unwrap_err();
    assert!(matches!(busy, LockError::Busy { .. }), "{busy}");
    drop(first);
    Turn::wait(directory.path(), Duration::ZERO).unwrap();
}

#[test]
fn a_mark_is_there_while_somebody_is_at_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("check-for-changes.sh.lock");
    let hour = Duration::from_secs(3600);
    let mark = Mark::set(&path, Duration::ZERO, hour).unwrap();
    assert!(path.exists());
    assert!(matches!(Mark::set(&path, Duration::ZERO, hour), Err(LockError::Busy { .. })));
    drop(mark);
    assert!(!path.exists());
    // Somebody was killed: what is old is taken over.
    std::fs::write(&path, "").unwrap();
    let old = std::time::SystemTime::now() - 2 * hour;
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
    Mark::set(&path, Duration::ZERO, hour).unwrap();
}
