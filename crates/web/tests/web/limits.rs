//! Clients that take too much or too long.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use mailward_web::{Limits, Method, Response, call};
use serde_json::json;

use crate::place::{Place, curl, hasty};

fn status_of(text: &str) -> &str {
    text.split(' ').nth(1).unwrap_or(text)
}

/// Sends bytes and reads whatever comes until the server closes.
fn send(place: &Place, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(place.socket()).unwrap();
    // The server may answer and close before it has read all.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn sizes_are_bounded() {
    let place = Place::new();
    let _server = place.serve(Limits::default());
    let fits = json!("x".repeat((1 << 20) - 2));
    assert_eq!(call(&place.socket(), Method::Post, "/", Some(&fits)).unwrap().status, 200);
    let body =
        format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{}", 2 << 20, "1".repeat(2 << 20));
    assert_eq!(status_of(&send(&place, body.as_bytes())), "413");
    let head = format!("GET / HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "y".repeat(17 << 10));
    assert_eq!(status_of(&send(&place, head.as_bytes())), "431");
    assert_eq!(status_of(&send(&place, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")), "400");
    if let Some((status, _)) = curl(&place.socket(), &[], &["-d", "@/dev/null", "http://mailward/"]) {
        assert_eq!(status, 200);
    }
}

#[test]
fn a_slow_answer_keeps_nobody_waiting() {
    let place = Place::new();
    let (release, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let _server = place.serve_with(Limits::default(), move |request| {
        if request.path == "/slow" {
            wait.lock().unwrap().recv().unwrap();
        }
        Response::ok(json!(request.path))
    });
    let socket = place.socket();
    std::thread::scope(|scope| {
        let slow: Vec<_> =
            (0..10).map(|_| scope.spawn(|| call(&socket, Method::Get, "/slow", None).unwrap())).collect();
        for _ in 0..50 {
            assert_eq!(call(&socket, Method::Get, "/fast", None).unwrap().body, json!("/fast"));
        }
        slow.iter().for_each(|_| release.send(()).unwrap());
        for answer in slow {
            assert_eq!(answer.join().unwrap().body, json!("/slow"));
        }
    });
}

/// Slow-loris: a head that never ends, and one document that does not.
#[test]
fn slow_senders_block_nobody() {
    let place = Place::new();
    let limits = Limits { connections: 8, ..hasty() };
    let _server = place.serve(limits);
    let begun = |bytes: &[u8]| {
        let mut stream = UnixStream::connect(place.socket()).unwrap();
        stream.write_all(bytes).unwrap();
        stream
    };
    let mut slow: Vec<_> = (0..6).map(|_| begun(b"GET / HTTP/1.1\r\nhost:")).collect();
    slow.push(begun(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n[1"));
    let begin = Instant::now();
    assert_eq!(call(&place.socket(), Method::Get, "/", None).unwrap().status, 200);
    assert!(begin.elapsed() < limits.patience, "there was a place left, and it had to wait");

    // With every place taken one waits until the slow ones are cut off, and no longer.
    slow.push(begun(b"G"));
    slow.push(begun(b""));
    assert_eq!(call(&place.socket(), Method::Get, "/", None).unwrap().status, 200);
    let answers: Vec<_> = slow
        .iter_mut()
        .map(|stream| {
            let mut answer = String::new();
            let _ = stream.read_to_string(&mut answer);
            status_of(&answer).to_owned()
        })
        .collect();
    assert_eq!(answers[6], "408");
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_reader_who_stands_still_is_cut_off() {
    let place = Place::new();
    let _server = place.serve(Limits { connections: 1, ..hasty() });
    let mut stream = UnixStream::connect(place.socket()).unwrap();
    stream.write_all(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    assert_eq!(call(&place.socket(), Method::Get, "/", None).unwrap().status, 200);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.len() < 20 << 20, "it got all");
}
