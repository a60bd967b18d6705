//! Lines of OpenDMARC: `queue-id: domain result`. The domain is the sender's, so the result is read from the right.

use mailward_model::{Event, EventKind, Reason, Text};

use crate::scan::{alphanumeric, contains, rsplit};

pub(crate) fn parse<'a>(event: &mut Event<'a>, message: &'a [u8]) {
    event.detail = Text::new(message);
    let (id, rest) = alphanumeric(message);
    let text = rest.strip_prefix(b": ").or_else(|| rest.strip_prefix(b" "));
    match text {
        Some(text) if id.len() >= 5 && is_queue_id(id) => about_message(event, id, text),
        _ => service(event, message),
    }
}

/// Short ids are capital hexadecimal digits, long ones have a digit too.
fn is_queue_id(id: &[u8]) -> bool {
    id.iter().any(u8::is_ascii_digit) || id.iter().all(|b| matches!(b, b'A'..=b'F'))
}

fn about_message<'a>(event: &mut Event<'a>, id: &'a [u8], text: &'a [u8]) {
    event.queue_id = Text::new(id);
    event.detail = Text::new(text);
    const NOTICES: [&[u8]; 5] = [b"ignoring ", b"SPF(", b"ARC ", b"DKIM ", b"no "];
    if NOTICES.iter().any(|start| text.starts_with(start)) {
        event.kind = EventKind::Notice;
        return;
    }
    if text.starts_with(b"RFC5322 requirement error") {
        (event.kind, event.reason) = (EventKind::SenderAuthentication, Reason::ProtocolError);
        return;
    }
    let Some((domain, result)) = rsplit(text.strip_suffix(b" ").unwrap_or(text), b' ') else { return };
    event.reason = match result {
        b"fail" | b"reject" | b"quarantine" => Reason::DmarcFail,
        b"pass" | b"none" | b"accept" | b"bestguesspass" => Reason::None,
        b"temperror" => Reason::DnsTrouble,
        b"permerror" => Reason::Other,
        _ => return,
    };
    event.kind = EventKind::SenderAuthentication;
    event.object = Text::new(domain);
}

fn service(event: &mut Event<'_>, text: &[u8]) {
    const STATES: [&[u8]; 6] = [
        b"OpenDMARC Filter",
        b"additional trusted authentication services",
        b"trusted authentication services",
        b"implicit authentication service",
        b"configuration reloaded",
        b"terminating",
    ];
    event.kind = if STATES.iter().any(|start| text.starts_with(start)) {
        EventKind::ServiceState
    } else if contains(text, b"failed") || contains(text, b"can't ") || contains(text, b"error") {
        EventKind::ServiceTrouble
    } else {
        EventKind::Unknown
    };
}
