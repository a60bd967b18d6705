//! Lines of policyd-spf, in Python (`: prepend Received-SPF: …`) and Perl (`Policy action=…`).
//!
//! HELO and envelope are the client's, and the comment before them may quote them, so the address counts only if the line
//! has one place for it. What is refused here, smtpd tells again.

use mailward_model::{Event, EventKind, Reason, Text};

use crate::scan::{address, client_at, contains, decimal32, split_str, take_until, value, word};

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

fn client_ip(text: &[u8]) -> Option<&[u8]> {
    let (_, rest) = split_str(text, b"client-ip=")?;
    if contains(rest, b"client-ip=") {
        return None;
    }
    Some(take_until(rest, |b| !(b.is_ascii_hexdigit() || matches!(b, b'.' | b':'))).0)
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
    event.client = client_ip(text).and_then(address).map(client_at);
    if let Some(sender) = value(text, b"envelope-from=", b';') {
        event.sender =
            Text::new(sender.strip_prefix(b"\"").and_then(|s| s.strip_suffix(b"\"")).unwrap_or(sender));
        event.sender_given = true;
    }
    event.helo = Text::new(value(text, b"; helo=", b';').unwrap_or_default());
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
