//! What daemons say of themselves, without a client or message: start and stop, statistics, caches.

use mailward_model::{Client, Event, EventKind, Program, Reason, Text};

use super::{known, known_for, queue, tls};
use crate::scan::{address, decimal32, peer, split, split_str, starts_with_any, word};

/// Lines without severity and queue id.
pub(super) fn read<'a>(event: &mut Event<'a>, message: &'a [u8]) -> Option<()> {
    match event.program {
        Program::Anvil | Program::Scache => statistics(event, message),
        Program::Master | Program::PostfixScript => state(event, message),
        Program::PostfixCommand => queue::sums(event, message).or_else(|| command(event, message)),
        Program::Smtp | Program::PostfixLmtp => connection(event, message),
        _ => None,
    }
    .or_else(|| tls::established(event, message))
    .or_else(|| tls::notice(event, message))
    .or_else(|| anybody(event, message))
}

/// `statistics: max connection rate 7/60s for (submissions:198.51.100.35) at Nov 20 17:56:20`.
fn statistics<'a>(event: &mut Event<'a>, message: &'a [u8]) -> Option<()> {
    let text = message.strip_prefix(b"statistics: ")?;
    let Some((what, rest)) = text.strip_prefix(b"max ").and_then(|rest| split_str(rest, b" for (")) else {
        return known_for(event, EventKind::Notice, Reason::None, text);
    };
    let Some((key, _)) = split_str(rest, b") at ") else {
        return known_for(event, EventKind::Notice, Reason::None, text);
    };
    let (service, at) = split(key, b':')?;
    event.service = Text::new(service);
    event.client = Some(Client { address: address(at)?, port: 0, name: Text::EMPTY });
    let (number, what) = number_last(what)?;
    event.count = number.max(1);
    event.object = Text::new(what);
    known_for(event, EventKind::AnvilStatistics, Reason::None, text)
}

/// `connection rate 7/60s`: the number, and what it counts.
fn number_last(text: &[u8]) -> Option<(u32, &[u8])> {
    let (what, number) = crate::scan::rsplit(text, b' ')?;
    Some((decimal32(split(number, b'/').map_or(number, |(number, _)| number))?, what))
}

/// master(8), postfix(1) and its scripts.
fn state<'a>(event: &mut Event<'a>, message: &'a [u8]) -> Option<()> {
    const STATES: [&[u8]; 11] = [
        b"daemon started",
        b"reload",
        b"terminating on signal",
        b"starting the Postfix mail system",
        b"stopping the Postfix mail system",
        b"refreshing the Postfix mail system",
        b"aborting the Postfix mail system",
        b"waiting for the Postfix mail system",
        b"the Postfix mail system is",
        b"flushing the mail queue",
        b"service ",
    ];
    if starts_with_any(message, &STATES) {
        return known_for(event, EventKind::ServiceState, Reason::None, message);
    }
    const NOTICES: [&[u8]; 9] = [
        b"Postfix is ",
        b"See http",
        b"To disable ",
        b"Postfix is using",
        b"not owned by",
        b"Editing ",
        b"setting ",
        b"creating ",
        b"compatibility_level",
    ];
    starts_with_any(message, &NOTICES).then_some(())?;
    known_for(event, EventKind::Notice, Reason::None, message)
}

fn command<'a>(event: &mut Event<'a>, message: &'a [u8]) -> Option<()> {
    const NOTICES: [&[u8]; 4] = [b"statistics", b"consumed ", b"rotat", b"name_mask"];
    starts_with_any(message, &NOTICES).then_some(())?;
    known_for(event, EventKind::Notice, Reason::None, message)
}

/// `connect to name[address]:25: Connection refused`, of the SMTP client.
fn connection<'a>(event: &mut Event<'a>, message: &'a [u8]) -> Option<()> {
    let rest = message.strip_prefix(b"connect to ")?;
    let words = match peer(rest) {
        Some((_, words)) => {
            tls::to_server(event, rest)?;
            words
        }
        // A socket: `connect to mail.example.org[/var/run/dovecot/lmtp]: No such file or directory`.
        None => {
            let (server, _) = split_str(rest, b"]: ")?;
            event.relay = Text::new(rest.get(..server.len() + 1)?);
            rest.get(server.len() + 1..)?
        }
    };
    known_for(event, EventKind::RemoteTrouble, Reason::RemoteUnreachable, words.strip_prefix(b": ")?)
}

/// Lines that any daemon may write.
fn anybody<'a>(event: &mut Event<'a>, message: &'a [u8]) -> Option<()> {
    const NOTICES: [&[u8]; 12] = [
        b"cache ",
        b"close database ",
        b"using backwards-compatible default setting ",
        b"Postfix is ",
        b"table ",
        b"dict_",
        b"statistics: ",
        b"mail_queue_",
        b"auto_clnt_",
        b"rewriting ",
        b"replacing command ",
        b"tlsmgr_",
    ];
    if starts_with_any(message, &NOTICES) {
        return known_for(event, EventKind::Notice, Reason::None, message);
    }
    verbose(event, message)
}

/// The dialogue itself, with `-v` or `debug_peer_list`: `> client: 220 ...`, `< client: EHLO ...`. Nothing of it counts.
fn verbose<'a>(event: &mut Event<'a>, message: &'a [u8]) -> Option<()> {
    let (direction, rest) = word(message);
    (matches!(direction, b">" | b"<") && peer(rest).is_some()).then_some(())?;
    event.detail = Text::new(message);
    known(event, EventKind::Notice)
}
