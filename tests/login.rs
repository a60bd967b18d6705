//! The login guard of a running daemon: what was locked stays locked, whoever kills it, and what only the log tells counts as well.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod live;

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::scope;
use std::time::Instant;

use live::daemon::{PATIENCE, Place};
use live::mail_log::now;
use live::stop::Stop;

const PROGRAM: &str = env!("CARGO_BIN_EXE_mailward");

/// How often the guard is killed; `MAILWARD_KILLS=100` is the full run.
fn kills() -> u32 {
    std::env::var("MAILWARD_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(15)
}

/// A place whose guard answers Dovecot, and where.
fn place() -> (Place, SocketAddr) {
    let place = Place::new(PROGRAM);
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    place.configure(&format!("[login]\nenabled = true\nlisten = \"{address}\"\nsocket = \"none\"\n"));
    fs::write(&place.log, "").unwrap();
    (place, address)
}

/// Asks as Dovecot does; the status, or nothing while nobody answers.
fn ask(stream: &mut TcpStream, command: &str, from: IpAddr, password: u32, more: &str) -> Option<i64> {
    let body = format!(
        r#"{{"login":"{from}@example.org","protocol":"imap","pwhash":"{password:04x}","remote":"{from}","session_id":"{from}-{password}"{more},"tls":true}}"#
    );
    let head = format!("POST /?command={command} HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all((head + &body).as_bytes()).ok()?;
    let (mut answer, mut piece) = (String::new(), [0; 512]);
    while !answer.ends_with('}') {
        let length = stream.read(&mut piece).ok().filter(|length| *length > 0)?;
        answer.push_str(std::str::from_utf8(&piece[..length]).unwrap());
    }
    let (_, body) = answer.split_once("\r\n\r\n")?;
    serde_json::from_str::<serde_json::Value>(body).ok()?["status"].as_i64()
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

const FAILED: &str = r#","success":false,"policy_reject":false"#;

/// A source of a network of its own, which tries an account of its own: nothing else fills up.
fn source(number: u32) -> IpAddr {
    let [_, high, low, _] = (number << 8).to_be_bytes();
    [198, 18 + high % 2, low, 7].into()
}

/// As Dovecot logs a failed login when the connection ends.
fn logged(place: &Place, from: IpAddr, password: u32) {
    let mut log = OpenOptions::new().append(true).open(&place.log).unwrap();
    writeln!(
        log,
        "{} mail dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<{from}@example.org>, method=PLAIN, \
         rip={from}, lip=192.0.2.10, TLS, session=<{from}-{password}>",
        now()
    )
    .unwrap();
}

/// Waits until a login is refused.
fn is_refused(address: SocketAddr, from: IpAddr) -> bool {
    let (mut stream, deadline) = (connect(address), Instant::now() + PATIENCE);
    let mut passwords = 1_000..;
    while Instant::now() < deadline {
        if ask(&mut stream, "allow", from, passwords.next().unwrap(), "") == Some(-1) {
            return true;
        }
    }
    false
}

#[test]
fn killed_again_and_again_no_lockout_is_lost() {
    let (place, address) = place();
    let stop = AtomicBool::new(false);
    scope(|scope| {
        scope.spawn(|| load(address, &stop));
        let _stopping = Stop(&stop);
        for round in 0..kills() {
            let daemon = place.guard_without_firewall();
            let from = source(round);
            let mut stream = connect(address);
            assert_ne!(ask(&mut stream, "allow", from, 9, ""), Some(-1), "{from} before it failed");
            for password in 0..3 {
                ask(&mut stream, "allow", from, password, "");
                ask(&mut stream, "report", from, password, FAILED);
                logged(&place, from, password);
            }
            daemon.kill();
        }
        let daemon = place.guard_without_firewall();
        for round in 0..kills() {
            assert!(is_refused(address, source(round)), "{} is let in after a restart", source(round));
        }
        drop(daemon);
    });
}

/// Others log in all the time, and hear nothing while the guard is away.
fn load(address: SocketAddr, stop: &AtomicBool) {
    let mut password = 0;
    while !stop.load(Ordering::Relaxed) {
        let Ok(mut stream) = TcpStream::connect(address) else { continue };
        let home = [203, 0, 113, 10].into();
        while !stop.load(Ordering::Relaxed) && ask(&mut stream, "allow", home, password, "").is_some() {
            ask(&mut stream, "report", home, password, r#","success":true"#);
            password = (password + 1) % 0xfff;
        }
    }
}

#[test]
fn what_only_the_log_tells_counts_and_what_both_tell_counts_once() {
    let (place, address) = place();
    let daemon = place.guard_without_firewall();
    place.catches_up();
    let (told_twice, logged_only) = (source(1), source(2));
    let mut stream = connect(address);
    for password in 0..2 {
        ask(&mut stream, "report", told_twice, password, FAILED);
        logged(&place, told_twice, password);
    }
    for password in 0..3 {
        logged(&place, logged_only, password);
    }
    assert!(is_refused(address, logged_only));
    // The lines of the other one came first: two failures are two.
    assert_eq!(ask(&mut stream, "allow", told_twice, 9, ""), Some(3));
    let explained = place
        .command(&["login", "explain", &format!("{told_twice}@example.org"), "--format", "json"])
        .output()
        .unwrap();
    let explained: serde_json::Value = serde_json::from_slice(&explained.stdout).unwrap();
    assert_eq!(explained["verdicts"][0]["verdict"], "wait", "{explained}");
    drop(daemon);
}
