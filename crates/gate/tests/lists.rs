//! Lists of the DNS and SPF over a real socket: a name server of the test's own answers, lies, or is silent.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do"
)]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::rdata::{A, TXT};
use hickory_proto::rr::{RData, Record, RecordType};
use mailward_decide::policy::{Policy, PolicySettings};
use mailward_decide::{Bans, Budget, Ladder, NeverBan, Secret};
use mailward_detect::{Capacity, Detector, Patience, Rules};
use mailward_gate::login::{Logins, Settings};
use mailward_gate::{Endpoint, Gate, Geo, Listen, Outlets, Report, State, Stats};

/// Answers each name with these addresses, unless it is silent about all names that end so; counts what it was asked.
struct NameServer {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    silent: Arc<Mutex<Vec<&'static str>>>,
}

fn name_server(records: &'static [(&'static str, [u8; 4])]) -> NameServer {
    with_texts(records, &[])
}

/// The same, with texts.
fn with_texts(
    records: &'static [(&'static str, [u8; 4])],
    texts: &'static [(&'static str, &'static str)],
) -> NameServer {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let (asked, silent) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let (names, unanswered) = (Arc::clone(&asked), Arc::clone(&silent));
    std::thread::spawn(move || {
        let mut buffer = [0; 2_000];
        while let Ok((length, client)) = socket.recv_from(&mut buffer) {
            let question = Message::from_vec(&buffer[..length]).unwrap();
            let name = question.queries[0].name().clone();
            names.lock().unwrap().push(name.to_string());
            let mut answer = question.clone();
            answer.metadata.message_type = MessageType::Response;
            for (known, address) in records.iter().filter(|(known, _)| *known == name.to_string()) {
                assert!(!known.is_empty());
                answer.add_answer(Record::from_rdata(
                    name.clone(),
                    300,
                    RData::A(A(Ipv4Addr::from(*address))),
                ));
            }
            let kind = question.queries[0].query_type();
            for (_, text) in
                texts.iter().filter(|(known, _)| kind == RecordType::TXT && *known == name.to_string())
            {
                let data = RData::TXT(TXT::new(vec![(*text).to_owned()]));
                answer.add_answer(Record::from_rdata(name.clone(), 300, data));
            }
            if answer.answers.is_empty() {
                answer.metadata.response_code = ResponseCode::NXDomain;
            }
            if !unanswered.lock().unwrap().iter().any(|end: &&str| name.to_string().ends_with(end)) {
                let _ = socket.send_to(&answer.to_vec().unwrap(), client);
            }
        }
    });
    NameServer { address, asked, silent }
}

fn open(lists: &[&str], server: &NameServer) -> (Gate, SocketAddr, Receiver<Report>) {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings = PolicySettings {
        lists: lists.iter().map(|text| text.parse().unwrap()).collect(),
        ..PolicySettings::default()
    };
    let state = State {
        bans: Bans::new(NeverBan::built_in(), Ladder::default(), Budget::default()),
        policy: Policy::new(settings, Secret::new([7; 32])),
        logins: Logins::new(
            Settings::default(),
            Detector::new(Rules::default(), Patience::default(), Capacity::default()),
        ),
        geo: Geo::default(),
        stats: Stats::default(),
    };
    let (tell, reports) = channel();
    let outlets =
        Outlets { tell: Box::new(move |report| drop(tell.send(report))), keep: Box::new(|_| Ok(())) };
    let listen = Listen {
        policy: vec![Endpoint::Tcp(address)],
        resolvers: vec![server.address],
        deadline: Duration::from_millis(600),
        ..Listen::default()
    };
    (Gate::open(&listen, state, outlets).unwrap(), address, reports)
}

fn ask(address: SocketAddr, client: &str) -> String {
    ask_for(address, client, "kim@partner.example")
}

fn ask_for(address: SocketAddr, client: &str, sender: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let request = format!(
        "request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address={client}\nclient_name=mail.partner.example\n\
         helo_name=mail.partner.example\nsender={sender}\nrecipient=alice@example.com\n\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let (mut answer, mut byte) = (Vec::new(), [0]);
    while !answer.ends_with(b"\n\n") && stream.read(&mut byte).is_ok_and(|length| length == 1) {
        answer.push(byte[0]);
    }
    String::from_utf8(answer).unwrap()
}

/// Asks until the lists have been tried out: until then they do not count.
fn ask_until(address: SocketAddr, client: &str, expected: &str) {
    let end = Instant::now() + Duration::from_secs(20);
    while !ask(address, client).starts_with(expected) {
        assert!(Instant::now() < end, "never {expected}");
    }
}

#[test]
fn a_listed_client_is_refused_and_asked_for_once() {
    let server = name_server(&[
        ("2.0.0.127.bl.example.", [127, 0, 0, 2]),
        ("2.0.0.127.wl.example.", [127, 0, 0, 2]),
        ("9.113.0.203.bl.example.", [127, 0, 0, 3]),
        ("8.113.0.203.bl.example.", [127, 0, 0, 3]),
        ("8.113.0.203.wl.example.", [127, 0, 1, 2]),
    ]);
    let (_gate, address, _reports) = open(&["bl.example*8", "wl.example*-4"], &server);
    ask_until(address, "203.0.113.9", "action=550 5.7.1 Client refused: listed by bl.example");
    for _ in 0..5 {
        assert!(ask(address, "203.0.113.9").starts_with("action=550"));
    }
    // Vouched for by the other list: neither refused nor greylisted.
    assert_eq!(ask(address, "203.0.113.8"), "action=DUNNO\n\n");
    let asked = server.asked.lock().unwrap();
    assert_eq!(asked.iter().filter(|name| *name == "9.113.0.203.bl.example.").count(), 1);
}

#[test]
fn a_list_that_lists_everybody_or_refuses_us_does_not_count_and_is_told() {
    let server = name_server(&[
        ("2.0.0.127.all.example.", [127, 0, 0, 2]),
        ("1.0.0.127.all.example.", [127, 0, 0, 2]),
        ("9.113.0.203.all.example.", [127, 0, 0, 2]),
        ("2.0.0.127.shy.example.", [127, 255, 255, 254]),
        ("9.113.0.203.shy.example.", [127, 255, 255, 254]),
        ("9.113.0.203.dead.example.", [203, 0, 113, 80]),
        ("2.0.0.127.dead.example.", [203, 0, 113, 80]),
    ]);
    let (_gate, address, reports) = open(&["all.example*8", "shy.example*8", "dead.example*8"], &server);
    let mut told: Vec<_> = (0..3)
        .map(|_| match reports.recv_timeout(Duration::from_secs(20)).unwrap() {
            Report::Alert(text) => text,
            other => panic!("{other:?}"),
        })
        .collect();
    told.sort();
    for (text, part) in told.iter().zip([
        "all.example is not asked: it lists 127.0.0.1",
        "dead.example is not asked: it does not list",
        "shy.example is not asked: it refuses",
    ]) {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(ask(address, "203.0.113.9"), "action=DUNNO\n\n");
}

#[test]
fn a_resolver_that_falls_silent_delays_one_answer_and_not_the_next() {
    let server = name_server(&[
        ("2.0.0.127.bl.example.", [127, 0, 0, 2]),
        ("9.113.0.203.bl.example.", [127, 0, 0, 3]),
    ]);
    let (_gate, address, _reports) = open(&["bl.example*8"], &server);
    ask_until(address, "203.0.113.9", "action=550");
    *server.silent.lock().unwrap() = vec!["."];
    assert_eq!(ask(address, "203.0.113.10"), "action=DUNNO\n\n");
    let asked = server.asked.lock().unwrap().len();
    assert_eq!(ask(address, "203.0.113.11"), "action=DUNNO\n\n");
    // What is known still counts, and nobody else was asked.
    assert!(ask(address, "203.0.113.9").starts_with("action=550"));
    assert_eq!(server.asked.lock().unwrap().len(), asked);
}

#[test]
fn a_sender_whose_domain_forbids_the_client_is_greylisted_and_one_that_it_names_is_known_by_the_domain() {
    let server = with_texts(
        &[],
        &[
            ("partner.example.", "v=spf1 include:pool.example -all"),
            ("pool.example.", "v=spf1 ip4:198.51.100.0/24 -all"),
        ],
    );
    let (gate, address, _reports) = open(&[], &server);
    assert_eq!(ask(address, "198.51.100.7"), "action=DUNNO\n\n");
    assert!(ask(address, "203.0.113.9").starts_with("action=DEFER_IF_PERMIT"));
    let asked = server.asked.lock().unwrap().clone();
    assert_eq!(asked, ["partner.example.", "pool.example."]);
    drop(gate);
}

#[test]
fn senders_whose_domain_does_not_answer_and_those_that_have_none_switch_nothing_off() {
    let server = name_server(&[
        ("2.0.0.127.bl.example.", [127, 0, 0, 2]),
        ("9.113.0.203.bl.example.", [127, 0, 0, 3]),
        ("10.113.0.203.bl.example.", [127, 0, 0, 3]),
        ("11.113.0.203.bl.example.", [127, 0, 0, 3]),
    ]);
    *server.silent.lock().unwrap() = vec!["slow.example."];
    let (_gate, address, _reports) = open(&["bl.example*8"], &server);
    ask_until(address, "203.0.113.9", "action=550");
    for (client, sender) in [("203.0.113.10", "a@b!c.example"), ("203.0.113.11", "a@slow.example")] {
        let before = server.asked.lock().unwrap().len();
        assert!(ask_for(address, "203.0.113.9", sender).starts_with("action=550"), "{sender}");
        assert!(ask(address, client).starts_with("action=550"), "{sender}");
        assert!(server.asked.lock().unwrap().len() > before);
    }
}

#[test]
fn a_list_that_is_dead_does_not_switch_the_others_off() {
    let server = name_server(&[
        ("2.0.0.127.bl.example.", [127, 0, 0, 2]),
        ("9.113.0.203.bl.example.", [127, 0, 0, 3]),
    ]);
    *server.silent.lock().unwrap() = vec!["a-dead.example."];
    let (_gate, address, reports) = open(&["a-dead.example*8", "bl.example*8"], &server);
    ask_until(address, "203.0.113.9", "action=550 5.7.1 Client refused: listed by bl.example");
    let told: Vec<_> = reports.try_iter().collect();
    let [Report::Alert(text)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(text, "the list a-dead.example is not asked: it does not answer");
}

#[test]
fn whoever_a_silent_list_may_vouch_for_comes_again() {
    let server = name_server(&[
        ("2.0.0.127.bl.example.", [127, 0, 0, 2]),
        ("2.0.0.127.wl.example.", [127, 0, 0, 2]),
        ("7.113.0.203.bl.example.", [127, 0, 0, 3]),
        ("8.113.0.203.bl.example.", [127, 0, 0, 3]),
        ("9.113.0.203.bl.example.", [127, 0, 0, 3]),
        ("9.113.0.203.wl.example.", [127, 0, 1, 2]),
    ]);
    let (_gate, address, _reports) = open(&["bl.example*8", "wl.example*-8"], &server);
    ask_until(address, "203.0.113.8", "action=550");
    ask_until(address, "203.0.113.9", "action=DUNNO");
    server.silent.lock().unwrap().push("7.113.0.203.wl.example.");
    assert!(
        ask(address, "203.0.113.7")
            .starts_with("action=DEFER_IF_PERMIT 4.7.1 Please try again later: listed")
    );
}

#[test]
fn a_list_that_begins_to_refuse_us_is_told_at_once() {
    let server = name_server(&[
        ("2.0.0.127.bl.example.", [127, 0, 0, 2]),
        ("9.113.0.203.bl.example.", [127, 0, 0, 3]),
        ("10.113.0.203.bl.example.", [127, 255, 255, 254]),
    ]);
    let (_gate, address, reports) = open(&["bl.example*8"], &server);
    ask_until(address, "203.0.113.9", "action=550");
    assert_eq!(ask(address, "203.0.113.10"), "action=DUNNO\n\n");
    let Report::Alert(text) = reports.recv_timeout(Duration::from_secs(20)).unwrap() else { panic!() };
    assert!(text.starts_with("the list bl.example is not asked: it refuses"), "{text}");
}
