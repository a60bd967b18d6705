//! Readers of texts that anybody may have written.

use mailward_audit::Server;
use mailward_audit::postfix::restrictions::{Request, rules};
use mailward_audit::postfix::{MainCf, Postfix, Protocol, Protocols, elements, seconds};
use proptest::prelude::*;

use crate::{MASTER_CF, facts, file};

fn check(text: &str, expected: &[(&str, &str, usize)]) {
    let read = MainCf::read(text);
    let read: Vec<_> = read.assignments.iter().map(|a| (a.name.as_str(), a.value.as_str(), a.line)).collect();
    assert_eq!(read, expected, "{text}");
}

#[test]
fn main_cf() {
    check("a = b\n", &[("a", "b", 1)]);
    check("# a = b\n\na=b=c\n", &[("a", "b=c", 3)]);
    check("a = b\n  c,\n# remark\n\n\td\ne =\n", &[("a", "b c, d", 1), ("e", "", 6)]);
    check("  lost = 1\na = b", &[("lost", "1", 1), ("a", "b", 2)]);
    let broken = MainCf::read("a = 1\nreject_rbl_client zen.example.org\nb = 2\n").broken;
    assert_eq!(broken.first().map(|line| line.line), Some(2));
}

#[test]
fn lists() {
    assert_eq!(elements("a, b c,,d"), ["a", "b", "c", "d"]);
    assert_eq!(elements("a {b, c} inline:{ x = y, z }"), ["a", "{b, c}", "inline:{ x = y, z }"]);
    assert_eq!(seconds("5d", 's'), Some(432_000));
    assert_eq!(seconds("30", 'm'), Some(1800));
    assert_eq!(seconds("soon", 's'), None);
    let named: Vec<_> =
        rules("permit_mynetworks warn_if_reject reject_rbl_client x.example, hash:/a, reject");
    let named: Vec<_> = named.iter().map(|rule| (rule.to_string(), rule.only_warns)).collect();
    let expected = [
        ("permit_mynetworks", false),
        ("reject_rbl_client x.example", true),
        ("hash:/a", false),
        ("reject", false),
    ];
    assert_eq!(named, expected.map(|(name, warns)| (name.to_owned(), warns)));
}

#[test]
fn protocols() {
    use Protocol::{Ssl2, Ssl3, Tls10, Tls11, Tls12, Tls13};
    let check = |value: &str, expected: &[Protocol]| {
        assert_eq!(Protocols::read(value).allowed(), expected, "{value}");
    };
    check("", &[Ssl2, Ssl3, Tls10, Tls11, Tls12, Tls13]);
    check("!SSLv2, !SSLv3", &[Tls10, Tls11, Tls12, Tls13]);
    check("!SSLv2,!SSLv3,!TLSv1,!TLSv1.1", &[Tls12, Tls13]);
    check(">=TLSv1.2", &[Tls12, Tls13]);
    check(">=TLSv1.2, <=TLSv1.2", &[Tls12]);
    check(">=0303", &[Tls12, Tls13]);
    check("TLSv1.2 TLSv1.3 !TLSv1.3", &[Tls12]);
    check("tlsv1.2:tlsv1.3", &[Tls12, Tls13]);
    assert_eq!(Protocols::read("!SSLv2 !TLSv9").unknown, ["!TLSv9"]);
}

fn anything() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        "[a-z_$/:{}=,!?<>#\\[\\]0-9. \t-]{0,24}",
        proptest::sample::select(vec![
            "smtpd_relay_restrictions = ",
            "smtpd_recipient_restrictions =",
            "smtpd_restriction_classes = a b",
            "a = b",
            "b = a",
            "permit_mynetworks,",
            "reject_unauth_destination",
            "reject",
            "warn_if_reject ",
            "check_client_access pcre:/t",
            "check_sender_access cidr:/t",
            "check_recipient_access hash:/t",
            "a",
            "b",
            "mynetworks = 0.0.0.0/0",
            "mynetworks = /t",
            "mydestination = /etc/postfix/main.cf",
            "relay_domains = $a",
            "smtp inet n - n - - smtpd",
            "-o { a = b }",
            "-o",
            "static:{",
            "inline:{",
            "unionmap:{a",
            "smtpd_delay_reject = no",
            "smtpd_sender_login_maps = regexp:/t",
            "reject_sender_login_mismatch",
            "/(a+)+$/ OK",
            "if /x/",
            "10.0.0.0/8 OK",
        ])
        .prop_map(str::to_owned),
    ];
    let separator = proptest::sample::select(vec![" ", "\n", "\n ", ",", "\n#"]);
    proptest::collection::vec((word, separator), 0..20)
        .prop_map(|words| words.into_iter().map(|(word, separator)| word + separator).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn no_text_stops_the_model(main in anything(), master in anything(), table in anything()) {
        let facts = file(facts(&main, &format!("{MASTER_CF}{master}")), "/t", &table);
        let Ok(postfix) = Postfix::read(&facts) else { return Ok(()) };
        for service in postfix.smtpd() {
            let request = Request {
                client: [192, 0, 2, 1].into(),
                client_name: "client.example.net",
                helo: "client.example.net",
                login: Some("alice@example.org"),
                encrypted: true,
                sender: "alice@example.org",
                recipient: "bob@example.com",
            };
            let _ = postfix.ruling(service, &request);
            let _ = postfix.tls_protocols(service);
            let _ = (postfix.label(service), postfix.role(service));
        }
        for family in mailward_audit::FAMILIES.iter().filter(|family| family.prefix == "PFX") {
            for check in family.checks {
                let _ = (check.judge)(&Server::new(&facts));
            }
        }
    }
}
