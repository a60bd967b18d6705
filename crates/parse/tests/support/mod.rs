//! What the tests of this crate share: one line per event, and the fixtures outside the repository.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

use std::fmt::Write as _;
use std::path::PathBuf;

use jiff::tz::TimeZone;
use mailward_model::{Event, Stage, Timestamp};
use mailward_parse::{Context, Parser};

/// A parser whose "now" is the end of 2026, two hours east of Greenwich.
pub fn parser() -> Parser {
    let reference: jiff::Timestamp = "2026-12-31T12:00:00Z".parse().unwrap();
    let reference = Timestamp::from_micros(reference.as_microsecond());
    Parser::new(Context { reference, zone: TimeZone::fixed(jiff::tz::offset(2)) })
}

/// Everything that an event says, in one line; what it does not say is left out.
pub fn render(event: &Event<'_>) -> String {
    let mut out = format!("{} {}", event.program, event.kind);
    let mut field = |name: &str, value: String| {
        if !value.is_empty() {
            write!(out, " {name}={}", if value.contains(' ') { format!("{value:?}") } else { value })
                .unwrap();
        }
    };
    let number = |n: u64, none: u64| if n == none { String::new() } else { n.to_string() };
    let reason = event.reason.name();
    field("reason", if reason == "none" { String::new() } else { reason.to_owned() });
    if let Some(client) = event.client {
        let port = if client.port == 0 { String::new() } else { format!(":{}", client.port) };
        field("client", format!("{}[{}]{port}", client.name, client.address));
    }
    field("service", event.service.to_string());
    field("queue", event.queue_id.to_string());
    field("session", event.session_id.to_string());
    field("stage", if event.stage == Stage::None { String::new() } else { event.stage.to_string() });
    field("code", number(u64::from(event.reply_code), 0));
    field("dsn", event.dsn.to_string());
    field("user", event.user.to_string());
    field("method", event.method.to_string());
    field("from", if event.sender_given { format!("<{}>", event.sender) } else { String::new() });
    field("to", event.recipient.to_string());
    field("helo", event.helo.to_string());
    field("proto", event.protocol.to_string());
    if let Some(tls) = event.tls {
        field("tls", format!("{}/{}", tls.protocol, tls.cipher));
    }
    field("relay", event.relay.to_string());
    field("relay_at", event.relay_address.map(|a| a.to_string()).unwrap_or_default());
    field("password", event.password_digits.to_string());
    field("count", number(u64::from(event.count), 1));
    field("repeated", number(u64::from(event.repeated), 1));
    field("message_id", event.message_id.to_string());
    field("object", event.object.to_string());
    field("size", number(event.size, 0));
    field("rcpts", number(u64::from(event.recipients), 0));
    field("detail", event.detail.to_string());
    out
}

/// A fixture beside the repository, or nothing, said loudly.
pub fn fixture(path: &str) -> Option<Vec<u8>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures");
    let file = root.join(path);
    std::fs::read(&file)
        .inspect_err(|error| eprintln!("SKIPPED: no fixture {}: {error}", file.display()))
        .ok()
}
