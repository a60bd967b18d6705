//! Lines of PAM modules under a mail program's name:
//! `pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=… rhost=192.0.2.1  user=…`.
//!
//! `ruser` before `rhost` is the login name as the client sent it, and some modules write `user` after it although there is
//! no such account. So the address counts only if the line has one place for it. The program that asked PAM writes the
//! same attempt, and counts it.

use mailward_model::{Event, EventKind, Reason, Text};

use crate::scan::{address, client_at, contains, split_str, take_until};

pub(crate) fn parse<'a>(event: &mut Event<'a>, message: &'a [u8]) {
    let Some((module, text)) = split_str(message, b"): ") else { return };
    let Some((_, service)) = split_str(module, b"(") else { return };
    event.service = Text::new(take_until(service, |b| b == b':').0);
    event.detail = Text::new(take_until(text, |b| b == b';').0);
    event.kind = EventKind::Notice;
    if let Some(fields) = text.strip_prefix(b"authentication failure; ") {
        failure(event, fields);
    } else if text.starts_with(b"check pass; user unknown") {
        event.reason = Reason::UnknownUser;
    } else if contains(text, b"account") && contains(text, b"expired") {
        event.reason = Reason::AccountDisabled;
    } else if !is_known(text) {
        event.kind = EventKind::Unknown;
    }
}

fn failure<'a>(event: &mut Event<'a>, fields: &'a [u8]) {
    event.reason = Reason::CredentialsRefused;
    let Some((before, rest)) = split_str(fields, b" rhost=") else { return };
    if contains(rest, b" rhost=") {
        return;
    }
    let (host, after) = take_until(rest, |b| b == b' ');
    event.client = address(host).map(client_at);
    let user = split_str(after, b" user=").map(|(_, user)| user);
    let user = user.or_else(|| split_str(before, b" ruser=").map(|(_, ruser)| ruser));
    event.user = Text::new(user.unwrap_or_default());
}

fn is_known(text: &[u8]) -> bool {
    const KNOWN: [&[u8]; 8] = [
        b"session opened",
        b"session closed",
        b"authentication success",
        b"received for user ",
        b"could not identify user",
        b"bad username",
        b"password changed",
        b"more authentication failures",
    ];
    KNOWN.iter().any(|start| text.starts_with(start))
}
