//! How passwords are stored, and what they are worth.

use std::collections::BTreeMap;

use super::{accounts, named, seen};
use crate::check::{could_not_tell, not_applicable, pass};
use crate::dovecot::{Strength, strength};
use crate::facts::{Account, Deployment};
use crate::{Check, Evidence, Finding, Judged, Outcome, Remedy, Server, Severity};

pub(super) static ACC_001: Check = Check {
    id: "ACC-001",
    title: "Passwords are stored readable",
    severity: Severity::Critical,
    why: "Whoever gets the file, a backup of it, or a look at it, has every password without any work, and people use them elsewhere too.",
    proof: "The scheme before each stored password: PLAIN, CLEARTEXT, CRAM-MD5, DIGEST-MD5 and their kind hold what a login needs. The value itself is never shown.",
    fix: "Hash them with `doveadm pw -s ARGON2ID` or BLF-CRYPT.",
    references: &["NIST SP 800-63B section 5.1.1.2", "OWASP Password Storage Cheat Sheet"],
    judge: acc_001,
};

pub(super) static ACC_002: Check = Check {
    id: "ACC-002",
    title: "Passwords are stored with a weak hash",
    severity: Severity::High,
    why: "A thief of the file tries billions of passwords a second, and has most of them the same day.",
    proof: "The scheme of each stored password: DES, MD5, SHA-1 and NTLM in all their forms, and salted SHA-2 in a single round.",
    fix: "Hash each anew with `doveadm pw -s ARGON2ID` or BLF-CRYPT when its owner next changes it.",
    references: &["OWASP Password Storage Cheat Sheet"],
    judge: acc_002,
};

pub(super) static ACC_003: Check = Check {
    id: "ACC-003",
    title: "The work factor of stored passwords is low",
    severity: Severity::Medium,
    why: "The work factor is what slows a thief of the file down; at the defaults of old it costs him minutes for a usual password.",
    proof: "Rounds, cost or memory in each hash: SHA-crypt below 5000 rounds, bcrypt below 10, Argon2 below 19 MiB, PBKDF2 below 100,000; SHA-crypt at its default of 5000 is told, no more.",
    fix: "Hash anew with ARGON2ID, with BLF-CRYPT at cost 12 (`doveadm pw -s BLF-CRYPT -r 12`), or SHA512-CRYPT at 500,000 rounds.",
    references: &["OWASP Password Storage Cheat Sheet"],
    judge: acc_003,
};

pub(super) static ACC_004: Check = Check {
    id: "ACC-004",
    title: "Accounts have passwords that attackers try first",
    severity: Severity::High,
    why: "Guessing from many addresses finds such a password within days, whatever is banned in between.",
    proof: "A few hundred guesses at the stored hash: the name, the domain, seasons with years, and the commonest passwords. The password is never shown or kept.",
    fix: "Set a new password for each of these accounts, and look at who logged in to them.",
    references: &["NIST SP 800-63B section 5.1.1.2"],
    judge: acc_004,
};

pub(super) static ACC_005: Check = Check {
    id: "ACC-005",
    title: "Accounts share a password",
    severity: Severity::Medium,
    why: "Whoever knows one of them is in all of them, and one stolen password must be changed in many places.",
    proof: "Equal salt and hash, or equal values without salt, compared by a keyed digest that is good for one run.",
    fix: "Give each account a password of its own.",
    references: &["NIST SP 800-63B section 5.1.1"],
    judge: acc_005,
};

pub(super) static ACC_006: Check = Check {
    id: "ACC-006",
    title: "Accounts have an empty password",
    severity: Severity::Critical,
    why: "Whoever knows the name is in.",
    proof: "An empty password field, or a scheme with nothing behind it, of an account that is not locked.",
    fix: "Set a password, or remove the account.",
    references: &["NIST SP 800-63B section 5.1.1.2"],
    judge: acc_006,
};

/// Accounts that have a password of which something can be told.
fn with_password<'a>(server: &Server<'a>) -> Result<Vec<&'a Account>, crate::Untold> {
    let all: Vec<_> = accounts(server)?.into_iter().filter(|account| !account.empty).collect();
    if all.is_empty() { not_applicable("there are no accounts with a password") } else { Ok(all) }
}

/// One finding for all accounts, with the remedy that all of these need.
fn all_of(server: &Server<'_>, severity: Severity, summary: &str, worse: &[(&Account, String)]) -> Finding {
    let names = named(worse.iter().map(|(account, _)| account.name.as_str()));
    let evidence: Vec<Evidence> = worse.iter().map(|(account, what)| seen(account, what)).collect();
    Finding::new(severity, "", format!("{summary}: {names}")).all_seen(evidence).remedy(change(server))
}

fn change(server: &Server<'_>) -> Remedy {
    match server.facts.about.deployment {
        Deployment::DockerMailserver => {
            Remedy::new("Have each owner choose a new password; it is hashed anew.")
                .apply("docker exec -it mailserver setup email update ADDRESS")
                .prove("mailward audit --only ACC")
        }
        Deployment::Plain => {
            Remedy::new("Have each owner choose a new password, and put its new hash into the file.")
                .apply("doveadm pw -s ARGON2ID")
                .prove("mailward audit --only ACC")
        }
    }
}

fn of_strength<'a>(all: &[&'a Account], wanted: &[Strength]) -> Vec<(&'a Account, String)> {
    let is = |account: &Account| strength(&account.scheme).is_some_and(|strength| wanted.contains(&strength));
    all.iter()
        .filter(|account| is(account))
        .map(|account| (*account, format!("scheme {}", account.scheme)))
        .collect()
}

fn schemes(all: &[&Account]) -> String {
    let mut count = BTreeMap::<&str, usize>::new();
    for account in all {
        *count.entry(&account.scheme).or_default() += 1;
    }
    count.iter().map(|(scheme, number)| format!("{number} {scheme}")).collect::<Vec<_>>().join(", ")
}

fn acc_001(server: &Server<'_>) -> Judged {
    let all = with_password(server)?;
    let readable = of_strength(&all, &[Strength::Reversible]);
    if readable.is_empty() {
        return pass(format!("all are hashed: {}", schemes(&all)));
    }
    Ok(all_of(server, Severity::Critical, "passwords are stored readable", &readable).into())
}

fn acc_002(server: &Server<'_>) -> Judged {
    let all = with_password(server)?;
    let weak = of_strength(&all, &[Strength::Weak, Strength::Fast]);
    if weak.is_empty() {
        return pass(format!("no weak hash: {}", schemes(&all)));
    }
    // One round of a salted SHA-2 is a thousand times slower to break than none, and still fast.
    let worst = of_strength(&all, &[Strength::Weak]);
    let severity = if worst.is_empty() { Severity::Medium } else { Severity::High };
    Ok(all_of(server, severity, "passwords are stored with a weak hash", &weak).into())
}

/// What the work factor of a scheme is called, and where it is too low; none for schemes without one.
fn floor(scheme: &str) -> Option<(&'static str, u64)> {
    match scheme {
        "SHA256-CRYPT" | "SHA512-CRYPT" => Some(("rounds", 5000)),
        "BLF-CRYPT" => Some(("cost", 10)),
        "PBKDF2" => Some(("rounds", 100_000)),
        _ if scheme.starts_with("ARGON2") => Some(("KiB", 19 * 1024)),
        _ => None,
    }
}

fn is_old_default(account: &Account) -> bool {
    account.cost == 5000 && ["SHA256-CRYPT", "SHA512-CRYPT"].contains(&account.scheme.as_str())
}

fn acc_003(server: &Server<'_>) -> Judged {
    let all = with_password(server)?;
    let told = |account: &Account, unit: &str| format!("{} with {} {unit}", account.scheme, account.cost);
    let low = |account: &Account| {
        floor(&account.scheme).filter(|(_, floor)| account.cost > 0 && account.cost < *floor)
    };
    let low: Vec<_> = all
        .iter()
        .filter_map(|account| low(account).map(|(unit, _)| (*account, told(account, unit))))
        .collect();
    if !low.is_empty() {
        return Ok(all_of(server, Severity::Medium, "the work factor is low", &low).into());
    }
    let default: Vec<_> = all
        .iter()
        .filter(|account| is_old_default(account))
        .map(|account| (*account, told(account, "rounds, the default")))
        .collect();
    if default.is_empty() {
        return pass(format!("work factors are up to date: {}", schemes(&all)));
    }
    Ok(all_of(
        server,
        Severity::Info,
        "SHA-crypt with its default of 5000 rounds, which is of 2007",
        &default,
    )
    .into())
}

fn acc_004(server: &Server<'_>) -> Judged {
    let all = with_password(server)?;
    let found: Vec<_> = all
        .iter()
        .filter(|account| account.guessed == Some(true))
        .map(|account| (*account, format!("the {} hash matches a guess", account.scheme)))
        .collect();
    if !found.is_empty() {
        return Ok(all_of(server, Severity::High, "passwords were guessed", &found).into());
    }
    let tried = all.iter().filter(|account| account.guessed.is_some()).count();
    match tried {
        0 => could_not_tell("nobody tried: --guess-passwords allows it"),
        _ if tried < all.len() => {
            could_not_tell(format!("guesses were tried on {tried} of {} accounts only", all.len()))
        }
        _ => pass(format!("no guess fits any of {tried} accounts")),
    }
}

fn acc_005(server: &Server<'_>) -> Judged {
    let all = with_password(server)?;
    let mut groups = BTreeMap::<&str, Vec<&Account>>::new();
    for account in all.iter().filter(|account| !account.digest.is_empty()) {
        groups.entry(&account.digest).or_default().push(account);
    }
    // An account that is listed twice is ACC-009.
    let shared = groups.values().filter(|group| {
        group
            .iter()
            .any(|account| group.first().is_some_and(|first| !first.name.eq_ignore_ascii_case(&account.name)))
    });
    let findings = shared.map(|group| {
        let names: Vec<_> = group.iter().map(|account| account.name.as_str()).collect();
        Finding::new(
            Severity::Medium,
            names.join(" "),
            format!("{} have the same password", names.join(" and ")),
        )
        .all_seen(group.iter().map(|account| seen(account, &format!("the same {} value", account.scheme))))
        .remedy(change(server))
    });
    Ok(Outcome::of(findings.collect(), format!("no two of {} stored passwords are equal", all.len())))
}

fn acc_006(server: &Server<'_>) -> Judged {
    let all = accounts(server)?;
    let empty: Vec<_> = all
        .iter()
        .filter(|account| account.empty)
        .map(|account| (*account, "no password is stored".to_owned()))
        .collect();
    if empty.is_empty() {
        return pass(format!("each of {} accounts has a password", all.len()));
    }
    Ok(all_of(server, Severity::Critical, "accounts without a password", &empty).into())
}
