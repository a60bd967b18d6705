//! Cases of the DNS family, and the zone that the families of DNS records weaken one record at a time.

use mailward_audit::facts::{
    Answer, Certificate, CertificateKey, Chain, Fetched, Interface, Known, Listener, PublicKey, Queue,
    Reports, SigningKey, TlsPort, Trust,
};
use mailward_audit::questions::questions;
use mailward_audit::{Facts, Outcome, Server, find};

use crate::{Case, build};

/// A 2048-bit RSA key, public.
pub(crate) const KEY: &str = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA0SrLnrWeDMLtTvpN/VEVCA+qrKtKKzFEWLhdNUyKszmn+vHnhruxSFJq5NvVBfMfKMzDJDI4QnTPZ5rWJkL3ToXGm6rBUCay0GjuQNtZ1jkZvfiWms7kW/RDI4zLuFZ2lGVC6FjZJtMGuEpyw/vtA4lzeWImu5nr/CSEMSLIsM0uSL7TqZHCPpObxjDJsDEMcdcLnHH6UF1+XBPImr2no9utjZwTRhzz9uKnHTzEsL59JfLncYmJ9YOPyU1VS5rj8oWcGI4cumq3H4mjEbuFCSADUo0y7uxjzqI9PcPMg34DWdqkWZAlZVKBxXqqV+U2DdjkWOpT/XI19pgSBro6wQIDAQAB";
/// Another one.
pub(crate) const OTHER_KEY: &str = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAiq/YtcDuGoGoZuPqdO4vXF8pM7VnZ0hIZV3l/iw7HFuK/Vc8lCaMKWRxOlx7fBk5Xio8tXoCcDdZsLCc2G6VzLm00071KHxnLnW/k7U/aTfSSQSQp363wsYFdPJDQySyNZxzwU6gCvADvQT091TzdQ7MERAd+uzu4KjBSVIKcjeKlmTHwTvALbDbJsMG2AmK/9QGRqnB6svaFqBWUi+HDLkhGA/gRCOzt0cxb3AegBQdIRklPDFNkmCCeWt5ulN1JKuX3e6QLqlWcQ4eAkM1HmT8licZ9ft2HzI27VtofRvht9RXa+n1Ta2ZQuORw/HhZZEFX49wTO07rk+MZr4DfQIDAQAB";
/// A 1024-bit RSA key, public.
pub(crate) const SHORT_KEY: &str = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDw7k//7xxx2/2T2Sh4ewKqkpUqy/mAHETwChhexJHc0ryIBf8OtHZtKh2Outl1sT3VZqqs3tW2X7wg3q/NxvwaEjNsUOfxJkZsgZJxzq8dsUWdo7xRNQj3dIk11fuwD1lR8LtIeBvWasqX3Fju8xibOvQPV5OQw3cP1Ky/1Z7jwwIDAQAB";
/// The server's address.
pub(crate) const ADDRESS: &str = "93.184.216.34";
/// Where the policy is.
pub(crate) const POLICY: &str = "https://mta-sts.example.org/.well-known/mta-sts.txt";
/// The server's policy.
pub(crate) const ENFORCED: &str = "version: STSv1\nmode: enforce\nmx: mail.example.org\nmax_age: 604800\n";

/// The records of a sound zone.
const SOUND: &[(&str, &[&str])] = &[
    ("NS .", &["a.root-servers.net"]),
    ("MX example.org", &["10 mail.example.org"]),
    ("NS example.org", &["ns1.example.org", "ns2.example.net"]),
    ("SOA example.org", &["ns1.example.org hostmaster.example.org 2026010101 3600 900 1209600 300"]),
    ("A ns1.example.org", &["93.184.216.53"]),
    ("A ns2.example.net", &["23.192.228.53"]),
    (
        "SOA example.org @93.184.216.53",
        &["ns1.example.org hostmaster.example.org 2026010101 3600 900 1209600 300"],
    ),
    (
        "SOA example.org @23.192.228.53",
        &["ns1.example.org hostmaster.example.org 2026010101 3600 900 1209600 300"],
    ),
    ("MX example.org @93.184.216.53", &["10 mail.example.org"]),
    ("MX example.org @23.192.228.53", &["10 mail.example.org"]),
    ("A mail.example.org", &[ADDRESS]),
    ("TXT mail.example.org", &["v=spf1 a -all"]),
    ("CAA example.org", &["0 issue letsencrypt.org"]),
    ("PTR 34.216.184.93.in-addr.arpa", &["mail.example.org"]),
    ("TXT example.org", &["v=spf1 mx -all", "site-verification=1"]),
    ("TXT _dmarc.example.org", &["v=DMARC1; p=reject; rua=mailto:dmarc@example.org"]),
    ("TXT _mta-sts.example.org", &["v=STSv1; id=20260101000000Z;"]),
    ("A mta-sts.example.org", &["93.184.216.80"]),
    ("TXT _smtp._tls.example.org", &["v=TLSRPTv1; rua=mailto:tls@example.org"]),
    (
        "TLSA _25._tcp.mail.example.org",
        &[
            "3 1 1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "3 1 1 bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
        ],
    ),
    ("SRV _imaps._tcp.example.org", &["0 1 993 mail.example.org"]),
    ("SRV _submissions._tcp.example.org", &["0 1 465 mail.example.org"]),
    ("A 2.0.0.127.zen.spamhaus.org", &["127.0.0.2", "127.0.0.4", "127.0.0.10"]),
    ("A 2.0.0.127.bl.spamcop.net", &["127.0.0.2"]),
    ("A dbltest.com.dbl.spamhaus.org", &["127.0.1.2"]),
];

/// A small server with a sound zone.
pub(crate) fn zone() -> Facts {
    let facts = build::postfix(
        "postscreen_dnsbl_action = enforce\npostscreen_dnsbl_sites = zen.spamhaus.org=127.0.0.[2..11]*3, bl.spamcop.net=127.0.0.2\n",
    );
    let facts = build::file(facts, "/etc/resolv.conf", "nameserver 127.0.0.1\n");
    let facts = build::file(
        facts,
        "/etc/opendkim.conf",
        "Mode sv\nCanonicalization relaxed/simple\nOversignHeaders From\nInternalHosts /etc/opendkim/TrustedHosts\n",
    );
    let mut facts = build::file(facts, "/etc/opendkim/TrustedHosts", "127.0.0.1\nlocalhost\n::1\n");
    facts.host.listeners =
        Known::Is(vec![listener("0.0.0.0", 25, "master"), listener("127.0.0.1", 53, "unbound")]);
    facts.host.processes = Known::Is(Vec::new());
    facts.host.addresses =
        Known::Is(vec![Interface { name: "eth0".to_owned(), network: format!("{ADDRESS}/24") }]);
    facts.host.queue = Known::Is(Queue::default());
    facts.reports = Known::Is(Reports::default());
    facts.tls = vec![port("mail.example.org", 'a')];
    facts.dns.resolver = Known::Is("127.0.0.1:53".to_owned());
    facts.dns.validating = Known::Is(true);
    facts.dns.domains = vec!["example.org".to_owned()];
    facts.dns.hosts = vec!["mail.example.org".to_owned()];
    facts.dns.addresses = vec![ADDRESS.to_owned()];
    facts.dns.lists = ["zen.spamhaus.org", "bl.spamcop.net", "dbl.spamhaus.org"].map(str::to_owned).to_vec();
    facts.dns.signing = Known::Is(vec![key("example.org", "mail", KEY, &["*@example.org"])]);
    facts.dns.fetched.insert(POLICY.to_owned(), Known::Is(policy(ENFORCED)));
    for (question, records) in SOUND {
        facts.dns.answers.insert((*question).to_owned(), Known::Is(signed(records)));
    }
    with(facts, "TXT mail._domainkey.example.org", &[&format!("v=DKIM1; k=rsa; p={KEY}")])
}

/// A socket that listens.
pub(crate) fn listener(address: &str, port: u16, program: &str) -> Listener {
    Listener { protocol: "tcp".to_owned(), address: address.to_owned(), port, program: program.to_owned() }
}

/// A signing key.
pub(crate) fn key(domain: &str, selector: &str, base64: &str, senders: &[&str]) -> SigningKey {
    let bits = if base64.len() < 300 { 1024 } else { 2048 };
    SigningKey {
        domain: domain.to_owned(),
        selector: selector.to_owned(),
        place: format!("/etc/opendkim/keys/{domain}/{selector}.private"),
        table: "/etc/opendkim/KeyTable:1".to_owned(),
        senders: senders.iter().map(|sender| (*sender).to_owned()).collect(),
        key: Known::Is(PublicKey { algorithm: "rsa".to_owned(), bits, base64: base64.to_owned() }),
        modified: 1_767_225_600,
        round_trip: Known::Is(String::new()),
        sample: None,
    }
}

/// A fetched policy.
pub(crate) fn policy(text: &str) -> Fetched {
    Fetched {
        status: 200,
        content_type: "text/plain".to_owned(),
        body: text.to_owned(),
        ..Fetched::default()
    }
}

/// Port 25 of a host whose key's digest is 64 times a digit.
pub(crate) fn port(host: &str, digit: char) -> TlsPort {
    let certificate = Certificate {
        issuer: "C=US, O=Let's Encrypt, CN=R11".to_owned(),
        names: vec![host.to_owned()],
        not_after: 1_775_000_000,
        sha256: "e".repeat(64),
        key: CertificateKey { spki_sha256: digit.to_string().repeat(64), ..CertificateKey::default() },
        ..Certificate::default()
    };
    let trust = Known::Is(Trust { trusted: true, reason: String::new() });
    TlsPort {
        host: host.to_owned(),
        port: 25,
        starttls: true,
        offered: Known::Is(true),
        chains: vec![Chain { sni: true, certificates: vec![certificate], trust }],
        ..TlsPort::default()
    }
}

fn signed(records: &[&str]) -> Answer {
    Answer {
        authenticated: true,
        signed_from: Some(1_771_000_000),
        signed_until: Some(1_774_000_000),
        ..Answer::of(records.iter().copied())
    }
}

/// With other records for a question; what they lead to does not exist unless it is given.
pub(crate) fn with(facts: Facts, question: &str, records: &[&str]) -> Facts {
    with_answer(facts, question, signed(records))
}

/// With another answer.
pub(crate) fn with_answer(mut facts: Facts, question: &str, answer: Answer) -> Facts {
    facts.dns.answers.insert(question.to_owned(), Known::Is(answer));
    complete(facts)
}

/// With something changed.
pub(crate) fn but(mut facts: Facts, change: impl FnOnce(&mut Facts)) -> Facts {
    change(&mut facts);
    complete(facts)
}

/// Every question that is left finds nothing.
fn complete(mut facts: Facts) -> Facts {
    loop {
        let left = questions(&facts.dns);
        if left.is_empty() {
            return facts;
        }
        for question in left {
            let direct = question.starts_with("TXT ") && question.contains('@');
            let texts = if direct { vec!["v=spf1 mx -all"] } else { Vec::new() };
            let answer = if direct {
                signed(&texts)
            } else {
                Answer {
                    signed_from: Some(1_771_000_000),
                    signed_until: Some(1_774_000_000),
                    authenticated: true,
                    ..Answer::nothing()
                }
            };
            facts.dns.answers.insert(question, Known::Is(answer));
        }
    }
}

const FAMILIES: &[&str] = &["DNS", "SPF", "DKM", "DMR", "BIM", "STS", "TRP", "DAN", "REP"];

#[test]
fn a_sound_zone_has_no_finding() {
    let facts = zone();
    let server = Server::new(&facts);
    let checks = mailward_audit::FAMILIES
        .iter()
        .filter(|family| FAMILIES.contains(&family.prefix))
        .flat_map(|family| family.checks);
    for check in checks {
        let judged = (check.judge)(&server);
        assert!(!matches!(judged, Ok(Outcome::Fail(_))), "{}: {judged:#?}", check.id);
        assert!(!matches!(judged, Err(mailward_audit::Untold::CouldNotTell(_))), "{}: {judged:?}", check.id);
    }
}

/// Weaknesses that cannot be had alone, with what comes along.
const TOGETHER: &[(&str, &[&str])] = &[
    // A new sending address has no name yet.
    ("DNS-011", &["DNS-007"]),
    // DMARC that does not cover a name is a weakness of its own.
    ("SPF-014", &["DMR-004"]),
    // The zone is signed, and DANE would be one of the two ways.
    ("STS-001", &["DAN-006"]),
];

/// One weakness is one finding: nothing else is found because of it.
#[test]
fn every_weakness_is_found_alone() {
    let all = [
        super::spf::CASES,
        super::dkm::CASES,
        super::dmr::CASES,
        super::bim::CASES,
        super::sts::CASES,
        super::trp::CASES,
        super::dan::CASES,
        super::rep::CASES,
    ];
    let mut wrong = Vec::new();
    for case in CASES.iter().chain(all.into_iter().flatten()) {
        let facts = (case.fails)();
        let server = Server::new(&facts);
        let checks = mailward_audit::FAMILIES
            .iter()
            .filter(|family| FAMILIES.contains(&family.prefix))
            .flat_map(|family| family.checks);
        let failing: Vec<&str> = checks
            .filter(|check| matches!((check.judge)(&server), Ok(Outcome::Fail(_))))
            .map(|check| check.id)
            .collect();
        let along = TOGETHER.iter().find(|(id, _)| *id == case.id).map_or(&[][..], |(_, along)| *along);
        let mut expected: Vec<&str> = along.iter().copied().chain([case.id]).collect();
        expected.sort_by_key(|id| failing.iter().position(|found| found == id));
        if failing != expected {
            wrong.push(format!("{}: {failing:?}, not {expected:?}", case.id));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Offline, or with a resolver that is broken, nothing is judged from records that are not known.
#[test]
fn without_a_resolver_nothing_is_found_in_the_dns() {
    let mut facts = zone();
    facts.dns.resolver = Known::Unread("no resolver answered".to_owned());
    facts.dns.validating = Known::Unread("no resolver answered".to_owned());
    facts.dns.answers.clear();
    facts.dns.fetched.clear();
    let server = Server::new(&facts);
    for (prefix, number) in FAMILIES.iter().flat_map(|prefix| (1..=26).map(move |number| (prefix, number))) {
        let Some((_, check)) = find(&format!("{prefix}-{number:03}")) else { continue };
        let judged = (check.judge)(&server);
        assert!(!matches!(judged, Ok(Outcome::Fail(_))), "{}: {judged:#?}", check.id);
    }
}

/// A resolver that fails every question tells nothing, either.
#[test]
fn servfail_is_no_finding_but_where_it_is_meant() {
    let mut facts = zone();
    for answer in facts.dns.answers.values_mut() {
        *answer = Known::Is(Answer { code: "SERVFAIL".to_owned(), ..Answer::default() });
    }
    let server = Server::new(&facts);
    for (prefix, number) in FAMILIES.iter().flat_map(|prefix| (1..=26).map(move |number| (prefix, number))) {
        let Some((_, check)) = find(&format!("{prefix}-{number:03}")) else { continue };
        let judged = (check.judge)(&server);
        assert!(!matches!(judged, Ok(Outcome::Fail(_))), "{}: {judged:#?}", check.id);
    }
}

/// The cases, by id.
pub(crate) const CASES: &[Case] = &[
    Case {
        id: "DNS-001",
        fails: || with(zone(), "MX example.org", &[]),
        shows: "example.org has no MX record",
        passes: zone,
    },
    Case {
        id: "DNS-002",
        fails: || {
            with_answer(
                zone(),
                "A mail.example.org",
                Answer { aliases: vec!["host.example.net".to_owned()], ..signed(&[ADDRESS]) },
            )
        },
        shows: "alias of host.example.net",
        passes: zone,
    },
    Case {
        id: "DNS-003",
        fails: || with(zone(), "A mail.example.org", &[]),
        shows: "has no address",
        passes: zone,
    },
    Case {
        id: "DNS-004",
        fails: || with(zone(), "A mail.example.org", &["192.168.1.2"]),
        shows: "192.168.1.2, which is private",
        passes: zone,
    },
    Case {
        id: "DNS-005",
        fails: || with(zone(), "MX example.org", &["10 93.184.216.34"]),
        shows: "names `93.184.216.34`",
        passes: zone,
    },
    Case {
        id: "DNS-006",
        fails: || with(zone(), "MX example.org", &["0 .", "10 mail.example.org"]),
        shows: "null MX beside others",
        passes: zone,
    },
    Case {
        id: "DNS-007",
        fails: || with(zone(), "PTR 34.216.184.93.in-addr.arpa", &[]),
        shows: "has no PTR record",
        passes: zone,
    },
    Case {
        id: "DNS-008",
        fails: || with(zone(), "PTR 34.216.184.93.in-addr.arpa", &["other.example.net"]),
        shows: "does not lead back",
        passes: zone,
    },
    Case {
        id: "DNS-009",
        fails: || {
            with(
                with(zone(), "PTR 34.216.184.93.in-addr.arpa", &["static.34.216.184.93.clients.example.net"]),
                "A static.34.216.184.93.clients.example.net",
                &[ADDRESS],
            )
        },
        shows: "a provider's name",
        passes: zone,
    },
    Case {
        id: "DNS-010",
        fails: || {
            with(
                but(zone(), |facts| {
                    facts.said = build::postfix("postscreen_dnsbl_action = enforce\npostscreen_dnsbl_sites = zen.spamhaus.org=127.0.0.[2..11]\nsmtp_helo_name = helo.example.org\n").said;
                    facts.dns.hosts.insert(0, "helo.example.org".to_owned());
                }),
                "TXT helo.example.org",
                &["v=spf1 a -all"],
            )
        },
        shows: "has no address",
        passes: zone,
    },
    Case {
        id: "DNS-011",
        fails: || {
            with(
                but(zone(), |facts| facts.dns.addresses.push("2606:2800:220:1::34".to_owned())),
                "TXT example.org",
                &["v=spf1 mx ip6:2606:2800:220:1::34 -all"],
            )
        },
        shows: "no exchanger has an IPv6 address",
        passes: zone,
    },
    Case {
        id: "DNS-012",
        fails: || {
            with_answer(
                zone(),
                "SOA example.org",
                Answer::of(["ns1.example.org hostmaster.example.org 1 2 3 4 5"]),
            )
        },
        shows: "example.org is not signed",
        passes: zone,
    },
    Case {
        id: "DNS-013",
        fails: || {
            with_answer(
                zone(),
                "MX example.org",
                Answer {
                    code: "SERVFAIL".to_owned(),
                    unchecked: Some("NOERROR".to_owned()),
                    ..Answer::default()
                },
            )
        },
        shows: "fail validation",
        passes: zone,
    },
    Case {
        id: "DNS-014",
        fails: || {
            with_answer(
                zone(),
                "TXT example.org",
                Answer {
                    signed_from: Some(1_770_000_000),
                    signed_until: Some(1_772_400_000),
                    ..Answer::of(["v=spf1 mx -all"])
                },
            )
        },
        shows: "about to end",
        passes: zone,
    },
    Case {
        id: "DNS-015",
        fails: || with(zone(), "NS example.org", &["ns1.example.org"]),
        shows: "one name server",
        passes: zone,
    },
    Case {
        id: "DNS-016",
        fails: || with(zone(), "MX example.org @23.192.228.53", &["10 old.example.org"]),
        shows: "do not say the same",
        passes: zone,
    },
    Case {
        id: "DNS-017",
        fails: || with(zone(), "CAA example.org", &[]),
        shows: "no CAA record",
        passes: zone,
    },
    Case {
        id: "DNS-018",
        fails: || with(zone(), "CAA example.org", &["0 issue digicert.com"]),
        shows: "does not allow C=US, O=Let's Encrypt",
        passes: zone,
    },
    Case {
        id: "DNS-019",
        fails: || with(zone(), "MX mailward-no-such-name.example.org", &["10 mail.example.org"]),
        shows: "every name below example.org",
        passes: zone,
    },
    Case {
        id: "DNS-020",
        fails: || with(zone(), "SRV _submission._tcp.example.org", &["0 1 25 mail.example.org"]),
        shows: "0 1 25 mail.example.org",
        passes: zone,
    },
    Case {
        id: "DNS-021",
        fails: || {
            with_answer(
                zone(),
                "A autodiscover.example.org",
                Answer { aliases: vec!["gone.example.com".to_owned()], ..Answer::nothing() },
            )
        },
        shows: "gone.example.com, which does not exist",
        passes: zone,
    },
    Case {
        id: "DNS-022",
        fails: || build::file(zone(), "/etc/resolv.conf", "nameserver 8.8.8.8\n"),
        shows: "nameserver 8.8.8.8, public",
        passes: zone,
    },
    Case {
        id: "DNS-023",
        fails: || {
            build::file(
                but(zone(), |facts| {
                    facts.host.listeners = Known::Is(vec![listener("0.0.0.0", 53, "unbound")]);
                }),
                "/etc/unbound/unbound.conf.d/all.conf",
                "server:\n  interface: 0.0.0.0\n  access-control: 0.0.0.0/0 allow\n",
            )
        },
        shows: "access-control: 0.0.0.0/0 allow",
        passes: zone,
    },
    Case {
        id: "DNS-024",
        fails: || {
            but(
                with(
                    with(zone(), "MX example.org", &["10 mail.example.org", "20 old.example.org"]),
                    "A old.example.org",
                    &["93.184.216.35"],
                ),
                |facts| {
                    let text = "version: STSv1\nmode: testing\nmx: *.example.org\nmax_age: 604800\n";
                    facts.dns.fetched.insert(POLICY.to_owned(), Known::Is(policy(text)));
                    facts.tls.push(TlsPort { offered: Known::Is(false), ..port("old.example.org", 'c') });
                },
            )
        },
        shows: "old.example.org offers no TLS",
        passes: || {
            but(
                with(
                    with(zone(), "MX example.org", &["10 mail.example.org", "20 new.example.org"]),
                    "A new.example.org",
                    &["93.184.216.35"],
                ),
                |facts| {
                    facts.tls.push(port("new.example.org", 'c'));
                },
            )
        },
    },
    Case {
        id: "DNS-026",
        fails: || {
            but(zone(), |facts| {
                for answer in facts.dns.answers.values_mut() {
                    if let Known::Is(answer) = answer {
                        answer.millis = 2400;
                    }
                }
            })
        },
        shows: "2400 ms",
        passes: zone,
    },
];
