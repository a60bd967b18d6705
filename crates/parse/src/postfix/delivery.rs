//! `to=<x>, orig_to=<y>, relay=name[address]:port, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (words)`.
//!
//! The words are often another server's, the recipient is somebody's: fields are read in order, from the left.

use mailward_model::{Event, EventKind, Reason, Text};

use super::{known, reason, tls};
use crate::scan::{number, split, split_str, starts_with_any, word};

/// What follows `to=<`.
pub(super) fn read<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<()> {
    let (recipients, rest) = recipients(text)?;
    let recipient = split_str(recipients, b">, orig_to=<").map_or(recipients, |(recipient, _)| recipient);
    event.recipient = Text::new(recipient);
    let rest = relay(event, rest)?;
    let status = fields(event, rest)?;
    outcome(event, status)
}

/// `x` or `x>, orig_to=<y`, and what follows `>, relay=`. A recipient may hold those words itself; then what follows them is
/// not the list of fields that it should be.
fn recipients(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut from = 0;
    for _ in 0..8 {
        let (before, rest) = split_str(text.get(from..)?, RELAY)?;
        let is_list = split_str(rest, b", ")
            .is_some_and(|(_, fields)| starts_with_any(fields, &[b"delay=", b"conn_use=", b"delays="]));
        if is_list {
            return Some((text.get(..from + before.len())?, rest));
        }
        from += before.len() + RELAY.len();
    }
    None
}

const RELAY: &[u8] = b">, relay=";

/// `name[address]:port, `, `name[/path/of/socket], `, `none, ` or the name of a transport.
fn relay<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<&'a [u8]> {
    let (relay, rest) = split_str(text, b", ")?;
    if relay.last().is_some_and(|&b| b.is_ascii_digit() || b == b']') {
        tls::to_server(event, relay);
    }
    event.relay = Text::new(if relay == b"none" { b"" } else { relay });
    Some(rest)
}

/// `conn_use=2, delay=1, delays=0/0/0/1, dsn=2.0.0, status=`: what follows it. All of these are Postfix's own.
fn fields<'a>(event: &mut Event<'a>, mut rest: &'a [u8]) -> Option<&'a [u8]> {
    for _ in 0..8 {
        if let Some(status) = rest.strip_prefix(b"status=") {
            return Some(status);
        }
        let (field, after) = split(rest, b',')?;
        if let Some(dsn) = field.strip_prefix(b"dsn=") {
            event.dsn = Text::new(dsn);
        }
        rest = after.strip_prefix(b" ")?;
    }
    None
}

fn outcome<'a>(event: &mut Event<'a>, status: &'a [u8]) -> Option<()> {
    let (status, words) = word(status);
    let words = words.strip_prefix(b"(").unwrap_or(words);
    let words = words.strip_suffix(b")").unwrap_or(words);
    event.detail = Text::new(words);
    let kind = match status {
        b"sent" => {
            event.reply_code = number(words).map_or(0, |(code, _)| u16::try_from(code).unwrap_or(0));
            return known(event, EventKind::Delivered);
        }
        b"deferred" | b"SOFTBOUNCE" => EventKind::Deferred,
        b"bounced" | b"expired" => EventKind::Bounced,
        b"deliverable" | b"undeliverable" => EventKind::AddressVerified,
        _ => return None,
    };
    if status != b"deliverable" {
        (event.reason, event.reply_code) = reason::of_delivery(words);
    }
    if status == b"expired" {
        event.reason = Reason::Expired;
    }
    known(event, kind)
}
