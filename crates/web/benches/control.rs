//! What the control socket costs: `cargo bench -p mailward-web`. Prints a line for each figure.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a benchmark fails by panicking"
)]

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mailward_web::{Limits, Method, Request, Response, call, serve};
use serde_json::json;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("control");
    println!("{:<50} {:>8.2} MB", "resident before", resident());
    let handler = |request: Request| match request.path.as_str() {
        "/large" => Response::ok(
            (0..10_000).map(|n| json!({ "ban": n, "reason": "3 auth-failure in 10m" })).collect(),
        ),
        _ => Response::ok(json!({ "fine": true })),
    };
    let server = serve(&socket, 0o660, None, Limits::default(), Arc::new(handler)).unwrap();
    call(&socket, Method::Get, "/", None).unwrap();
    println!("{:<50} {:>8.2} MB", "resident, serving", resident());
    ask(&socket, "/", 2_000);
    ask(&socket, "/large", 50);
    println!("{:<50} {:>8.2} MB", "resident after these", resident());
    follow(&socket, &server.events());
    println!("{:<50} {:>8.2} MB", "resident with 16 followers who read nothing", resident());
    server.stop();
}

fn ask(socket: &Path, path: &str, times: usize) {
    let mut took: Vec<Duration> = (0..times)
        .map(|_| {
            let begin = Instant::now();
            call(socket, Method::Get, path, None).unwrap();
            begin.elapsed()
        })
        .collect();
    took.sort();
    for (name, place) in [("p50", times / 2), ("p99", times * 99 / 100)] {
        let title = format!("GET {path}, {name} of {times}");
        println!("{title:<50} {:>8.2} ms", took[place].as_secs_f64() * 1e3);
    }
}

fn follow(socket: &Path, events: &mailward_web::Events) {
    let event = json!({ "event": "ban", "target": "192.0.2.1", "reason": "3 auth-failure in 10m" });
    time_publish("publish, nobody follows", events, &event);
    let followers: Vec<_> = (0..16)
        .map(|_| {
            let mut stream = UnixStream::connect(socket).unwrap();
            stream.write_all(b"GET /v1/events HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
            stream
        })
        .collect();
    while events.listeners() < followers.len() {
        std::thread::yield_now();
    }
    time_publish("publish, 16 follow", events, &event);
}

fn time_publish(name: &str, events: &mailward_web::Events, event: &serde_json::Value) {
    const TIMES: u32 = 200_000;
    let begin = Instant::now();
    (0..TIMES).for_each(|_| events.publish(event));
    println!("{name:<50} {:>8.0} ns", begin.elapsed().as_secs_f64() * 1e9 / f64::from(TIMES));
}

/// Megabytes of memory in use, from proc(5).
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}
