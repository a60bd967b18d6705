//! What runs after the login, delivers, indexes or keeps the server going: `imap(user)<pid><session>: text`,
//! `imap(user): text` (2.2), `lmtp(pid, user): session: text` (2.2), `master: text`. No address is ever read here.

use mailward_model::{Event, EventKind, Program, Reason, Text};
use memchr::memchr_iter;

use super::{Level, begins, debug, level, trouble};
use crate::scan::{contains, decimal32, find, rsplit_str, split, split_str, take_until};

pub(super) fn parse<'a>(event: &mut Event<'a>, after: &'a [u8]) {
    let Some(text) = whose(event, after) else { return };
    match level(text) {
        (Level::Debug, _) => debug(event),
        (Level::Info, text) => info(event, text),
        (Level::Warning | Level::Error, text) => trouble(event, text),
    }
}

fn info<'a>(event: &mut Event<'a>, text: &'a [u8]) {
    match event.program {
        Program::DovecotLmtp | Program::DovecotLda => delivery(event, text),
        Program::DovecotSession => session(event, text),
        _ => service(event, text),
    }
}

/// Reads who a line is about, and leaves the text.
fn whose<'a>(event: &mut Event<'a>, after: &'a [u8]) -> Option<&'a [u8]> {
    if let Some(text) = after.strip_prefix(b": ") {
        return Some(text);
    }
    let inner = after.strip_prefix(b"(")?;
    let (who, rest) = memchr_iter(b')', inner.get(..1024).unwrap_or(inner)).find_map(|at| {
        let rest = inner.get(at + 1..)?;
        (rest.starts_with(b"<") || rest.starts_with(b": ")).then_some((inner.get(..at)?, rest))
    })?;
    let text = ids(event, rest)?;
    let (pid, user) = process_and_user(who);
    event.pid = pid.unwrap_or(event.pid);
    event.user = Text::new(user);
    Some(text)
}

/// `user`, `pid` or `pid, user`.
fn process_and_user(who: &[u8]) -> (Option<u32>, &[u8]) {
    // Most begin with a letter, and need no search.
    if !who.first().is_some_and(u8::is_ascii_digit) {
        return (None, who);
    }
    let (pid, user) = split_str(who, b", ").unwrap_or((who, b""));
    decimal32(pid).map_or((None, who), |pid| (Some(pid), user))
}

/// `<pid><session>: ` in front.
fn ids<'a>(event: &mut Event<'a>, mut rest: &'a [u8]) -> Option<&'a [u8]> {
    while let Some(inner) = rest.strip_prefix(b"<") {
        let (id, _) = split(inner.get(..256).unwrap_or(inner), b'>')?;
        match decimal32(id) {
            Some(pid) => event.pid = pid,
            None => event.session_id = Text::new(id),
        }
        rest = inner.get(id.len() + 1..)?;
    }
    rest.strip_prefix(b": ")
}

/// imap, pop3, managesieve, submission.
fn session<'a>(event: &mut Event<'a>, text: &'a [u8]) {
    const ENDS: [&[u8]; 8] = [
        b"Disconnected",
        b"Logged out",
        b"Connection closed",
        b"Server shutting down",
        b"Remote closed connection",
        b"Timeout while finishing login",
        b"Hibernated",
        b"Killed",
    ];
    const NOTICES: [&[u8]; 20] = [
        b"copy from ",
        b"expunge: ",
        b"delete: ",
        b"undelete: ",
        b"flag_change: ",
        b"append: ",
        b"save: ",
        b"autoexpunge: ",
        b"mailbox_create: ",
        b"mailbox_delete: ",
        b"mailbox_rename: ",
        b"mailbox create",
        b"mailbox delete",
        b"mailbox rename",
        b"Mailbox ",
        b"box=",
        b"move: ",
        b"copy: ",
        b"update: ",
        b"ID sent: ",
    ];
    if ENDS.iter().any(|start| begins(text, start)) {
        event.kind = EventKind::SessionEnded;
        event.reason = end_reason(text);
        event.detail = Text::new(text);
    } else if text.starts_with(b"sieve: ") || text.starts_with(b"msgid=") {
        delivery(event, text);
    } else if NOTICES.iter().any(|start| begins(text, start)) {
        notice(event, text);
    }
}

fn end_reason(text: &[u8]) -> Reason {
    const REASONS: [(&[u8], Reason); 9] = [
        (b"Logged out", Reason::LoggedOut),
        (b"Connection closed", Reason::ConnectionLost),
        (b"Remote closed connection", Reason::ConnectionLost),
        (b"Server shutting down", Reason::ServerShutdown),
        (b"Shutting down", Reason::ServerShutdown),
        (b"Disconnected for inactivity", Reason::Inactivity),
        (b"Inactivity", Reason::Inactivity),
        (b"Too many ", Reason::TooManyErrors),
        (b"Session quit", Reason::LoggedOut),
    ];
    let words = text.strip_prefix(b"Disconnected: ").unwrap_or(text);
    REASONS.iter().find(|(start, _)| begins(words, start)).map_or(Reason::None, |(_, reason)| *reason)
}

/// lmtp and lda.
fn delivery<'a>(event: &mut Event<'a>, text: &'a [u8]) {
    if text.starts_with(b"Connect from ") {
        event.kind = EventKind::Connect;
        event.detail = Text::new(text);
    } else if text.starts_with(b"Disconnect from ") || text.starts_with(b"Client quit") {
        event.kind = EventKind::Disconnect;
        event.detail = Text::new(text);
    } else if let Some(at) = start_of_message(text) {
        if let Some(session) =
            text.get(..at).and_then(|before| before.strip_suffix(b": ")).filter(|s| *s != b"sieve")
        {
            event.session_id = Text::new(session.strip_suffix(b": sieve").unwrap_or(session));
        }
        let sieve = text.get(..at).is_some_and(|before| before.ends_with(b"sieve: "));
        message(event, text.get(at..).unwrap_or_default(), sieve);
    } else if text.starts_with(b"sieve: ") {
        event.kind = EventKind::Sieve;
        event.detail = Text::new(text);
    }
}

/// `msgid=`, perhaps after `sieve: ` or, in 2.2, after the session id.
fn start_of_message(text: &[u8]) -> Option<usize> {
    let at = find(text.get(..256).unwrap_or(text), b"msgid=")?;
    let before = text.get(..at)?;
    let only_ids = before.split(|&b| b == b' ').all(|word| word.is_empty() || word.ends_with(b":"));
    only_ids.then_some(at)
}

/// `msgid=<id>: saved mail to INBOX`. The id is the sender's text and may hold all of this, so what Dovecot did is read
/// from the right.
fn message<'a>(event: &mut Event<'a>, text: &'a [u8], sieve: bool) {
    const ACTIONS: [(&[u8], EventKind, Reason); 13] = [
        (b": saved mail to ", EventKind::Saved, Reason::None),
        (b": stored mail into mailbox ", EventKind::Saved, Reason::None),
        (b" action: stored mail into mailbox ", EventKind::Saved, Reason::None),
        (b": save failed to ", EventKind::Deferred, Reason::LocalTrouble),
        (b": failed to store into mailbox ", EventKind::Deferred, Reason::LocalTrouble),
        (b" action: failed to store into mailbox ", EventKind::Deferred, Reason::LocalTrouble),
        (b": forwarded to ", EventKind::Sieve, Reason::None),
        (b" action: ", EventKind::Sieve, Reason::None),
        (b": sent vacation response to ", EventKind::Sieve, Reason::None),
        (b": marked message to be discarded", EventKind::Sieve, Reason::None),
        (b": discarded ", EventKind::Sieve, Reason::None),
        (b": rejected", EventKind::Sieve, Reason::None),
        (b": Rejected", EventKind::Sieve, Reason::None),
    ];
    let text = text.strip_prefix(b"msgid=").unwrap_or(text);
    let found = ACTIONS.iter().find_map(|(words, kind, reason)| {
        let (id, rest) = rsplit_str(text, words)?;
        Some((id, rest, *kind, *reason))
    });
    let Some((id, rest, kind, reason)) = found else {
        if sieve {
            event.kind = EventKind::Sieve;
            event.detail = Text::new(text);
        }
        return;
    };
    (event.kind, event.reason) = (kind, reason);
    event.message_id = Text::new(message_id(id));
    event.detail = Text::new(rest);
    match kind {
        EventKind::Saved => event.object = Text::new(mailbox(rest)),
        EventKind::Deferred => {
            event.object = Text::new(mailbox(take_until(rest, |b| b == b':').0));
            if contains(rest, b"uota exceeded") {
                event.reason = Reason::QuotaExceeded;
            }
        }
        _ => {}
    }
}

/// `<id>` or `<id>: fileinto`.
fn message_id(id: &[u8]) -> &[u8] {
    let end = memchr::memrchr(b'>', id).unwrap_or(id.len());
    id.get(..end).and_then(|id| id.strip_prefix(b"<")).unwrap_or_default()
}

fn mailbox(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"'").and_then(|text| text.strip_suffix(b"'")).unwrap_or(text)
}

/// master, config, stats, indexers and the like.
fn service<'a>(event: &mut Event<'a>, text: &'a [u8]) {
    const STATES: [&[u8]; 10] = [
        b"Dovecot v",
        b"SIGHUP received",
        b"Killed with signal ",
        b"Shutting down",
        b"Server shutting down",
        b"Generating SSL parameters",
        b"SSL parameters regeneration completed",
        b"Sent SIG",
        b"Starting up",
        b"Initial SSL parameters",
    ];
    const NOTICES: [&[u8]; 8] = [
        b"Indexed ",
        b"Index ",
        b"Disconnected",
        b"Connection ",
        b"Client connected",
        b"Client disconnected",
        b"expunge: ",
        b"copy from ",
    ];
    if STATES.iter().any(|start| begins(text, start)) {
        event.kind = EventKind::ServiceState;
        event.detail = Text::new(text);
    } else if NOTICES.iter().any(|start| begins(text, start)) || event.program == Program::DovecotIndexer {
        notice(event, text);
    }
}

fn notice<'a>(event: &mut Event<'a>, text: &'a [u8]) {
    event.kind = EventKind::Notice;
    event.detail = Text::new(text);
}
