//! Hashes are what the Dovecot of this machine takes for the password, and a lock is what it takes for no password.

use std::path::Path;
use std::process::Command;

use mailward_account::{Accounts, Format, Password, Scheme};

const DOVEADM: &str = "/usr/bin/doveadm";
const TYPED: &str = "Cobble-71 ünter:moss|{PLAIN}$6$";

/// Whether Dovecot takes a password for a stored field.
fn fits(field: &str, typed: &str) -> bool {
    let output = Command::new(DOVEADM).args(["pw", "-t", field, "-p", typed]).output();
    output.is_ok_and(|output| output.status.success())
}

#[test]
fn dovecot_takes_what_was_hashed() {
    if !Path::new(DOVEADM).exists() {
        eprintln!("SKIPPED: needs {DOVEADM} (apt-get install dovecot-core)");
        return;
    }
    let schemes = Command::new(DOVEADM).args(["pw", "-l"]).output().unwrap();
    let schemes = String::from_utf8_lossy(&schemes.stdout).into_owned();
    let password = Password::new(TYPED.as_bytes()).unwrap();
    for scheme in [Scheme::Argon2id, Scheme::Sha512Crypt] {
        if !schemes.contains(scheme.name()) {
            eprintln!("SKIPPED: this Dovecot has no {}", scheme.name());
            continue;
        }
        let field = scheme.field(&password, *b"0123456789abcdef").unwrap();
        assert!(fits(&field, TYPED), "{field}");
        assert!(!fits(&field, "Cobble-71"), "{field}");
    }
}

#[test]
fn no_password_fits_a_lock() {
    if !Path::new(DOVEADM).exists() {
        eprintln!("SKIPPED: needs {DOVEADM} (apt-get install dovecot-core)");
        return;
    }
    // Among them those that are stored readable, of which a mark before them would only make another password.
    for scheme in ["PLAIN", "SHA512-CRYPT", "SSHA", "CRAM-MD5", "BLF-CRYPT"] {
        let output = Command::new(DOVEADM).args(["pw", "-s", scheme, "-p", "hunter2"]).output().unwrap();
        let field = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        assert!(fits(&field, "hunter2"), "{field}");
        let file = Accounts::read(format!("a@b.example|{field}\n").as_bytes(), Format::Bars);
        let locked = file.locking("a@b.example").unwrap();
        let entry = locked.entries().next().unwrap();
        let locked = String::from_utf8_lossy(entry.password).into_owned();
        for typed in ["hunter2", "", &locked, "!LOCKED-BY-MAILWARD!{PLAIN}hunter2", "{PLAIN}hunter2"] {
            assert!(!fits(&locked, typed), "{locked} with {typed}");
        }
    }
}
