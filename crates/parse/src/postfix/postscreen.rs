//! postscreen(8), the gate before smtpd, with its helpers dnsblog(8) and tlsproxy(8).
//!
//! The client is `[address]:port`, right after fixed words; what it said comes after it, escaped.

use mailward_model::{Client, Event, EventKind, Reason, Stage, Text};

use super::{known, known_for, refusal, stage, tls};
use crate::scan::{address, bracketed, decimal32, split, split_str, starts_with_any, word};

/// Lines of postscreen.
pub(super) fn read<'a>(event: &mut Event<'a>, message: &'a [u8]) -> Option<()> {
    match message.first()? {
        b'C' => connect_or_command(event, message),
        b'P' => pass_or_pregreet(event, message),
        b'D' => disconnect_or_listed(event, message),
        b'H' => hangup(event, message.strip_prefix(b"HANGUP after ")?),
        b'N' => non_smtp_or_refusal(event, message),
        b'A' | b'W' | b'B' => listed(event, message),
        _ => notice(event, message),
    }
}

/// Takes the client off the text.
fn client<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<&'a [u8]> {
    let (address, port, rest) = bracketed(text)?;
    event.client = Some(Client { address, port, name: Text::EMPTY });
    Some(rest)
}

/// Where the line ends with the client.
fn only_client<'a>(event: &mut Event<'a>, text: &'a [u8], kind: EventKind) -> Option<()> {
    client(event, text)?.is_empty().then_some(())?;
    known(event, kind)
}

fn connect_or_command<'a>(event: &mut Event<'a>, message: &'a [u8]) -> Option<()> {
    if let Some(rest) = message.strip_prefix(b"CONNECT from ") {
        client(event, rest)?;
        event.stage = Stage::Connect;
        return known(event, EventKind::Connect);
    }
    let rest = message.strip_prefix(b"COMMAND ")?;
    let (kind, reason, rest) = if let Some(rest) = rest.strip_prefix(b"PIPELINING from ") {
        (EventKind::Pipelining, Reason::Pipelining, rest)
    } else if let Some(rest) = rest.strip_prefix(b"TIME LIMIT from ") {
        (EventKind::Timeout, Reason::Timeout, rest)
    } else if let Some(rest) = rest.strip_prefix(b"COUNT LIMIT from ") {
        (EventKind::TooManyErrors, Reason::TooManyErrors, rest)
    } else {
        (EventKind::TooManyErrors, Reason::ProtocolError, rest.strip_prefix(b"LENGTH LIMIT from ")?)
    };
    let rest = client(event, rest)?;
    after_command(event, rest, kind, reason)
}

/// ` after EHLO: what the client said`, each part optional.
fn after_command<'a>(event: &mut Event<'a>, rest: &'a [u8], kind: EventKind, reason: Reason) -> Option<()> {
    let Some(rest) = rest.strip_prefix(b" after ") else { return known_for(event, kind, reason, b"") };
    let (command, said) = split(rest, b':').unwrap_or((rest, b""));
    event.stage = stage(command);
    known_for(event, kind, reason, said.strip_prefix(b" ").unwrap_or(said))
}

fn pass_or_pregreet<'a>(event: &mut Event<'a>, message: &'a [u8]) -> Option<()> {
    if let Some(rest) = message.strip_prefix(b"PASS ") {
        let (age, rest) = word(rest);
        event.detail = Text::new(age);
        return only_client(event, rest, EventKind::ScreenPass);
    }
    let (size, rest) = word(message.strip_prefix(b"PREGREET ")?);
    decimal32(size)?;
    let (_seconds, rest) = word(rest.strip_prefix(b"after ")?);
    let said = client(event, rest.strip_prefix(b"from ")?)?;
    event.stage = Stage::Connect;
    known_for(event, EventKind::Pregreet, Reason::Pregreet, said.strip_prefix(b": ")?)
}

fn disconnect_or_listed<'a>(event: &mut Event<'a>, message: &'a [u8]) -> Option<()> {
    if let Some(rest) = message.strip_prefix(b"DISCONNECT ") {
        return only_client(event, rest, EventKind::Disconnect);
    }
    if let Some(rest) = message.strip_prefix(b"DNSBL rank ") {
        let (rank, rest) = word(rest);
        only_client(event, rest.strip_prefix(b"for ")?, EventKind::DnsblRank)?;
        (event.reason, event.detail) = (Reason::DnsblListed, Text::new(rank));
        return Some(());
    }
    if let Some(rest) = message.strip_prefix(b"DATA without valid RCPT from ") {
        event.stage = Stage::Data;
        only_client(event, rest, EventKind::SyntaxError)?;
        event.reason = Reason::ProtocolError;
        return Some(());
    }
    listed(event, message)
}

/// The client is on postscreen's access list; the words until 3.5, and with `respectful_logging = no`, are the old ones.
fn listed<'a>(event: &mut Event<'a>, message: &'a [u8]) -> Option<()> {
    let (verdict, rest) = word(message);
    match verdict {
        b"ALLOWLISTED" | b"WHITELISTED" => only_client(event, rest, EventKind::ScreenAllowlisted),
        b"DENYLISTED" | b"BLACKLISTED" => {
            only_client(event, rest, EventKind::ScreenDenylisted)?;
            event.reason = Reason::ClientRefused;
            Some(())
        }
        // The client came to an address that is not ours alone (postscreen_allowlist_interfaces).
        b"ALLOWLIST" | b"WHITELIST" => {
            only_client(event, rest.strip_prefix(b"VETO ")?, EventKind::Notice)?;
            event.detail = Text::new(b"VETO");
            Some(())
        }
        b"BARE" => {
            let rest = client(event, rest.strip_prefix(b"NEWLINE from ")?)?;
            after_command(event, rest, EventKind::BareNewline, Reason::BareNewline)
        }
        b"BDAT" => {
            event.stage = Stage::Data;
            only_client(event, rest.strip_prefix(b"without valid RCPT from ")?, EventKind::SyntaxError)?;
            event.reason = Reason::ProtocolError;
            Some(())
        }
        b"Anonymous" => tls::established(event, message),
        _ => None,
    }
}

/// `4 from [address]:port in tests before SMTP handshake`.
fn hangup<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<()> {
    let (_seconds, rest) = word(text);
    let rest = client(event, rest.strip_prefix(b"from ")?)?;
    let when = rest.strip_prefix(b" in ")?;
    event.stage = if when.starts_with(b"tests before") { Stage::Connect } else { Stage::Other };
    known_for(event, EventKind::ScreenHangup, Reason::ConnectionLost, when)
}

fn non_smtp_or_refusal<'a>(event: &mut Event<'a>, message: &'a [u8]) -> Option<()> {
    if let Some(text) = message.strip_prefix(b"NOQUEUE: ") {
        return refusal::read(event, text);
    }
    let rest = client(event, message.strip_prefix(b"NON-SMTP COMMAND from ")?)?;
    after_command(event, rest, EventKind::NonSmtpCommand, Reason::NonSmtpCommand)
}

fn notice<'a>(event: &mut Event<'a>, message: &'a [u8]) -> Option<()> {
    if let Some(rest) =
        message.strip_prefix(b"using backwards-compatible default setting respectful_logging=no")
    {
        if let Some(rest) = rest.strip_prefix(b" for client ") {
            client(event, rest)?;
        }
        return known_for(event, EventKind::Notice, Reason::None, message);
    }
    if message.starts_with(b"[") && message.windows(12).take(96).any(|w| w == b": discarding") {
        client(event, message)?;
        return known_for(event, EventKind::Notice, Reason::None, message);
    }
    let is_stress = starts_with_any(message, &[b"entering STRESS mode", b"leaving STRESS mode"]);
    is_stress.then_some(())?;
    known_for(event, EventKind::ServiceState, Reason::TooManyConnections, message)
}

/// `addr 192.0.2.1 listed by domain zen.example as 127.0.0.2`.
pub(super) fn dnsblog<'a>(event: &mut Event<'a>, message: &'a [u8]) -> Option<()> {
    let (at, rest) = word(message.strip_prefix(b"addr ")?);
    let (verb, rest) = split_str(rest, b" by domain ")?;
    matches!(verb, b"listed" | b"blocked").then_some(())?;
    let (list, answers) = split_str(rest, b" as ")?;
    event.client = Some(Client { address: address(at)?, port: 0, name: Text::EMPTY });
    event.object = Text::new(list);
    // 127.255.255.x says that the query was refused, not that the client is listed.
    let is_error = answers.starts_with(b"127.255.255.");
    let reason = if is_error { Reason::DnsblError } else { Reason::DnsblListed };
    known_for(event, EventKind::DnsblListed, reason, answers)
}

/// tlsproxy speaks TLS for postscreen, and for the client side of smtp.
pub(super) fn tlsproxy<'a>(event: &mut Event<'a>, message: &'a [u8]) -> Option<()> {
    if let Some(rest) = message.strip_prefix(b"CONNECT from ") {
        event.stage = Stage::Connect;
        return only_client(event, rest, EventKind::Connect);
    }
    if let Some(rest) = message.strip_prefix(b"CONNECT to ") {
        event.relay = Text::new(rest);
        event.relay_address = bracketed(rest).map(|(address, _, _)| address);
        return known_for(event, EventKind::Notice, Reason::None, b"");
    }
    if let Some(rest) = message.strip_prefix(b"DISCONNECT ") {
        return only_client(event, rest, EventKind::Disconnect);
    }
    if let Some(rest) = message.strip_prefix(b"TLS handshake failed for service=") {
        let (_service, peer) = word(rest);
        event.stage = Stage::Starttls;
        only_client(event, peer.strip_prefix(b"peer=")?, EventKind::TlsFailed)?;
        event.reason = Reason::TlsProtocol;
        return Some(());
    }
    tls::accept_error(event, message).or_else(|| tls::established(event, message))
}
