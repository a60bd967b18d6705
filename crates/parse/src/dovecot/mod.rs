//! Lines of Dovecot 2.2, 2.3 and 2.4: `process[(who)][<pid>][<session>]: [Level: ]text`.
//!
//! The processes differ in which end of the line is theirs, so each has its own reader: [`login`] trusts the right end,
//! [`auth`] the middle, [`session`] the left.

mod auth;
mod login;
mod session;
mod session_id;
mod tail;
mod tls;

use mailward_model::{Event, EventKind, Program, Reason, Text};
use memchr::memchr_iter;

use crate::scan::{contains, is_alphanumeric, split, take_until};

pub(crate) fn parse<'a>(event: &mut Event<'a>, message: &'a [u8]) {
    let (name, after) = take_until(message, |b| !is_name(b));
    let Some((program, service)) = process(name) else {
        event.program = Program::DovecotService;
        return;
    };
    event.program = program;
    event.service = service.map_or(Text::new(name), Text::from);
    match program {
        Program::DovecotLogin => login::parse(event, after),
        Program::DovecotAuth => auth::parse(event, after),
        _ => session::parse(event, after),
    }
}

/// A byte in the name of a process, database or mechanism.
fn is_name(b: u8) -> bool {
    is_alphanumeric(b) | matches!(b, b'-' | b'_')
}

/// The program behind a process name, and the service where the name is not the service itself.
fn process(name: &[u8]) -> Option<(Program, Option<&'static str>)> {
    Some(match name {
        b"imap-login" | b"imap-urlauth-login" => (Program::DovecotLogin, Some("imap")),
        b"pop3-login" => (Program::DovecotLogin, Some("pop3")),
        b"managesieve-login" | b"sieve-login" => (Program::DovecotLogin, Some("sieve")),
        b"submission-login" => (Program::DovecotLogin, Some("submission")),
        b"auth" | b"auth-worker" => (Program::DovecotAuth, Some("auth")),
        b"imap" | b"imap-hibernate" | b"imap-urlauth" | b"imap-urlauth-worker" => {
            (Program::DovecotSession, Some("imap"))
        }
        b"pop3" => (Program::DovecotSession, Some("pop3")),
        b"managesieve" => (Program::DovecotSession, Some("sieve")),
        b"submission" => (Program::DovecotSession, Some("submission")),
        b"lmtp" => (Program::DovecotLmtp, Some("lmtp")),
        b"lda" | b"deliver" | b"dovecot-lda" => (Program::DovecotLda, Some("lda")),
        b"indexer" | b"indexer-worker" => (Program::DovecotIndexer, None),
        b"master" | b"anvil" | b"log" | b"config" | b"stats" | b"old-stats" | b"ssl-params" | b"dict"
        | b"dict-async" | b"dict-expire" | b"director" | b"ipc" | b"doveadm" | b"doveadm-server"
        | b"dsync-server" | b"dsync-local" | b"dsync-remote" | b"replicator" | b"aggregator"
        | b"quota-status" | b"script" | b"script-login" | b"health-check" | b"login-proxy" | b"tcpwrap"
        | b"welcome" | b"dns-client" | b"dns_client" | b"dovecot" | b"doveconf" | b"fts" | b"token-login" => {
            (Program::DovecotService, None)
        }
        _ => return None,
    })
}

/// How bad a line is; syslog carries no level in the text unless Dovecot writes one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Debug,
    Info,
    Warning,
    Error,
}

/// The level in front of a text, and the text.
fn level(text: &[u8]) -> (Level, &[u8]) {
    let window = text.get(..8).unwrap_or(text);
    let Some((name, _)) = split(window, b':') else { return (Level::Info, text) };
    let level = match name {
        b"Info" => Level::Info,
        b"Error" | b"Fatal" | b"Panic" => Level::Error,
        b"Warning" => Level::Warning,
        b"Debug" => Level::Debug,
        _ => return (Level::Info, text),
    };
    match text.get(name.len()..).and_then(|rest| rest.strip_prefix(b": ")) {
        Some(rest) => (level, rest),
        None => (Level::Info, text),
    }
}

/// A line of `Warning`, `Error`, `Fatal` or `Panic`: Dovecot's own affair and nobody's offence.
fn trouble<'a>(event: &mut Event<'a>, text: &'a [u8]) {
    event.kind = if is_signal(text) { EventKind::ServiceState } else { EventKind::ServiceTrouble };
    event.reason = if contains(text, b"Quota exceeded") { Reason::QuotaExceeded } else { Reason::None };
    event.detail = Text::new(without_password(text));
}

/// What a stop, a start or a reload makes processes write.
fn is_signal(text: &[u8]) -> bool {
    const STATES: [&[u8]; 6] = [
        b"Killed with signal ",
        b"SIGHUP received",
        b"Sent SIGTERM to ",
        b"Sent SIGKILL to ",
        b"Processes aren't dying after ",
        b"SIGUSR1 received",
    ];
    STATES.iter().any(|state| begins(text, state))
}

/// A debug line; it may hold passwords (`auth_debug_passwords`) and is not kept.
fn debug(event: &mut Event<'_>) {
    event.kind = EventKind::Notice;
}

/// Cut before a password or its digits: `auth_verbose_passwords` writes `(given password: secret)` or
/// `(SHA1 of given password: abcdef)`, and some errors quote one.
fn without_password(text: &[u8]) -> &[u8] {
    memchr_iter(b'w', text).find_map(|at| before_password(text, at)).unwrap_or(text)
}

/// What stands before a password whose announcement has its `w` at `at`.
fn before_password(text: &[u8], at: usize) -> Option<&[u8]> {
    let after = text.get(at..)?.strip_prefix(b"word")?;
    (after.starts_with(b": ") || after.starts_with(b" '")).then_some(())?;
    let (_, before) = text.get(..at)?.strip_suffix(b"ass")?.split_last()?;
    let group =
        before.strip_suffix(b"given ").map(|before| before.strip_suffix(b"SHA1 of ").unwrap_or(before));
    Some(group.and_then(|before| before.strip_suffix(b" (")).unwrap_or(before))
}

/// `starts_with` for a long list: most are told apart by their first byte.
fn begins(text: &[u8], start: &[u8]) -> bool {
    text.first() == start.first() && text.starts_with(start)
}
