//! Any bytes as one line: no panic, texts are parts of the line, an address stands in the line as text or in a session id,
//! and the time is bounded by the length.
#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use mailward_model::{EventKind, Timestamp};
use mailward_parse::{Context, Parser};

fuzz_target!(|line: &[u8]| {
    let reference = Timestamp::from_secs(1_795_219_200);
    let mut parser = Parser::new(Context { reference, zone: jiff::tz::TimeZone::UTC });
    bounded(&mut parser, line);
    let event = parser.parse(line);
    assert!(event.count >= 1 && event.repeated >= 1);
    assert!(event.detail.bytes().len() <= line.len());
    if event.kind == EventKind::Unknown {
        assert!(event.client.is_none(), "an unknown line has no client");
    }
    if let Some(client) = event.client {
        assert!(holds(line, &client.address.to_string()), "{} is not in the line", client.address);
    }
});

/// The instrumented build is ten times slower, and a run may be interrupted: one of several must be fast.
fn bounded(parser: &mut Parser, line: &[u8]) {
    let limit = Duration::from_millis(5) + Duration::from_micros(line.len() as u64);
    let in_time = (0..20).any(|_| {
        let start = Instant::now();
        let _ = parser.parse(line);
        start.elapsed() < limit
    });
    assert!(in_time, "never within {limit:?} for {} bytes", line.len());
}

/// Whether an address can come from the line: its first digits stand there, in whatever spelling.
fn holds(line: &[u8], address: &str) -> bool {
    let head = address.split(['.', ':']).find(|part| !part.is_empty()).unwrap_or_default();
    let head = head.as_bytes();
    // IPv4 in IPv6 may be spelled in hexadecimal.
    let spelled = address.contains(':') || line.windows(head.len()).any(|part| part == head);
    spelled || line.windows(5).any(|part| part.eq_ignore_ascii_case(b"ffff:"))
}
