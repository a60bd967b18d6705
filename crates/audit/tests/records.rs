//! Readers of records: tables of what they make of texts, and properties that hold of any text.

#![expect(clippy::panic, reason = "a test that cannot go on fails")]

use std::net::IpAddr;

use mailward_audit::facts::{Answer, Dns, Known};
use mailward_audit::records::spf::{Record, Subject, Verdict, check, expand, tree};
use mailward_audit::records::{
    address, base64, bimi, caa, der, dkim, dmarc, dnsbl, is_host_name, is_within, sts, tlsa, tlsrpt,
};
use proptest::prelude::*;

fn dns(records: &[(&str, &[&str])]) -> Dns {
    let answers = records
        .iter()
        .map(|(question, records)| ((*question).to_owned(), Known::Is(Answer::of(records.iter().copied()))));
    Dns { resolver: Known::Is("test".to_owned()), answers: answers.collect(), ..Dns::default() }
}

/// Whatever is missing in the zone does not exist.
fn complete(mut dns: Dns, domain: &str, subject: &Subject) -> (Dns, Verdict) {
    loop {
        match check(&dns, domain, subject) {
            Verdict::Missing(question) => {
                dns.answers.insert(question, Known::Is(Answer::nothing()));
            }
            verdict => return (dns, verdict),
        }
    }
}

fn subject(address: &str) -> Subject {
    let Ok(address) = address.parse::<IpAddr>() else { panic!("{address}") };
    Subject {
        address: Some(address),
        sender: "strong-bad@email.example.com".to_owned(),
        helo: "mx.example.com".to_owned(),
    }
}

#[test]
fn macros_expand_as_in_the_examples_of_rfc_7208_7_4() {
    let four = subject("192.0.2.3");
    let six = subject("2001:db8::cb01");
    let check = |text: &str, subject: &Subject, expected: &str| {
        assert_eq!(expand(text, "email.example.com", subject).as_deref(), Some(expected), "{text}");
    };
    check("%{s}", &four, "strong-bad@email.example.com");
    check("%{o}", &four, "email.example.com");
    check("%{d}", &four, "email.example.com");
    check("%{d4}", &four, "email.example.com");
    check("%{d3}", &four, "email.example.com");
    check("%{d2}", &four, "example.com");
    check("%{d1}", &four, "com");
    check("%{dr}", &four, "com.example.email");
    check("%{d2r}", &four, "example.email");
    check("%{l}", &four, "strong-bad");
    check("%{l-}", &four, "strong.bad");
    check("%{lr}", &four, "strong-bad");
    check("%{lr-}", &four, "bad.strong");
    check("%{l1r-}", &four, "strong");
    check("%{ir}.%{v}._spf.%{d2}", &four, "3.2.0.192.in-addr._spf.example.com");
    check("%{lr-}.lp._spf.%{d2}", &four, "bad.strong.lp._spf.example.com");
    check("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", &four, "bad.strong.lp.3.2.0.192.in-addr._spf.example.com");
    check("%{d2}.trusted-domains.example.net", &four, "example.com.trusted-domains.example.net");
    check(
        "%{ir}.%{v}._spf.%{d2}",
        &six,
        "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com",
    );
    check("a%%b%_c%-d", &four, "a%b c%20d");
}

#[test]
fn check_host_decides() {
    let zone = dns(&[
        ("TXT a.example", &["v=spf1 ip4:192.0.2.0/25 include:b.example -all"]),
        ("TXT b.example", &["v=spf1 a:h.example/30 ~all"]),
        ("A h.example", &["198.51.100.4"]),
        ("AAAA h.example", &["2001:db8::4"]),
        ("TXT mx.example", &["v=spf1 mx//64 ?all"]),
        ("MX mx.example", &["10 h.example"]),
        ("TXT away.example", &["v=spf1 redirect=a.example"]),
        ("TXT astray.example", &["v=spf1 redirect=gone.example"]),
        ("TXT exists.example", &["v=spf1 exists:%{ir}.ok.example -all"]),
        ("A 9.2.0.192.ok.example", &["127.0.0.2"]),
        ("TXT ptr.example", &["v=spf1 ptr:h.example -all"]),
        ("PTR 4.100.51.198.in-addr.arpa", &["h.example"]),
        ("TXT broken.example", &["v=spf1 include:typo.example -all"]),
        ("TXT typo.example", &["v=spf1 ipv4:192.0.2.1 -all"]),
        ("TXT first.example", &["v=spf1 ip4:192.0.2.9 include:typo.example -all"]),
        ("TXT void.example", &["v=spf1 a:x.example a:y.example a:z.example +all"]),
    ]);
    let told = |domain: &str, address: &str| match complete(zone.clone(), domain, &subject(address)).1 {
        Verdict::None => "none",
        Verdict::Neutral(_) => "neutral",
        Verdict::Pass(_) => "pass",
        Verdict::Fail(_) => "fail",
        Verdict::SoftFail(_) => "softfail",
        Verdict::Broken(_) => "permerror",
        other => panic!("{other:?}"),
    };
    for (domain, address, expected) in [
        ("a.example", "192.0.2.1", "pass"),
        ("a.example", "192.0.2.200", "fail"),
        ("a.example", "198.51.100.6", "pass"),
        ("a.example", "198.51.100.8", "fail"),
        ("a.example", "::ffff:192.0.2.1", "pass"),
        ("a.example", "2001:db8::4", "pass"),
        ("a.example", "2001:db8::5", "fail"),
        ("b.example", "192.0.2.1", "softfail"),
        ("mx.example", "2001:db8::ffff", "pass"),
        ("mx.example", "2001:db8:0:1::1", "neutral"),
        ("away.example", "192.0.2.1", "pass"),
        ("astray.example", "192.0.2.1", "permerror"),
        ("exists.example", "192.0.2.9", "pass"),
        ("exists.example", "192.0.2.8", "fail"),
        ("ptr.example", "198.51.100.4", "pass"),
        ("ptr.example", "198.51.100.5", "fail"),
        ("broken.example", "192.0.2.1", "permerror"),
        ("first.example", "192.0.2.9", "pass"),
        ("void.example", "192.0.2.1", "permerror"),
        ("nothing.example", "192.0.2.1", "none"),
    ] {
        assert_eq!(told(domain, address), expected, "{address} in {domain}");
    }
}

#[test]
fn dmarc_walks_the_tree() {
    assert_eq!(dmarc::walk("a.b.example"), ["a.b.example", "b.example", "example"]);
    let deep = dmarc::walk("a.b.c.d.e.f.g.h.i.j.mail.example.com");
    assert_eq!(deep.len(), 8);
    assert_eq!(deep.get(1).copied(), Some("g.h.i.j.mail.example.com"));
    let zone = dns(&[
        ("TXT _dmarc.mail.example.com", &[]),
        ("TXT _dmarc.example.com", &["v=DMARC1; p=reject; sp=none"]),
        ("TXT _dmarc.com", &["v=DMARC1; p=none; psd=y"]),
        ("TXT _dmarc.two.example.com", &["v=DMARC1; p=none", "v=DMARC1; p=reject"]),
    ]);
    let found = |domain: &str| dmarc::discover(&zone, domain).ok().flatten().map(|found| found.domain);
    assert_eq!(found("mail.example.com").as_deref(), Some("example.com"));
    assert_eq!(found("two.example.com").as_deref(), Some("example.com"), "several count as none");
    assert_eq!(
        dmarc::organisation(&zone, "mail.example.com").as_deref(),
        Ok("example.com"),
        "one below psd=y"
    );
    assert!(dmarc::discover(&zone, "not.asked.example").is_err(), "what was not asked is not absent");
}

#[test]
fn filters_of_block_lists() {
    let check = |filter: &str, code: &str, allowed: bool| {
        let Ok(address) = code.parse() else { panic!("{code}") };
        assert_eq!(dnsbl::allows(filter, address), allowed, "{filter} {code}");
    };
    check("127.0.0.[2..11]", "127.0.0.4", true);
    check("127.0.0.[2..11]", "127.255.255.254", false);
    check("127.0.0.[2;14;10..12]", "127.0.0.11", true);
    check("127.0.0.[2;14;10..12]", "127.0.0.13", false);
    check("127.0.[0..255].1", "127.0.9.1", true);
    check("127.0.0.2", "127.0.0.3", false);
    let meaning = |zone, records: &[&str]| {
        let records: Vec<String> = records.iter().map(|record| (*record).to_owned()).collect();
        format!("{:?}", dnsbl::meaning(zone, &records))
    };
    assert_eq!(meaning("zen.spamhaus.org", &["127.255.255.254"]), "Refused(127.255.255.254)");
    assert_eq!(meaning("list.dnswl.org", &["127.0.0.255"]), "Refused(127.0.0.255)");
    assert_eq!(meaning("dead.example", &["203.0.113.1"]), "Strange(\"203.0.113.1\")");
    assert_eq!(meaning("bl.spamcop.net", &[]), "Clean");
}

#[test]
fn names_are_told_apart() {
    for (name, is) in [
        ("mail.example.org", true),
        ("mail.example.org.", true),
        ("localhost", false),
        ("192.0.2.1", false),
        ("-a.example.org", false),
        ("a_b.example.org", false),
        ("", false),
        ("xn--mller-kva.example", true),
    ] {
        assert_eq!(is_host_name(name), is, "{name}");
    }
    assert!(is_within("a.Example.org", "example.org") && is_within("example.org", "example.org"));
    assert!(!is_within("badexample.org", "example.org") && !is_within("org", "example.org"));
}

proptest! {
    /// Nobody's record ends a reader, however it is written.
    #[test]
    fn readers_take_any_text(text in "\\PC{0,200}", more in "(v=spf1|v=DMARC1|v=DKIM1|v=STSv1|v=TLSRPTv1|v=BIMI1)[ ;=a-z0-9:%{}/.,+~?!@-]{0,120}") {
        for text in [&text, &more] {
            let record = Record::read(text);
            for problem in &record.problems {
                prop_assert!(problem.token.len() <= text.len());
            }
            let _ = dmarc::Record::read(text);
            let _ = dkim::Record::read(text);
            let _ = (sts::id(text), sts::Policy::read(text), tlsrpt::targets(text));
            let _ = (bimi::Record::read(text), tlsa::Tlsa::read(text), caa::Caa::read(text));
            let _ = expand(text, "example.org", &subject("192.0.2.1"));
            let _ = (dnsbl::in_postscreen(text), dnsbl::in_restrictions(text), base64::decode(text));
        }
    }

    /// The octets of a record's problem are where it says.
    #[test]
    fn problems_stand_where_they_say(terms in prop::collection::vec("[a-z0-9:=/.%{}+-]{1,12}", 1..8)) {
        let text = format!("v=spf1 {}", terms.join(" "));
        for problem in Record::read(&text).problems.iter().filter(|problem| problem.column > 1) {
            prop_assert!(text[problem.column - 1..].starts_with(&problem.token), "{problem} in {text}");
        }
    }

    #[test]
    fn base64_is_its_own_inverse(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        let text = base64::encode(&octets);
        prop_assert_eq!(base64::decode(&text), Some(octets));
        prop_assert!(text.len().is_multiple_of(4));
    }

    #[test]
    fn a_published_key_reads_as_itself(modulus in prop::collection::vec(any::<u8>(), 1..300), exponent in 1_u8..) {
        let modulus: Vec<u8> = modulus.into_iter().skip_while(|&octet| octet == 0).collect();
        let key = der::Key::Rsa { modulus, exponent: vec![exponent] };
        prop_assert_eq!(der::Key::public(&key.published()), Some(key));
    }

    #[test]
    fn keys_take_any_octets(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = (der::Key::public(&octets), der::Key::private(&octets));
    }

    /// A network holds just the addresses that share its leading bits, counted one by one.
    #[test]
    fn networks_hold_what_shares_their_bits(network: u32, other: u32, prefix in 0_u8..=32) {
        let shared = (network ^ other).leading_zeros();
        let inside = address::contains(IpAddr::V4(network.into()), prefix, IpAddr::V4(other.into()));
        prop_assert_eq!(inside, shared >= u32::from(prefix));
    }

    /// Any web of includes is followed to an end, and no evaluation makes more than ten look-ups.
    #[test]
    fn every_web_of_includes_ends(links in prop::collection::vec(prop::collection::vec(0_usize..8, 0..6), 8)) {
        let texts: Vec<(String, String)> = links.iter().enumerate().map(|(place, targets)| {
            let terms: String = targets.iter().map(|target| format!(" include:d{target}.example")).collect();
            (format!("TXT d{place}.example"), format!("v=spf1{terms} -all"))
        }).collect();
        let answers = texts.iter().map(|(question, text)| (question.clone(), Known::Is(Answer::of([text.clone()]))));
        let dns = Dns { resolver: Known::Is("test".to_owned()), answers: answers.collect(), ..Dns::default() };
        let all = tree(&dns, "d0.example");
        prop_assert!(all.parts.len() <= 60, "{} parts", all.parts.len());
        let verdict = check(&dns, "d0.example", &subject("192.0.2.1"));
        let broken = matches!(verdict, Verdict::Broken(_));
        prop_assert!(broken || matches!(verdict, Verdict::Fail(_)), "{verdict:?}");
        // What the tree counts is what an evaluation that matches nothing makes.
        prop_assert_eq!(broken, all.lookups > 10 || !all.loops.is_empty(), "{:?}", all);
    }
}
