//! Two holders of one lock.

use mailward_host::lock::{Lock, LockError};

#[test]
fn one_at_a_time() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("guard.lock");
    let first = Lock::acquire(&path).unwrap();
    let error = Lock::acquire(&path).unwrap_err();
    let LockError::Held { owner, .. } = &error else { panic!("{error}") };
    assert_eq!(*owner, std::process::id().to_string());
    drop(first);
    Lock::acquire(&path).unwrap();
}

#[test]
fn a_link_is_no_lock() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("guard.lock");
    std::os::unix::fs::symlink("/dev/null", &path).unwrap();
    assert!(matches!(Lock::acquire(&path), Err(LockError::Refused { .. })));
}
