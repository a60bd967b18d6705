//! smtpd(8): sessions of clients.

use mailward_model::{Client, Event, EventKind, Reason, Stage, Text};

use super::{client, known, known_for, refusal, stage, tls};
use crate::scan::{address, decimal32, number, peer, rsplit, rsplit_str, split, split_str};

/// Lines without a queue id.
pub(super) fn session<'a>(event: &mut Event<'a>, message: &'a [u8]) -> Option<()> {
    match message.first()? {
        b'c' => connect(event, message.strip_prefix(b"connect from ")?),
        b'd' => disconnect(event, message.strip_prefix(b"disconnect from ")?),
        b'A' | b'T' | b'U' | b'V' => tls::established(event, message),
        b'S' => tls::accept_error(event, message),
        b'N' => with_queue_id(event, message.strip_prefix(b"NOQUEUE: ")?),
        b'l' | b't' | b'b' => broken_off(event, message),
        b'i' => pipelining(event, message.strip_prefix(b"improper command pipelining after ")?),
        _ => None,
    }
}

/// Lines after a queue id or `NOQUEUE`.
pub(super) fn with_queue_id<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<()> {
    if let Some(rest) = text.strip_prefix(b"client=") {
        return message_begun(event, rest);
    }
    // Since 3.10 the end of a session names its message.
    refusal::read(event, text).or_else(|| broken_off(event, text)).or_else(|| super::queue::read(event, text))
}

/// The line ends with the client, so the last bracket is the address, whatever the name.
fn connect<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<()> {
    event.client = client_at_end(text);
    if event.client.is_none() && text != b"unknown[unknown]" {
        return None;
    }
    event.stage = Stage::Connect;
    known(event, EventKind::Connect)
}

/// `name[address]`, or `name[address]:port` (`smtpd_client_port_logging`), to the end of the text.
fn client_at_end(text: &[u8]) -> Option<Client<'_>> {
    match peer(text) {
        Some((client, b"")) => Some(client),
        _ => last_bracket(text),
    }
}

/// For a name that looks like a client itself.
fn last_bracket(peer: &[u8]) -> Option<Client<'_>> {
    let (peer, port) = match peer.strip_suffix(b"]") {
        Some(peer) => (peer, 0),
        None => {
            let (peer, port) = rsplit_str(peer, b"]:")?;
            (peer, decimal32(port).and_then(|port| u16::try_from(port).ok())?)
        }
    };
    let (name, inside) = rsplit(peer, b'[')?;
    let name = if name == b"unknown" { Text::EMPTY } else { Text::new(name) };
    Some(Client { address: address(inside)?, port, name })
}

/// `name[address] ehlo=1 auth=0/1 quit=1 commands=2/3`: successes, and after a slash all of that command.
fn disconnect<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<()> {
    let (client, counts) = client(text)?;
    event.client = client;
    event.detail = Text::new(counts.strip_prefix(b" ").unwrap_or(counts));
    failures(event, counts);
    known(event, EventKind::Disconnect)
}

/// Only a command that failed has a slash; the sum, `commands=2/3`, comes last.
fn failures(event: &mut Event<'_>, mut counts: &[u8]) {
    while let Some((before, after)) = split(counts, b'/') {
        let all = number(after).and_then(|(all, _)| u32::try_from(all).ok()).unwrap_or(0);
        if before.ends_with(b" auth=0") {
            // Nobody writes "SASL ... failed" for AUTH where it is not offered: this is its only trace.
            (event.reason, event.stage) = (Reason::CredentialsRefused, Stage::Auth);
            event.count = all.max(1);
            return;
        }
        if let Some((_, succeeded)) = rsplit_str(before, b" commands=") {
            event.count = all.saturating_sub(decimal32(succeeded).unwrap_or(0)).max(1);
        }
        counts = after;
    }
}

/// `lost connection after STAGE from client`, also `timeout`, `too many errors` and `bare <LF> received`.
fn broken_off<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<()> {
    let (kind, reason, rest) = if let Some(rest) = text.strip_prefix(b"lost connection after ") {
        (EventKind::LostConnection, Reason::ConnectionLost, rest)
    } else if let Some(rest) = text.strip_prefix(b"timeout after ") {
        (EventKind::Timeout, Reason::Timeout, rest)
    } else if let Some(rest) = text.strip_prefix(b"too many errors after ") {
        (EventKind::TooManyErrors, Reason::TooManyErrors, rest)
    } else {
        let rest = text.strip_prefix(b"bare <LF> received after ");
        let rest = rest.or_else(|| text.strip_prefix(b"bare <CR> received after "))?;
        (EventKind::BareNewline, Reason::BareNewline, rest)
    };
    let (command, rest) = split_str(rest, b" from ")?;
    let (client, rest) = client(rest)?;
    rest.is_empty().then_some(())?;
    event.client = client;
    event.stage = stage(command);
    known_for(event, kind, reason, command)
}

/// `DATA from client: what came too early`.
fn pipelining<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<()> {
    let (command, rest) = split_str(text, b" from ")?;
    let (client, rest) = client(rest)?;
    event.client = client;
    event.stage = stage(command);
    known_for(event, EventKind::Pipelining, Reason::Pipelining, rest.strip_prefix(b": ")?)
}

/// `client=name[address], sasl_method=PLAIN, sasl_username=x, orig_queue_id=y, orig_client=z`, each but the first optional.
fn message_begun<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<()> {
    let (client, rest) = client(text)?;
    event.client = client;
    event.kind = EventKind::MessageBegun;
    if rest.is_empty() {
        return Some(());
    }
    let mut rest = rest.strip_prefix(b", ")?;
    if let Some(after) = rest.strip_prefix(b"sasl_method=") {
        let (method, after) = split_str(after, b", sasl_username=").unwrap_or((after, b""));
        event.method = Text::new(method);
        let (user, after) = until_key(after);
        event.user = Text::new(user);
        rest = after;
    }
    if let Some(after) = rest.strip_prefix(b"sasl_sender=") {
        rest = until_key(after).1;
    }
    if let Some(original) = rest.strip_prefix(b"orig_queue_id=") {
        // The message came through a content filter: its queue id before that.
        event.object = Text::new(until_key(original).0);
    }
    Some(())
}

/// Up to the next key of that line; the rest begins with it. A login name may hold commas.
fn until_key(text: &[u8]) -> (&[u8], &[u8]) {
    for key in [&b", sasl_sender="[..], b", orig_queue_id=", b", orig_client="] {
        if let Some((value, _)) = split_str(text, key) {
            return (value, text.get(value.len() + 2..).unwrap_or_default());
        }
    }
    (text, b"")
}
