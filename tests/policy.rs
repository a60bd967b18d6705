//! The daemon answers Postfix, is killed, and answers again: what it knew is there, and the commands tell of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod live;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use live::daemon::{PATIENCE, Place};
use mailward_store::InPath;
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_mailward");

/// A place whose guard answers Postfix there, and greylists for a second.
fn place() -> (Place, SocketAddr) {
    let place = Place::new(PROGRAM);
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    place.configure(&format!(
        "[policy]\nenabled = true\nlisten = \"{address}\"\nsocket = \"none\"\n[greylist]\ndelay = \"1s\"\n"
    ));
    std::fs::write(&place.log, "").unwrap();
    (place, address)
}

fn request(client: &str, sender: &str, more: &str) -> String {
    format!(
        "request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address={client}\nclient_name=unknown\nhelo_name=win-pc\n\
         sender={sender}\nrecipient=alice@example.com\n{more}\n"
    )
}

fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let (mut answer, mut byte) = (Vec::new(), [0]);
    while !answer.ends_with(b"\n\n") && stream.read(&mut byte).is_ok_and(|length| length == 1) {
        answer.push(byte[0]);
    }
    String::from_utf8(answer).unwrap()
}

/// Asks until that is the answer.
fn ask_until(address: SocketAddr, request: &str, expected: &str) {
    let end = Instant::now() + PATIENCE;
    while ask(address, request) != expected {
        assert!(Instant::now() < end, "never {expected}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn run(place: &Place, words: &[&str], input: &str) -> Output {
    let mut child = place.command(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Waits until the memory of the answers holds such a thing.
fn is_kept(place: &Place, containing: &str, passes: u32) {
    let end = Instant::now() + PATIENCE;
    let kept = || {
        let rows =
            InPath::open_read_only(&place.state.join("inpath.db")).unwrap().seen(containing, 10).unwrap();
        rows.iter().any(|row| row.passes >= passes)
    };
    while !kept() {
        assert!(Instant::now() < end, "{containing} is not kept");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_it_knew_survives_a_kill() {
    let (place, address) = place();
    let mail = request("203.0.113.7", "kim@partner.example", "");
    let later = "action=DEFER_IF_PERMIT 4.7.1 Greylisted; please try again in 1 s\n\n";
    let guard = place.guard_without_firewall();
    assert_eq!(ask(address, &mail), later);
    ask_until(address, &mail, "action=DUNNO\n\n");
    is_kept(&place, "kim@partner.example", 1);
    guard.kill();
    let guard = place.guard_without_firewall();
    assert_eq!(ask(address, &mail), "action=DUNNO\n\n");
    assert_eq!(ask(address, &request("203.0.114.7", "kim@partner.example", "")), later);
    // The end writes the last of it: nobody has to wait for that.
    guard.terminate();
    is_kept(&place, "203.0.114.0/24", 0);
}

#[test]
fn what_a_client_took_of_its_limit_survives_a_kill() {
    let (place, address) = place();
    let limited = format!(
        "[policy]\nenabled = true\nlisten = \"{address}\"\nsocket = \"none\"\n[greylist]\nmode = \"off\"\n\
         [client-limits]\naddress = \"3/1h\"\n"
    );
    place.configure(&limited);
    let mail = request("203.0.113.7", "kim@partner.example", "");
    let guard = place.guard_without_firewall();
    let passed = (0..5).filter(|_| ask(address, &mail) == "action=DUNNO\n\n").count();
    assert_eq!(passed, 3);
    let (end, since) = (Instant::now() + PATIENCE, SystemTime::now().duration_since(UNIX_EPOCH).unwrap());
    // Each of the three takes twenty minutes up.
    let all_three = i64::try_from(since.as_micros()).unwrap() + 50 * 60_000_000;
    let rates = || InPath::open_read_only(&place.state.join("inpath.db")).unwrap().rates().unwrap();
    while !rates().iter().any(|(_, taken)| *taken > all_three) {
        assert!(Instant::now() < end, "what was taken is not kept");
        std::thread::sleep(Duration::from_millis(50));
    }
    guard.kill();
    let guard = place.guard_without_firewall();
    assert!(ask(address, &mail).starts_with("action=DEFER_IF_PERMIT 4.7.1 Enough recipients"));
    guard.terminate();
}

#[test]
fn who_owns_a_sender_stands_in_tables_and_a_table_that_is_missing_refuses_nobody() {
    let (place, address) = place();
    let owners = place.path("owners");
    place.configure(&format!(
        "[policy]\nenabled = true\nlisten = \"{address}\"\nsocket = \"none\"\nsenders = \"on\"\nowners = [\"{}\"]\n\
         [login]\nlimits = [\"erin@example.com from DE\"]\n[geoip]\ndatabase = \"/nonexistent/places.mmdb\"\n",
        owners.display()
    ));
    let mail = |sender| request("203.0.113.7", sender, "sasl_username=erin@example.com\ninstance=1\n");
    let guard = place.guard_without_firewall();
    assert_eq!(ask(address, &mail("boss@example.com")), "action=DUNNO\n\n");
    assert!(place.has_finding("gate.table"));
    guard.terminate();
    std::fs::write(&owners, "sales@example.com erin@example.com\n").unwrap();
    let guard = place.guard_without_firewall();
    let refused = "action=550 5.7.1 The sender address is not this account's\n\n";
    for (sender, answer) in [
        ("boss@example.com", refused),
        ("sales@example.com", "action=DUNNO\n\n"),
        ("erin@example.com", "action=DUNNO\n\n"),
    ] {
        assert_eq!(ask(address, &mail(sender)), answer, "{sender}");
    }
    guard.terminate();
}

#[test]
fn a_ban_by_hand_holds_at_the_gate_at_once() {
    let (place, address) = place();
    let guard = place.guard_without_firewall();
    let mail = request("203.0.113.7", "kim@partner.example", "");
    assert!(ask(address, &mail).starts_with("action=DEFER_IF_PERMIT"));
    assert!(run(&place, &["ban", "203.0.113.0/24"], "").status.success());
    ask_until(address, &mail, "action=421 4.7.1 Service unavailable; client banned for now\n\n");
    assert!(run(&place, &["unban", "203.0.113.0/24"], "").status.success());
    ask_until(address, &mail, "action=DUNNO\n\n");
    guard.terminate();
}

#[test]
fn an_account_over_its_limit_is_told_and_can_be_forgiven() {
    let (place, address) = place();
    let mut guard = place.guard_without_firewall();
    let send = |n| {
        ask(
            address,
            &request(
                "203.0.113.7",
                "erin@example.com",
                &format!("sasl_username=erin@example.com\ninstance=1.{n}\n"),
            ),
        )
    };
    let sent = (0..40).filter(|n| send(*n) == "action=DUNNO\n\n").count();
    assert_eq!(sent, 25);
    let signal = guard.hear(|said| said.json["rule"] == "account-over-limit").unwrap();
    assert_eq!(signal.json["account"], "erin@example.com");
    let shown = run(&place, &["limits", "show", "erin@example.com", "--format", "json"], "");
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!((&shown["limits"][0]["at_once"], &shown["limits"][0]["used"]), (&25.into(), &25.into()));
    assert!(run(&place, &["limits", "reset", "erin@example.com"], "").status.success());
    assert_eq!(send(99), "action=DUNNO\n\n");
    guard.terminate();
}

#[test]
fn commands_explain_allow_and_forget() {
    let (place, address) = place();
    let guard = place.guard_without_firewall();
    let mail = request("203.0.113.7", "kim@partner.example", "");
    let trial = text(&run(&place, &["policy", "test"], &mail));
    assert!(trial.contains("never seen from 203.0.113.0/24"), "{trial}");
    assert!(ask(address, &mail).starts_with("action=DEFER_IF_PERMIT"));
    ask_until(address, &mail, "action=DUNNO\n\n");
    let explained = text(&run(&place, &["policy", "explain"], &mail));
    assert!(
        explained.contains("known from 203.0.113.0/24") && explained.contains("action=DUNNO"),
        "{explained}"
    );
    is_kept(&place, "kim@partner.example", 1);
    let listed = text(&run(&place, &["greylist", "forget", "kim@partner.example"], ""));
    assert_eq!(listed, "1 forgotten\n");
    assert!(ask(address, &mail).starts_with("action=DEFER_IF_PERMIT"));
    assert!(run(&place, &["greylist", "allow", "203.0.113.0/24"], "").status.success());
    assert_eq!(ask(address, &mail), "action=DUNNO\n\n");
    guard.kill();
    let guard = place.guard_without_firewall();
    assert_eq!(ask(address, &mail), "action=DUNNO\n\n");
    assert!(text(&run(&place, &["greylist", "allow"], "")).contains("greylist for client 203.0.113.0/24"));
    let status = text(&run(&place, &["policy", "status"], ""));
    assert!(status.contains("1 questions") && status.contains("1 pass by nobody"), "{status}");
    guard.terminate();
}

#[test]
fn a_port_that_is_taken_leaves_the_guard_guarding_and_is_told() {
    let (place, address) = place();
    let _other = TcpListener::bind(address).unwrap();
    let guard = place.guard_without_firewall();
    assert!(place.has_finding("gate.failed"));
    guard.terminate();
}
