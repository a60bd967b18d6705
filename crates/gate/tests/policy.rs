//! The gate over its sockets: what Postfix would send, and what others send to hurt it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do"
)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use mailward_decide::policy::{Policy, PolicySettings};
use mailward_decide::{Bans, Budget, Ladder, NeverBan, Secret};
use mailward_detect::{Capacity, Detector, Patience, Rules};
use mailward_gate::login::{Logins, Settings};
use mailward_gate::{Changes, Endpoint, Gate, Geo, Limits, Listen, Outlets, Report, State, Stats};
use mailward_model::{Ban, Origin, Timestamp};

struct Open {
    gate: Gate,
    address: SocketAddr,
    reports: Receiver<Report>,
    changes: Receiver<Changes>,
}

fn state() -> State {
    State {
        bans: Bans::new(NeverBan::built_in(), Ladder::default(), Budget::default()),
        policy: Policy::new(PolicySettings::default(), Secret::new([7; 32])),
        logins: Logins::new(
            Settings::default(),
            Detector::new(Rules::default(), Patience::default(), Capacity::default()),
        ),
        geo: Geo::default(),
        stats: Stats::default(),
    }
}

fn listen(endpoint: Endpoint, limits: Limits) -> Listen {
    Listen { policy: vec![endpoint], limits, ..Listen::default() }
}

fn open(limits: Limits, disk: bool) -> Open {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (tell, reports) = channel();
    let (keep, changes) = channel();
    let outlets = Outlets {
        tell: Box::new(move |report| drop(tell.send(report))),
        keep: Box::new(
            move |changes| if disk { keep.send(changes).map_err(|sent| sent.0) } else { Err(changes) },
        ),
    };
    let gate = Gate::open(&listen(Endpoint::Tcp(address), limits), state(), outlets).unwrap();
    Open { gate, address, reports, changes }
}

fn request(stage: &str, client: &str, name: &str, recipient: &str, more: &str) -> String {
    format!(
        "request=smtpd_access_policy\nprotocol_state={stage}\nclient_address={client}\nclient_name={name}\nhelo_name=mail.partner.example\n\
         sender=kim@partner.example\nrecipient={recipient}\n{more}\n"
    )
}

/// Asks, and reads one answer; nothing where the other side hangs up.
fn ask(stream: &mut (impl Read + Write), request: &str) -> String {
    let _ = stream.write_all(request.as_bytes());
    let (mut answer, mut byte) = (Vec::new(), [0]);
    while !answer.ends_with(b"\n\n") && stream.read(&mut byte).is_ok_and(|length| length == 1) {
        answer.push(byte[0]);
    }
    String::from_utf8(answer).unwrap()
}

fn connect(open: &Open) -> TcpStream {
    let stream = TcpStream::connect(open.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

#[test]
fn several_questions_on_a_connection_are_answered_in_order() {
    let open = open(Limits::default(), true);
    let mut stream = connect(&open);
    let known = request("RCPT", "198.51.100.7", "mail.partner.example", "alice@example.com", "");
    let unnamed = request("RCPT", "198.51.100.8", "unknown", "alice@example.com", "");
    assert_eq!(ask(&mut stream, &known), "action=DUNNO\n\n");
    assert_eq!(
        ask(&mut stream, &unnamed),
        "action=DEFER_IF_PERMIT 4.7.1 Greylisted; please try again in 300 s\n\n"
    );
    assert_eq!(ask(&mut stream, &format!("{known}{known}")), "action=DUNNO\n\n");
    assert_eq!(ask(&mut stream, ""), "action=DUNNO\n\n");
    let changes = open.changes.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!(changes.seen.len(), 1);
    let stats = open.gate.ask(|state| state.stats.clone()).unwrap();
    assert_eq!(stats.policy.get(&("later", "greylist")), Some(&1));
    assert_eq!(stats.policy_latency.count(), 4);
}

#[test]
fn an_order_holds_for_the_next_question() {
    let open = open(Limits::default(), true);
    let mut stream = connect(&open);
    let known = request("RCPT", "198.51.100.7", "mail.partner.example", "alice@example.com", "");
    assert_eq!(ask(&mut stream, &known), "action=DUNNO\n\n");
    let ban = Ban {
        target: "198.51.100.7".parse().unwrap(),
        from: Timestamp::default(),
        until: None,
        origin: Origin::Operator,
        by: "test".into(),
        step: 0,
        reason: "".into(),
    };
    open.gate.ask(move |state| state.bans.impose(ban, Timestamp::default()).map(|_| ())).unwrap().unwrap();
    assert_eq!(ask(&mut stream, &known), "action=421 4.7.1 Service unavailable; client banned for now\n\n");
}

#[test]
fn an_account_over_its_limit_is_told() {
    let open = open(Limits::default(), true);
    let mut stream = connect(&open);
    let answers: Vec<_> = (0..30)
        .map(|n| {
            let more = format!("sasl_username=erin@example.com\ninstance=1.{n}\n");
            ask(&mut stream, &request("RCPT", "198.51.100.7", "unknown", "x@shop.example", &more))
        })
        .collect();
    assert_eq!(answers.iter().filter(|answer| *answer == "action=DUNNO\n\n").count(), 25);
    let Report::Signal(signal) = open.reports.recv_timeout(Duration::from_secs(20)).unwrap() else {
        panic!()
    };
    assert_eq!(signal.subject.to_string(), "erin@example.com");
}

#[test]
fn garbage_is_hung_up_on_and_blocks_nobody() {
    let open = open(Limits { connections: 4, ..Limits::default() }, false);
    let giant = "a".repeat(1 << 20);
    for garbage in ["GET / HTTP/1.1\r\n\r\n\n\n", "\n\n", &giant] {
        assert_eq!(ask(&mut connect(&open), garbage), "");
    }
    // More silent ones than there are places: they make room.
    let mut silent: Vec<_> = (0..10).map(|_| connect(&open)).collect();
    let half = request("RCPT", "198.51.100.7", "unknown", "a@example.com", "");
    silent.last_mut().unwrap().write_all(half.get(..40).unwrap().as_bytes()).unwrap();
    assert!(ask(&mut connect(&open), &half).starts_with("action=DEFER_IF_PERMIT"));
}

#[test]
fn a_unix_socket_of_a_dead_gate_is_replaced_and_another_file_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy");
    let listen = listen(Endpoint::Unix { path: path.clone(), mode: 0o666 }, Limits::default());
    let outlets = || Outlets { tell: Box::new(|_| {}), keep: Box::new(|_| Ok(())) };
    for _ in 0..2 {
        let gate = Gate::open(&listen, state(), outlets()).unwrap();
        let mut stream = UnixStream::connect(&path).unwrap();
        let known = request("RCPT", "198.51.100.7", "mail.partner.example", "alice@example.com", "");
        assert_eq!(ask(&mut stream, &known), "action=DUNNO\n\n");
        assert!(Gate::open(&listen, state(), outlets()).unwrap_err().to_string().contains("another program"));
        drop(gate);
    }
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "mine").unwrap();
    assert!(Gate::open(&listen, state(), outlets()).unwrap_err().to_string().contains("no socket"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
}

#[test]
fn a_place_that_is_taken_closes_no_other_one() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let outlets = Outlets { tell: Box::new(|_| {}), keep: Box::new(|_| Ok(())) };
    let listen = Listen {
        login: vec![Endpoint::Tcp(taken.local_addr().unwrap())],
        ..listen(Endpoint::Tcp(address), Limits::default())
    };
    let gate = Gate::open(&listen, state(), outlets).unwrap();
    assert!(matches!(gate.closed(), [mailward_gate::GateError::Taken { .. }]), "{:?}", gate.closed());
    let known = request("RCPT", "198.51.100.7", "mail.partner.example", "alice@example.com", "");
    assert_eq!(ask(&mut TcpStream::connect(address).unwrap(), &known), "action=DUNNO\n\n");
}
