//! Lines of amavisd-new and amavis.
//!
//! `(06758-01) Passed CLEAN {RelayedInbound}, [192.0.2.1]:1 [192.0.2.1] <sender> -> <recipient>, Queue-ID: …`. Names of
//! attachments stand before the client's address, envelope and Message-ID after it, and all of them are the client's text.
//! The address counts only where the end of the names is beyond doubt.

use mailward_model::{Client, Event, EventKind, Reason, Text};
use memchr::memchr_iter;

use crate::scan::{bracketed, decimal, split, split_str, take_until, trim_start, unbracket, word};

pub(crate) fn parse<'a>(event: &mut Event<'a>, message: &'a [u8]) {
    let (task, text) = task(message);
    event.session_id = Text::new(task);
    let (verdict, rest) = word(text);
    if matches!(verdict, b"Passed" | b"Blocked") && !task.is_empty() {
        return verdict_on_message(event, text, rest);
    }
    event.detail = Text::new(text);
    event.kind = if text.starts_with(b"(!") {
        if text.starts_with(b"(!)Net::Server: ") {
            EventKind::ServiceState
        } else {
            EventKind::ServiceTrouble
        }
    } else if !task.is_empty() {
        EventKind::Notice
    } else if is_state(text) {
        event.object = Text::new(missing_decoder(text));
        EventKind::ServiceState
    } else {
        EventKind::Unknown
    };
}

/// `(12345-01)` or `(12345-01-2)` in front, and what follows.
fn task(message: &[u8]) -> (&[u8], &[u8]) {
    let id =
        message.strip_prefix(b"(").map(|inner| take_until(inner, |b| !(b.is_ascii_digit() || b == b'-')));
    match id {
        Some((id, rest)) if id.contains(&b'-') => (id, rest.strip_prefix(b") ").unwrap_or(rest)),
        _ => (b"", message),
    }
}

fn verdict_on_message<'a>(event: &mut Event<'a>, text: &'a [u8], rest: &'a [u8]) {
    let (category, rest) = word(rest);
    let category = category.strip_suffix(b",").unwrap_or(category);
    (event.kind, event.reason) = by_category(category);
    let (names, after) = names(rest);
    event.object = Text::new(names.unwrap_or_default());
    let Some((actions, route)) = after.and_then(|after| split_str(after, b", ")) else {
        let words = take_until(text, |b| b == b'(').0;
        event.detail = Text::new(words.strip_suffix(b" ").unwrap_or(words));
        return;
    };
    let before = text.len() - rest.len();
    event.detail = match names {
        None => Text::new(text.get(..before + actions.len()).unwrap_or(text)),
        Some(_) => Text::new(text.get(..before.saturating_sub(1)).unwrap_or(text)),
    };
    envelope(event, route);
}

fn by_category(category: &[u8]) -> (EventKind, Reason) {
    const CATEGORIES: [(&[u8], EventKind, Reason); 9] = [
        (b"CLEAN", EventKind::ContentClean, Reason::None),
        (b"SPAM", EventKind::ContentSpam, Reason::Spam),
        (b"INFECTED", EventKind::ContentMalware, Reason::Malware),
        (b"BANNED", EventKind::ContentBanned, Reason::BannedContent),
        (b"BAD-HEADER", EventKind::ContentOther, Reason::ContentPolicy),
        (b"UNCHECKED", EventKind::ContentOther, Reason::None),
        (b"OVERSIZED", EventKind::ContentOther, Reason::TooLarge),
        (b"MTA-BLOCKED", EventKind::ContentOther, Reason::LocalTrouble),
        (b"TEMPFAIL", EventKind::ContentOther, Reason::LocalTrouble),
    ];
    CATEGORIES
        .iter()
        .find(|(name, ..)| category.starts_with(name))
        .map_or((EventKind::ContentOther, Reason::Other), |(_, kind, reason)| (*kind, *reason))
}

/// `(names) ` where there are some, and what follows them, `{actions}, …`; nothing follows where `) {` comes twice and
/// nobody can tell which was amavis's.
fn names(rest: &[u8]) -> (Option<&[u8]>, Option<&[u8]>) {
    let Some(inner) = rest.strip_prefix(b"(") else { return (None, Some(rest)) };
    match split_str(inner, b") {") {
        Some((names, after)) if split_str(after, b") {").is_none() => (Some(names), Some(after)),
        _ => (Some(b""), None),
    }
}

/// `[client]:port [first of Received:] <sender> -> <recipient>,<recipient>, key: value, …`, perhaps after the names of
/// policy banks (`MYNETS LOCAL `).
fn envelope<'a>(event: &mut Event<'a>, route: &'a [u8]) {
    let (_, rest) =
        take_until(route, |b| !(b.is_ascii_uppercase() || b.is_ascii_digit() || b" _-/".contains(&b)));
    if let Some((address, port, _)) = bracketed(rest) {
        event.client = Some(Client { address, port, name: Text::EMPTY });
    }
    let Some((sender, rest)) = split_str(rest, b" -> <") else { return };
    let sender = split(sender, b'<').map_or(&b""[..], |(_, sender)| sender);
    event.sender = Text::new(sender.strip_suffix(b">").unwrap_or(sender));
    event.sender_given = true;
    event.recipient = Text::new(split(rest, b'>').map_or(rest, |(recipient, _)| recipient));
    let recipients = split_str(rest, b">, ").map_or(rest, |(recipients, _)| recipients);
    event.recipients = u32::try_from(1 + memchr_iter(b'<', recipients).count()).unwrap_or(u32::MAX);
    keys(event, rest);
}

/// `…, Queue-ID: x, Message-ID: <y>, mail_id: z, Hits: -1.9, size: 1234, …`: the first of each counts.
fn keys<'a>(event: &mut Event<'a>, list: &'a [u8]) {
    let (mut queue_id, mut message_id, mut size) = (None, None, None);
    let mut rest = split(list, b',').map(|(_, rest)| rest);
    while let Some(list) = rest.filter(|_| size.is_none() || queue_id.is_none() || message_id.is_none()) {
        let (field, after) = split(list, b',').map_or((list, None), |(field, after)| (field, Some(after)));
        if let Some(id) = field.strip_prefix(b" Queue-ID: ") {
            queue_id = queue_id.or(Some(id));
        } else if let Some(id) = field.strip_prefix(b" Message-ID: ") {
            message_id = message_id.or(Some(id));
        } else if let Some(bytes) = field.strip_prefix(b" size: ") {
            size = size.or(Some(bytes));
        }
        rest = after;
    }
    event.queue_id = Text::new(queue_id.unwrap_or_default());
    event.message_id = Text::new(unbracket(message_id.unwrap_or_default()));
    event.size = size.and_then(decimal).unwrap_or(0);
}

/// What amavis writes when it starts, stops or reloads.
fn is_state(text: &[u8]) -> bool {
    const STATES: [&[u8]; 26] = [
        b"starting. ",
        b"Net::Server: ",
        b"perl=",
        b"No ext program for ",
        b"No decoder for ",
        b"Found ",
        b"Using ",
        b"Module ",
        b"Amavis::",
        b"Creating db",
        b"Deleting db",
        b"extra modules loaded",
        b"Internal decoder for ",
        b"initializing Mail::SpamAssassin",
        b"SpamAssassin ",
        b"SpamControl",
        b"ANTI-",
        b"OpenSSL ",
        b"SQL ",
        b"LDAP",
        b"No $",
        b"Old ",
        b"Valid PID file",
        b"stopping ",
        b"user=",
        b"INFO: ",
    ];
    STATES.iter().any(|start| text.starts_with(start))
}

/// `.zst` of `No decoder for       .zst `: attachments of that kind are not looked into.
fn missing_decoder(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"No decoder for ").map_or(&b""[..], |rest| word(trim_start(rest)).0)
}
