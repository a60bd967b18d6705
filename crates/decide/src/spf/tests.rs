//! SPF against records as they are published, and those of RFC 7208.

use std::cell::RefCell;

use proptest::prelude::*;

use super::*;

/// A DNS of these texts, addresses and mail servers.
struct Dns<'a> {
    texts: &'a [(&'a str, &'a str)],
    addresses: &'a [(&'a str, &'a str)],
    servers: &'a [(&'a str, &'a str)],
}

impl Dns<'_> {
    fn look(&self, lookup: &Lookup) -> Found {
        let of = |all: &[(&str, &str)], name: &str| -> Vec<String> {
            all.iter().filter(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()).collect()
        };
        match lookup {
            Lookup::Texts(name) => {
                let texts = of(self.texts, name);
                Found::Record(Rc::new(Published::of(texts.iter().map(String::as_str))))
            }
            Lookup::MailServers(name) => Found::Names(of(self.servers, name)),
            Lookup::Addresses { name, v6 } => {
                let all = of(self.addresses, name).into_iter().map(|text| text.parse::<IpAddr>().unwrap());
                Found::Addresses(all.filter(|address| address.is_ipv6() == *v6).collect())
            }
        }
    }
}

fn result(dns: &Dns<'_>, client: &str, sender: &str) -> Spf {
    let name = "Mail.Partner.example";
    let sending = Sending { client: client.parse().unwrap(), name, helo: "mail.partner.example", sender };
    // As the gate does it: each lookup is answered when it is asked for, and then it is begun anew.
    let known = RefCell::new(Vec::<(Lookup, Found)>::new());
    loop {
        let look = |lookup: &Lookup| {
            known.borrow().iter().find(|(other, _)| other == lookup).map(|(_, found)| found.clone())
        };
        match check(&sending, &look) {
            Ok(spf) => return spf,
            Err(lookup) => {
                let found = dns.look(&lookup);
                known.borrow_mut().push((lookup, found));
                assert!(known.borrow().len() <= 120);
            }
        }
    }
}

const ADDRESSES: &[(&str, &str)] = &[
    ("partner.example", "192.0.2.10"),
    ("mx1.partner.example", "192.0.2.20"),
    ("mx1.partner.example", "2001:db8::20"),
    ("7.2.0.192.in.partner.example", "127.0.0.2"),
    ("kim._spf.partner.example", "127.0.0.2"),
];
const SERVERS: &[(&str, &str)] = &[("partner.example", "mx1.partner.example")];

fn of(record: &str, client: &str) -> Spf {
    let texts = &[
        ("partner.example", record),
        ("partner.example", "another text"),
        ("pass.example", "v=spf1 ip4:192.0.2.0/24 -all"),
        ("fail.example", "v=spf1 -all"),
        ("loop.example", "v=spf1 include:loop.example -all"),
        ("two.example", "v=spf1 -all"),
        ("two.example", "v=spf1 +all"),
    ];
    result(&Dns { texts, addresses: ADDRESSES, servers: SERVERS }, client, "kim@partner.example")
}

#[test]
fn mechanisms_match_in_order() {
    let check = |record: &str, client: &str, expected: Spf| {
        assert_eq!(of(record, client), expected, "{record} {client}");
    };
    for (record, client, expected) in [
        ("v=spf1 -all", "192.0.2.7", Spf::Fail),
        ("v=spf1 ~all", "192.0.2.7", Spf::SoftFail),
        ("v=spf1 ?all", "192.0.2.7", Spf::None),
        ("v=spf1", "192.0.2.7", Spf::None),
        ("v=spf10 -all", "192.0.2.7", Spf::None),
        ("V=SPF1 IP4:192.0.2.7 -ALL", "192.0.2.7", Spf::Pass),
        ("v=spf1 ip4:192.0.2.7/24 -all", "192.0.2.99", Spf::Pass),
        ("v=spf1 ip6:2001:db8::/32 -all", "2001:db8::1", Spf::Pass),
        ("v=spf1 ip6:2001:db8::/32 -all", "192.0.2.7", Spf::Fail),
        ("v=spf1 a -all", "192.0.2.10", Spf::Pass),
        ("v=spf1 a/24 -all", "192.0.2.99", Spf::Pass),
        ("v=spf1 mx -all", "192.0.2.20", Spf::Pass),
        ("v=spf1 mx -all", "2001:db8::20", Spf::Pass),
        ("v=spf1 mx//64 -all", "2001:db8::99", Spf::Pass),
        ("v=spf1 a:mx1.partner.example -all", "192.0.2.20", Spf::Pass),
        ("v=spf1 include:pass.example -all", "192.0.2.7", Spf::Pass),
        ("v=spf1 include:fail.example ~all", "192.0.2.7", Spf::SoftFail),
        ("v=spf1 redirect=pass.example", "198.51.100.7", Spf::Fail),
        ("v=spf1 -all redirect=pass.example", "192.0.2.7", Spf::Fail),
        ("v=spf1 exists:%{ir}.in.%{d} -all", "192.0.2.7", Spf::Pass),
        ("v=spf1 exists:%{ir}.in.%{d} -all", "192.0.2.8", Spf::Fail),
        ("v=spf1 exists:%{l}._spf.%{o} -all", "192.0.2.7", Spf::Pass),
        ("v=spf1 ptr -all", "192.0.2.7", Spf::Pass),
        ("v=spf1 ptr:mail.partner.example -all", "192.0.2.7", Spf::Pass),
        ("v=spf1 ptr:l.partner.example -all", "192.0.2.7", Spf::Fail),
        ("v=spf1 ptr:artner.example -all", "192.0.2.7", Spf::Fail),
        ("v=spf1 exp=why.%{d} -all", "192.0.2.7", Spf::Fail),
    ] {
        check(record, client, expected);
    }
}

#[test]
fn what_is_wrong_says_nothing() {
    for record in [
        "v=spf1 ip4:192.0.2.0/33 -all",
        "v=spf1 ip4:partner.example -all",
        "v=spf1 foo -all",
        "v=spf1 a: -all",
        "v=spf1 ptr: -all",
        "v=spf1 ptr/24 -all",
        "v=spf1 include -all",
        "v=spf1 include:loop.example -all",
        "v=spf1 include:two.example -all",
        "v=spf1 redirect=a.example redirect=b.example",
        "v=spf1 exists:%{x} -all",
        "v=spf1 exists:%(d) -all",
        "v=spf1 a:a.b1.example a:a.b2.example a:a.b3.example -all",
        "v=spf1 mx mx mx mx mx mx mx mx mx mx mx -all",
    ] {
        assert_eq!(of(record, "203.0.113.7"), Spf::None, "{record}");
    }
    let silent = |_: &Lookup| Some(Found::Nothing);
    let sending =
        Sending { client: "192.0.2.7".parse().unwrap(), name: "", helo: "x", sender: "kim@partner.example" };
    assert_eq!(check(&sending, &silent), Ok(Spf::None));
    assert_eq!(check(&Sending { sender: "", ..sending }, &silent), Ok(Spf::None));
}

#[test]
fn macros_are_those_of_the_rfc() {
    // RFC 7208 section 7.4.
    let sending = Sending {
        client: "192.0.2.3".parse().unwrap(),
        name: "",
        helo: "mx.example.org",
        sender: "strong-bad@email.example.com",
    };
    let v6 = Sending { client: "2001:db8::cb01".parse().unwrap(), ..sending };
    let reversed = "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2";
    for (sending, text, expected) in [
        (&sending, "%{s}", "strong-bad@email.example.com"),
        (&sending, "%{o}", "email.example.com"),
        (&sending, "%{d4}", "email.example.com"),
        (&sending, "%{d2}", "example.com"),
        (&sending, "%{d1}", "com"),
        (&sending, "%{dr}", "com.example.email"),
        (&sending, "%{d2r}", "example.email"),
        (&sending, "%{l-}", "strong.bad"),
        (&sending, "%{lr-}", "bad.strong"),
        (&sending, "%{l1r-}", "strong"),
        (&sending, "%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        (&sending, "%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
        (&v6, "%{ir}", reversed),
        (&v6, "%{p}", "unknown"),
    ] {
        let got = macros::expand(text, sending, "strong-bad", "email.example.com");
        assert_eq!(got.as_deref(), Some(expected), "{text}");
    }
}

proptest! {
    #[test]
    fn any_record_comes_to_an_end(record in "v=spf1( [-+~?]?(all|a|mx|ptr|ip4:192.0.2.0/24|include:partner.example|exists:%\\{[a-z]r?\\}|redirect=partner.example|[ -~]{0,12})){0,15}") {
        let _ = of(&record, "192.0.2.7");
    }
}
