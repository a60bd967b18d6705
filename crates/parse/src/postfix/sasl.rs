//! `warning: client: SASL LOGIN authentication failed: reason, sasl_username=x`.

use mailward_model::{Event, EventKind, Reason, Stage, Text};

use super::{known, known_for};
use crate::scan::{contains, split_str, starts_with_any};

/// What follows `client: SASL `. The mechanism is one word of the client's, which may hold blanks in quotes; the reason is
/// Postfix's, Dovecot's or Cyrus'; the login name (since 3.2) is the client's again and ends the line.
pub(super) fn read<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<()> {
    event.stage = Stage::Auth;
    match split_str(text, b" authentication failed:") {
        Some((method, words)) => failed(event, method, words.strip_prefix(b" ").unwrap_or(words)),
        None => aborted(event, text),
    }
}

fn failed<'a>(event: &mut Event<'a>, method: &'a [u8], words: &'a [u8]) -> Option<()> {
    let (words, name) = split_str(words, USER).unwrap_or((words, b""));
    // `NAME: RBL lookup error: words` begins with the domain of somebody's address, which pretends to be this line.
    (!contains(words, b": RBL lookup error: ")).then_some(())?;
    event.method = Text::new(method);
    event.user = user(name);
    let reason = reason(words);
    let kind = match reason {
        Reason::AuthServiceTrouble => EventKind::LoginUndecided,
        _ => EventKind::LoginFailed,
    };
    known_for(event, kind, reason, words)
}

/// The client gave up with `*` (RFC 4954 section 4).
fn aborted<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<()> {
    let (method, name) = split_str(text, b" authentication aborted")?;
    event.method = Text::new(method);
    event.user = if name.is_empty() { Text::EMPTY } else { user(name.strip_prefix(USER)?) };
    event.reason = Reason::AuthAborted;
    known(event, EventKind::LoginAborted)
}

const USER: &[u8] = b", sasl_username=";

/// Postfix writes `(unavailable)` where the exchange did not come as far as a name.
fn user(name: &[u8]) -> Text<'_> {
    if name == b"(unavailable)" { Text::EMPTY } else { Text::new(name) }
}

/// By the words of Postfix (`xsasl_dovecot_server.c`, `xsasl_cyrus_server.c`), Dovecot (`auth-request`, `auth-client`) and
/// Cyrus SASL (`sasl_errstring()`).
fn reason(words: &[u8]) -> Reason {
    match words {
        b""
        | b"(reason unavailable)"
        | b"authentication failure"
        | b"authorization failure"
        | b"Authentication failed." => Reason::CredentialsRefused,
        // Without a reason from the backend the last challenge stands here, in base64: `Password:`, a password was refused.
        b"UGFzc3dvcmQ6" => Reason::CredentialsRefused,
        // `Username:`: it ended before there was a password.
        b"VXNlcm5hbWU6" => Reason::BadEncoding,
        b"user not found" => Reason::UnknownUser,
        b"no mechanism available"
        | b"Invalid authentication mechanism"
        | b"Unsupported authentication mechanism."
        | b"Unsupported authentication mechanism" => Reason::BadMechanism,
        b"mechanism too weak"
        | b"encryption needed to use mechanism"
        | b"mechanism too weak for this user" => Reason::CleartextRefused,
        b"bad protocol / cancel" | b"another step is needed in authentication" => Reason::BadEncoding,
        b"generic failure"
        | b"remote authentication server unavailable"
        | b"no memory available"
        | b"system error"
        | b"Internal authentication failure" => Reason::AuthServiceTrouble,
        _ => reason_by_beginning(words),
    }
}

fn reason_by_beginning(words: &[u8]) -> Reason {
    const TROUBLE: [&[u8]; 6] = [
        b"Connection lost to authentication server",
        b"Temporary authentication failure",
        b"Internal error",
        b"Connection timed out",
        b"Can't connect to authentication server",
        b"transition needed",
    ];
    const DISABLED: [&[u8]; 8] = [
        b"account disabled",
        b"user account disabled",
        b"User disabled",
        b"Account is ",
        b"Account disabled",
        b"Login disabled",
        b"Password expired",
        b"passphrase expired",
    ];
    if starts_with_any(words, &TROUBLE) {
        return Reason::AuthServiceTrouble;
    }
    if starts_with_any(words, &DISABLED) {
        return Reason::AccountDisabled;
    }
    if words.starts_with(b"Invalid base64") {
        return Reason::BadEncoding;
    }
    if starts_with_any(words, &[b"Plaintext authentication", b"Cleartext authentication"]) {
        return Reason::CleartextRefused;
    }
    if contains(words, b"policy") {
        return Reason::AuthPolicy;
    }
    if is_challenge(words) { Reason::CredentialsRefused } else { Reason::Other }
}

/// One word of base64: the challenge of CRAM-MD5 and the like, to which the answer was wrong.
fn is_challenge(words: &[u8]) -> bool {
    words.len() >= 8 && words.len().is_multiple_of(4) && words.iter().all(|&b| is_base64(b))
}

const fn is_base64(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=')
}
