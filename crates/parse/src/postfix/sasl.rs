//! `warning: client: SASL LOGIN authentication failed: reason, sasl_username=x`.

use mailward_model::{Event, EventKind, Reason, Stage, Text};

use super::{known, known_for};
use crate::scan::{split_str, starts_with_any, word};

/// What follows `client: SASL `. The mechanism is one word of the client's; the reason is Postfix's, Dovecot's or Cyrus'; the
/// login name (since 3.2) is the client's again and ends the line.
pub(super) fn read<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<()> {
    let (method, rest) = word(text);
    let outcome = rest.strip_prefix(b"authentication ")?;
    event.method = Text::new(method);
    event.stage = Stage::Auth;
    if let Some(after) = outcome.strip_prefix(b"aborted") {
        event.user = user(after.strip_prefix(b", sasl_username=").unwrap_or_default());
        event.reason = Reason::AuthAborted;
        return known(event, EventKind::LoginAborted);
    }
    let words = outcome.strip_prefix(b"failed:")?;
    let words = words.strip_prefix(b" ").unwrap_or(words);
    let (words, name) = split_str(words, b", sasl_username=").unwrap_or((words, b""));
    event.user = user(name);
    let reason = reason(words);
    let kind = match reason {
        Reason::AuthServiceTrouble => EventKind::LoginUndecided,
        _ => EventKind::LoginFailed,
    };
    known_for(event, kind, reason, words)
}

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
    if crate::scan::contains(words, b"policy") {
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
