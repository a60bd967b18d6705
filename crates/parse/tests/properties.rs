//! What holds for every line, whatever its bytes are.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::LazyLock;

use mailward_model::{Event, Text};
use mailward_parse::split_lines;
use proptest::prelude::*;
use support::parser;

/// Every golden line of this crate.
static LINES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut lines = Vec::new();
    for name in ["postfix", "dovecot", "programs"] {
        let text = std::fs::read(folder.join(name).with_extension("txt")).unwrap();
        // Those with a stamp: one without has the time of the line before.
        let golden = split_lines(&text).filter(|line| line.starts_with(b"20") || line.starts_with(b"Nov "));
        lines.extend(golden.map(<[u8]>::to_vec));
    }
    assert!(lines.len() > 500, "golden lines are missing");
    lines
});

fn golden() -> impl Strategy<Value = Vec<u8>> {
    (0..LINES.len()).prop_map(|at| LINES[at].clone())
}

/// Frames of every kind, and nothing.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    const FRAMES: [&str; 12] = [
        "",
        "Oct 10 01:33:12 mail postfix/smtpd[1]: ",
        "2025-10-10T01:33:12.345678+02:00 mail postfix/submission/smtpd[1]: ",
        "2025-10-10T01:33:12.345678+02:00 mail postfix/postscreen[1]: ",
        "2025-10-10T01:33:12.345678+02:00 mail postfix/cleanup[1]: 4C020A24017: ",
        "2025-10-10T01:33:12.345678+02:00 mail postfix/qmgr[1]: 4c1XyZ2Kdhz9sR1: ",
        "2025-10-10T01:33:12.345678+02:00 mail dovecot: imap-login: ",
        "2025-10-10T01:33:12.345678+02:00 mail dovecot: auth: ",
        "<22>1 2025-10-10T01:33:12Z mail postfix/smtpd 1 - ",
        "{\"log\":\"",
        "{\"SYSLOG_IDENTIFIER\":\"postfix/smtpd\",\"MESSAGE\":",
        "2025-10-10 01:41:17,484 fail2ban.actions [391]: ",
    ];
    (0..FRAMES.len()).prop_map(|at| FRAMES[at].as_bytes().to_vec())
}

/// Any bytes, or words and marks that the programs write, in any order.
fn text() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: [&str; 32] = [
        "connect from ",
        "disconnect from ",
        "warning: ",
        "NOQUEUE: ",
        "reject: ",
        "RCPT from ",
        "unknown[",
        "192.0.2.66",
        "2001:db8::66",
        "]",
        "]: ",
        ": ",
        "; ",
        "from=<",
        "to=<",
        "> ",
        " proto=ESMTP",
        " helo=<",
        "SASL LOGIN authentication failed: ",
        ", sasl_username=",
        "client=",
        "550 5.1.1 <",
        ">: Recipient address rejected: ",
        "Relay access denied",
        "rip=",
        "user=<",
        "session=<",
        "(",
        ")",
        "\\",
        "\"",
        "[[[[",
    ];
    let pieces = prop::collection::vec((0..PIECES.len()).prop_map(|at| PIECES[at].as_bytes()), 0..24);
    prop_oneof![prop::collection::vec(any::<u8>(), 0..200), pieces.prop_map(|pieces| pieces.concat()),]
}

/// Every text of an event.
fn texts<'e>(event: &'e Event<'_>) -> [Text<'e>; 16] {
    [
        event.host,
        event.tag,
        event.service,
        event.detail,
        event.queue_id,
        event.session_id,
        event.relay,
        event.user,
        event.method,
        event.sender,
        event.recipient,
        event.helo,
        event.protocol,
        event.dsn,
        event.message_id,
        event.object,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Parsing never panics, and what it says stands in the line, or is a name that it gives itself.
    #[test]
    fn any_line_is_an_event(mut line in frame(), text in text()) {
        line.extend_from_slice(&text);
        let mut parser = parser();
        let event = parser.parse(&line);
        prop_assert!(event.count >= 1 && event.repeated >= 1);
        if line.first() != Some(&b'{') {
            for text in texts(&event).iter().filter(|text| !text.is_empty()) {
                let stands = line.windows(text.bytes().len()).any(|window| window == text.bytes());
                prop_assert!(stands || text.bytes() == b"smtp" || text.bytes() == b"dovecot" || text.bytes().len() < 12, "{text:?}");
            }
        }
    }

    /// The short way that lines of one minute take gives what the long way gives.
    #[test]
    fn the_lines_before_do_not_matter(line in golden(), before in golden()) {
        let mut fresh = parser();
        let mut used = parser();
        let _ = used.parse(&before);
        let _ = used.parse(&line);
        prop_assert_eq!(fresh.parse(&line), used.parse(&line));
    }

    /// Whatever a client makes Postfix write to the right of its own address, nobody else becomes the client.
    #[test]
    fn text_after_the_client_is_never_the_client(line in golden(), at in any::<prop::sample::Index>(), text in text()) {
        let mut parser = parser();
        let Some(client) = parser.parse(&line).address() else { return Ok(()) };
        let Some(after) = after_client(&line, client) else { return Ok(()) };
        let at = after + at.index(line.len() - after + 1);
        let mutated = [&line[..at], &text[..], &line[at..]].concat();
        let found = parser.parse(&mutated).address();
        prop_assert!(found.is_none() || found == Some(client), "{found:?} in {}", String::from_utf8_lossy(&mutated));
    }
}

/// Where the words after `[client]` and its delimiter begin, in a line of Postfix that goes on after it.
fn after_client(line: &[u8], client: IpAddr) -> Option<usize> {
    line.windows(8).any(|window| window == b"postfix/").then_some(())?;
    let bracketed = format!("[{client}]");
    let at =
        line.windows(bracketed.len()).position(|window| window == bracketed.as_bytes())? + bracketed.len();
    let delimiter = line[at..].iter().position(|b| matches!(b, b' ' | b';'))?;
    Some(at + delimiter + 1)
}
