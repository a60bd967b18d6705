//! Login processes: `imap-login: Disconnected: … (auth failed, 1 attempts in 2 secs): user=<…>, method=…, rip=…`.

use mailward_model::{Event, EventKind, Reason, Text};

use super::tail::{self, Said, Tail};
use super::{Level, begins, debug, level, tls, trouble};
use crate::scan::{address, client_at, contains, number, rsplit, split_str, take_until};

pub(super) fn parse<'a>(event: &mut Event<'a>, after: &'a [u8]) {
    let Some(text) = after.strip_prefix(b": ") else { return };
    match level(text) {
        (Level::Info, text) => info(event, text),
        (Level::Debug, _) => debug(event),
        (Level::Warning, text) if text.starts_with(b"SSL ") => tls_problem(event, text),
        (_, text) => trouble(event, text),
    }
}

fn info<'a>(event: &mut Event<'a>, text: &'a [u8]) {
    const SUCCEEDED: [&[u8]; 2] = [b"Login: ", b"Logged in: "];
    const ENDED: [&[u8]; 5] =
        [b"Disconnected", b"Login aborted: ", b"Aborted login", b"Inactivity", b"Too many invalid"];
    const PROXIED: [&[u8]; 2] = [b"proxy(", b"Started proxying to "];
    let starts = |list: &[&[u8]]| list.iter().any(|start| begins(text, start));
    if starts(&SUCCEEDED) {
        with_tail(event, text, Said::Own, |event, _| event.kind = EventKind::LoginSucceeded);
    } else if text.starts_with(b"Disconnected by ") {
        with_tail(event, text, Said::Mixed, |event, _| event.kind = EventKind::SessionEnded);
    } else if starts(&ENDED) {
        with_tail(event, text, Said::Own, ended);
    } else if text.starts_with(b"Login failed: ") {
        with_tail(event, text, Said::Own, announced);
    } else if starts(&PROXIED) {
        with_tail(event, text, Said::Mixed, proxied);
    } else if text.starts_with(b"access(") {
        refused_by_wrapper(event, text);
    } else {
        other(event, text);
    }
}

/// Fills what the elements tell, then lets `kind` decide.
fn with_tail<'a>(
    event: &mut Event<'a>,
    text: &'a [u8],
    said: Said,
    kind: impl FnOnce(&mut Event<'a>, &Tail<'a>),
) {
    let Some(tail) = tail::read(text, said, event.time) else { return };
    event.user = Text::new(tail.user);
    event.method = Text::new(tail.method);
    event.client = tail.address.map(client_at);
    event.session_id = Text::new(tail.session);
    event.tls = tail.tls();
    event.detail = Text::new(tail.said);
    kind(event, &tail);
}

/// A connection that ended before a login.
fn ended<'a>(event: &mut Event<'a>, tail: &Tail<'a>) {
    let (words, group) = groups(tail.said);
    let special = special(words);
    if special == Some(Special::Shutdown) {
        (event.kind, event.reason) = (EventKind::LoginUndecided, Reason::ServerShutdown);
    } else if special == Some(Special::Trouble) {
        (event.kind, event.reason) = (EventKind::LoginUndecided, Reason::AuthServiceTrouble);
    } else if let Some(error) = tail.handshake_error() {
        event.kind = EventKind::TlsFailed;
        event.reason = tls::reason(if error.is_empty() { tail.said } else { error });
    } else if special == Some(Special::Limit) {
        // The password was right before Dovecot counted: this is one of our own users.
        (event.kind, event.reason) = (EventKind::LoginUndecided, Reason::TooManyConnections);
    } else if group.starts_with(b"auth failed") || group.starts_with(b"authorization failed") {
        failed(event, tail, group);
    } else if special == Some(Special::Commands) {
        (event.kind, event.reason) = (EventKind::LoginAborted, Reason::TooManyInvalidCommands);
    } else if group.starts_with(b"disconnected during TLS handshake") {
        (event.kind, event.reason) = (EventKind::TlsFailed, tls::reason(words));
    } else {
        (event.kind, event.reason) = by_group(group);
    }
}

/// What the words before the group say that the group does not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Special {
    /// Dovecot stops, or is full.
    Shutdown,
    /// Dovecot's auth is broken.
    Trouble,
    /// One user has too many connections.
    Limit,
    /// Too many commands before the login.
    Commands,
}

fn special(words: &[u8]) -> Option<Special> {
    const BEGINNINGS: [(&[u8], Special); 10] = [
        (b"Shutting down", Special::Shutdown),
        (b"Server shutting down", Special::Shutdown),
        (b"Process shutting down", Special::Shutdown),
        (b"Connection queue full", Special::Shutdown),
        (b"Auth process broken", Special::Trouble),
        (b"Internal login failure", Special::Trouble),
        (b"Maximum number of connections", Special::Limit),
        (b"Too many invalid", Special::Commands),
        (b"Too many bad", Special::Commands),
        (b"Disconnected: Too many bad", Special::Commands),
    ];
    let words = words
        .strip_prefix(b"Disconnected: ")
        .or_else(|| words.strip_prefix(b"Login aborted: "))
        .unwrap_or(words);
    if words.starts_with(b"Connection closed") {
        return None;
    }
    BEGINNINGS.iter().find(|(start, _)| begins(words, start)).map(|(_, special)| *special)
}

/// `(auth failed, 3 attempts in 12 secs)`. Without a mechanism and without TLS no password was looked at: it came in
/// clear text where that is not allowed.
fn failed(event: &mut Event<'_>, tail: &Tail<'_>, group: &[u8]) {
    (event.kind, event.reason) = match (group.starts_with(b"auth failed"), tail.method, tail.secured) {
        (true, [], []) => (EventKind::LoginAborted, Reason::CleartextRefused),
        (true, ..) => (EventKind::LoginFailed, Reason::CredentialsRefused),
        (false, ..) => (EventKind::LoginFailed, Reason::AuthPolicy),
    };
    let attempts = split_str(group, b"failed, ").and_then(|(_, rest)| number(rest));
    event.count = attempts.and_then(|(n, _)| u32::try_from(n).ok()).unwrap_or(1).max(1);
}

/// The words of a text without the groups in parentheses at its end, and the group that tells why. Dovecot 2.4 adds
/// another group, a name for programs: `(auth failed, 1 attempts in 2 secs) (auth_failed)`.
fn groups(said: &[u8]) -> (&[u8], &[u8]) {
    let (words, group) = last_group(said);
    if group.is_empty() || group.contains(&b' ') {
        return (words, group);
    }
    match last_group(words) {
        (words, human) if !human.is_empty() => (words, human),
        _ => (words, group),
    }
}

fn last_group(said: &[u8]) -> (&[u8], &[u8]) {
    let Some((words, group)) = said.strip_suffix(b")").and_then(|said| rsplit(said, b'(')) else {
        return (said, b"");
    };
    (words.strip_suffix(b" ").unwrap_or(words), group)
}

/// `client_get_extra_disconnect_reason()` in login-common/client-common.c, 2.2 to 2.4.
const GROUPS: [(&[u8], EventKind, Reason); 29] = [
    (b"no auth attempts", EventKind::LoginAborted, Reason::NoAuthAttempt),
    (b"disconnected before auth was ready", EventKind::LoginAborted, Reason::NoAuthAttempt),
    (b"disconnected before greeting", EventKind::LoginAborted, Reason::NoAuthAttempt),
    (b"client didn't finish SASL auth", EventKind::LoginAborted, Reason::AuthAborted),
    (b"aborted authentication", EventKind::LoginAborted, Reason::AuthAborted),
    (b"auth aborted by client", EventKind::LoginAborted, Reason::AuthAborted),
    (b"disconnected while authenticating", EventKind::LoginAborted, Reason::AuthAborted),
    (b"disconnected while finishing login", EventKind::LoginUndecided, Reason::ConnectionLost),
    (b"tried to use disallowed ", EventKind::LoginAborted, Reason::CleartextRefused),
    (b"cleartext ", EventKind::LoginAborted, Reason::CleartextRefused),
    (b"tried to use unsupported ", EventKind::LoginAborted, Reason::BadMechanism),
    (b"cert required", EventKind::LoginAborted, Reason::ClientCertificate),
    (b"client sent an ", EventKind::LoginAborted, Reason::ClientCertificate),
    (b"client didn't send a cert", EventKind::LoginAborted, Reason::ClientCertificate),
    (b"auth process communication failure", EventKind::LoginUndecided, Reason::AuthServiceTrouble),
    (b"auth service reported temporary failure", EventKind::LoginUndecided, Reason::AuthServiceTrouble),
    (b"internal failure", EventKind::LoginUndecided, Reason::AuthServiceTrouble),
    (b"temporary ", EventKind::LoginUndecided, Reason::AuthServiceTrouble),
    (b"user disabled", EventKind::LoginFailed, Reason::AccountDisabled),
    (b"login disabled", EventKind::LoginFailed, Reason::AccountDisabled),
    (b"password expired", EventKind::LoginFailed, Reason::AccountDisabled),
    (b"proxy dest auth", EventKind::LoginFailed, Reason::CredentialsRefused),
    (b"proxy dest ", EventKind::LoginUndecided, Reason::RemoteUnreachable),
    (b"sent invalid base64", EventKind::LoginFailed, Reason::BadEncoding),
    (b"connection limit reached", EventKind::LoginUndecided, Reason::TooManyConnections),
    (b"client_limit and process_limit", EventKind::LoginUndecided, Reason::ServerShutdown),
    (b"The process is shutting down", EventKind::LoginUndecided, Reason::ServerShutdown),
    (b"auth referral", EventKind::LoginUndecided, Reason::None),
    (b"anonymous ", EventKind::LoginAborted, Reason::BadMechanism),
];

fn by_group(group: &[u8]) -> (EventKind, Reason) {
    GROUPS
        .iter()
        .find(|(words, ..)| begins(group, words))
        .map_or((EventKind::LoginAborted, Reason::ConnectionLost), |(_, kind, reason)| (*kind, *reason))
}

/// `Login failed: Plaintext authentication disabled`: with `auth_verbose`, a word ahead of the line that ends the
/// connection and counts the attempt; counting both would count twice.
fn announced<'a>(event: &mut Event<'a>, tail: &Tail<'a>) {
    event.kind = EventKind::Notice;
    event.reason = if contains(tail.said, b"authentication disabled") || contains(tail.said, b"SSL required")
    {
        Reason::CleartextRefused
    } else {
        Reason::CredentialsRefused
    };
}

/// Between us and another IMAP or POP3 server; the user name, and the other server's answer, are part of the text.
fn proxied<'a>(event: &mut Event<'a>, tail: &Tail<'a>) {
    let said = tail.said;
    let said = if said.starts_with(b"proxy(") {
        split_str(said, b"): ").map_or(said, |(_, said)| said)
    } else {
        said
    };
    event.detail = Text::new(said);
    (event.kind, event.reason) =
        if said.starts_with(b"started proxying") || said.starts_with(b"Started proxying") {
            (EventKind::LoginSucceeded, Reason::None)
        } else if said.starts_with(b"disconnecting") || said.starts_with(b"Disconnected") {
            (EventKind::SessionEnded, Reason::None)
        } else if said.starts_with(b"Login failed") || said.starts_with(b"Authenticate ") {
            // The line that ends the connection counts it.
            (EventKind::Notice, Reason::CredentialsRefused)
        } else {
            (EventKind::RemoteTrouble, Reason::Other)
        };
}

/// `access(tcpwrap): Client refused (rip=192.0.2.1)`, of `login_access_sockets`.
fn refused_by_wrapper<'a>(event: &mut Event<'a>, text: &'a [u8]) {
    let Some((_, rest)) = split_str(text, b"): Client refused (rip=") else { return };
    let (client, end) = take_until(rest, |b| b == b')');
    if end == b")" {
        event.client = address(client).map(client_at);
        (event.kind, event.reason) = (EventKind::Rejected, Reason::ClientRefused);
    }
}

/// `SSL alert: where=0x4004, ret=554: fatal unknown CA [192.0.2.1]` of `verbose_ssl` up to 2.2; the line that ends the
/// connection tells it again.
fn tls_problem<'a>(event: &mut Event<'a>, text: &'a [u8]) {
    event.kind = EventKind::TlsProblem;
    event.reason = if text.starts_with(b"SSL alert") { Reason::TlsAlert } else { tls::reason(text) };
    event.detail = Text::new(text);
}

fn other<'a>(event: &mut Event<'a>, text: &'a [u8]) {
    const NOTICES: [&[u8]; 5] =
        [b"ID sent: ", b"Connecting to ", b"Created proxy session", b"Kicked by admin", b"SSL: "];
    if NOTICES.iter().any(|start| begins(text, start)) {
        event.kind = EventKind::Notice;
        event.detail = Text::new(text);
    } else if text.starts_with(b"Maximum number of connections") {
        with_tail(event, text, Said::Own, |event, _| {
            (event.kind, event.reason) = (EventKind::LoginUndecided, Reason::TooManyConnections);
        });
    }
}
