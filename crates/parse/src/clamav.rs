//! Lines of clamd, clamav-milter and freshclam. None has a client.

use mailward_model::{Event, EventKind, Reason, Text};

use crate::scan::{contains, rsplit_str, split_str, take_until};

pub(crate) fn parse<'a>(event: &mut Event<'a>, message: &'a [u8]) {
    let text = take_stamp(message);
    event.detail = Text::new(text);
    if let Some(found) = text.strip_suffix(b" FOUND") {
        // The file's name before it may hold anything; a signature has no blank.
        let virus = rsplit_str(found, b": ").map_or(found, |(_, virus)| virus);
        infected(event, virus);
    } else if text.starts_with(b"Message ") || text.starts_with(b"Clean message ") {
        milter(event, text);
    } else if is_trouble(text) {
        event.kind = EventKind::ServiceTrouble;
    } else if is_state(text) {
        event.kind = EventKind::ServiceState;
    } else if is_notice(text) || event.tag.bytes() == b"freshclam" {
        event.kind = EventKind::Notice;
    }
}

/// Without `Fri Nov 20 18:00:00 2026 -> ` of a log file of its own.
fn take_stamp(message: &[u8]) -> &[u8] {
    match split_str(message.get(..40).unwrap_or(message), b" -> ") {
        Some((stamp, _)) if stamp.len() == 24 => message.get(28..).unwrap_or(message),
        _ => message,
    }
}

fn infected<'a>(event: &mut Event<'a>, virus: &'a [u8]) {
    (event.kind, event.reason) = (EventKind::ContentMalware, Reason::Malware);
    event.object = Text::new(virus);
}

/// `Message from <a> to <b> infected by V`, `Message Q from <a> to <b> with subject 's' … infected by V`,
/// `Clean message Q from <a> to <b>`.
fn milter<'a>(event: &mut Event<'a>, text: &'a [u8]) {
    match rsplit_str(text, b" infected by ") {
        Some((_, virus)) => infected(event, virus),
        None if text.starts_with(b"Clean ") => event.kind = EventKind::ContentClean,
        None => return,
    }
    let Some((before, rest)) = split_str(text, b" from <") else { return };
    event.sender = Text::new(take_until(rest, |b| b == b'>').0);
    event.sender_given = true;
    if let Some((_, to)) = split_str(rest, b" to <") {
        event.recipient = Text::new(take_until(to, |b| b == b'>').0);
    }
    let id = rsplit_str(before, b" ").map_or(&b""[..], |(_, id)| id);
    event.queue_id = Text::new(if id == b"message" { b"" } else { id });
}

fn is_trouble(text: &[u8]) -> bool {
    const STARTS: [&[u8]; 6] = [b"ERROR: ", b"WARNING: ", b"LibClamAV ", b"^", b"!", b"accept() failed"];
    STARTS.iter().any(|start| text.starts_with(start))
}

fn is_state(text: &[u8]) -> bool {
    const STARTS: [&[u8]; 24] = [
        b"+++ ",
        b"--- ",
        b"clamd daemon ",
        b"Running as user ",
        b"Log file size ",
        b"Reading databases from ",
        b"Not loading PUA",
        b"Loaded ",
        b"LOCAL: ",
        b"TCP: ",
        b"Limits: ",
        b"Self checking every ",
        b"Listening daemon",
        b"Received 0 file descriptor",
        b"Received 1 file descriptor",
        b"Database correctly reloaded",
        b"Database modification",
        b"Exiting",
        b"Pid file removed",
        b"Socket file removed",
        b"Activating the newly loaded database",
        b"Set stacksize",
        b"Not supported",
        b"Bytecode: ",
    ];
    STARTS.iter().any(|start| text.starts_with(start))
        || text.ends_with(b"abled.")
        || text.ends_with(b"blocked.")
}

fn is_notice(text: &[u8]) -> bool {
    text.starts_with(b"SelfCheck: ")
        || text.ends_with(b": OK")
        || contains(text, b"database is up")
        || text.is_empty()
}
