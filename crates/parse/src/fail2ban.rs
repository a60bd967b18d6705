//! Lines of fail2ban: `NOTICE  [jail] Ban 192.0.2.1`. The address is the one fail2ban believes; its own patterns may have
//! been fooled, so these events are no evidence against anybody.

use mailward_model::{Event, EventKind, Reason, Text};

use crate::scan::{address, client_at, split_str, take_until, trim_start, word};

pub(crate) fn parse<'a>(event: &mut Event<'a>, message: &'a [u8]) {
    let (level, text) = level(message);
    event.detail = Text::new(text);
    if let Some((jail, said)) = text.strip_prefix(b"[").and_then(|rest| split_str(rest, b"] ")) {
        event.object = Text::new(jail);
        if in_jail(event, trim_start(said)) {
            return;
        }
    }
    event.kind = match level {
        b"ERROR" | b"CRITICAL" | b"WARNING" => EventKind::ServiceTrouble,
        b"NOTICE" | b"INFO" => EventKind::ServiceState,
        b"DEBUG" | b"HEAVYDEBUG" | b"TRACEDEBUG" | b"MSG" => EventKind::Notice,
        _ => EventKind::Unknown,
    };
}

/// `NOTICE  ` in front, perhaps after `fail2ban.actions        [391]: `, and the text.
fn level(message: &[u8]) -> (&[u8], &[u8]) {
    let message = match message.strip_prefix(b"fail2ban.").and_then(|rest| split_str(rest, b"]: ")) {
        Some((_, rest)) => rest,
        None => message,
    };
    let (level, text) = take_until(message, |b| !b.is_ascii_uppercase());
    match text.strip_prefix(b":").unwrap_or(text) {
        text if text.starts_with(b" ") && !level.is_empty() => {
            (level, text.strip_prefix(b" ").map_or(text, trim_start))
        }
        _ => (b"", message),
    }
}

/// `Found 192.0.2.1 - 2025-10-04 03:18:52`, `Ban …`, `Restore Ban …`, `Unban …`.
fn in_jail<'a>(event: &mut Event<'a>, said: &'a [u8]) -> bool {
    const SAID: [(&[u8], EventKind); 6] = [
        (b"Found ", EventKind::PeerFound),
        (b"Ban ", EventKind::PeerBanned),
        (b"Restore Ban ", EventKind::PeerBanned),
        (b"Increase Ban ", EventKind::PeerBanned),
        (b"Unban ", EventKind::PeerUnbanned),
        (b"Ignore ", EventKind::Notice),
    ];
    let Some((rest, kind)) = SAID.iter().find_map(|(start, kind)| Some((said.strip_prefix(*start)?, *kind)))
    else {
        let known = said.ends_with(b" already banned");
        if known {
            event.kind = EventKind::Notice;
        }
        return known;
    };
    let Some(whom) = address(word(rest).0) else { return false };
    event.kind = kind;
    event.client = (kind != EventKind::Notice).then(|| client_at(whom));
    event.reason = Reason::None;
    event.detail = Text::new(said);
    true
}
