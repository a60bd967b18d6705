//! Rulings against a real Postfix: services with restriction lists made at random, each asked by clients of two networks.
//!
//! It runs in a network namespace of its own, into which this test starts itself again.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use mailward_audit::postfix::Postfix;
use mailward_audit::postfix::restrictions::{Request, Verdict};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use rustix::net;

use crate::{facts, file};

const INSIDE: &str = "MAILWARD_TEST_POSTFIX_INSIDE";
const SERVICES: u16 = 24;
const FIRST_PORT: u16 = 2500;
/// A service that gives up at its start answers nothing; others answer at once.
const PATIENCE: Duration = Duration::from_secs(5);
const MASTER: &str = "/usr/lib/postfix/sbin/master";

const TABLES: [(&str, &str); 4] = [
    ("senders", "good@example.net OK\nbad@ REJECT\nexample.com 450 later\nexample.net strict\n"),
    ("recipients", "bob@example.org 550 no\n.example.com DUNNO\nelsewhere.example OK\n<> REJECT\n"),
    ("clients", "127.1.2.0/24 OK\n!127.0.0.0/8 REJECT\n127.0.0.7 defer_if_permit\n127.0.0.0/8 DUNNO\n"),
    ("patterns", "/^GOOD@/ DUNNO\n!/example/ REJECT\n/@partner\\.example$/ permit_mynetworks, defer\n"),
];

const RULES: [&str; 24] = [
    "permit_mynetworks",
    "permit_sasl_authenticated",
    "permit_auth_destination",
    "permit_inet_interfaces",
    "reject_unauth_destination",
    "defer_unauth_destination",
    "check_sender_access texthash:DIR/senders",
    "check_recipient_access texthash:DIR/recipients",
    "check_client_access cidr:DIR/clients",
    "check_sender_access regexp:DIR/patterns",
    "check_recipient_access regexp:DIR/patterns",
    "check_helo_access inline:{helo.example.net=REJECT}",
    "check_sender_access static:DUNNO",
    "check_recipient_access inline:{elsewhere.example=strict,partner.example=OK}",
    "reject_plaintext_session",
    "reject_sender_login_mismatch",
    "reject_unauth_pipelining",
    "warn_if_reject",
    "defer_if_permit",
    "strict",
    "permit",
    "reject",
    "defer",
    "no_such_rule",
];

const MAIN_CF: &str = "\
compatibility_level = 3.6
queue_directory = DIR/queue
data_directory = DIR/data
myhostname = mail.example.org
mydestination = localhost
virtual_mailbox_domains = example.org
relay_domains = partner.example
mynetworks = 127.1.0.0/16
inet_interfaces = all
inet_protocols = ipv4
local_recipient_maps =
alias_maps =
smtpd_reject_unlisted_recipient = no
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_error_sleep_time = 0
smtpd_restriction_classes = strict
strict = permit_mynetworks, reject
";

const MASTER_CF: &str = "\
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
";

/// Lists of a service, by parameter.
fn lists() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let list = |most| {
        let rules = proptest::collection::vec(proptest::sample::select(RULES.as_slice()), 0..most);
        rules.prop_map(|rules| rules.join(", "))
    };
    let delay = proptest::sample::select(vec!["yes", "yes", "no"]).prop_map(str::to_owned);
    (list(3), list(2), list(3), list(4), list(4), delay).prop_map(
        |(client, helo, sender, relay, recipient, delay)| {
            vec![
                ("smtpd_client_restrictions", client),
                ("smtpd_helo_restrictions", helo),
                ("smtpd_sender_restrictions", sender),
                ("smtpd_relay_restrictions", format!("{relay}, reject_unauth_destination")),
                ("smtpd_recipient_restrictions", recipient),
                ("smtpd_delay_reject", delay),
            ]
        },
    )
}

fn services() -> String {
    let mut runner = TestRunner::deterministic();
    let mut text = MASTER_CF.to_owned();
    for number in 0..SERVICES {
        let lists = lists().new_tree(&mut runner).expect("a list").current();
        writeln!(text, "{} inet n - n - - smtpd", FIRST_PORT + number).expect("a line");
        for (parameter, value) in lists {
            writeln!(text, "  -o {{ {parameter} = {value} }}").expect("a line");
        }
    }
    text
}

#[test]
fn as_postfix_rules() {
    let root = Command::new("/usr/bin/id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    if std::env::var_os(INSIDE).is_some() || !root || !Path::new(MASTER).exists() {
        eprintln!("SKIPPED: needs root and Postfix");
        return;
    }
    let namespace = format!("mwpfx{}", std::process::id());
    let ip = |arguments: &[&str]| Command::new("/usr/sbin/ip").args(arguments).status().expect("ip");
    assert!(ip(&["netns", "add", &namespace]).success());
    ip(&["-n", &namespace, "link", "set", "lo", "up"]);
    let this = std::env::current_exe().expect("this test");
    let inner = Command::new("/usr/sbin/ip")
        .args(["netns", "exec", &namespace])
        .arg(this)
        .args(["--exact", "live::inside", "--nocapture", "--include-ignored"])
        .env(INSIDE, "1")
        .status();
    ip(&["netns", "delete", &namespace]);
    assert!(inner.expect("the test inside").success());
}

#[test]
#[ignore = "started by as_postfix_rules in its namespace"]
fn inside() {
    if std::env::var_os(INSIDE).is_none() {
        return;
    }
    let directory = std::env::temp_dir().join(format!("mailward-postfix-{}", std::process::id()));
    let (main_cf, master_cf) = written(&directory);
    let mut master = Command::new(MASTER)
        .args(["-d", "-c"])
        .arg(&directory)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("master");
    let disagreements = compared(&directory, &main_cf, &master_cf);
    master.kill().expect("master ends");
    master.wait().expect("master ended");
    std::fs::remove_dir_all(&directory).expect("the directory is ours");
    assert!(disagreements.is_empty(), "{} disagree:\n{}", disagreements.len(), disagreements.join("\n"));
}

/// Writes the configuration and the queue's directories.
fn written(directory: &Path) -> (String, String) {
    let here = directory.display().to_string();
    let queue = [
        "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved",
        "trace",
    ];
    for name in queue.iter().chain(&["maildrop", "public", "pid"]) {
        std::fs::create_dir_all(directory.join("queue").join(name)).expect("a directory");
    }
    std::fs::create_dir_all(directory.join("data")).expect("a directory");
    let (main_cf, master_cf) = (MAIN_CF.replace("DIR", &here), services().replace("DIR", &here));
    std::fs::write(directory.join("main.cf"), &main_cf).expect("main.cf");
    std::fs::write(directory.join("master.cf"), &master_cf).expect("master.cf");
    for (name, text) in TABLES {
        std::fs::write(directory.join(name), text).expect("a table");
    }
    let chown = |owner: &str, what: &[String]| {
        let done = Command::new("/usr/bin/chown").arg(owner).args(what).status();
        assert!(done.is_ok_and(|status| status.success()), "chown {owner}");
    };
    let owned = queue.iter().chain(&["maildrop", "public"]).map(|name| format!("{here}/queue/{name}"));
    chown("postfix", &owned.chain([format!("{here}/data")]).collect::<Vec<_>>());
    (main_cf, master_cf)
}

fn compared(directory: &Path, main_cf: &str, master_cf: &str) -> Vec<String> {
    let facts = TABLES.iter().fold(facts(main_cf, master_cf), |facts, (name, text)| {
        file(facts, &directory.join(name).display().to_string(), text)
    });
    let postfix = Postfix::read(&facts).expect("Postfix");
    let mut disagreements = Vec::new();
    let mut seen = Vec::new();
    for service in postfix.smtpd() {
        let port = service.port.expect("a port");
        let mut gave_up = false;
        for client in [Ipv4Addr::new(127, 0, 0, 7), Ipv4Addr::new(127, 1, 2, 3)] {
            for (sender, recipient) in [
                ("good@example.net", "bob@example.org"),
                ("bad@other.example", "x@elsewhere.example"),
                ("", "y@partner.example"),
                ("z@sub.example.com", "postmaster@localhost"),
                ("good@example.net", "a%elsewhere.example@example.org"),
            ] {
                if gave_up {
                    continue;
                }
                let request = Request {
                    client: IpAddr::V4(client),
                    client_name: "unknown",
                    helo: "helo.example.net",
                    login: None,
                    encrypted: false,
                    sender,
                    recipient,
                };
                let ruling = postfix.ruling(service, &request).expect("everything known");
                let (verdict, replies) = asked(port, &request);
                seen.push(verdict);
                if replies.is_empty() {
                    // master starts it again a minute later; every further question would wait.
                    gave_up = true;
                }
                if verdict != ruling.verdict {
                    let lists = &service.overrides;
                    disagreements.push(format!(
                        "{request:?}\n  {lists:?}\n  Postfix: {replies}\n  we: {:?} {:?}",
                        ruling.verdict, ruling.ends
                    ));
                }
            }
        }
    }
    for kind in [Verdict::Accepted, Verdict::Deferred, Verdict::Refused] {
        let count = seen.iter().filter(|verdict| **verdict == kind).count();
        assert!(count > 5, "only {count} were {kind:?}");
    }
    disagreements
}

/// What Postfix answers: the first reply that refuses, or the acceptance of the recipient.
fn asked(port: u16, request: &Request<'_>) -> (Verdict, String) {
    let Some(stream) = connected(port, request.client) else {
        return (Verdict::Refused, String::new());
    };
    let mut replies = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut stream = stream;
    let mut reply = String::new();
    let lines = [
        String::new(),
        format!("HELO {}", request.helo),
        format!("MAIL FROM:<{}>", request.sender),
        format!("RCPT TO:<{}>", request.recipient),
    ];
    for line in lines {
        if !line.is_empty() && write!(stream, "{line}\r\n").is_err() {
            break;
        }
        reply.clear();
        if replies.read_line(&mut reply).is_err() || reply.is_empty() {
            return (Verdict::Refused, String::new());
        }
        match reply.as_bytes().first() {
            Some(b'4') => return (Verdict::Deferred, reply),
            Some(b'5') => return (Verdict::Refused, reply),
            _ => {}
        }
    }
    let _ = write!(stream, "QUIT\r\n");
    (Verdict::Accepted, reply)
}

/// A connection from an address. master needs a moment to listen, and its queue of connections wakes us when it does.
fn connected(port: u16, from: IpAddr) -> Option<TcpStream> {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    loop {
        let socket = net::socket(net::AddressFamily::INET, net::SocketType::STREAM, None).ok()?;
        net::bind(&socket, &SocketAddr::new(from, 0)).ok()?;
        match net::connect(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, port))) {
            Ok(()) => {
                let stream = TcpStream::from(socket);
                stream.set_read_timeout(Some(PATIENCE)).ok()?;
                return Some(stream);
            }
            Err(_) if std::time::Instant::now() < deadline => std::thread::yield_now(),
            Err(_) => return None,
        }
    }
}
