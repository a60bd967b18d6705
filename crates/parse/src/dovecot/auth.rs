//! `auth` and `auth-worker`: which password database said what about whom.
//!
//! | version | form |
//! |---|---|
//! | 2.2, 2.3 | `auth: passwd-file(user,192.0.2.1,<session>): unknown user` |
//! | 2.2, 2.3 | `auth-worker(12): conn unix:auth-worker (pid=1,uid=2): auth-worker<3>: sql(user,192.0.2.1): Password mismatch` |
//! | 2.4 | `auth(user,192.0.2.1,sasl:plain)<session>: passdb-default: Password mismatch` |
//!
//! The middle is Dovecot's and both sides may be the client's: the user name before it (up to 64 bytes; without
//! `auth_username_chars` it may hold anything, also `,192.0.2.66): unknown user`), and with
//! `auth_verbose_passwords = plain` the password after it. So every `)…: ` is a candidate for the end of the middle:
//! * what Dovecot says after a name it does not allow is longer than a name can be, so nobody can forge it: it decides;
//! * else the last candidate is the true one, unless an earlier one could be it as well, because the text after it may
//!   hold text of the client: then nobody can tell, and the event has no client. The login process, or Postfix, writes
//!   the same attempt in a line that can be told.

use core::net::IpAddr;

use mailward_model::{Event, EventKind, Reason, Text};
use memchr::{memchr, memchr_iter};

use super::{Level, begins, debug, is_name, level, session_id, trouble, without_password};
use crate::scan::{
    address, client_at, contains, decimal32, is_alphanumeric, is_hex, rsplit, split_str, take_until,
};

pub(super) fn parse<'a>(event: &mut Event<'a>, after: &'a [u8]) {
    if let Some(text) = after.strip_prefix(b": ") {
        return plain(event, text);
    }
    let Some(inner) = after.strip_prefix(b"(") else { return };
    if let Some((pid, text)) = worker(inner) {
        event.pid = pid;
        return plain(event, text);
    }
    if let Some(request) = Request::find(inner, event) {
        let (at, text) = level(request.message);
        let (database, said) = database(text);
        about(event, &Request { message: said, ..request }, at, database);
    }
}

/// `12): text` of a worker up to 2.3.
fn worker(inner: &[u8]) -> Option<(u32, &[u8])> {
    let (pid, rest) = take_until(inner, |b| b == b')');
    Some((decimal32(pid)?, rest.strip_prefix(b"): ")?))
}

/// `request [3]: passdb-default: text` or `passdb-default: text` of 2.4.
fn database(text: &[u8]) -> (&[u8], &[u8]) {
    let text = match text.strip_prefix(b"request [") {
        Some(rest) => split_str(rest, b"]: ").map_or(text, |(_, text)| text),
        None => text,
    };
    let (name, rest) = take_until(text, |b| !is_name(b));
    match rest.strip_prefix(b": ") {
        Some(said) if !name.is_empty() => (name, said),
        _ => (b"", text),
    }
}

/// What stands after `auth: `.
fn plain<'a>(event: &mut Event<'a>, text: &'a [u8]) {
    let (at, text) = level(text);
    let text = connection(text);
    let (name, rest) = take_until(text, |b| !is_name(b));
    let request =
        rest.strip_prefix(b"(").filter(|_| !name.is_empty()).and_then(|inner| Request::find(inner, event));
    match request {
        Some(request) => about(event, &request, at, name),
        None => service(event, at, text),
    }
}

/// Without `conn unix:auth-worker (pid=1,uid=2): auth-worker<3>: ` in front.
fn connection(text: &[u8]) -> &[u8] {
    let Some(rest) = text.strip_prefix(b"conn ") else { return text };
    let Some((_, rest)) = split_str(rest, b"): ") else { return text };
    match rest.strip_prefix(b"auth-worker<") {
        Some(numbered) => split_str(numbered, b">: ").map_or(rest, |(_, text)| text),
        None => rest,
    }
}

/// Who asked, and what was said about it.
#[derive(Clone, Copy)]
struct Request<'a> {
    user: &'a [u8],
    address: Option<IpAddr>,
    session: &'a [u8],
    method: &'a [u8],
    message: &'a [u8],
    /// More than one reading is possible.
    torn: bool,
}

/// `MAX_LOG_USERNAME_LEN` of auth/auth-request.c is 64; some room for `...`.
const LONGEST_USER: usize = 72;
/// A user, an address, a mechanism, a process id and a session id.
const LONGEST_MIDDLE: usize = 320;
/// With the address before it, longer than a user name can be.
const DISALLOWED: &[u8] = b"Username character disallowed by auth_username_chars: 0x";

impl<'a> Request<'a> {
    /// Reads from after the opening parenthesis.
    fn find(inner: &'a [u8], event: &Event<'_>) -> Option<Self> {
        let window = inner.get(..LONGEST_MIDDLE).unwrap_or(inner);
        let (mut possible, mut torn, mut last) = (None::<Self>, false, None::<Self>);
        for at in memchr_iter(b')', window) {
            let Some(candidate) = Self::ending_at(inner, at) else { continue };
            if candidate.user == b"?" && is_about_disallowed(candidate.message) {
                return Some(candidate.checked(event));
            }
            if let Some(earlier) = last.filter(|earlier| can_go_on(earlier.message)) {
                torn |= possible.is_some_and(|first| first.address != earlier.address);
                possible = possible.or(Some(earlier));
            }
            last = Some(candidate);
        }
        let last = last?;
        let differ = possible.is_some_and(|first| first.address != last.address);
        let request = possible.unwrap_or(last);
        if torn || differ || !is_whole(last.message) {
            return Some(Self { address: None, session: b"", torn: true, ..request });
        }
        Some(request.checked(event))
    }

    /// The request whose closing parenthesis is at `at`.
    fn ending_at(inner: &'a [u8], at: usize) -> Option<Self> {
        let (left, after) = (inner.get(..at)?, inner.get(at + 1..)?);
        let (later_session, message) = ids(after)?;
        let (left, session) = match left.strip_suffix(b">").and_then(|left| rsplit(left, b'<')) {
            Some((left, id)) if left.ends_with(b",") && is_id(id) => (left.strip_suffix(b",")?, id),
            _ => (left, later_session),
        };
        let left = left.strip_suffix(b",master").unwrap_or(left);
        let (left, method) = match rsplit(left, b',') {
            Some((left, last)) if is_mechanism(last) => (left, last.get(5..)?),
            _ => (left, &b""[..]),
        };
        let (user, address) = match rsplit(left, b',').map(|(user, last)| (user, address(last))) {
            Some((user, Some(address))) => (user, Some(address)),
            _ => (left, None),
        };
        (user.len() <= LONGEST_USER).then_some(Self { user, address, session, method, message, torn: false })
    }

    /// Without an address that the session id contradicts.
    fn checked(self, event: &Event<'_>) -> Self {
        let made_for = session_id::made_for(self.session, event.time);
        let wrong = made_for.is_some_and(|whose| self.address.is_some_and(|address| address != whose));
        if wrong { Self { address: None, ..self } } else { self }
    }
}

/// `<pid><session>: message` or `: message`.
fn ids(after: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut rest, mut session) = (after, &b""[..]);
    while let Some(inner) = rest.strip_prefix(b"<") {
        let (id, end) = take_until(inner.get(..96).unwrap_or(inner), |b| b == b'>');
        if end.is_empty() || !is_id(id) {
            return None;
        }
        session = if decimal32(id).is_some() { session } else { id };
        rest = inner.get(id.len() + 1..)?;
    }
    Some((session, rest.strip_prefix(b": ")?))
}

fn is_id(id: &[u8]) -> bool {
    id.len() <= 96
        && id.iter().all(|&b| is_alphanumeric(b) || matches!(b, b'+' | b'/' | b'=' | b':' | b'-' | b'.'))
}

/// `sasl:scram-sha-256`.
fn is_mechanism(text: &[u8]) -> bool {
    text.strip_prefix(b"sasl:").is_some_and(|name| name.len() <= 20 && name.iter().all(|&b| is_name(b)))
}

/// The whole of what a user name is too short to forge.
fn is_about_disallowed(message: &[u8]) -> bool {
    message
        .strip_prefix(DISALLOWED)
        .and_then(|rest| rest.get(2..))
        .is_some_and(|rest| rest.starts_with(b" (username: "))
}

/// What follows a refusal in Dovecot's own words; nothing where the message is no such refusal.
fn after_refusal(message: &[u8]) -> Option<&[u8]> {
    const REFUSALS: [&[u8]; 4] =
        [b"Password mismatch", b"unknown user", b"invalid credentials", b"User unknown"];
    // What Dovecot itself writes before a password is shorter than this.
    let (_, message) = database(message.get(..128).unwrap_or(message));
    REFUSALS.iter().find_map(|words| message.strip_prefix(*words))
}

/// Whether the line may go on after this message with text of the client. A refusal ends the line, or goes on with a
/// password in parentheses.
fn can_go_on(message: &[u8]) -> bool {
    after_refusal(message).is_none_or(|rest| contains(rest, b"(given password: "))
}

/// Whether Dovecot can have written this message: its refusals do not go on just anyhow.
fn is_whole(message: &[u8]) -> bool {
    after_refusal(message).is_none_or(|rest| {
        matches!(rest, b"" | b" ") || rest.starts_with(b" (") || rest.starts_with(b" - trying the next ")
    })
}

/// What a database said about a user.
fn about<'a>(event: &mut Event<'a>, request: &Request<'a>, at: Level, database: &'a [u8]) {
    let message = request.message;
    match at {
        Level::Debug => return debug(event),
        Level::Info => {}
        Level::Warning | Level::Error => return trouble(event, message),
    }
    let known =
        SAID.iter().find(|(words, ..)| begins(message, words)).map(|(_, kind, reason)| (*kind, *reason));
    let Some((kind, reason)) = known.or_else(|| with_password(message)) else { return };
    event.user = Text::new(if request.user == b"?" { b"" } else { request.user });
    event.session_id = Text::new(request.session);
    event.method = Text::new(if request.method.is_empty() { mechanism(database) } else { request.method });
    event.client = request.address.map(client_at);
    (event.kind, event.reason) = (kind, reason);
    event.detail = Text::new(message);
    if memchr(b'(', message).is_some() {
        event.detail = Text::new(without_password(message));
        event.password_digits = Text::new(password_digits(message));
    }
    if kind != EventKind::PasswordRefused {
        return;
    }
    if message.ends_with(b"db") && contains(message, b" - trying the next ") {
        event.kind = EventKind::Notice;
    } else if request.address.is_none() && !request.torn && reason == Reason::UnknownUser {
        event.kind = EventKind::UserLookup;
    }
}

/// Only a refusal is followed by the password, whatever its words.
fn with_password(message: &[u8]) -> Option<(EventKind, Reason)> {
    contains(message, PASSWORD).then_some((EventKind::PasswordRefused, Reason::Other))
}

const PASSWORD: &[u8] = b"given password: ";

/// Up to 2.3 a mechanism writes its own lines under its name, where a database has its.
fn mechanism(name: &[u8]) -> &[u8] {
    const MECHANISMS: [&[u8]; 17] = [
        b"plain",
        b"login",
        b"cram-md5",
        b"digest-md5",
        b"apop",
        b"ntlm",
        b"gssapi",
        b"gss-spnego",
        b"external",
        b"anonymous",
        b"otp",
        b"skey",
        b"rpa",
        b"scram-sha-1",
        b"scram-sha-256",
        b"xoauth2",
        b"oauthbearer",
    ];
    if MECHANISMS.contains(&name) { name } else { b"" }
}

/// `(SHA1 of given password: abcdef)`.
fn password_digits(message: &[u8]) -> &[u8] {
    let Some((before, rest)) = split_str(message, b" (SHA1 of given password: ") else { return b"" };
    let (digits, end) = take_until(rest, |b| b == b')');
    // A password in clear text could hold the words.
    if is_hex(digits) && !end.is_empty() && !contains(before, b"(given password") { digits } else { b"" }
}

/// The first words of what databases and mechanisms say; strings of auth 2.2 to 2.4.
const SAID: [(&[u8], EventKind, Reason); 63] = {
    use EventKind::{LoginAborted, Notice, PasswordRefused};
    [
        (b"Password mismatch", PasswordRefused, Reason::WrongPassword),
        (b"unknown user", PasswordRefused, Reason::UnknownUser),
        (b"invalid credentials", PasswordRefused, Reason::WrongPassword),
        (b"Invalid credentials", PasswordRefused, Reason::WrongPassword),
        (b"User unknown", PasswordRefused, Reason::UnknownUser),
        (b"user not found", PasswordRefused, Reason::UnknownUser),
        (b"User not found", PasswordRefused, Reason::UnknownUser),
        (DISALLOWED, PasswordRefused, Reason::UnknownUser),
        (b"Empty username", PasswordRefused, Reason::UnknownUser),
        (b"Invalid username", PasswordRefused, Reason::UnknownUser),
        (b"Username escaping is invalid", PasswordRefused, Reason::UnknownUser),
        (b"pam_authenticate() failed: User not known", PasswordRefused, Reason::UnknownUser),
        (b"pam_authenticate() failed: ", PasswordRefused, Reason::WrongPassword),
        (b"pam_acct_mgmt() failed: ", PasswordRefused, Reason::AccountDisabled),
        (b"Login failed (status=", PasswordRefused, Reason::WrongPassword),
        (b"Invalid password", PasswordRefused, Reason::WrongPassword),
        (b"Invalid ClientProof", PasswordRefused, Reason::WrongPassword),
        (b"No password returned", PasswordRefused, Reason::AccountDisabled),
        (b"nopassword set but password is non-empty", PasswordRefused, Reason::WrongPassword),
        (b"User found from deny passdb", PasswordRefused, Reason::AccountDisabled),
        (b"Password expired", PasswordRefused, Reason::AccountDisabled),
        (b"User is disabled", PasswordRefused, Reason::AccountDisabled),
        (b"User disabled", PasswordRefused, Reason::AccountDisabled),
        (b"Account is disabled", PasswordRefused, Reason::AccountDisabled),
        (b"Account disabled", PasswordRefused, Reason::AccountDisabled),
        (b"Login disabled", PasswordRefused, Reason::AccountDisabled),
        (b"allow_nets check failed", PasswordRefused, Reason::AuthPolicy),
        (b"allow_real_nets check failed", PasswordRefused, Reason::AuthPolicy),
        (b"Authentication failure due to policy server refusal", PasswordRefused, Reason::AuthPolicy),
        (b"Attempted login with password having illegal chars", PasswordRefused, Reason::BadEncoding),
        (b"Master user login attempted ", PasswordRefused, Reason::WrongPassword),
        (b"Attempted master login ", PasswordRefused, Reason::WrongPassword),
        (b"Client didn't present valid SSL certificate", PasswordRefused, Reason::ClientCertificate),
        (b"SSL certificate didn't contain username", PasswordRefused, Reason::ClientCertificate),
        (b"Token validation failed", PasswordRefused, Reason::CredentialsRefused),
        (b"Introspection failed", PasswordRefused, Reason::CredentialsRefused),
        (b"Local validation failed", PasswordRefused, Reason::CredentialsRefused),
        (b"Password grant failed", PasswordRefused, Reason::CredentialsRefused),
        (b"Token is not valid", PasswordRefused, Reason::CredentialsRefused),
        (b"Provided token is not valid", PasswordRefused, Reason::CredentialsRefused),
        (b"Invalid token", PasswordRefused, Reason::CredentialsRefused),
        (b"oauth2 failed", PasswordRefused, Reason::CredentialsRefused),
        (b"While processing incoming data", PasswordRefused, Reason::CredentialsRefused),
        (b"invalid input", PasswordRefused, Reason::BadEncoding),
        (b"Invalid base64", PasswordRefused, Reason::BadEncoding),
        (b"Invalid response value", PasswordRefused, Reason::BadEncoding),
        (b"Invalid GS2 header", PasswordRefused, Reason::BadEncoding),
        (b"Invalid channel binding", PasswordRefused, Reason::BadEncoding),
        (b"Invalid initial client message", PasswordRefused, Reason::BadEncoding),
        (b"Invalid final client message", PasswordRefused, Reason::BadEncoding),
        (b"Invalid authzid field", PasswordRefused, Reason::BadEncoding),
        (b"Invalid continued data", PasswordRefused, Reason::BadEncoding),
        (b"Missing ", PasswordRefused, Reason::BadEncoding),
        (b"missing ", PasswordRefused, Reason::BadEncoding),
        (b"NULs in response", PasswordRefused, Reason::BadEncoding),
        (b"Wrong nonce", PasswordRefused, Reason::BadEncoding),
        (b"Username or token missing", PasswordRefused, Reason::BadEncoding),
        (
            b"Request timed out waiting for client to continue authentication",
            LoginAborted,
            Reason::AuthAborted,
        ),
        (b"Policy ", Notice, Reason::AuthPolicy),
        (b"Master user logging in as ", Notice, Reason::None),
        (b"Cached ", Notice, Reason::None),
        (b"Requested ", Notice, Reason::BadMechanism),
        (b"Not performing authentication", Notice, Reason::None),
    ]
};

/// A line that is about no user.
fn service<'a>(event: &mut Event<'a>, at: Level, text: &'a [u8]) {
    const NOTICES: [&[u8]; 6] = [
        b"Client exited",
        b"Requesting DONE",
        b"Disconnected",
        b"Authentication cache ",
        b"Wrote new auth token secret",
        b"Read auth token secret",
    ];
    match at {
        Level::Debug => debug(event),
        Level::Warning | Level::Error => trouble(event, text),
        Level::Info if super::is_signal(text) => trouble(event, text),
        // About somebody, but nobody can tell about whom; a password must not get into the detail.
        Level::Info if contains(text, PASSWORD) => {
            (event.kind, event.reason) = (EventKind::PasswordRefused, Reason::Other);
        }
        Level::Info if NOTICES.iter().any(|start| begins(text, start)) => {
            event.kind = EventKind::Notice;
            event.detail = Text::new(text);
        }
        Level::Info => {}
    }
}
