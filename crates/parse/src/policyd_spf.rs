//! Lines of policyd-spf, in Python (`: prepend Received-SPF: …`) and Perl (`Policy action=…`).
//!
//! HELO and envelope are the client's, and the comment before them may quote them, so the address counts only if the line
//! has one place for it. What is refused here, smtpd tells again.

use mailward_model::{Client, Event, EventKind, Reason, Text};

use crate::scan::{address, client_at, contains, decimal32, seek, split, split_str, take_until, word};

pub(crate) fn parse<'a>(event: &mut Event<'a>, message: &'a [u8]) {
    let text = message.strip_prefix(b": ").unwrap_or(message);
    let text = text.strip_prefix(b"Policy action=").unwrap_or(text);
    event.detail = Text::new(text);
    let (first, rest) = word(text);
    match decimal32(first) {
        Some(code @ 400..=599) => refused(event, code, rest),
        _ => result(event, text),
    }
}

/// What follows the first of each key.
#[derive(Default)]
struct Keys<'a> {
    /// None also where there are several.
    client_ip: Option<&'a [u8]>,
    sender: Option<&'a [u8]>,
    helo: Option<&'a [u8]>,
}

impl<'a> Keys<'a> {
    fn of(text: &'a [u8]) -> Self {
        let mut keys = Self::default();
        let mut addresses = 0;
        let mut from = 0;
        while let Some((key, value)) = split_at_equals(text, from) {
            if key.ends_with(b"client-ip") {
                addresses += 1;
                keys.client_ip = (addresses == 1).then_some(value);
            } else if key.ends_with(b"envelope-from") {
                keys.sender = keys.sender.or(Some(value));
            } else if key.ends_with(b"; helo") {
                keys.helo = keys.helo.or(Some(value));
            }
            from = key.len() + 1;
        }
        keys
    }
}

/// All that stands before the next `=`, and all that follows it.
fn split_at_equals(text: &[u8], from: usize) -> Option<(&[u8], &[u8])> {
    let at = from + seek(text.get(from..)?, [b'='])?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// A value up to the semicolon.
fn value(rest: &[u8]) -> &[u8] {
    split(rest, b';').map_or(rest, |(value, _)| value)
}

/// `550 5.7.23 Message rejected due to: SPF fail - not authorized.`
fn refused<'a>(event: &mut Event<'a>, code: u32, rest: &'a [u8]) {
    event.kind = EventKind::SenderAuthentication;
    event.reason = if code < 500 { Reason::DnsTrouble } else { Reason::SpfFail };
    event.reply_code = u16::try_from(code).unwrap_or_default();
    let (dsn, _) = word(rest);
    if dsn.contains(&b'.') && dsn.iter().all(|b| b.is_ascii_digit() || *b == b'.') {
        event.dsn = Text::new(dsn);
    }
}

/// `prepend Received-SPF: Pass (mailfrom) …`, `PREPEND Authentication-Results: host; spf=pass …`, `SPF Pass (…)`.
fn result<'a>(event: &mut Event<'a>, text: &'a [u8]) {
    const BEFORE: [&[u8]; 5] =
        [b"prepend Received-SPF: ", b"PREPEND Received-SPF: ", b"Received-SPF: ", b"SPF ", b"spf="];
    let after = BEFORE.iter().find_map(|before| text.strip_prefix(*before));
    let after = after.or_else(|| {
        let header = take_until(text, |b| b == b';').0;
        let results = contains(header, b"Authentication-Results: ");
        split_str(text, b"; spf=").filter(|_| results).map(|(_, after)| after)
    });
    let Some(after) = after else { return other(event, text) };
    let (word, _) = take_until(after, |b| !b.is_ascii_alphabetic());
    let Some(reason) =
        RESULTS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, reason)| *reason)
    else {
        return;
    };
    (event.kind, event.reason) = (EventKind::SenderAuthentication, reason);
    let keys = Keys::of(text);
    event.client = keys.client_ip.and_then(client);
    if let Some(sender) = keys.sender.map(value) {
        event.sender =
            Text::new(sender.strip_prefix(b"\"").and_then(|s| s.strip_suffix(b"\"")).unwrap_or(sender));
        event.sender_given = true;
    }
    event.helo = Text::new(keys.helo.map(value).unwrap_or_default());
}

fn client(rest: &[u8]) -> Option<Client<'_>> {
    let (bytes, _) = take_until(rest, |b| !(b.is_ascii_hexdigit() || matches!(b, b'.' | b':')));
    address(bytes).map(client_at)
}

/// RFC 7208 section 2.6.
const RESULTS: [(&[u8], Reason); 7] = [
    (b"pass", Reason::None),
    (b"fail", Reason::SpfFail),
    (b"softfail", Reason::None),
    (b"neutral", Reason::None),
    (b"none", Reason::None),
    (b"temperror", Reason::DnsTrouble),
    (b"permerror", Reason::Other),
];

fn other(event: &mut Event<'_>, text: &[u8]) {
    const NOTICES: [&[u8]; 11] = [
        b"DUNNO",
        b"dunno",
        b"handler ",
        b"Attribute: ",
        b"spfcheck: ",
        b"Read line: ",
        b"Whitelisted",
        b"whitelisted",
        b"Skipping",
        b"Starting",
        b"Normal exit",
    ];
    event.kind = if NOTICES.iter().any(|start| text.starts_with(start)) {
        EventKind::Notice
    } else if text.starts_with(b"Warning") || text.starts_with(b"ERROR") || text.starts_with(b"Traceback") {
        EventKind::ServiceTrouble
    } else {
        EventKind::Unknown
    };
}
