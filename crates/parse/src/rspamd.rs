//! Lines of Rspamd: `<task>; module; function: text`.
//!
//! In `rspamd_task_write_log` the client chooses the Message-ID before the address, and envelope and symbols' options
//! after it. So the address counts only if the line has one place for it.

use mailward_model::{Event, EventKind, Reason, Text};

use crate::scan::{address, client_at, contains, decimal, rsplit_str, split_str, take_until, value};

pub(crate) fn parse<'a>(event: &mut Event<'a>, message: &'a [u8]) {
    let text =
        message.strip_prefix(b"(").and_then(|rest| split_str(rest, b") ")).map_or(message, |(_, text)| text);
    let Some((task, rest)) = text.strip_prefix(b"<").and_then(|rest| split_str(rest, b">; ")) else { return };
    let Some((module, text)) = split_str(rest, b"; ") else { return };
    event.session_id = Text::new(task);
    if let Some(log) = text.strip_prefix(b"rspamd_task_write_log: ") {
        return task_log(event, log);
    }
    event.detail = Text::new(text);
    event.kind = match module {
        b"main" | b"cfg" | b"map" | b"monitored" | b"controller" => state(text),
        _ => EventKind::Notice,
    };
}

fn state(text: &[u8]) -> EventKind {
    if contains(text, b"starting") || contains(text, b"terminat") || contains(text, b"shutting down") {
        EventKind::ServiceState
    } else if contains(text, b"cannot ") || contains(text, b"error") {
        EventKind::ServiceTrouble
    } else {
        EventKind::Notice
    }
}

/// `id: <…>, qid: <…>, ip: 192.0.2.1, user: u, from: <…>, (default: F (no action): [1.2/15.0] […]), len: 1, …`.
fn task_log<'a>(event: &mut Event<'a>, log: &'a [u8]) {
    let Some((head, verdict)) = rsplit_str(log, b"(default: ") else { return };
    (event.kind, event.reason) = by_action(verdict);
    event.message_id = Text::new(value(head, b"id: <", b'>').unwrap_or_default());
    event.queue_id = Text::new(value(head, b", qid: <", b'>').unwrap_or_default());
    event.client =
        only(log, b", ip: ").map(|rest| take_until(rest, |b| b == b',').0).and_then(address).map(client_at);
    if let Some(user) = only(head, b", user: ") {
        event.user = Text::new(take_until(user, |b| b == b',').0);
    }
    if let Some((_, sender)) = rsplit_str(head, b", from: <") {
        event.sender = Text::new(take_until(sender, |b| b == b'>').0);
        event.sender_given = true;
    }
    event.recipient = Text::new(value(verdict, b", rcpts: <", b'>').unwrap_or_default());
    event.size = value(verdict, b", len: ", b',').and_then(decimal).unwrap_or(0);
    event.detail = Text::new(split_str(verdict, b": [").map_or(verdict, |(action, _)| action));
}

/// What follows `key`, if it stands there once.
fn only<'a>(text: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let (_, rest) = split_str(text, key)?;
    (!contains(rest, key)).then_some(rest)
}

/// `F (no action): …`.
fn by_action(verdict: &[u8]) -> (EventKind, Reason) {
    const ACTIONS: [(&[u8], EventKind, Reason); 8] = [
        (b"no action)", EventKind::ContentClean, Reason::None),
        (b"greylist)", EventKind::Greylist, Reason::Greylisted),
        (b"add header)", EventKind::ContentSpam, Reason::Spam),
        (b"rewrite subject)", EventKind::ContentSpam, Reason::Spam),
        (b"reject)", EventKind::ContentSpam, Reason::Spam),
        (b"quarantine)", EventKind::ContentSpam, Reason::Spam),
        (b"discard)", EventKind::ContentSpam, Reason::Spam),
        (b"soft reject)", EventKind::ContentOther, Reason::RateExceeded),
    ];
    if contains(verdict, b"CLAM_VIRUS(") {
        return (EventKind::ContentMalware, Reason::Malware);
    }
    let action = split_str(verdict, b" (").map_or(&b""[..], |(_, action)| action);
    ACTIONS
        .iter()
        .find(|(name, ..)| action.starts_with(name))
        .map_or((EventKind::ContentOther, Reason::Other), |(_, kind, reason)| (*kind, *reason))
}
