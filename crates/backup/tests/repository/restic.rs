//! What restic says of our repositories. It comes with the packages that `cargo xtask setup` installs.

use std::path::Path;
use std::process::{Command, Output};

use mailward_backup::GRACE;

use crate::make::{Bench, files, restored};

/// Runs restic on the repository of a bench; none where it is not installed.
pub(crate) fn restic(bench: &Bench, args: &[&str]) -> Option<Output> {
    if !Path::new("/usr/bin/restic").exists() {
        eprintln!("SKIPPED: restic is not installed (cargo xtask setup)");
        return None;
    }
    let output = Command::new("/usr/bin/restic")
        .args(["--no-cache", "--password-file"])
        .arg(bench.path("key"))
        .arg("--repo")
        .arg(bench.path("repository"))
        .args(args)
        .output()
        .unwrap();
    Some(output)
}

/// restic finds nothing wrong.
pub(crate) fn is_clean(bench: &Bench) {
    if let Some(output) = restic(bench, &["check", "--read-data"]) {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn restic_checks_and_restores_what_we_saved() {
    let bench = Bench::new();
    bench.mailbox("anna", 40);
    std::fs::write(
        bench.path("mail/large"),
        (0..2_000_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<_>>(),
    )
    .unwrap();
    let repository = bench.create();
    bench.capture(&repository);
    is_clean(&bench);
    let into = bench.path("by-restic");
    let Some(output) = restic(&bench, &["restore", "latest", "--target", into.to_str().unwrap()]) else {
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(files(&restored(&into, &bench.path("mail"))), files(&bench.path("mail")));
}

#[test]
fn we_go_on_in_what_restic_wrote() {
    let bench = Bench::new();
    bench.mailbox("anna", 10);
    let Some(output) = restic(&bench, &["init"]) else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    restic(&bench, &["backup", bench.path("mail").to_str().unwrap()]);
    let repository = bench.open();
    let theirs = repository.snapshots().unwrap();
    let ours = bench.capture(&repository).snapshot;
    assert_eq!(theirs.len(), 1);
    // The same parts: only trees are new, because restic notes other things of a file.
    assert!(ours.added < 20_000, "{ours:?}");
    assert_eq!(repository.snapshots_of("mail.example.org").unwrap(), std::slice::from_ref(&ours));
    repository.forget(&[ours], GRACE).unwrap();
    is_clean(&bench);
    assert_eq!(repository.snapshots().unwrap(), theirs, "what restic saved stays");
}

#[test]
fn nothing_is_forgotten_while_restic_is_at_work() {
    let bench = Bench::new();
    bench.mailbox("anna", 3);
    let repository = bench.create();
    let snapshot = bench.capture(&repository).snapshot;
    std::fs::write(bench.path("repository/locks/0123"), "a lock").unwrap();
    let error = repository.forget(std::slice::from_ref(&snapshot), GRACE).unwrap_err().to_string();
    assert!(error.contains("restic has a lock"), "{error}");
    assert_eq!(repository.snapshots().unwrap(), [snapshot]);
}
