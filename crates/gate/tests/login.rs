//! The login guard over its socket: conversations as Dovecot has them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do"
)]

mod mmdb;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use mailward_decide::policy::{Policy, PolicySettings};
use mailward_decide::{Bans, Budget, Ladder, NeverBan, Secret};
use mailward_detect::{Capacity, Detector, Login, Patience, Rules};
use mailward_gate::login::{Logins, Settings};
use mailward_gate::{Endpoint, Gate, Geo, Listen, Outlets, Report, State, Stats};
use mailward_model::{Account, EventKind, Reason, Span, Timestamp};

struct Open {
    gate: Gate,
    address: SocketAddr,
    reports: Receiver<Report>,
    key: &'static str,
}

const HOME: &str = "203.0.113.10";

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_micros(since.as_micros() as i64)
}

fn open(key: &'static str) -> Open {
    open_with(key, Vec::new())
}

/// With other places to listen.
fn open_with(key: &'static str, others: Vec<Endpoint>) -> Open {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (tell, reports) = channel();
    let outlets =
        Outlets { tell: Box::new(move |report| drop(tell.send(report))), keep: Box::new(|_| Ok(())) };
    let mut detector = Detector::new(Rules::default(), Patience::default(), Capacity::default());
    let account = Account::of("bob@example.org".into()).unwrap();
    detector.restore_login(&Login { time: now(), account, address: HOME.parse().unwrap() });
    let limits =
        ["scanner@example.org only smtp", "carol@example.org from DE"].map(|limit| limit.parse().unwrap());
    let settings = Settings {
        enforce: true,
        key: key.to_owned(),
        wait: Span::from_secs(3),
        limits: limits.into_iter().collect(),
    };
    let state = State {
        bans: Bans::new(NeverBan::built_in(), Ladder::default(), Budget::default()),
        policy: Policy::new(PolicySettings::default(), Secret::new([7; 32])),
        logins: Logins::new(settings, detector),
        geo: places(),
        stats: Stats::default(),
    };
    let listen = Listen { login: [vec![Endpoint::Tcp(address)], others].concat(), ..Listen::default() };
    Open { gate: Gate::open(&listen, state, outlets).unwrap(), address, reports, key }
}

/// Where addresses are.
fn places() -> Geo {
    let rows: &[mmdb::Row] =
        &[("192.0.2.0/24", "DE", Some((52.5, 13.4))), ("198.18.5.0/24", "AU", Some((-33.9, 151.2)))];
    let file = tempfile::NamedTempFile::new().unwrap();
    let built = u64::try_from(now().micros() / 1_000_000).unwrap();
    std::fs::write(file.path(), mmdb::database(rows, built)).unwrap();
    Geo::open(file.path(), now()).unwrap()
}

/// One answer: head, and as much as it says.
fn answer(stream: &mut impl Read) -> String {
    let (mut text, mut byte) = (String::new(), [0]);
    while !text.ends_with("\r\n\r\n") && stream.read(&mut byte).is_ok_and(|length| length == 1) {
        text.push(byte[0].into());
    }
    let length = text
        .split("Content-Length: ")
        .nth(1)
        .map_or(0, |rest| rest.split('\r').next().unwrap().parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    text + &String::from_utf8(body).unwrap()
}

/// A mail server's connection.
struct Dovecot(TcpStream, &'static str);

impl Dovecot {
    fn of(open: &Open) -> Self {
        let stream = TcpStream::connect(open.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self(stream, open.key)
    }

    fn ask(&mut self, command: &str, body: &str) -> String {
        let length = body.len();
        let key = self.1;
        let head = format!("POST /?command={command} HTTP/1.1\r\nX-API-Key: {key}\r\n");
        let request = format!("{head}Content-Length: {length}\r\n\r\n{body}");
        self.0.write_all(request.as_bytes()).unwrap();
        answer(&mut self.0)
    }

    fn status(&mut self, command: &str, login: &Tried<'_>, more: &str) -> i32 {
        let Tried { user, password, address, protocol } = login;
        // Postfix names no session.
        let session = if *protocol == "smtp" { "" } else { address };
        let body = format!(
            r#"{{"login":"{user}","protocol":"{protocol}","pwhash":"{password}","remote":"{address}","session_id":"{session}"{more},"tls":false}}"#
        );
        let told = self.ask(command, &body);
        let status = told.split("\"status\":").nth(1).unwrap();
        assert!(told.starts_with("HTTP/1.1 200 OK\r\n"), "{told}");
        status.split([',', '}']).next().unwrap().parse().unwrap_or(99)
    }

    /// A wrong password: the status that it got.
    fn fails(&mut self, login: &Tried<'_>) -> i32 {
        let status = self.status("allow", login, "");
        let reject = status < 0;
        self.status("report", login, &format!(r#","success":false,"policy_reject":{reject}"#));
        status
    }

    /// The right password: the statuses before and after it was looked at.
    fn succeeds(&mut self, login: &Tried<'_>) -> (i32, i32) {
        let before = self.status("allow", login, "");
        let after = if before < 0 { before } else { self.status("allow", login, "") };
        let (success, reject) = (before >= 0 && after >= 0, before < 0 || after < 0);
        self.status("report", login, &format!(r#","success":{success},"policy_reject":{reject}"#));
        (before, after)
    }
}

/// A login that is tried.
#[derive(Clone, Copy)]
struct Tried<'a> {
    user: &'a str,
    password: &'a str,
    address: &'a str,
    protocol: &'a str,
}

const BOB: Tried<'_> =
    Tried { user: "bob@example.org", password: "0001", address: "198.51.100.7", protocol: "imap" };

#[test]
fn a_guesser_waits_and_is_refused_and_its_right_guess_comes_too_late() {
    let open = open("");
    let mut dovecot = Dovecot::of(&open);
    let statuses: Vec<i32> = ["0001", "0002", "0003", "0004", "0005"]
        .map(|password| dovecot.fails(&Tried { password, ..BOB }))
        .into();
    assert_eq!(statuses, [0, 0, 3, -1, -1]);
    assert_eq!(dovecot.succeeds(&Tried { password: "0bad", ..BOB }), (-1, -1));
    assert_eq!(dovecot.succeeds(&Tried { address: HOME, ..BOB }), (0, 0));
    let told: Vec<_> = open.reports.try_iter().collect();
    let reasons = told.iter().map(|report| match report {
        Report::Refusal(event, keep) => {
            assert_eq!(event.kind, EventKind::RefusalReported);
            (event.reason, keep.is_some())
        }
        other => panic!("{other:?}"),
    });
    let (wrong, policy) = (Reason::CredentialsRefused, Reason::AuthPolicy);
    let expected =
        [(wrong, false), (wrong, false), (wrong, true), (policy, true), (policy, true), (policy, true)];
    assert!(reasons.eq(expected), "{told:?}");
    let stats = open.gate.ask(|state| state.stats.clone()).unwrap();
    assert_eq!(stats.login.get(&("refuse", "guesser")), Some(&3));
    assert_eq!(stats.login.get(&("pass", "own-place")), Some(&2));
}

#[test]
fn a_phone_with_an_old_password_is_let_try_for_ever() {
    let open = open("");
    let mut dovecot = Dovecot::of(&open);
    for _ in 0..200 {
        assert_eq!(dovecot.fails(&BOB), 0);
    }
    assert_eq!(dovecot.succeeds(&Tried { password: "0abc", ..BOB }), (0, 0));
}

#[test]
fn the_same_hash_of_no_password_is_many_guesses() {
    let open = open("");
    let mut dovecot = Dovecot::of(&open);
    let statuses: Vec<i32> = (0..5)
        .map(|_| {
            let status = dovecot.status("allow", &BOB, r#","mech":"CRAM-MD5""#);
            dovecot.status(
                "report",
                &BOB,
                &format!(r#","mech":"CRAM-MD5","success":false,"policy_reject":{}"#, status < 0),
            );
            status
        })
        .collect();
    assert_eq!(statuses, [0, 0, 3, -1, -1]);
}

#[test]
fn an_attacked_account_is_locked_and_its_owner_stays_in() {
    let open = open("");
    let mut dovecot = Dovecot::of(&open);
    for last in 1..=4 {
        let address = format!("198.51.{last}.7");
        assert_eq!(dovecot.fails(&Tried { address: &address, ..BOB }), 0);
    }
    assert_eq!(dovecot.succeeds(&Tried { address: "192.0.2.99", ..BOB }), (-1, -1));
    assert_eq!(dovecot.succeeds(&Tried { address: HOME, ..BOB }), (0, 0));
    assert_eq!(dovecot.succeeds(&Tried { address: "203.0.113.77", ..BOB }), (0, 0));
    // Nobody ever logged in as carol: who has not failed may be her.
    for last in 1..=4 {
        dovecot.fails(&Tried { address: &format!("198.51.{last}.9"), user: "carol@example.org", ..BOB });
    }
    let carol = Tried { user: "carol@example.org", address: "192.0.2.99", ..BOB };
    assert_eq!(dovecot.succeeds(&carol), (3, 3));
    assert_eq!(dovecot.fails(&Tried { address: "198.51.1.9", password: "0bbb", ..carol }), -1);
}

#[test]
fn a_right_password_after_guesses_at_others_is_refused_and_told() {
    let open = open("");
    let mut dovecot = Dovecot::of(&open);
    let mut rules = Rules::default();
    rules.rule_mut("auth-failure-fast").unwrap().enabled = false;
    open.gate
        .ask(|state| {
            state.logins.learn(&state.bans, Detector::new(rules, Patience::default(), Capacity::default()));
        })
        .unwrap();
    for user in ["a@example.org", "b@example.org", "c@example.org"] {
        dovecot.fails(&Tried { user, ..BOB });
    }
    // Two tries of one password at once, perhaps: that is not told before it is known whether it was wrong.
    assert_eq!(dovecot.succeeds(&Tried { protocol: "smtp", user: "d@example.org", ..BOB }), (3, -1));
    assert_eq!(dovecot.succeeds(&BOB), (3, -1));
    let stolen = open.reports.iter().find_map(|report| match report {
        Report::Signal(signal) => Some(signal),
        _ => None,
    });
    assert_eq!(
        stolen.map(|signal| (signal.rule.0, signal.subject.to_string())),
        Some(("password-stolen", BOB.user.to_owned()))
    );
}

#[test]
fn a_disk_that_stands_still_holds_nobody_up() {
    let open = open("");
    let mut dovecot = Dovecot::of(&open);
    // Nobody ever says that a lockout is on the disk: the reports wait in the channel with those who would.
    for last in 1..=50 {
        let guesser = format!("198.51.{last}.7");
        for password in ["0001", "0002", "0003", "0004"] {
            let user = format!("{last}@example.org");
            dovecot.fails(&Tried { user: &user, password, address: &guesser, protocol: "imap" });
        }
    }
    let stats = open.gate.ask(|state| state.stats.clone()).unwrap();
    assert_eq!(stats.login.get(&("refuse", "guesser")), Some(&50));
}

#[test]
fn limits_lists_and_programs_on_this_host() {
    let open = open("a secret");
    let mut dovecot = Dovecot::of(&open);
    let scanner = Tried { user: "Scanner@example.org", ..BOB };
    assert_eq!(dovecot.succeeds(&scanner), (-1, -1));
    assert_eq!(dovecot.succeeds(&Tried { protocol: "smtp", ..scanner }), (0, 0));
    let entry = r#"{"netmask":"198.51.100.0/24","expire_secs":600,"reason":"test"}"#;
    dovecot.ask("addBLEntry", entry);
    assert_eq!(dovecot.succeeds(&BOB), (-1, -1));
    assert!(dovecot.ask("getBL", "").contains(r#""netmask":"198.51.100.0/24","reason":"test""#));
    assert!(dovecot.ask("getDBStats", r#"{"ip":"198.51.100.7"}"#).contains(r#""blacklisted":true"#));
    dovecot.ask("addWLEntry", r#"{"ip":"198.51.100.7","login":"bob@example.org"}"#);
    assert_eq!(dovecot.succeeds(&BOB), (0, 0));
    dovecot.ask("delWLEntry", r#"{"ip":"198.51.100.7","login":"bob@example.org"}"#);
    dovecot.ask("delBLEntry", entry);
    assert_eq!(dovecot.succeeds(&BOB), (0, 0));
    for _ in 0..9 {
        assert_eq!(dovecot.fails(&Tried { address: "127.0.0.1", ..BOB }), 0);
    }
    assert!(dovecot.ask("ping", "").ends_with(r#"{"status":"ok"}"#));
}

#[test]
fn a_reset_forgets() {
    let open = open("a secret");
    let mut dovecot = Dovecot::of(&open);
    let guess = |dovecot: &mut Dovecot| {
        ["0001", "0002", "0003", "0004"].map(|password| dovecot.fails(&Tried { password, ..BOB }))
    };
    assert_eq!(guess(&mut dovecot), [0, 0, 3, -1]);
    dovecot.ask("reset", r#"{"ip":"198.51.100.7"}"#);
    assert_eq!(dovecot.succeeds(&BOB), (0, 0));
}

#[test]
fn without_a_key_no_program_of_this_host_changes_lists() {
    let open = open("");
    let mut dovecot = Dovecot::of(&open);
    for command in ["addWLEntry", "delBLEntry", "reset"] {
        let answer = dovecot.ask(command, r#"{"ip":"198.51.100.7","login":"bob@example.org"}"#);
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    }
    assert!(dovecot.ask("ping", "").starts_with("HTTP/1.1 200 "));
}

#[test]
fn who_does_not_know_the_key_is_not_answered() {
    let open = open("a secret");
    let mut dovecot = Dovecot(TcpStream::connect(open.address).unwrap(), "no secret");
    assert!(dovecot.ask("allow", "{}").starts_with("HTTP/1.1 401 "));
    let wrong_keys = || open.gate.ask(|state| state.stats.wrong_keys).unwrap();
    assert_eq!(wrong_keys(), 1);
    dovecot.0.write_all(b"GET /?command=ping HTTP/1.1\r\nX-API-Key: a secret\r\n\r\n").unwrap();
    assert!(answer(&mut dovecot.0).starts_with("HTTP/1.1 200 "));
    assert_eq!(wrong_keys(), 0);
}

#[test]
fn garbage_silence_and_giants_are_closed_and_hurt_nobody() {
    let open = open("");
    let mut silent = TcpStream::connect(open.address).unwrap();
    silent.write_all(b"POST /?comm").unwrap();
    for request in ["\x16\x03\x01\n\n", "POST / HTTP/1.1\r\nContent-Length: 99999\r\n\r\n"] {
        let mut hostile = Dovecot::of(&open);
        hostile.0.write_all(request.as_bytes()).unwrap();
        let mut rest = String::new();
        hostile.0.read_to_string(&mut rest).unwrap();
        assert!(rest.contains("Connection: close"), "{rest}");
    }
    let mut pipelined = Dovecot::of(&open);
    let one = "POST /?command=ping HTTP/1.1\r\nContent-Length: 0\r\n\r\n";
    pipelined.0.write_all(one.repeat(50).as_bytes()).unwrap();
    assert!((0..50).all(|_| answer(&mut pipelined.0).starts_with("HTTP/1.1 200 OK")));
}

#[test]
fn a_script_asks_by_the_unix_socket_and_nobody_else_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("login.sock");
    let open = open_with("a key", vec![Endpoint::Unix { path: path.clone(), mode: 0o600 }]);
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let mut stream = UnixStream::connect(&path).unwrap();
    for key in ["a key", "another"] {
        write!(stream, "POST /?command=ping HTTP/1.1\r\nX-API-Key: {key}\r\nContent-Length: 0\r\n\r\n")
            .unwrap();
        let (is_known, told) = (key == open.key, answer(&mut stream));
        assert_eq!(told.starts_with("HTTP/1.1 200 OK\r\n"), is_known, "{told}");
    }
}

#[test]
fn an_account_is_held_to_its_country_and_who_travels_too_fast_is_told() {
    let open = open("");
    let mut dovecot = Dovecot::of(&open);
    let at = |user, address| Tried { user, password: "0001", address, protocol: "imap" };
    for (address, status) in [("192.0.2.7", 0), ("198.18.5.7", -1), ("198.51.100.7", 0)] {
        assert_eq!(dovecot.status("allow", &at("carol@example.org", address), ""), status, "{address}");
    }
    for address in ["192.0.2.7", "198.18.5.7"] {
        let login = at("dave@example.org", address);
        assert_eq!(dovecot.status("allow", &login, ""), 0, "{address}: it is told, and never refused");
        dovecot.status("report", &login, r#","success":true,"policy_reject":false"#);
    }
    let told: Vec<_> = open.reports.try_iter().collect();
    let signals = told.iter().filter_map(|report| match report {
        Report::Signal(signal) => Some((signal.rule.0, signal.subject.to_string())),
        _ => None,
    });
    assert_eq!(signals.collect::<Vec<_>>(), [("impossible-travel", "dave@example.org".to_owned())]);
}

#[test]
fn what_is_reported_while_the_daemon_reads_what_it_knows_is_not_forgotten() {
    let open = open("");
    let mut dovecot = Dovecot::of(&open);
    let detector = || Detector::new(Rules::default(), Patience::default(), Capacity::default());
    open.gate.tell(|state| state.logins.prepare());
    let guess = |dovecot: &mut Dovecot, password| dovecot.fails(&Tried { password, ..BOB });
    assert_eq!(["0001", "0002", "0003"].map(|password| guess(&mut dovecot, password)), [0, 0, 3]);
    let fresh = detector();
    open.gate.tell(move |state| state.logins.learn(&state.bans, fresh));
    assert_eq!(guess(&mut dovecot, "0004"), -1);
    // What the daemon knows counts otherwise.
    let fresh = detector();
    open.gate.tell(move |state| state.logins.learn(&state.bans, fresh));
    assert_eq!(guess(&mut dovecot, "0005"), 0);
}
