//! How fast Postfix is answered, beside Postgrey on the same disk: `cargo bench --bench policy`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![expect(clippy::print_stdout, reason = "a bench tells its results on the terminal")]

#[path = "../tests/live/mod.rs"]
mod live;

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use live::daemon::{Place, resident};
use mailward_decide::{Greylist, GreylistSettings, Origin, Secret, Triplet};
use mailward_model::{Network, Timestamp};
use mailward_store::InPath;

const PROGRAM: &str = env!("CARGO_BIN_EXE_mailward");
const POSTGREY: &str = "/usr/sbin/postgrey";
/// Connections, as a server with fifty SMTP processes has them.
const CONNECTIONS: usize = 50;
/// Questions a second of the steady load.
const RATE: usize = 20_000;

fn main() {
    println!(
        "{:<56} {:>12} {:>12} {:>12}",
        "questions on 50 connections", "a second", "half within", "99 of 100"
    );
    let place = Place::new(PROGRAM);
    let address = free_address();
    place.configure(&format!(
        "[policy]\nenabled = true\nlisten = \"{address}\"\nsocket = \"none\"\n\
         [client-limits]\nnetwork = \"1000/1h\"\n[greylist]\ncapacity = 20_000_000\n"
    ));
    std::fs::write(&place.log, "").unwrap();
    let guard = place.guard_without_firewall();
    let status = format!("/proc/{}/status", guard.pid());
    let before = resident(Path::new(&status));
    let ours = told("mailward, new triplets", &at_full_speed(address, Duration::from_secs(10), "n"));
    told("mailward, the same again", &at_full_speed(address, Duration::from_secs(5), "n"));
    told(&format!("mailward, new triplets, {RATE} a second"), &steadily(address, Duration::from_secs(10)));
    println!(
        "{:<56} {:>12}",
        "mailward, memory that came with it",
        megabytes(resident(Path::new(&status)) - before)
    );
    drop(guard);
    let kept = InPath::open_read_only(&place.state.join("inpath.db")).unwrap();
    let mut rows = 0_u64;
    kept.each_seen(|_, _, _| rows += 1).unwrap();
    let bytes = std::fs::metadata(place.state.join("inpath.db")).unwrap().len();
    println!("{:<56} {:>12} {:>12}", "triplets on the disk; bytes each", rows, bytes / rows.max(1));
    if let Some(theirs) = postgrey() {
        println!("{:<56} {:>12.1}", "times Postgrey's questions a second", ours / theirs);
    }
    ten_million();
}

/// What a triplet of the greylist takes in memory.
fn ten_million() {
    let own = Path::new("/proc/self/status");
    let (before, began) = (resident(own), Instant::now());
    let settings = GreylistSettings { capacity: 12_000_000, ..GreylistSettings::default() };
    let mut greylist = Greylist::new(settings, Secret::new([7; 32]));
    let now = Timestamp::from_secs(1_800_000_000);
    for n in 0..10_000_000_u32 {
        let origin = Origin::Network(Network::around(n.to_be_bytes().into(), 24));
        let triplet = Triplet {
            origin,
            sender: format!("s{n}@partner.example"),
            recipient: "alice@example.com".into(),
            is_forged: false,
        };
        greylist.attempt(&triplet, now);
        if n % 1_024 == 0 {
            greylist.take_changes();
        }
    }
    let took = resident(own) - before;
    println!(
        "{:<56} {:>12} {:>12}",
        "10,000,000 triplets in memory; time",
        megabytes(took),
        format!("{:.1} s", began.elapsed().as_secs_f64())
    );
    assert_eq!(greylist.len(), 10_000_000);
}

/// Postgrey with its defaults, on the same disk.
fn postgrey() -> Option<f64> {
    if !Path::new(POSTGREY).exists() {
        println!("SKIPPED: {POSTGREY} is not there; apt install postgrey");
        return None;
    }
    let folder = tempfile::Builder::new().prefix("postgrey-").tempdir().unwrap();
    let address = free_address();
    let mut command = Command::new(POSTGREY);
    command.arg(format!("--inet={address}")).arg(format!("--dbdir={}", folder.path().display()));
    command.args(["--user=root", "--group=root"]).stdout(Stdio::null()).stderr(Stdio::null());
    let _postgrey = Peer(command.spawn().unwrap());
    let deadline = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(address).is_err() {
        if Instant::now() > deadline {
            println!("SKIPPED: {POSTGREY} does not listen on {address}");
            return None;
        }
        thread::sleep(Duration::from_millis(50));
    }
    Some(told("postgrey, new triplets", &at_full_speed(address, Duration::from_secs(10), "n")))
}

struct Peer(Child);

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A row of what was measured; gives the questions a second.
fn told(what: &str, (elapsed, times): &(Duration, Vec<Duration>)) -> f64 {
    let mut times = times.clone();
    times.sort_unstable();
    let at = |share: usize| format!("{:.2} ms", times[times.len() * share / 1_000].as_secs_f64() * 1e3);
    let rate = times.len() as f64 / elapsed.as_secs_f64();
    println!("{what:<56} {rate:>12.0} {:>12} {:>12}", at(500), at(990));
    rate
}

/// Every connection asks as soon as it was answered.
fn at_full_speed(address: SocketAddr, length: Duration, tag: &str) -> (Duration, Vec<Duration>) {
    ask_all(address, |connection, number, began| {
        (began.elapsed() < length).then(|| request(connection, number, tag))
    })
}

/// All together ask so often, whatever the answers take.
fn steadily(address: SocketAddr, length: Duration) -> (Duration, Vec<Duration>) {
    let apart = Duration::from_secs(1) * CONNECTIONS as u32 / RATE as u32;
    ask_all(address, move |connection, number, began| {
        let due = apart * number as u32 + apart * connection as u32 / CONNECTIONS as u32;
        thread::sleep(due.saturating_sub(began.elapsed()));
        (began.elapsed() < length).then(|| request(connection, number, "s"))
    })
}

/// Asks on all connections at once what `next` gives; how long it all took, and each answer.
fn ask_all(
    address: SocketAddr,
    next: impl Fn(usize, usize, Instant) -> Option<String> + Sync,
) -> (Duration, Vec<Duration>) {
    let barrier = Barrier::new(CONNECTIONS);
    let began = Instant::now();
    let times = thread::scope(|scope| {
        let asking: Vec<_> = (0..CONNECTIONS)
            .map(|connection| {
                let (next, barrier) = (&next, &barrier);
                scope.spawn(move || {
                    let mut stream = TcpStream::connect(address).unwrap();
                    stream.set_nodelay(true).unwrap();
                    barrier.wait();
                    let (began, mut times, mut number) = (Instant::now(), Vec::new(), 0);
                    while let Some(request) = next(connection, number, began) {
                        times.push(asked(&mut stream, &request));
                        number += 1;
                    }
                    times
                })
            })
            .collect();
        asking.into_iter().flat_map(|asking| asking.join().unwrap()).collect()
    });
    (began.elapsed(), times)
}

fn asked(stream: &mut TcpStream, request: &str) -> Duration {
    let (began, mut answer, mut length) = (Instant::now(), [0; 4_096], 0);
    stream.write_all(request.as_bytes()).unwrap();
    while !answer[..length].ends_with(b"\n\n") {
        let more = stream.read(&mut answer[length..]).unwrap();
        assert!(more > 0, "hung up");
        length += more;
    }
    assert!(answer.starts_with(b"action="));
    began.elapsed()
}

/// A stranger without a name, whom nobody has seen: the greylist writes each down.
fn request(connection: usize, number: usize, tag: &str) -> String {
    let n = number * CONNECTIONS + connection;
    let mut text = String::with_capacity(800);
    let client = format!("198.{}.{}.{}", 18 + (n >> 16 & 1), n >> 8 & 255, n & 255);
    for (name, value) in [
        ("request", "smtpd_access_policy"),
        ("protocol_state", "RCPT"),
        ("protocol_name", "ESMTP"),
        ("client_address", client.as_str()),
        ("client_name", "unknown"),
        ("client_port", "40112"),
        ("reverse_client_name", "unknown"),
        ("server_address", "192.0.2.10"),
        ("server_port", "25"),
        ("helo_name", "win-pc"),
        ("recipient", "alice@example.com"),
        ("recipient_count", "0"),
        ("queue_id", ""),
        ("size", "1024"),
        ("etrn_domain", ""),
        ("stress", ""),
        ("sasl_method", ""),
        ("sasl_username", ""),
        ("sasl_sender", ""),
        ("ccert_subject", ""),
        ("ccert_issuer", ""),
        ("ccert_fingerprint", ""),
        ("ccert_pubkey_fingerprint", ""),
        ("encryption_protocol", "TLSv1.3"),
        ("encryption_cipher", "TLS_AES_256_GCM_SHA384"),
        ("encryption_keysize", "256"),
        ("policy_context", ""),
    ] {
        let _ = writeln!(text, "{name}={value}");
    }
    // Letters, because numbers in senders are the same to a greylist.
    let letters: String = n.to_string().bytes().map(|digit| (digit + 49) as char).collect();
    let _ = writeln!(text, "instance=1a2b.{n}.0\nsender={tag}{letters}@partner.example\n");
    text
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
