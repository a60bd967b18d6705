//! The end of a server.

use std::ops::ControlFlow;
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Instant;

use mailward_web::{Limits, Method, Response, WebError, call, follow};
use serde_json::json;

use crate::place::{Place, hasty};

#[test]
fn answers_under_way_are_given() {
    let place = Place::new();
    let (release, wait) = channel::<()>();
    let (asked, begun) = channel::<()>();
    let wait = Mutex::new(wait);
    let server = place.serve_with(Limits::default(), move |_| {
        asked.send(()).unwrap();
        wait.lock().unwrap().recv().unwrap();
        Response::ok(json!("done"))
    });
    let socket = place.socket();
    std::thread::scope(|scope| {
        let client = scope.spawn(|| call(&socket, Method::Get, "/", None).unwrap());
        begun.recv().unwrap();
        let stopping = scope.spawn(|| server.stop());
        release.send(()).unwrap();
        assert_eq!(client.join().unwrap().body, json!("done"));
        stopping.join().unwrap();
    });
    assert!(!socket.exists());
    let gone = call(&socket, Method::Get, "/", None).unwrap_err();
    assert!(matches!(gone, WebError::NotRunning { .. }), "{gone}");
}

#[test]
fn idle_clients_followers_and_stuck_handlers_hold_nothing_up() {
    let place = Place::new();
    let (asked, begun) = channel::<()>();
    let (hold, stuck) = channel::<()>();
    let stuck = Mutex::new(stuck);
    let server = place.serve_with(hasty(), move |_| {
        asked.send(()).unwrap();
        let _ = stuck.lock().unwrap().recv();
        Response::ok(json!(null))
    });
    let socket = place.socket();
    let idle = UnixStream::connect(&socket).unwrap();
    std::thread::scope(|scope| {
        let (listening, ready) = channel();
        let socket = &socket;
        let follower = scope
            .spawn(move || follow(socket, || listening.send(()).unwrap(), |_| ControlFlow::Continue(())));
        ready.recv().unwrap();
        let client = scope.spawn(|| call(socket, Method::Get, "/stuck", None));
        begun.recv().unwrap();
        let begin = Instant::now();
        server.stop();
        assert!(begin.elapsed().as_secs() < 5);
        follower.join().unwrap().unwrap();
        let cut = client.join().unwrap().unwrap_err();
        assert!(matches!(cut, WebError::Garbled { .. }), "{cut}");
        drop(hold);
    });
    drop(idle);
}
