//! Files of accounts: what changes, and that nothing else does.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use mailward_account::{Accounts, Format, Name, Refusal};
use proptest::prelude::*;

const DMS: &str = "\
# accounts
alice@example.org|{SHA512-CRYPT}$6$a$b
Bob@example.org|{SHA512-CRYPT}$6$c$d|allow_nets=192.0.2.0/24

carol@example.net|{PLAIN}secret
";

const PASSWD: &str = "\
# name:password:uid:gid::home::extra
nora@example.org:{SHA512-CRYPT}$6$a$b:5000:5000::/var/mail/vhosts/example.org/nora::userdb_quota_rule=*:storage=1G
sam@example.net:$6$c$d:5000:5000::/var/mail/vhosts/example.net/sam::
";

fn bars(text: &str) -> Accounts {
    Accounts::read(text.as_bytes(), Format::Bars)
}

fn colons(text: &str) -> Accounts {
    Accounts::read(text.as_bytes(), Format::Colons)
}

/// What a change makes of a file.
fn check(changed: Result<Accounts, Refusal>, expected: &str) {
    assert_eq!(String::from_utf8(changed.unwrap().bytes()).unwrap(), expected);
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

#[test]
fn an_account_is_added_at_the_end() {
    let added = "dora@example.org|{ARGON2ID}$argon2id$x\n";
    let field = "{ARGON2ID}$argon2id$x";
    check(bars(DMS).with(&name("dora@example.org"), field, None), &format!("{DMS}{added}"));
    check(bars("").with(&name("dora@example.org"), field, None), added);
    // Without a newline at its end, the last account would swallow the new one.
    let cut = DMS.trim_end();
    check(bars(cut).with(&name("dora@example.org"), field, None), &format!("{DMS}{added}"));
}

#[test]
fn an_account_of_a_passwd_file_is_like_its_neighbours() {
    let line = "dora@example.net:{X}h:5000:5000::/var/mail/vhosts/example.net/dora::\n";
    check(colons(PASSWD).with(&name("dora@example.net"), "{X}h", None), &format!("{PASSWD}{line}"));
    // Nobody of its domain is there: like the first one.
    let line = "dora@mail.example:{X}h:5000:5000::/var/mail/vhosts/mail.example/dora::\n";
    check(colons(PASSWD).with(&name("dora@mail.example"), "{X}h", None), &format!("{PASSWD}{line}"));
    check(colons("a:{X}y\n").with(&name("dora"), "{X}h", None), "a:{X}y\ndora:{X}h\n");
    check(colons("").with(&name("dora"), "{X}h", None), "dora:{X}h::::::\n");
    check(colons("").with(&name("dora"), "{X}h", Some("/srv/dora")), "dora:{X}h::::/srv/dora::\n");
}

#[test]
fn no_two_accounts_get_one_home() {
    let shared = "info@example.org:{X}y:5000:5000::/srv/mail::\n";
    let refused = colons(shared).with(&name("dora@example.org"), "{X}h", None);
    assert!(matches!(refused, Err(Refusal::Home { .. })), "{refused:?}");
    let line = "dora@example.org:{X}h:5000:5000::/srv/dora::\n";
    check(
        colons(shared).with(&name("dora@example.org"), "{X}h", Some("/srv/dora")),
        &format!("{shared}{line}"),
    );
}

#[test]
fn who_is_there_is_not_added_again() {
    let refused = bars(DMS).with(&name("bob@example.org"), "{X}y", None);
    assert_eq!(refused, Err(Refusal::Exists { name: "bob@example.org".into(), line: 3 }));
}

#[test]
fn a_password_is_changed_in_its_place() {
    let after = DMS.replace("{SHA512-CRYPT}$6$c$d", "{ARGON2ID}$x");
    check(bars(DMS).with_password("bob@example.org", "{ARGON2ID}$x"), &after);
    let after = PASSWD.replace("{SHA512-CRYPT}$6$a$b", "{ARGON2ID}$x");
    check(colons(PASSWD).with_password("NORA@example.org", "{ARGON2ID}$x"), &after);
    let unknown = Refusal::Unknown { name: "zoe@example.org".into() };
    assert_eq!(bars(DMS).with_password("zoe@example.org", "x"), Err(unknown.clone()));
    // Neither the beginning nor the end of a name is the name.
    for near in ["ob@example.org", "bob@example.or", "bob@example.org|", "", "# accounts"] {
        assert!(bars(DMS).with_password(near, "x").is_err(), "{near}");
    }
}

#[test]
fn a_lock_keeps_the_whole_field_and_gives_it_back() {
    for (file, who, field) in [
        (bars(DMS), "alice@example.org", "{SHA512-CRYPT}$6$a$b"),
        (bars(DMS), "carol@example.net", "{PLAIN}secret"),
        (colons(PASSWD), "sam@example.net", "$6$c$d"),
    ] {
        let before = String::from_utf8(file.bytes()).unwrap();
        let locked = file.locking(who).unwrap();
        let mark = format!("{{SHA512-CRYPT}}!LOCKED-BY-MAILWARD!{field}");
        assert_eq!(String::from_utf8(locked.bytes()).unwrap(), before.replace(field, &mark));
        assert_eq!((file.is_locked(who), locked.is_locked(who)), (Some(false), Some(true)));
        // Locking again changes nothing.
        assert_eq!(locked.locking(who), Ok(locked.clone()));
        check(locked.unlocking(who), &before);
        assert_eq!(file.unlocking(who), Err(Refusal::NotDisabled { name: who.to_owned() }));
        assert_eq!(locked.with_password(who, "x"), Err(Refusal::Disabled { name: who.to_owned() }));
    }
}

#[test]
fn locks_set_by_hand_are_opened_too() {
    check(
        bars("a@b.example|{SHA512-CRYPT}!LOCKED!$6$a$b\n").unlocking("a@b.example"),
        "a@b.example|{SHA512-CRYPT}$6$a$b\n",
    );
    check(colons("a:!LOCKED!$6$a$b:1:2\n").unlocking("a"), "a:$6$a$b:1:2\n");
}

#[test]
fn of_an_account_listed_twice_every_line_is_locked_and_deleted() {
    let twice = "a@b.example|{X}1\nc@b.example|{X}2\nA@b.example|{X}3";
    check(
        bars(twice).locking("a@b.example"),
        &twice
            .replace("{X}1", "{SHA512-CRYPT}!LOCKED-BY-MAILWARD!{X}1")
            .replace("{X}3", "{SHA512-CRYPT}!LOCKED-BY-MAILWARD!{X}3"),
    );
    check(bars(twice).without("a@b.example"), "c@b.example|{X}2\n");
    let refused = bars(twice).with_password("a@b.example", "x");
    assert_eq!(refused, Err(Refusal::Twice { name: "a@b.example".into(), first: 1, second: 3 }));
}

#[test]
fn a_line_that_needs_no_password_cannot_be_locked() {
    for text in ["a@b.example|{X}1|nopassword\n", "a@b.example|{X}1|allow_nets=192.0.2.1 nopassword=y\n"] {
        let refused = bars(text).locking("a@b.example");
        assert_eq!(refused, Err(Refusal::NoPassword { name: "a@b.example".into(), line: 1 }));
    }
    let refused = colons("a:{X}1:5:5::/home/a::nopassword\n").locking("a");
    assert!(matches!(refused, Err(Refusal::NoPassword { .. })));
    assert!(bars("a@b.example|{X}1|nopasswordx\n").locking("a@b.example").is_ok());
}

#[test]
fn copies_of_a_field_follow_it() {
    let userdb =
        "alice@example.org:{X}1:5000\ninfo@example.org:{X}1:5000\nbob@example.org:{X}2:5000\nnone::5000\n";
    let after = colons(userdb).with_equal(b"{X}1", b"{X}9");
    assert_eq!(after.bytes(), userdb.replace("{X}1", "{X}9").into_bytes());
    assert_eq!(colons(userdb).with_equal(b"", b"{X}9").bytes(), userdb.as_bytes());
}

#[test]
fn strange_lines_stay_as_they_are() {
    let strange = b"\xff\xfe|x\r\n  # blank before\r\n|no name\nname-alone\n\n\t\nalice@example.org|{X}1 |f=1\r\nlast|{X}2".to_vec();
    let file = Accounts::read(&strange, Format::Bars);
    assert_eq!(file.bytes(), strange);
    let locked = file.locking("last").unwrap();
    let expected =
        [strange.strip_suffix(b"{X}2").unwrap(), b"{SHA512-CRYPT}!LOCKED-BY-MAILWARD!{X}2"].concat();
    assert_eq!(locked.bytes(), expected);
    let alone = file.locking("name-alone").unwrap();
    assert!(alone.bytes().windows(14).any(|part| part == b"name-alone|{SH"));
    assert_eq!(alone.bytes().len(), strange.len() + 1 + "{SHA512-CRYPT}!LOCKED-BY-MAILWARD!".len());
    let line_end = file.with_password("alice@example.org", "{Y}2").unwrap();
    assert!(
        line_end.bytes().windows(30).any(|part| part == b"alice@example.org|{Y}2|f=1\r\nla"),
        "{}",
        String::from_utf8_lossy(&line_end.bytes())
    );
}

#[test]
fn a_home_is_the_sixth_field() {
    let file = colons(PASSWD);
    assert_eq!(
        file.of("sam@example.net").next().unwrap().home().as_deref(),
        Some("/var/mail/vhosts/example.net/sam")
    );
    assert_eq!(colons("a:b\n").of("a").next().unwrap().home(), None);
}

proptest! {
    /// Whatever the file is: locking and unlocking gives back every byte, and other accounts stay.
    #[test]
    fn locking_can_be_undone(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'|'), Just(b':'), Just(b'\n'), Just(b'a')], 0..200), colons: bool) {
        let format = if colons { Format::Colons } else { Format::Bars };
        let separator = if colons { b':' } else { b'|' };
        let file = Accounts::read(&bytes, format);
        prop_assert_eq!(file.bytes(), bytes.clone());
        let names: Vec<String> = file.entries().filter_map(|entry| String::from_utf8(entry.name.to_vec()).ok()).collect();
        for name in names {
            let has_fields = file.of(&name).all(|entry| bytes.split(|byte| *byte == b'\n').nth(entry.number - 1).is_some_and(|line| line.contains(&separator)));
            let Ok(locked) = file.locking(&name) else { continue };
            prop_assert_eq!(locked.is_locked(&name), Some(true));
            for other in file.entries().filter(|entry| !entry.name.eq_ignore_ascii_case(name.as_bytes())) {
                prop_assert!(locked.entries().any(|entry| entry == other));
            }
            if has_fields {
                prop_assert_eq!(locked.unlocking(&name).unwrap().bytes(), bytes.clone());
            }
        }
    }

    /// Against a slow reading of the same words: the lines without the name, in their order.
    #[test]
    fn deleting_takes_out_lines_alone(lines in proptest::collection::vec("(alice|bob|#x|Alice)?\\|[a-z]{0,4}", 0..12)) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let kept: String = lines.iter().filter(|line| !line.to_lowercase().starts_with("alice|")).map(|line| format!("{line}\n")).collect();
        match bars(&text).without("alice") {
            Ok(after) => prop_assert_eq!(after.bytes(), kept.into_bytes()),
            Err(_) => prop_assert_eq!(text, kept),
        }
    }
}
