//! How many questions of Dovecot a second, and how long one takes: 48 connections at once, with guessers among them.
//!
//! `cargo bench -p mailward-gate --bench login`
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a measurement that fails, fails"
)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use mailward_decide::policy::{Policy, PolicySettings};
use mailward_decide::{Bans, Budget, Ladder, NeverBan, Secret};
use mailward_detect::{Capacity, Detector, Patience, Rules};
use mailward_gate::login::{Logins, Settings};
use mailward_gate::{Endpoint, Gate, Geo, Listen, Outlets, State, Stats};
use mailward_model::Span;

/// Threads of the client, and the connections of each.
const THREADS: u32 = 2;
const CONNECTIONS: u32 = 24;
/// How long each part is measured.
const TIME: Duration = Duration::from_secs(5);

fn main() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gate = open(address);
    let flat_out = measure(address, None);
    report("as fast as it goes", &flat_out);
    let paced = measure(address, Some(20_000));
    report("20,000 a second", &paced);
    let stats = gate.ask(|state| state.stats.clone()).unwrap();
    let within = |of_thousand| stats.login_latency.within(of_thousand);
    println!("in the gate itself: half within {} µs, 999 of 1000 within {} µs", within(500), within(999));
    for ((verdict, ground), count) in &stats.login {
        println!("  {count:>9} {verdict} ({ground})");
    }
}

fn open(address: SocketAddr) -> Gate {
    let detector = Detector::new(Rules::default(), Patience::default(), Capacity::default());
    let settings = Settings { enforce: true, wait: Span::from_secs(3), ..Settings::default() };
    let state = State {
        bans: Bans::new(NeverBan::built_in(), Ladder::default(), Budget::default()),
        policy: Policy::new(PolicySettings::default(), Secret::new([7; 32])),
        logins: Logins::new(settings, detector),
        geo: Geo::default(),
        stats: Stats::default(),
    };
    let outlets = Outlets { tell: Box::new(drop), keep: Box::new(|_| Ok(())) };
    Gate::open(&Listen { login: vec![Endpoint::Tcp(address)], ..Listen::default() }, state, outlets).unwrap()
}

/// How long each answer took.
struct Measured {
    took: Vec<Duration>,
    wall: Duration,
}

/// Each thread asks on all its connections, and then reads all answers; with a pace no earlier than its time has come.
fn measure(address: SocketAddr, pace: Option<u32>) -> Measured {
    let began = Instant::now();
    let mut took: Vec<Duration> = scope(|scope| {
        let threads: Vec<_> =
            (0..THREADS).map(|number| scope.spawn(move || client(address, number, pace))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    took.sort_unstable();
    Measured { took, wall: began.elapsed() }
}

fn client(address: SocketAddr, number: u32, pace: Option<u32>) -> Vec<Duration> {
    let mut streams: Vec<TcpStream> =
        (0..CONNECTIONS).map(|_| TcpStream::connect(address).unwrap()).collect();
    streams.iter().for_each(|stream| stream.set_nodelay(true).unwrap());
    // With a pace one question is under way at a time in each thread, at the moments when they are due.
    let at_once = if pace.is_some() { 1 } else { streams.len() };
    let step = pace.map(|pace| Duration::from_secs(1) * THREADS / pace);
    let (mut took, began, mut asked, mut buffer) = (Vec::new(), Instant::now(), 0_u32, [0; 4_096]);
    while began.elapsed() < TIME {
        if let Some(step) = step {
            // A spinning client would take the gate its processor.
            sleep((step * asked).saturating_sub(began.elapsed()));
        }
        let from = asked as usize % streams.len();
        let mut sent = Vec::with_capacity(at_once);
        for stream in streams.iter_mut().skip(from).take(at_once) {
            stream.write_all(&question(number, asked)).unwrap();
            sent.push(Instant::now());
            asked += 1;
        }
        for (stream, sent) in streams.iter_mut().skip(from).take(at_once).zip(sent) {
            let length = stream.read(&mut buffer).unwrap();
            assert!(length > 0 && buffer[length - 1] == b'}', "a whole answer in one piece");
            took.push(sent.elapsed());
        }
    }
    took
}

/// Of a hundred questions ninety are about people who log in, eight about guessers, and two are reports of their failures.
fn question(thread: u32, number: u32) -> Vec<u8> {
    let person = number % 5_000;
    let (command, who, end) = match number % 100 {
        0..90 => ("allow", format!("198.51.{}.{}", person % 100, person % 250), ""),
        90..98 => ("allow", format!("203.0.113.{}", person % 250), ""),
        _ => ("report", format!("203.0.113.{}", person % 250), r#","success":false,"policy_reject":false"#),
    };
    let body = format!(
        r#"{{"device_id":"","login":"user{person}@example.org","protocol":"imap","pwhash":"{:04x}","remote":"{who}","session_id":"{thread}/{number}"{end},"tls":true}}"#,
        number % 4_096
    );
    format!(
        "POST /?command={command} HTTP/1.1\r\nHost: 127.0.0.1:4001\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\nUser-Agent: \
         dovecot/auth-policy-client\r\nConnection: Keep-Alive\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn report(name: &str, measured: &Measured) {
    let Measured { took, wall } = measured;
    let at = |of_thousand: usize| took[(took.len() * of_thousand / 1_000).min(took.len() - 1)].as_micros();
    println!(
        "{name}: {:.0} answers/s, half within {} µs, 99 of 100 within {} µs, 999 of 1000 within {} µs",
        took.len() as f64 / wall.as_secs_f64(),
        at(500),
        at(990),
        at(999)
    );
}
