//! Lines of OpenDKIM: `queue-id: text`.

use mailward_model::{Client, Event, EventKind, Reason, Text};

use crate::scan::{address, alphanumeric, contains, rsplit_str, value};

pub(crate) fn parse<'a>(event: &mut Event<'a>, message: &'a [u8]) {
    event.detail = Text::new(message);
    let (id, rest) = alphanumeric(message);
    match rest.strip_prefix(b": ") {
        Some(text) if id.len() >= 5 && id != b"opendkim" => about_message(event, id, text),
        _ => service(event, message),
    }
}

fn about_message<'a>(event: &mut Event<'a>, id: &'a [u8], text: &'a [u8]) {
    event.queue_id = Text::new(id);
    event.detail = Text::new(text);
    if let Some(host) = text.strip_suffix(b" not internal") {
        event.kind = EventKind::Notice;
        event.client = host_and_address(host);
        return;
    }
    if let Some(fields) = text.strip_prefix(b"DKIM-Signature field added (") {
        event.kind = EventKind::DkimSigned;
        event.object = Text::new(value(fields, b"d=", b')').unwrap_or_default());
        return;
    }
    if text.starts_with(b"s=") {
        event.object = Text::new(value(text, b" d=", b' ').unwrap_or_default());
        event.kind = EventKind::SenderAuthentication;
        event.reason = if contains(text, b" SSL error") { Reason::DkimFail } else { Reason::None };
        return;
    }
    (event.kind, event.reason) = said(text);
}

fn said(text: &[u8]) -> (EventKind, Reason) {
    const SAID: [(&[u8], EventKind, Reason); 15] = [
        (b"DKIM verification successful", EventKind::SenderAuthentication, Reason::None),
        (b"bad signature data", EventKind::SenderAuthentication, Reason::DkimFail),
        (b"signature verification failed", EventKind::SenderAuthentication, Reason::DkimFail),
        (b"bad signature", EventKind::SenderAuthentication, Reason::DkimFail),
        (b"no signature data", EventKind::Notice, Reason::None),
        (b"not authenticated", EventKind::Notice, Reason::None),
        (b"no signing table match", EventKind::Notice, Reason::None),
        (b"no signing domain match", EventKind::Notice, Reason::None),
        (b"no signing subdomain match", EventKind::Notice, Reason::None),
        (b"no signing keylist match", EventKind::Notice, Reason::None),
        (b"external host ", EventKind::Notice, Reason::None),
        (b"no MTA name match", EventKind::Notice, Reason::None),
        (b"key retrieval failed", EventKind::SenderAuthentication, Reason::DnsTrouble),
        (b"failed to parse authentication-results", EventKind::Notice, Reason::None),
        (b"syntax error", EventKind::SenderAuthentication, Reason::DkimFail),
    ];
    SAID.iter()
        .find(|(start, ..)| text.starts_with(start))
        .map_or((EventKind::Unknown, Reason::None), |(_, kind, reason)| (*kind, *reason))
}

/// `mx1.example.com [192.0.2.25]`, read from the right: the name is the peer's.
fn host_and_address(host: &[u8]) -> Option<Client<'_>> {
    let (name, text) = rsplit_str(host.strip_suffix(b"]")?, b" [")?;
    Some(Client {
        address: address(text)?,
        port: 0,
        name: Text::new(if name == b"unknown" || name.starts_with(b"[") { b"" } else { name }),
    })
}

fn service(event: &mut Event<'_>, text: &[u8]) {
    let state = text.starts_with(b"OpenDKIM Filter")
        || contains(text, b"terminating with status")
        || text.starts_with(b"Signal ")
        || text.starts_with(b"configuration reloaded")
        || text.starts_with(b"No status output")
        || text.starts_with(b"finished");
    let trouble = contains(text, b"can't ") || contains(text, b"failed") || contains(text, b"error");
    event.kind = match (state, trouble) {
        (true, _) => EventKind::ServiceState,
        (_, true) => EventKind::ServiceTrouble,
        _ => EventKind::Unknown,
    };
}
