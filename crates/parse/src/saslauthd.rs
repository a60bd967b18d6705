//! Lines of saslauthd: `do_auth         : auth failure: [user=…] [service=smtp] [realm=] [mech=pam] [reason=…]`.
//! It knows no client; the service that asked writes it.

use mailward_model::{Event, EventKind, Reason, Text};

use crate::scan::{contains, rsplit_str, split_str, value};

pub(crate) fn parse<'a>(event: &mut Event<'a>, message: &'a [u8]) {
    let text = split_str(message.get(..40).unwrap_or(message), b": ");
    let text = text.and_then(|(head, _)| message.get(head.len() + 2..)).unwrap_or(message);
    event.detail = Text::new(text);
    if let Some(fields) = text.strip_prefix(b"auth failure: ") {
        event.kind = EventKind::LoginFailed;
        fill(event, fields);
    } else if let Some(fields) = text.strip_prefix(b"auth success: ") {
        event.kind = EventKind::LoginSucceeded;
        fill(event, fields);
    } else {
        event.kind = other(text);
    }
}

/// The user is the client's text, so it ends at the last place where it can.
fn fill<'a>(event: &mut Event<'a>, fields: &'a [u8]) {
    let Some((user, rest)) = rsplit_str(fields, b"] [service=") else { return };
    event.user = Text::new(user.strip_prefix(b"[user=").unwrap_or(user));
    event.service = Text::new(rest.split(|&b| b == b']').next().unwrap_or_default());
    let reason = value(rest, b"[reason=", b']').unwrap_or_default();
    event.detail = Text::new(reason);
    event.reason = match event.kind {
        EventKind::LoginFailed if contains(reason, b"user unknown") || contains(reason, b"unknown user") => {
            Reason::UnknownUser
        }
        EventKind::LoginFailed => Reason::CredentialsRefused,
        _ => Reason::None,
    };
}

fn other(text: &[u8]) -> EventKind {
    const STATES: [&[u8]; 8] = [
        b"master pid is",
        b"listening on socket",
        b"master exited",
        b"Caught signal",
        b"released lock",
        b"using accept lock",
        b"pam_",
        b"daemon started",
    ];
    const TROUBLES: [&[u8]; 6] =
        [b"PAM auth error", b"failed", b"failure", b"could not", b"cannot", b"error"];
    if let Some(state) = STATES.iter().find(|start| contains(text, start)) {
        return if *state == b"pam_" { EventKind::Notice } else { EventKind::ServiceState };
    }
    if TROUBLES.iter().any(|words| contains(text, words)) {
        EventKind::ServiceTrouble
    } else {
        EventKind::Unknown
    }
}
