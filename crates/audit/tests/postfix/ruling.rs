//! What Postfix would say to a mail.

use mailward_audit::postfix::Postfix;
use mailward_audit::postfix::restrictions::{Request, Ruling, Verdict};

use crate::{MASTER_CF, facts, file};

const MAIN_CF: &str = "\
compatibility_level = 3.6
myhostname = mail.example.org
mydestination = localhost
mynetworks = 127.0.0.0/8 10.1.0.0/16
virtual_mailbox_domains = example.org
smtpd_tls_security_level = may
least = >=TLSv1.2
";

const STRANGER: Request<'static> = Request {
    client: std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)),
    client_name: "mx.example.net",
    helo: "mx.example.net",
    login: None,
    encrypted: false,
    sender: "somebody@example.net",
    recipient: "else@example.com",
};

fn ruling(lines: &str, service: usize, request: &Request<'_>) -> Ruling {
    let tables = [
        ("/t/ok", "example.net OK\nuser@ REJECT\n.example.com OK\n192.0.2 RELAY\n"),
        ("/t/cidr", "198.51.100.0/24 REJECT\n192.0.2.0/24 OK\n"),
        ("/t/pcre", "/^some.*@EXAMPLE/ 550 no\n!/@example\\.net$/ DUNNO\n"),
        ("/t/class", "example.net strict\n"),
        (
            "/t/owners",
            "alice@example.org alice@example.org, boss@example.org\n@example.org boss@example.org\n",
        ),
    ];
    let facts = tables
        .iter()
        .fold(facts(&format!("{MAIN_CF}{lines}"), MASTER_CF), |facts, (path, text)| file(facts, path, text));
    let postfix = Postfix::read(&facts).expect("Postfix");
    let service = postfix.smtpd().nth(service).expect("a service");
    postfix.ruling(service, request).expect("everything known")
}

fn check(lines: &str, request: Request<'_>, expected: Verdict, decisive: &str) {
    let ruling = ruling(lines, 0, &request);
    assert_eq!(ruling.verdict, expected, "{lines}: {ruling:#?}");
    let shown = ruling.decisive().map(ToString::to_string).unwrap_or_default();
    assert!(shown.contains(decisive), "{lines}: {shown}");
}

#[test]
fn strangers_do_not_relay() {
    use Verdict::{Accepted, Deferred, Refused};
    check("", STRANGER, Deferred, "smtpd_relay_restrictions");
    check("", Request { recipient: "bob@example.org", ..STRANGER }, Accepted, "");
    check("", Request { client: [10, 1, 2, 3].into(), ..STRANGER }, Accepted, "10.1.2.3 is in 10.1.0.0/16");
    check(
        "smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination",
        STRANGER,
        Refused,
        "main.cf:8",
    );
    check("smtpd_relay_restrictions = permit", STRANGER, Refused, "gives up");
    check("smtpd_relay_restrictions = permit, reject", STRANGER, Accepted, "permit");
    check("smtpd_relay_restrictions =", STRANGER, Refused, "gives up");
    check("relay_domains = com", Request { recipient: "x@example.com", ..STRANGER }, Accepted, "");
    check("", Request { recipient: "a%example.com@example.org", ..STRANGER }, Deferred, "");
    check(
        "allow_untrusted_routing = yes",
        Request { recipient: "a%b@example.org", ..STRANGER },
        Accepted,
        "",
    );
    check("", Request { recipient: "postmaster", ..STRANGER }, Accepted, "");
    check(
        "smtpd_relay_restrictions = permit_sasl_authenticated, reject",
        Request { login: Some("a"), ..STRANGER },
        Refused,
        "reject",
    );
}

#[test]
fn tables_decide() {
    use Verdict::{Accepted, Refused};
    let list = |rules: &str| format!("smtpd_relay_restrictions = {rules}, reject_unauth_destination");
    check(&list("check_sender_access hash:/t/ok"), STRANGER, Accepted, "/t/ok:1: example.net OK");
    check(&list("check_client_access hash:/t/ok"), STRANGER, Accepted, "example.net OK");
    check(
        &list("check_client_access hash:/t/ok"),
        Request { client_name: "unknown", ..STRANGER },
        Accepted,
        "192.0.2 RELAY",
    );
    check(&list("check_client_access cidr:/t/cidr"), STRANGER, Accepted, "/t/cidr:2");
    check(
        &list("check_client_access cidr:/t/cidr"),
        Request { client: [203, 0, 113, 1].into(), ..STRANGER },
        Refused,
        "reject_unauth",
    );
    check(
        &list("check_sender_access pcre:/t/pcre"),
        STRANGER,
        Refused,
        "/t/pcre:1: /^some.*@EXAMPLE/ 550 no",
    );
    check(
        &list("check_sender_access hash:/t/ok"),
        Request { sender: "user+x@example.com", ..STRANGER },
        Refused,
        "",
    );
    check(&list("check_sender_access static:ok"), STRANGER, Accepted, "static:ok");
    check(&list("check_sender_access inline:{example.net=OK}"), STRANGER, Accepted, "example.net OK");
    let classes = "smtpd_restriction_classes = strict\nstrict = permit_mynetworks, reject\n";
    check(&format!("{classes}{}", list("check_sender_access hash:/t/class")), STRANGER, Refused, "reject");
    check(
        &format!("{classes}{}", list("warn_if_reject check_sender_access hash:/t/class")),
        STRANGER,
        Refused,
        "unauth",
    );
    check(&list("permit_mynetwork"), STRANGER, Verdict::Deferred, "no such rule");
    let unknown =
        ruling(&list("check_sender_access mysql:/t/sql, check_policy_service unix:x"), 0, &STRANGER);
    assert_eq!((unknown.verdict, unknown.doubts.len()), (Refused, 2));
}

#[test]
fn lists_are_asked_when_the_client_has_come_so_far() {
    use Verdict::{Accepted, Deferred, Refused};
    let client = "smtpd_client_restrictions = check_recipient_access inline:{example.com=REJECT}\n";
    check(client, STRANGER, Refused, "smtpd_client_restrictions");
    check(&format!("{client}smtpd_delay_reject = no"), STRANGER, Deferred, "smtpd_relay_restrictions");
    let sender = "smtpd_sender_restrictions = reject_unauth_destination\nsmtpd_relay_restrictions = permit_mynetworks, reject";
    check(sender, STRANGER, Refused, "smtpd_sender_restrictions");
    check(
        "smtpd_data_restrictions = reject",
        Request { recipient: "bob@example.org", ..STRANGER },
        Refused,
        "data",
    );
    check(
        "smtpd_helo_restrictions = defer_if_permit",
        Request { recipient: "bob@example.org", ..STRANGER },
        Deferred,
        "",
    );
    check(
        "smtpd_client_restrictions = permit",
        Request { recipient: "bob@example.org", ..STRANGER },
        Accepted,
        "",
    );
}

#[test]
fn submission_wants_a_login_and_its_own_sender() {
    let check = |lines: &str, request: Request<'_>, expected: Verdict| {
        let ruling = ruling(lines, 1, &request);
        assert_eq!(ruling.verdict, expected, "{lines}: {ruling:#?}");
    };
    let alice = Request {
        encrypted: true,
        login: Some("alice@example.org"),
        sender: "alice@example.org",
        ..STRANGER
    };
    check("", STRANGER, Verdict::Refused);
    check("", Request { encrypted: true, ..STRANGER }, Verdict::Refused);
    check("", alice, Verdict::Accepted);
    check("", Request { sender: "boss@example.org", ..alice }, Verdict::Accepted);
    let maps = "smtpd_sender_login_maps = hash:/t/owners\nsmtpd_sender_restrictions = reject_sender_login_mismatch\n";
    check(maps, alice, Verdict::Accepted);
    check(maps, Request { sender: "boss@example.org", ..alice }, Verdict::Refused);
    check(maps, Request { sender: "alice+list@example.org", ..alice }, Verdict::Refused);
    check(
        &format!("{maps}recipient_delimiter = +"),
        Request { sender: "alice+list@example.org", ..alice },
        Verdict::Accepted,
    );
    check(maps, Request { sender: "x@example.com", ..alice }, Verdict::Refused);
    check(
        &maps.replace("reject_", "reject_known_"),
        Request { sender: "x@example.com", ..alice },
        Verdict::Accepted,
    );
    check(maps, Request { sender: "", ..alice }, Verdict::Accepted);
}
