//! Texts of configuration files rewritten: what is asked for stands there afterwards, everything else as it was.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use mailward_audit::plan::Change;
use mailward_audit::plan::edit::{Clash, Format, rewrite};
use proptest::prelude::*;

fn parameter(name: &str, value: Option<&str>) -> Change {
    Change::Parameter { name: name.to_owned(), value: value.map(str::to_owned) }
}

fn overridden(service: &str, name: &str, value: Option<&str>) -> Change {
    Change::Override { service: service.to_owned(), name: name.to_owned(), value: value.map(str::to_owned) }
}

fn service(service: &str, line: Option<&str>) -> Change {
    Change::Service { service: service.to_owned(), line: line.map(str::to_owned) }
}

fn dovecot(blocks: &[&str], name: &str, value: &str) -> Change {
    let blocks = blocks.iter().map(|block| (*block).to_owned()).collect();
    Change::Dovecot { blocks, name: name.to_owned(), value: value.to_owned() }
}

fn variable(name: &str, value: Option<&str>) -> Change {
    Change::Variable { name: name.to_owned(), value: value.map(str::to_owned) }
}

fn setting(section: &str, name: &str, value: Option<&str>) -> Change {
    Change::Setting {
        file: "f".to_owned(),
        section: section.to_owned(),
        name: name.to_owned(),
        value: value.map(str::to_owned),
    }
}

fn lines(remove: &[&str], add: &[&str]) -> Change {
    let owned = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
    Change::Lines { file: "f".to_owned(), remove: owned(remove), add: owned(add) }
}

/// Rewritten once it is `after`; rewritten twice, too.
#[track_caller]
fn check(format: Format, before: &str, change: &Change, after: &str) {
    let once = rewrite(format, "f", Some(before), change).unwrap();
    assert_eq!(once, after);
    assert_eq!(rewrite(format, "f", Some(&once), change).unwrap(), after, "a second time");
}

#[test]
fn main_cf_keeps_its_comments() {
    let before = "# TLS\nsmtpd_tls_security_level = none\nb = 1\n  # why\n  , 2\n\nc=3\nsmtpd_tls_security_level=may\n";
    let set = |name: &str, value: &str| parameter(name, Some(value));
    check(
        Format::MainCf,
        before,
        &set("smtpd_tls_security_level", "encrypt"),
        "# TLS\nb = 1\n  # why\n  , 2\n\nc=3\nsmtpd_tls_security_level = encrypt\n",
    );
    check(
        Format::MainCf,
        before,
        &set("b", "4"),
        "# TLS\nsmtpd_tls_security_level = none\nb = 4\n  # why\n\nc=3\nsmtpd_tls_security_level=may\n",
    );
    check(Format::MainCf, before, &set("b", "1 , 2"), before);
    check(Format::MainCf, before, &set("d", ""), &format!("{before}d =\n"));
    check(
        Format::MainCf,
        before,
        &parameter("b", None),
        "# TLS\nsmtpd_tls_security_level = none\n  # why\n\nc=3\nsmtpd_tls_security_level=may\n",
    );
    check(Format::MainCf, "a = 1\r\nb = 2", &set("c", "3"), "a = 1\r\nb = 2\r\nc = 3\r\n");
    check(Format::MainCf, "a = 1\r\nb = 2", &set("b", "3"), "a = 1\r\nb = 3");
    check(Format::MainCf, "", &set("b", "3"), "b = 3\n");
}

const MASTER: &str = "\
# service type
smtp      inet  n       -       y       -       -       smtpd
#smtpd     pass  -       -       y       -       -       smtpd
submission inet n - y - - smtpd -v
  -o syslog_name=postfix/submission
#  -o smtpd_tls_security_level=encrypt
  -o smtpd_tls_security_level=may -o a=1
  -o { b = 1, 2 }
pickup    unix  n       -       y       60      1       pickup
";

#[test]
fn overrides_are_put_in_replaced_and_taken_out() {
    let swap = |from: &str, to: &str| MASTER.replacen(from, to, 1);
    let set = |name: &str, value: &str| overridden("submission/inet", name, Some(value));
    let check = |change: &Change, after: &str| check(Format::MasterCf, MASTER, change, after);
    check(
        &set("smtpd_tls_security_level", "encrypt"),
        &swap("  -o smtpd_tls_security_level=may -o a=1", "  -o smtpd_tls_security_level=encrypt -o a=1"),
    );
    check(&set("a", "1"), MASTER);
    check(&set("b", "1, 2"), MASTER);
    check(&set("b", "3"), &swap("{ b = 1, 2 }", "b=3"));
    check(&set("c", "x, y"), &swap("{ b = 1, 2 }\n", "{ b = 1, 2 }\n  -o { c = x, y }\n"));
    check(&overridden("submission/inet", "a", None), &swap(" -o a=1", ""));
    check(&overridden("submission/inet", "b", None), &swap("  -o { b = 1, 2 }\n", ""));
    check(&overridden("smtps/inet", "b", None), MASTER);
    check(
        &overridden("smtp/inet", "b", Some("1")),
        &swap("-       -       smtpd\n", "-       -       smtpd\n  -o b=1\n"),
    );
}

#[test]
fn services_are_put_in_replaced_and_taken_out() {
    let swap = |from: &str, to: &str| MASTER.replacen(from, to, 1);
    let check = |change: &Change, after: &str| check(Format::MasterCf, MASTER, change, after);
    check(
        &service("smtp/inet", Some("smtp inet n - y - 1 postscreen")),
        &swap(
            "smtp      inet  n       -       y       -       -       smtpd",
            "smtp inet n - y - 1 postscreen",
        ),
    );
    check(
        &service("submission/inet", Some("submission inet n - n - - smtpd")),
        &swap("submission inet n - y - - smtpd -v", "submission inet n - n - - smtpd"),
    );
    check(
        &service("smtpd/pass", Some("smtpd pass - - y - - smtpd")),
        &format!("{MASTER}smtpd pass - - y - - smtpd\n"),
    );
    check(
        &service("submission/inet", None),
        &swap("submission inet", "#submission inet")
            .replace("  -o syslog", "#  -o syslog")
            .replace("  -o smtpd_tls_security_level=may", "#  -o smtpd_tls_security_level=may")
            .replace("  -o {", "#  -o {"),
    );
}

#[test]
fn a_service_that_is_not_there_has_no_overrides() {
    let clash = rewrite(Format::MasterCf, "f", Some(MASTER), &overridden("smtps/inet", "a", Some("1")));
    assert_eq!(clash, Err(Clash::Nowhere { file: "f".to_owned(), thing: "service smtps/inet".to_owned() }));
}

#[test]
fn braces_over_several_lines_are_left_to_a_person() {
    let text = "smtp inet n - y - - smtpd\n  -o { a = 1,\n    2 }\n";
    let clash = rewrite(Format::MasterCf, "f", Some(text), &overridden("smtp/inet", "a", Some("1")));
    assert!(matches!(clash, Err(Clash::Unreadable { line: 2, .. })), "{clash:?}");
}

#[test]
fn dovecot_has_a_part_of_ours_at_its_end() {
    let own = "ssl = yes\n# BEGIN Mailward\nssl = required\nplugin {\n  quota = count:User quota\n}\n# END Mailward\n";
    let check = |before: &str, change: &Change, after: &str| check(Format::Dovecot, before, change, after);
    check(
        "",
        &dovecot(&["service imap-login", "inet_listener imap"], "port", "0"),
        "# BEGIN Mailward\nservice imap-login {\n  inet_listener imap {\n    port = 0\n  }\n}\n# END Mailward\n",
    );
    check(own, &dovecot(&[], "ssl", "required"), own);
    check(own, &dovecot(&[], "ssl", "no"), &own.replace("ssl = required", "ssl = no"));
    check(
        own,
        &dovecot(&["plugin"], "quota_rule", "*:storage=1G"),
        &own.replace("User quota\n", "User quota\n  quota_rule = *:storage=1G\n"),
    );
    check(
        &format!("{own}ssl = no"),
        &dovecot(&[], "ssl", "required"),
        "ssl = yes\nssl = no\n# BEGIN Mailward\nssl = required\nplugin {\n  quota = count:User quota\n}\n# END Mailward\n",
    );
    check(
        "",
        &dovecot(&["plugin"], "quota_status_overquota", "552 5.2.2 \"full\" # it is"),
        "# BEGIN Mailward\nplugin {\n  quota_status_overquota = \"552 5.2.2 \\\"full\\\" # it is\"\n}\n# END Mailward\n",
    );
}

#[test]
fn what_somebody_wrote_into_our_part_is_not_lost() {
    let text = "a = 1\n# BEGIN Mailward\nssl = required\n# mine\n# END Mailward\n";
    let clash = rewrite(Format::Dovecot, "f", Some(text), &dovecot(&[], "ssl", "yes"));
    assert_eq!(clash, Err(Clash::Unreadable { file: "f".to_owned(), line: 4, text: "# mine".to_owned() }));
}

#[test]
fn overrides_of_docker_mailserver_have_one_value() {
    let before = "# mine\na = 1\nb = 2,\n  3\n";
    let own = "# BEGIN Mailward\nb = 4\n# END Mailward\n";
    let check = |before: &str, change: &Change, after: &str| {
        check(Format::OverridesOfMain, before, change, after);
    };
    check(before, &parameter("b", Some("4")), &format!("# mine\na = 1\n{own}"));
    check(before, &parameter("b", Some("2, 3")), before);
    check(before, &parameter("b", None), "# mine\na = 1\n");
    check(&format!("{own}a = 1\nb = 5"), &parameter("b", Some("4")), &format!("{own}a = 1\n"));
    check(
        &format!("b = 5\n{own}a = 1"),
        &parameter("c", Some("6")),
        "b = 5\n# BEGIN Mailward\nb = 4\nc = 6\n# END Mailward\na = 1",
    );
    check(&format!("b = 5\n{own}a = 1"), &parameter("b", None), "a = 1");
}

#[test]
fn overrides_of_services_on_docker_mailserver_have_no_blanks() {
    let check = |before: &str, change: &Change, after: &str| {
        check(Format::OverridesOfMaster, before, change, after);
    };
    check(
        "submission/inet/a=1\n",
        &overridden("submission/inet", "a", Some("b, c")),
        "# BEGIN Mailward\nsubmission/inet/a=b,c\n# END Mailward\n",
    );
    let blank = overridden("submission/inet", "a", Some("b c"));
    let clash = rewrite(Format::OverridesOfMaster, "f", None, &blank);
    assert!(matches!(clash, Err(Clash::Unwritable { .. })), "{clash:?}");
}

#[test]
fn variables_are_set_once() {
    let before = "# A=0\nA=1\nexport B=2\nA=\"3\" # x";
    let check =
        |before: &str, change: &Change, after: &str| check(Format::Environment, before, change, after);
    check(before, &variable("A", Some("1")), "# A=0\nexport B=2\nA=1");
    check(before, &variable("B", Some("3")), "# A=0\nA=1\nB=3\nA=\"3\" # x");
    check(before, &variable("C", Some("3")), &format!("{before}\nC=3\n"));
    check(before, &variable("A", None), "# A=0\nexport B=2\n");
}

#[test]
fn compose_keeps_its_style() {
    let list = "services:\n  mailserver:\n    image: ghcr.io/docker-mailserver/docker-mailserver:15.1.0\n    environment:\n      - A=1\n      - B=2 # two\n    hostname: mail.example.org\n";
    let map = list.replace("- A=1", "A: 1").replace("- B=2 # two", "B: \"2\"");
    let check = |before: &str, change: &Change, after: &str| check(Format::Compose, before, change, after);
    check(list, &variable("B", Some("3")), &list.replace("- B=2 # two", "- B=3"));
    check(list, &variable("C", Some("a b")), &list.replace("# two\n", "# two\n      - \"C=a b\"\n"));
    check(list, &variable("A", None), &list.replace("      - A=1\n", ""));
    check(&map, &variable("B", Some("3")), &map.replace("\"2\"", "\"3\""));
    check(&map, &variable("C", Some("3")), &map.replace("\"2\"\n", "\"2\"\n      C: \"3\"\n"));
    let clash = rewrite(Format::Compose, "f.yaml", Some("services: {}\n"), &variable("A", Some("1")));
    assert!(matches!(clash, Err(Clash::Nowhere { .. })), "{clash:?}");
}

#[test]
fn settings_of_other_programs() {
    let ini = "[DEFAULT]\nmaxretry = 5\n\n[postfix]\nenabled = false\nport = smtp,\n  465\n";
    check(Format::Sections, ini, &setting("postfix", "enabled", Some("true")), &ini.replace("false", "true"));
    check(
        Format::Sections,
        ini,
        &setting("postfix", "port", Some("smtp")),
        &ini.replace("smtp,\n  465", "smtp"),
    );
    check(Format::Sections, ini, &setting("DEFAULT", "x", Some("1")), &ini.replace("= 5\n", "= 5\nx = 1\n"));
    check(Format::Sections, ini, &setting("dovecot", "x", Some("1")), &format!("{ini}[dovecot]\nx = 1\n"));
    check(Format::Sections, ini, &setting("dovecot", "x", None), ini);
    let words = "# Mode s\nMode  s\nKeyTable /etc/x\nmode v\n";
    check(Format::Words, words, &setting("", "Mode", Some("sv")), "# Mode s\nKeyTable /etc/x\nMode sv\n");
    check(Format::Words, words, &setting("", "Key", Some("1")), &format!("{words}Key 1\n"));
    let perl = "use strict;\n$x = 1;\n\n1;  # true\n";
    check(Format::Statements, perl, &setting("", "$x", Some("2")), &perl.replace("$x = 1", "$x = 2"));
    check(Format::Statements, perl, &setting("", "$y", Some("2")), &perl.replace("1;  #", "$y = 2;\n1;  #"));
    check(Format::Statements, "", &setting("", "bind", Some("\"a\"")), "bind = \"a\";\n");
}

#[test]
fn lines_are_exact() {
    let before = "a\nb\nc";
    let go = |change: &Change, after: &str| check(Format::Lines, before, change, after);
    go(&lines(&["b"], &["x", "y"]), "a\nx\ny\nc");
    go(&lines(&[], &["x"]), "a\nb\nc\nx\n");
    go(&lines(&[], &["b", "c"]), before);
    go(&lines(&["c", "a"], &["x"]), "b\nx\n");
    check(Format::Lines, "use x;\n1;\n", &lines(&[], &["y;"]), "use x;\ny;\n1;\n");
    let clash = rewrite(Format::Lines, "f", Some(before), &lines(&[" b"], &[]));
    assert_eq!(clash, Err(Clash::Missing { file: "f".to_owned(), line: " b".to_owned() }));
}

#[test]
fn a_value_is_one_line() {
    for change in [
        parameter("a", Some("1\nb = 2")),
        overridden("smtp/inet", "a", Some("1\r")),
        dovecot(&["service x {\n"], "a", "1"),
        lines(&[], &["a\nb"]),
    ] {
        let clash = rewrite(Format::MainCf, "f", Some(""), &change);
        assert!(matches!(clash, Err(Clash::Unwritable { .. })), "{clash:?}");
    }
}

/// Lines such as configuration files have, and such as nobody would write.
fn text() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        "[a-c]( ){0,2}=( ){0,2}[a-z, ]{0,6}",
        "[ \t]{1,3}[a-z,#-]{0,6}",
        "#[ -~]{0,8}",
        "(smtp|submission|x) (inet|unix) n - y - - smtpd( -o [a-c]=[a-z]{0,2})?",
        "  -o [a-c]=[a-z]{0,3}( -o [a-c]=[0-9])?",
        "  -o",
        "(# BEGIN Mailward|# END Mailward|1;|\\[s\\]|\\[t\\]|\\})",
        "(smtp|x)/inet/[a-c]=[a-z]{0,3}",
        "[ -~äß]{0,12}",
    ];
    let end = prop_oneof![Just("\n"), Just("\r\n")];
    (proptest::collection::vec((line, end), 0..12), any::<bool>()).prop_map(|(lines, open)| {
        let text: String = lines.into_iter().map(|(line, end)| line + end).collect();
        if open { text.trim_end().to_owned() } else { text }
    })
}

fn change() -> impl Strategy<Value = (Format, Change)> {
    let name = || prop_oneof![Just("a"), Just("b"), Just("c")];
    let value = || proptest::option::of("[a-z]{0,3}(, [a-z]{1,2})?");
    prop_oneof![
        (name(), value()).prop_map(|(n, v)| (Format::MainCf, parameter(n, v.as_deref()))),
        (name(), value()).prop_map(|(n, v)| (Format::OverridesOfMain, parameter(n, v.as_deref()))),
        (name(), value()).prop_map(|(n, v)| (Format::MasterCf, overridden("smtp/inet", n, v.as_deref()))),
        (name(), value())
            .prop_map(|(n, v)| (Format::OverridesOfMaster, overridden("x/inet", n, v.as_deref()))),
        Just((Format::MasterCf, service("x/unix", None))),
        Just((Format::MasterCf, service("x/unix", Some("x unix - - n - - smtpd")))),
        (name(), "[a-z]{0,3}").prop_map(|(n, v)| (Format::Dovecot, dovecot(&["plugin"], n, &v))),
        (name(), value()).prop_map(|(n, v)| (Format::Environment, variable(n, v.as_deref()))),
        (name(), value()).prop_map(|(n, v)| (Format::Sections, setting("s", n, v.as_deref()))),
        (name(), value()).prop_map(|(n, v)| (Format::Words, setting("", n, v.as_deref()))),
        (name(), value()).prop_map(|(n, v)| (Format::Statements, setting("", n, v.as_deref()))),
        Just((Format::Lines, lines(&[], &["x", "y"]))),
    ]
}

/// The comments of a text.
fn comments(text: &str) -> Vec<&str> {
    let comments = text.lines().filter(|line| line.trim_start().starts_with('#'));
    comments.filter(|line| !line.contains("Mailward")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn rewriting_twice_is_rewriting_once(text in text(), (format, change) in change()) {
        if let Ok(once) = rewrite(format, "f", Some(&text), &change) {
            prop_assert_eq!(rewrite(format, "f", Some(&once), &change), Ok(once.clone()));
        }
    }

    #[test]
    fn comments_stay(text in text(), (format, change) in change()) {
        if matches!(change, Change::Service { .. }) {
            return Ok(());
        }
        if let Ok(once) = rewrite(format, "f", Some(&text), &change) {
            prop_assert_eq!(comments(&text), comments(&once));
        }
    }

    #[test]
    fn other_parameters_keep_their_value(text in text(), value in "[a-z]{0,3}") {
        use mailward_audit::postfix::MainCf;
        let before = MainCf::read(&text);
        let after = rewrite(Format::MainCf, "f", Some(&text), &parameter("a", Some(&value))).unwrap();
        let after = MainCf::read(&after);
        for name in ["b", "c"] {
            let of = |read: &MainCf| read.of(name).map(|set| set.value.clone()).collect::<Vec<_>>();
            prop_assert_eq!(of(&before), of(&after));
        }
        prop_assert_eq!(after.of("a").count(), 1);
        prop_assert_eq!(&after.of("a").next().unwrap().value, &value);
    }
}
