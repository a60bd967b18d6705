//! Lines about a message: cleanup(8), qmgr(8), pickup(8), bounce(8), the delivery agents, postsuper(1).

use mailward_model::{Event, EventKind, Reason, Text};

use super::{delivery, known, known_for, reason, refusal, tls};
use crate::scan::{
    contains, decimal, decimal32, peer, rsplit_str, split_str, starts_with_any, unbracket, word,
};

/// Reads what follows the queue id.
pub(super) fn read<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<()> {
    match text.first()? {
        b't' if text.starts_with(b"to=<") => delivery::read(event, text.get(4..)?),
        b'f' if text.starts_with(b"from=<") => from(event, text.get(6..)?),
        b'm' if text.starts_with(b"message-id=") => message_id(event, text.get(11..)?),
        b'r' if text == b"removed" => known(event, EventKind::QueueRemoved),
        b'r' if text.starts_with(b"resent-message-id=") => message_id(event, text.get(18..)?),
        b'u' if text.starts_with(b"uid=") => picked_up(event, text),
        _ => {
            refusal::read(event, text).or_else(|| notification(event, text)).or_else(|| trouble(event, text))
        }
    }
}

/// The message id is text of the sender's, to the end of the line.
fn message_id<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<()> {
    event.message_id = Text::new(unbracket(text));
    known(event, EventKind::MessageId)
}

/// `x>, size=513, nrcpt=2 (queue active)` or `x>, status=expired, returned to sender`. The numbers are at the end.
fn from<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<()> {
    event.sender_given = true;
    if let Some((sender, rest)) = rsplit_str(text, b">, size=") {
        let (size, rest) = split_str(rest, b", nrcpt=")?;
        event.sender = Text::new(sender);
        event.size = decimal(size)?;
        event.recipients = decimal32(word(rest).0)?;
        return known(event, EventKind::QueueActive);
    }
    let (sender, status) = rsplit_str(text, b">, status=")?;
    event.sender = Text::new(sender);
    known_for(event, EventKind::Bounced, Reason::Expired, status)
}

/// `uid=0 from=<root>`, perhaps with `orig_id=...`.
fn picked_up<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<()> {
    let (_, sender) = split_str(text, b" from=<")?;
    let (sender, _) = rsplit_str(sender, b">")?;
    event.sender = Text::new(sender);
    event.sender_given = true;
    known(event, EventKind::PickedUp)
}

/// `sender non-delivery notification: QUEUEID` and its like.
fn notification<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<()> {
    let words = text.strip_prefix(b"sender ").or_else(|| text.strip_prefix(b"postmaster "));
    let is_discarded = text.ends_with(b" notification discarded") || text.ends_with(b" bounce discarded");
    if is_discarded {
        return known_for(event, EventKind::BounceNotice, Reason::None, text);
    }
    let (_, id) = split_str(words?, b" notification: ")?;
    event.object = Text::new(id);
    known_for(event, EventKind::BounceNotice, Reason::None, text.get(..text.len() - id.len() - 2)?)
}

/// Trouble with another server on the way, before the delivery has an outcome; and changes by the operator.
fn trouble<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<()> {
    const REMOTE: [&[u8]; 9] = [
        b"host ",
        b"lost connection with ",
        b"conversation with ",
        b"connect to ",
        b"Cannot start TLS",
        b"TLS is required",
        b"SASL authentication failed",
        b"Server certificate ",
        b"TLS configuration problem",
    ];
    if starts_with_any(text, &REMOTE) {
        return remote(event, text);
    }
    const NOTICES: [&[u8]; 12] = [
        b"enabling PIX workarounds",
        b"breaking line",
        b"skipped, still being delivered",
        b"placed on hold",
        b"released from hold",
        b"requeued",
        b"expired",
        b"replace: ",
        b"prepend: ",
        b"moved to ",
        b"canceled",
        b"flush",
    ];
    if starts_with_any(text, &NOTICES) {
        return known_for(event, EventKind::Notice, Reason::None, text);
    }
    tls::established(event, text)
}

/// `host name[address] said: 450 4.2.0 Greylisted (in reply to RCPT TO command)` and its like.
fn remote<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<()> {
    const BEFORE_SERVER: [&[u8]; 4] =
        [b"host ", b"lost connection with ", b"conversation with ", b"connect to "];
    let server = BEFORE_SERVER.iter().find_map(|words| text.strip_prefix(*words));
    if let Some((server, _)) = server.and_then(peer) {
        event.relay = server.name;
        event.relay_address = Some(server.address);
    }
    (event.reason, event.reply_code) = reason::of_delivery(text);
    event.detail = Text::new(text);
    let is_notice =
        contains(text.get(..32).unwrap_or(text), b"workarounds") || text.starts_with(b"breaking line");
    known(event, if is_notice { EventKind::Notice } else { EventKind::RemoteTrouble })
}

/// postsuper's `QUEUEID: removed` has the id in front like everybody; its sums have none.
pub(super) fn sums<'a>(event: &mut Event<'a>, message: &'a [u8]) -> Option<()> {
    const SUMS: [&[u8]; 6] = [
        b"Deleted: ",
        b"Placed on hold: ",
        b"Released from hold: ",
        b"Requeued: ",
        b"Expired: ",
        b"Renamed: ",
    ];
    starts_with_any(message, &SUMS).then_some(())?;
    known_for(event, EventKind::Notice, Reason::None, message)
}
