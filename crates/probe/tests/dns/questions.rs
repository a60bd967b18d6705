//! Questions and answers.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mailward_audit::facts::{Answer, Dns};
use mailward_audit::{Known, Outcome, Server as Audited, Untold, find};
use mailward_probe::dns::{Plan, Resolver, collect};

use crate::server::{Server, txt};

fn end() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

fn resolver(server: &Server) -> Resolver {
    let found = Resolver::find(Some(server.address), server.address.port(), end());
    found.unwrap_or_else(|why| panic!("{why}")).0
}

fn answer(resolver: &Resolver, question: &str) -> Answer {
    match resolver.ask(question, end()) {
        Known::Is(answer) => answer,
        other => panic!("{question}: {other:?}"),
    }
}

#[test]
fn answers_are_in_presentation_format() {
    let long = "0123456789".repeat(300);
    let Some(server) = Server::start(&txt("long.types.example", &long)) else { return };
    let resolver = resolver(&server);
    let check = |question: &str, records: &[&str]| {
        let mut found = answer(&resolver, question).records;
        found.sort();
        assert_eq!(found, records, "{question}");
    };
    check("MX types.example", &["0 .", "10 mail.example"]);
    check("NS .", &["a.servers.example"]);
    check("A mail.example", &["192.0.2.10"]);
    check("AAAA mail.example", &["2001:db8::10"]);
    check("PTR 10.2.0.192.in-addr.arpa", &["mail.example"]);
    check("SRV _imaps._tcp.types.example", &["0 1 993 mail.example"]);
    check(
        "CAA types.example",
        &["0 issue letsencrypt.org; accounturi=https://acme.example/1", "128 iodef mailto:ca@types.example"],
    );
    let digest = "abcdef0123456789".repeat(4);
    check("TLSA _25._tcp.types.example", &[&format!("3 1 1 {digest}")]);
    check("SOA .", &["a.servers.example hostmaster.example 1 3600 900 1209600 300"]);
    check("TYPE99 type99.types.example", &["v=spf1 mx -al"]);
    // Three thousand octets do not fit into a datagram: this came by TCP.
    check("TXT long.types.example", &[&long]);
    check(
        &format!("SOA . @{}", server.address.ip()),
        &["a.servers.example hostmaster.example 1 3600 900 1209600 300"],
    );
}

#[test]
fn aliases_are_followed_and_told() {
    let Some(server) = Server::start("") else { return };
    let resolver = resolver(&server);
    let found = answer(&resolver, "A alias.types.example");
    assert_eq!(found.aliases, ["alias2.types.example", "mail.example"]);
    assert_eq!(found.records, ["192.0.2.10"]);
    let dangling = answer(&resolver, "A dangling.types.example");
    assert_eq!(
        (dangling.code.as_str(), dangling.aliases.as_slice()),
        ("NXDOMAIN", &["gone.types.example".to_owned()][..])
    );
    assert!(answer(&resolver, "A gone.types.example").no_such_name());
}

/// A port at which nobody answers, found by letting go of one.
fn closed() -> SocketAddr {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    socket.unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn without_a_resolver_the_checks_say_so() {
    let begun = Instant::now();
    let plan = Plan { resolver: Some(closed()), domains: vec!["example.org".to_owned()], ..Plan::default() };
    let dns: Dns = collect(&plan);
    assert!(begun.elapsed() < Duration::from_secs(3), "a closed port is told at once: {:?}", begun.elapsed());
    assert!(
        matches!(&dns.resolver, Known::Unread(why) if why.starts_with("no resolver answered")),
        "{dns:?}"
    );
    let facts = mailward_audit::Facts { dns, ..mailward_audit::Facts::default() };
    let server = Audited::new(&facts);
    for id in ["DNS-001", "SPF-001", "DMR-001", "STS-001", "TRP-001", "DAN-006"] {
        let Some((_, check)) = find(id) else { panic!("{id} is no check") };
        let judged = (check.judge)(&server);
        assert!(
            matches!(&judged, Err(Untold::CouldNotTell(why)) if why.starts_with("no resolver answered")),
            "{id}: {judged:?}"
        );
    }
}

/// A socket that takes questions and never answers.
#[test]
fn silence_ends_at_the_deadline() {
    let mute = std::net::UdpSocket::bind("127.0.0.1:0").unwrap_or_else(|error| panic!("{error}"));
    let address = mute.local_addr().unwrap_or_else(|error| panic!("{error}"));
    let begun = Instant::now();
    let plan = Plan {
        resolver: Some(address),
        domains: vec!["example.org".to_owned()],
        deadline: Duration::from_millis(600),
        ..Plan::default()
    };
    let dns = collect(&plan);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert!(matches!(&dns.resolver, Known::Unread(_)), "{dns:?}");
}

/// Answers from elsewhere, with another id or to another question, are passed over.
#[test]
fn forged_answers_are_passed_over() {
    use hickory_proto::op::{Message, MessageType, ResponseCode};
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap_or_else(|error| panic!("{error}"));
    let address = socket.local_addr().unwrap_or_else(|error| panic!("{error}"));
    let stranger = std::net::UdpSocket::bind("127.0.0.1:0").unwrap_or_else(|error| panic!("{error}"));
    let server = std::thread::spawn(move || {
        let mut buffer = [0; 2048];
        let (length, client) = socket.recv_from(&mut buffer).unwrap_or_else(|error| panic!("{error}"));
        let question = Message::from_vec(&buffer[..length]).unwrap_or_else(|error| panic!("{error}"));
        let mut answer = question.clone();
        answer.metadata.message_type = MessageType::Response;
        let send = |socket: &std::net::UdpSocket, message: &Message| {
            let bytes = message.to_vec().unwrap_or_else(|error| panic!("{error}"));
            socket.send_to(&bytes, client).unwrap_or_else(|error| panic!("{error}"));
        };
        answer.metadata.response_code = ResponseCode::NXDomain;
        send(&stranger, &answer);
        answer.metadata.id = answer.metadata.id.wrapping_add(1);
        send(&socket, &answer);
        answer.metadata.id = question.metadata.id;
        answer.queries.clear();
        send(&socket, &answer);
        socket.send_to(b"garbage", client).unwrap_or_else(|error| panic!("{error}"));
        answer.queries.clone_from(&question.queries);
        answer.metadata.response_code = ResponseCode::Refused;
        send(&socket, &answer);
    });
    let (_, root) = Resolver::find(Some(address), 53, end()).unwrap_or_else(|why| panic!("{why}"));
    server.join().unwrap_or_else(|_| panic!("the server"));
    assert!(matches!(&root, Known::Is(answer) if answer.code == "REFUSED"), "{root:?}");
}

#[test]
fn the_plan_asks_all_that_checks_need() {
    let zone = [
        "full.example. IN MX 10 mail.example.\n".to_owned(),
        txt("full.example", "v=spf1 include:a.full.example -all"),
        txt("a.full.example", "v=spf1 include:b.full.example ~all"),
        txt(
            "b.full.example",
            "v=spf1 mx:full.example a:%{i}.c.full.example exists:%{ir}.d.full.example ~all",
        ),
        txt("_dmarc.full.example", "v=DMARC1; p=reject; rua=mailto:d@outside-target.example"),
    ];
    let Some(server) = Server::start(&zone.concat()) else { return };
    let plan = Plan {
        resolver: Some(server.address),
        authoritative_port: server.address.port(),
        domains: vec!["full.example".to_owned()],
        hosts: vec!["mail.example".to_owned()],
        ..Plan::default()
    };
    let dns = collect(&plan);
    assert!(mailward_audit::questions::questions(&dns).is_empty(), "nothing is left to ask");
    assert_eq!(dns.addresses, ["192.0.2.10", "2001:db8::10"], "found by the host's name");
    let facts = mailward_audit::Facts { dns, ..mailward_audit::Facts::default() };
    let audited = Audited::new(&facts);
    for (prefix, most) in [("SPF", 15), ("DMR", 13), ("TRP", 2)] {
        for number in 1..=most {
            let Some((_, check)) = find(&format!("{prefix}-{number:03}")) else { continue };
            let judged = (check.judge)(&audited);
            assert!(
                !matches!(&judged, Err(Untold::CouldNotTell(why)) if why.contains("was not asked")),
                "{}: {judged:?}",
                check.id
            );
        }
    }
    let Some((_, check)) = find("SPF-009") else { panic!("SPF-009") };
    assert!(matches!((check.judge)(&audited), Ok(Outcome::Pass(_))), "mx covers it, three includes deep");
}
