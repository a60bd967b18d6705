//! The stream of events.

use std::io::{BufRead, BufReader, Write};
use std::ops::ControlFlow;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use mailward_web::{EVENTS, Limits, WebError, follow};
use serde_json::{Value, json};

use crate::place::{Place, wait_until};

#[test]
fn everybody_who_listens_is_told() {
    let place = Place::new();
    let server = place.serve(Limits::default());
    let events = server.events();
    events.publish(&json!("nobody hears this"));
    let socket = place.socket();
    let (begun, ready) = channel();
    std::thread::scope(|scope| {
        let followers: Vec<_> = (0..4)
            .map(|_| {
                let begun = begun.clone();
                let socket = &socket;
                scope.spawn(move || {
                    let mut heard = Vec::new();
                    let hear = |event: Value| {
                        heard.push(event["n"].as_u64().unwrap());
                        if heard.len() == 500 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                    };
                    follow(socket, || begun.send(()).unwrap(), hear).unwrap();
                    heard
                })
            })
            .collect();
        followers.iter().for_each(|_| ready.recv().unwrap());
        (0..500).for_each(|n| events.publish(&json!({ "n": n, "text": "a\nb" })));
        for follower in followers {
            assert_eq!(follower.join().unwrap(), (0..500).collect::<Vec<_>>());
        }
    });
    wait_until("all are gone", || events.listeners() == 0);
}

#[test]
fn curl_follows() {
    let place = Place::new();
    let server = place.serve(Limits::default());
    let curl = Command::new("/usr/bin/curl")
        .args(["-sSN", "--unix-socket"])
        .arg(place.socket())
        .arg(format!("http://mailward{EVENTS}"))
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut curl) = curl else { return eprintln!("SKIPPED: there is no /usr/bin/curl; apt install curl") };
    wait_until("curl listens", || server.events().listeners() == 1);
    server.events().publish(&json!({ "ban": "192.0.2.1" }));
    let mut line = String::new();
    BufReader::new(curl.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "{\"ban\":\"192.0.2.1\"}\n");
    server.stop();
    assert!(curl.wait().unwrap().success(), "the stream ends as it should");
}

/// Reads nothing while far more happens than is kept for it.
#[test]
fn a_slow_reader_is_told_what_it_lost() {
    const ALL: u64 = 200_000;
    let place = Place::new();
    let server = place.serve(Limits { queue: 256, ..Limits::default() });
    let mut stream = UnixStream::connect(place.socket()).unwrap();
    stream.write_all(b"GET /v1/events HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    wait_until("it listens", || server.events().listeners() == 1);
    (0..ALL).for_each(|n| server.events().publish(&json!({ "n": n })));
    let (mut heard, mut lost, mut last) = (0, 0, None);
    for line in BufReader::new(stream).lines() {
        // Between the events stand the head and the sizes of the chunks.
        let Ok(event) = serde_json::from_str::<Value>(&line.unwrap()) else { continue };
        lost += event["lost"].as_u64().unwrap_or(0);
        if let Some(n) = event["n"].as_u64() {
            assert!(last < Some(n), "in order");
            (heard, last) = (heard + 1, Some(n));
        }
        if last == Some(ALL - 1) {
            break;
        }
    }
    assert_eq!(heard + lost, ALL);
    assert!(lost > 0, "nothing was lost, so nothing was tested");
}

#[test]
fn followers_are_bounded_and_do_not_shut_out_others() {
    let place = Place::new();
    let server = place.serve(Limits { followers: 2, connections: 3, ..Limits::default() });
    let follower = || {
        let mut stream = UnixStream::connect(place.socket()).unwrap();
        stream.write_all(b"GET /v1/events HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        stream
    };
    let (_first, second) = (follower(), follower());
    wait_until("both listen", || server.events().listeners() == 2);
    let third = || follow(&place.socket(), || (), |_| ControlFlow::Break(()));
    assert!(matches!(third(), Err(WebError::Refused { status: 503, .. })));
    drop(second);
    wait_until("one is gone", || server.events().listeners() == 1);
    let events = server.events();
    std::thread::scope(|scope| {
        let follower = scope.spawn(third);
        wait_until("there is a place again", || events.listeners() == 2);
        events.publish(&json!(1));
        follower.join().unwrap().unwrap();
    });
}

#[test]
fn a_follower_who_stands_still_is_cut_off() {
    let place = Place::new();
    let patience = Duration::from_millis(200);
    let server = place.serve(Limits { patience, ..Limits::default() });
    let mut stream = UnixStream::connect(place.socket()).unwrap();
    stream.write_all(b"GET /v1/events HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    wait_until("it listens", || server.events().listeners() == 1);
    let events = server.events();
    wait_until("it is cut off", || {
        events.publish(&json!("x".repeat(1000)));
        events.listeners() == 0
    });
}
