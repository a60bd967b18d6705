//! Real programs, run and limited.

use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

use mailward_host::run::{Limits, RunError, output, output_with_input};
use mailward_host::stream::Stream;

const SHELL: &str = "/bin/sh";

fn sh(script: &str, limits: Limits) -> Result<mailward_host::run::Output, RunError> {
    output(Path::new(SHELL), &["-c", script], limits)
}

#[test]
fn both_outputs_and_the_status_come_back() {
    let got = sh("echo out; echo err >&2; exit 3", Limits::default()).unwrap();
    assert_eq!((&got.stdout[..], &got.stderr[..]), (&b"out\n"[..], &b"err\n"[..]));
    assert_eq!(got.status.code(), Some(3));
    assert!(!got.truncated);
}

#[test]
fn the_environment_is_clean() {
    let got = output(Path::new("/usr/bin/env"), &[], Limits::default()).unwrap();
    assert_eq!(String::from_utf8(got.stdout).unwrap().lines().count(), 2);
}

#[test]
fn input_larger_than_a_pipe_goes_through() {
    let input = vec![b'x'; 3 << 20];
    let limits = Limits { max_output: 4 << 20, ..Limits::default() };
    let got = output_with_input(Path::new("/bin/cat"), &[], &input, limits).unwrap();
    assert!(got.stdout == input);
    let deaf = output_with_input(Path::new("/bin/true"), &[], &input, limits).unwrap();
    assert!(deaf.status.success());
}

#[test]
fn output_is_bounded() {
    let limits = Limits { max_output: 1000, ..Limits::default() };
    let got = sh("head -c 300000 /dev/zero", limits).unwrap();
    assert_eq!((got.stdout.len(), got.truncated), (1000, true));
}

#[test]
fn time_is_bounded_for_the_whole_group() {
    let limits = Limits { timeout: Duration::from_millis(100), ..Limits::default() };
    let start = Instant::now();
    let place = tempfile::tempdir().unwrap();
    let pid = place.path().join("pid");
    let error = sh(&format!("sleep 600 & echo $! > {}; wait", pid.display()), limits).unwrap_err();
    assert!(matches!(error, RunError::TooLong { .. }), "{error}");
    assert!(start.elapsed() < Duration::from_secs(20));
    let sleeper = std::fs::read_to_string(pid).unwrap();
    let state = || std::fs::read_to_string(format!("/proc/{}/stat", sleeper.trim())).unwrap_or_default();
    // The signal was sent; a busy machine may take a while to let the process die of it.
    while start.elapsed() < Duration::from_secs(60) {
        if state().is_empty() || state().contains(") Z ") {
            return;
        }
        std::thread::yield_now();
    }
    panic!("still running: {}", state());
}

#[test]
fn a_grandchild_with_our_pipe_does_not_hold_us_up() {
    let start = Instant::now();
    let got = sh("sleep 30 & echo $!", Limits::default()).unwrap();
    assert!(start.elapsed() < Duration::from_secs(8));
    let sleeper = String::from_utf8(got.stdout).unwrap();
    output(Path::new("/bin/kill"), &[sleeper.trim()], Limits::default()).unwrap();
}

#[test]
fn names_are_absolute_and_exist() {
    let limits = Limits::default();
    assert!(matches!(output(Path::new("sh"), &[], limits), Err(RunError::NotAbsolute { .. })));
    assert!(matches!(output(Path::new("/nonexistent/sh"), &[], limits), Err(RunError::Missing { .. })));
    assert!(matches!(output(Path::new("/etc/passwd"), &[], limits), Err(RunError::Failed { .. })));
}

#[test]
fn streams_are_read_as_they_come_and_tell_their_end() {
    let mut stream = Stream::start(Path::new(SHELL), &["-c", "echo one; echo why >&2; exit 7"]).unwrap();
    let mut got = Vec::new();
    let mut buffer = [0; 64];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => got.extend_from_slice(&buffer[..n]),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        let fd = stream.fd().unwrap();
        let mut fds = [rustix::event::PollFd::from_borrowed_fd(fd, rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut fds, None).unwrap();
    }
    let (status, complaint) = stream.finish();
    assert_eq!((&got[..], complaint.as_str()), (&b"one\n"[..], "why"));
    assert_eq!(status.and_then(|status| status.code()), Some(7));
}

#[test]
fn a_dropped_stream_is_killed() {
    let start = Instant::now();
    drop(Stream::start(Path::new("/bin/sleep"), &["600"]).unwrap());
    assert!(start.elapsed() < Duration::from_secs(20));
}
