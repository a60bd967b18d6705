//! Accounts are read without their secrets, and the guessable ones are found.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;
use std::time::{Duration, Instant};

use mailward_audit::Facts;
use mailward_audit::facts::{Account, Deployment, Known, Said};
use mailward_probe::accounts::{Format, Key, Source, collect, read, read_guessing, sources};

fn source(format: Format, scheme: &str) -> Source {
    Source { path: "/etc/dovecot/users".to_owned(), format, master: false, scheme: scheme.to_owned() }
}

fn accounts(format: Format, text: &str) -> Vec<Account> {
    read(text, &source(format, "CRYPT"), &Key::random())
}

/// A line's name, scheme, cost, and whether it is empty or locked.
fn check(format: Format, cases: &[(&str, &str)]) {
    for (line, expected) in cases {
        let all = accounts(format, line);
        let account = all.first().unwrap();
        let mut shown = format!("{} {} {}", account.name, account.scheme, account.cost);
        if account.empty {
            shown += " empty";
        }
        if account.locked {
            shown += " locked";
        }
        for field in &account.extra {
            shown = format!("{shown} {field}");
        }
        assert_eq!(shown, *expected, "{line}");
    }
}

/// Hashes that `doveadm pw` and crypt(3) make.
#[test]
fn schemes_and_work_factors_are_told() {
    check(
        Format::Bars,
        &[
            ("a@example.org|{SHA512-CRYPT}$6$salt$hash", "a@example.org SHA512-CRYPT 5000"),
            (
                "a@example.org|{SHA512-CRYPT}$6$rounds=1000$salt$hash|allow_nets=192.0.2.0/24",
                "a@example.org SHA512-CRYPT 1000 allow_nets=192.0.2.0/24",
            ),
            ("a@example.org|{SHA512-CRYPT}!LOCKED!$6$salt$hash", "a@example.org SHA512-CRYPT 5000 locked"),
            ("a@example.org|{PLAIN}", "a@example.org PLAIN 0 empty"),
            ("a@example.org|", "a@example.org CRYPT 0 empty"),
            (
                "a@example.org|{plain}winter2025|nopassword=y pass=x userdb_quota_rule=*:storage=1G",
                "a@example.org PLAIN 0 nopassword=y userdb_quota_rule=*:storage=1G",
            ),
        ],
    );
    check(
        Format::Colons,
        &[
            (
                "bob:{BLF-CRYPT}$2y$05$/RIYxsV6ZNV/wfKOGqH6WusY0b0APvqBTqE8AJ9PSzSLNcXfL456.:1000:1000::/home/bob::userdb_mail=maildir:~/M",
                "bob BLF-CRYPT 5 userdb_mail=maildir:~/M",
            ),
            ("bob:$2y$12$32pjSvlTdBpGsC66ah7yXeOHqjjgVuJyKaYcyFb.STJqozjvW/1yu", "bob BLF-CRYPT 12"),
            ("bob:{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$TIu7$DEP0", "bob ARGON2ID 65536"),
            ("bob:{PBKDF2}$1$FjbGyYGAx7BJO4lH$5000$600291e9", "bob PBKDF2 5000"),
            ("bob:$1$5WvJW0PR$6AnfvW0XRp9/KcxbhjWP//", "bob MD5-CRYPT 0"),
            ("bob:ab1Zf3Rk0dE9A", "bob DES-CRYPT 0"),
            ("bob:*", "bob CRYPT 0 locked"),
            ("bob:{SSHA}HZPoluBUp42vyg1soYyjRy858pPt88UZ", "bob SSHA 0"),
        ],
    );
}

#[test]
fn lines_are_numbered_and_comments_are_none() {
    let text = "# accounts\n\na:{PLAIN}x\nb:{PLAIN}y\n";
    let places: Vec<_> = accounts(Format::Colons, text).into_iter().map(|account| account.place).collect();
    assert_eq!(places, ["/etc/dovecot/users:3", "/etc/dovecot/users:4"]);
}

#[test]
fn equal_secrets_have_equal_digests_that_are_worthless_elsewhere() {
    let text = "a:{PLAIN}same\nb:{PLAIN}same\nc:{PLAIN}other\n";
    let digests = |key: &Key| -> Vec<_> {
        let all = read(text, &source(Format::Colons, "CRYPT"), key);
        all.into_iter().map(|account| account.digest).collect()
    };
    let (first, second) = (digests(&Key::random()), digests(&Key::random()));
    let [a, b, c] = first.as_slice() else { panic!("three accounts") };
    assert!(a == b && a != c && !second.contains(a));
}

#[test]
fn no_secret_leaves() {
    let text = "a:{PLAIN}hunter2-x:1::::x:pass=hunter2-x userdb_mail_crypt_private_password=hunter2-x\n";
    let shown = serde_json::to_string(&read_guessing(
        text,
        &source(Format::Colons, "CRYPT"),
        &Key::random(),
        2026,
        Duration::from_secs(5),
    ))
    .unwrap();
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn guesses_end_when_their_time_is_over() {
    let hash = "$6$rounds=500000$RN6fWZeiCEk4j.v/$1FvBZjUg7BDPfPz08iNenQuf5Bkq/yCZ7mAtiRXFITVMK2v6IqohbICakYEkEYMfz4HsN.zuPibRdnkhWPKwX1";
    let text = format!("a:{hash}\nb:{{PLAIN}}b\n");
    let began = Instant::now();
    let all = read_guessing(
        &text,
        &source(Format::Colons, "CRYPT"),
        &Key::random(),
        2026,
        Duration::from_millis(300),
    );
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let guessed: Vec<_> = all.iter().map(|account| account.guessed).collect();
    // What was not tried to the end is not judged.
    assert_eq!(guessed.first(), Some(&None));
}

#[test]
fn sources_are_what_the_configuration_names() {
    let mut facts = Facts::default();
    let said = "# 2.3.19.1 (9b53102964): /etc/dovecot/dovecot.conf\npassdb {\n  args = scheme=SSHA512 /etc/dovecot/users\n  driver = passwd-file\n}\npassdb {\n  args = /etc/dovecot/denied\n  deny = yes\n  driver = passwd-file\n}\npassdb {\n  args = /etc/dovecot/%d/users\n  driver = passwd-file\n}\npassdb {\n  driver = pam\n}\npassdb {\n  args = /etc/dovecot/masters\n  driver = passwd-file\n  master = yes\n}\n";
    facts.said.insert("doveconf -n".to_owned(), Known::Is(Said::ok(said)));
    let named: Vec<_> =
        sources(&facts).into_iter().map(|source| (source.path, source.scheme, source.master)).collect();
    let expected = [("/etc/dovecot/users", "SSHA512", false), ("/etc/dovecot/masters", "CRYPT", true)];
    assert_eq!(named, expected.map(|(path, scheme, master)| (path.to_owned(), scheme.to_owned(), master)));

    let text = |path: &str| match path {
        "/etc/dovecot/users" => Known::Is("a@example.org:x\n".to_owned()),
        _ => Known::Absent,
    };
    let Known::Is(all) = collect(&facts, &text, None) else { panic!("accounts are known") };
    assert_eq!(
        all.iter().map(|account| (account.name.as_str(), account.guessed)).collect::<Vec<_>>(),
        [("a@example.org", None)]
    );
    let unread = collect(&facts, &|_: &str| Known::Unread("no permission".to_owned()), None);
    assert_eq!(unread, Known::Unread("no permission".to_owned()));
    assert!(matches!(collect(&Facts::default(), &text, None), Known::Unread(_)));
}

/// One account of the incident has a password that a short list holds.
#[test]
fn the_guessable_account_of_the_incident_is_found() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures/dms-incident");
    let path = root.join("docker-data/dms/config/postfix-accounts.cf");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("SKIPPED: no {}", path.display());
        return;
    };
    let mut facts = Facts::default();
    facts.about.deployment = Deployment::DockerMailserver;
    facts.about.taken = "2025-10-10T02:00:00Z".to_owned();
    let given = |path: &str| {
        if path.ends_with("postfix-accounts.cf") { Known::Is(text.clone()) } else { Known::Absent }
    };
    let began = Instant::now();
    let Known::Is(all) = collect(&facts, &given, Some(Duration::from_secs(300))) else {
        panic!("accounts are known")
    };
    eprintln!("{} accounts in {:?}", all.len(), began.elapsed());
    let guessed: Vec<_> = all
        .iter()
        .filter(|account| account.guessed == Some(true))
        .map(|account| account.name.as_str())
        .collect();
    assert_eq!(guessed, ["bob@example.net"]);
    assert!(all.iter().all(|account| account.scheme == "SHA512-CRYPT" && account.cost == 5000));
}
