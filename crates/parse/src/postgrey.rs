//! Lines of Postgrey: `action=greylist, reason=new, client_name=…, client_address=…, sender=…, recipient=…`.
//!
//! Before `client_address=` stand words of Postgrey and the client's confirmed name, after it the envelope: the first is
//! the true one.

use mailward_model::{Client, Event, EventKind, Reason, Text};

use crate::scan::{address, rsplit_str, split_str, take_until, value};

pub(crate) fn parse<'a>(event: &mut Event<'a>, message: &'a [u8]) {
    let (id, rest) = take_until(message, |b| !b.is_ascii_alphanumeric());
    let text = match rest.strip_prefix(b": action=") {
        Some(text) => {
            event.queue_id = Text::new(id);
            text
        }
        None => match message.strip_prefix(b"action=") {
            Some(text) => text,
            None => return service(event, message),
        },
    };
    let Some((head, rest)) = split_str(text, b", client_address=") else { return };
    let (action, said) = take_until(head, |b| b == b',');
    (event.kind, event.reason) = match action {
        b"greylist" => (EventKind::Greylist, Reason::Greylisted),
        b"pass" => (EventKind::Greylist, Reason::None),
        _ => return,
    };
    event.detail = Text::new(value(said, b"reason=", b',').unwrap_or_default());
    let name = value(said, b"client_name=", b',').unwrap_or_default();
    let name = if name == b"unknown" { b"" } else { name };
    let (text, rest) = take_until(rest, |b| b == b',');
    event.client = address(text).map(|address| Client { address, port: 0, name: Text::new(name) });
    envelope(event, rest);
}

fn envelope<'a>(event: &mut Event<'a>, rest: &'a [u8]) {
    let (before, recipient) = rsplit_str(rest, b", recipient=").unwrap_or((rest, b""));
    event.recipient = Text::new(recipient);
    if let Some(sender) = before.strip_prefix(b", sender=") {
        event.sender = Text::new(sender);
        event.sender_given = true;
    }
}

fn service<'a>(event: &mut Event<'a>, message: &'a [u8]) {
    const STATES: [&[u8]; 8] = [
        b"Process Backgrounded",
        b"Binding ",
        b"Setting ",
        b"Server closing",
        b"Couldn't unlink",
        b"Pid_file",
        b"Using default",
        b"Group Not Defined",
    ];
    const NOTICES: [&[u8]; 4] = [b"cleaning ", b"cleanup", b"whitelisted: ", b"Resolved "];
    event.detail = Text::new(message);
    let starting = split_str(message, b" starting! pid(").is_some();
    event.kind = if starting || STATES.iter().any(|start| message.starts_with(start)) {
        EventKind::ServiceState
    } else if NOTICES.iter().any(|start| message.starts_with(start)) {
        EventKind::Notice
    } else if message.starts_with(b"FATAL")
        || message.starts_with(b"warning")
        || message.starts_with(b"ERROR")
    {
        EventKind::ServiceTrouble
    } else {
        EventKind::Unknown
    };
}
