//! `to=<x>, orig_to=<y>, relay=name[address]:port, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (words)`.
//!
//! The words are often another server's, the recipient is somebody's: fields are read in order, from the left.

use mailward_model::{Event, EventKind, Reason, Text};

use super::{known, reason, tls};
use crate::scan::{number, split, split_str, word};

/// What follows `to=<`.
pub(super) fn read<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<()> {
    let (recipients, server, fields) = parts(text)?;
    let recipient = split_str(recipients, b">, orig_to=<").map_or(recipients, |(recipient, _)| recipient);
    event.recipient = Text::new(recipient);
    relay(event, server);
    let (_, fields) = split_str(fields, b"dsn=")?;
    let (dsn, status) = split(fields, b',')?;
    event.dsn = Text::new(dsn);
    outcome(event, status.strip_prefix(b" status=")?)
}

/// `x` or `x>, orig_to=<y`; the relay; and what follows it. A recipient may hold `>, relay=` itself: then what follows that is
/// not the list of Postfix's own fields that it should be.
#[inline]
fn parts(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let mut from = 0;
    for _ in 0..8 {
        let (before, rest) = split_str(text.get(from..)?, RELAY)?;
        if let Some((relay, fields)) = split_str(rest, b", ")
            && (fields.starts_with(b"delay") || fields.starts_with(b"conn_use="))
        {
            return Some((text.get(..from + before.len())?, relay, fields));
        }
        from += before.len() + RELAY.len();
    }
    None
}

const RELAY: &[u8] = b">, relay=";

/// `name[address]:port`, `name[/path/of/socket]`, `none` or the name of a transport.
fn relay<'a>(event: &mut Event<'a>, server: &'a [u8]) {
    if server.last().is_some_and(|&b| b.is_ascii_digit() || b == b']') {
        tls::to_server(event, server);
    }
    event.relay = Text::new(if server == b"none" { b"" } else { server });
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
