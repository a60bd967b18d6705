//! Lines with a severity in front: `warning: `, `error: `, `fatal: `, `panic: `.

use mailward_model::{Client, Event, EventKind, Program, Reason, Stage, Text};

use super::{Severity, client, known_for, sasl, stage, tls};
use crate::scan::{address, contains, decimal32, peer, split_str, starts_with_any, word};

/// What follows the severity. A warning that is not about a client is a trouble of the service's own.
pub(super) fn read<'a>(event: &mut Event<'a>, severity: Severity, text: &'a [u8]) -> Option<()> {
    if severity == Severity::Warning
        && matches!(event.program, Program::Smtpd)
        && about_client(event, text).is_some()
    {
        return Some(());
    }
    if let Some(problem) = text.strip_prefix(b"TLS library problem: ") {
        return tls::library_problem(event, problem);
    }
    if severity == Severity::Warning && event.program == Program::Dnsblog {
        return known_for(event, EventKind::ServiceTrouble, Reason::DnsTrouble, text);
    }
    if severity == Severity::Warning && is_harmless(text) {
        return known_for(event, EventKind::Notice, Reason::None, text);
    }
    known_for(event, EventKind::ServiceTrouble, trouble(text), text)
}

fn about_client<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<()> {
    if let Some(rest) = text.strip_prefix(b"hostname ") {
        return name_mismatch(event, rest);
    }
    if let Some(rest) = text.strip_prefix(b"non-").and_then(|rest| split_str(rest, b" command from ")) {
        return non_smtp(event, rest.1);
    }
    if let Some(rest) = text.strip_prefix(b"Illegal address syntax from ") {
        return illegal_address(event, rest);
    }
    if let Some(rest) = text.strip_prefix(b"Wrapper-mode request dropped from ") {
        let (client, _) = client(rest)?;
        event.client = client;
        return known_for(event, EventKind::ServiceTrouble, Reason::LocalTrouble, text);
    }
    limit(event, text).or_else(|| from_the_left(event, text))
}

/// `client: SASL ...`. Other warnings that begin with a client need no client.
fn from_the_left<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<()> {
    let Some((client, rest)) = peer(text) else { return old_name_mismatch(event, text) };
    let rest = rest.strip_prefix(b": SASL ")?;
    sasl::read(event, rest)?;
    event.client = Some(client);
    Some(())
}

/// `NAME does not resolve to address ADDRESS`, perhaps with the resolver's words after it. Before `connect from`.
fn name_mismatch<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<()> {
    let (name, rest) = word(text);
    let rest = rest.strip_prefix(b"does not resolve to address ")?;
    let (at, words) = split_str(rest, b": ").unwrap_or((rest, b""));
    mismatch(event, at, name, words)
}

/// `ADDRESS: hostname NAME verification failed: words` and `ADDRESS: address not listed for hostname NAME`, until 2.8.
fn old_name_mismatch<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<()> {
    let (at, rest) = split_str(text, b": ")?;
    if let Some(name) = rest.strip_prefix(b"address not listed for hostname ") {
        return mismatch(event, at, name, rest);
    }
    let (name, words) = word(rest.strip_prefix(b"hostname ")?);
    words.starts_with(b"verification failed").then_some(())?;
    mismatch(event, at, name, words)
}

fn mismatch<'a>(event: &mut Event<'a>, at: &'a [u8], name: &'a [u8], words: &'a [u8]) -> Option<()> {
    event.client = Some(Client { address: address(at)?, port: 0, name: Text::EMPTY });
    event.object = Text::new(name);
    event.stage = Stage::Connect;
    known_for(event, EventKind::NameMismatch, Reason::ClientName, words)
}

fn non_smtp<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<()> {
    let (client, rest) = client(text)?;
    event.client = client;
    event.stage = Stage::Other;
    known_for(event, EventKind::NonSmtpCommand, Reason::NonSmtpCommand, rest.strip_prefix(b": ")?)
}

/// `client in RCPT command: what the client wrote`.
fn illegal_address<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<()> {
    let (client, rest) = client(text)?;
    let (command, rest) = word(rest.strip_prefix(b" in ")?);
    event.client = client;
    event.stage = stage(command);
    known_for(event, EventKind::SyntaxError, Reason::ProtocolError, rest.strip_prefix(b"command: ")?)
}

/// `Connection rate limit exceeded: 31 from client for service submission`, by anvil's counts.
fn limit<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<()> {
    let (reason, stage, rest) = LIMITS
        .iter()
        .find_map(|(words, reason, stage)| Some((*reason, *stage, text.strip_prefix(*words)?)))?;
    let (number, rest) = word(rest.strip_prefix(b" limit exceeded: ")?);
    decimal32(number)?;
    let (client, _) = client(rest.strip_prefix(b"from ")?)?;
    event.client = client;
    event.stage = stage;
    known_for(event, EventKind::LimitExceeded, reason, text)
}

const LIMITS: [(&[u8], Reason, Stage); 8] = [
    (b"Connection concurrency", Reason::TooManyConnections, Stage::Connect),
    (b"Connection rate", Reason::RateExceeded, Stage::Connect),
    (b"New TLS session rate", Reason::RateExceeded, Stage::Starttls),
    (b"Message delivery request rate", Reason::RateExceeded, Stage::Mail),
    (b"Message rate", Reason::RateExceeded, Stage::Mail),
    (b"Recipient address rate", Reason::RateExceeded, Stage::Rcpt),
    (b"AUTH command rate", Reason::RateExceeded, Stage::Auth),
    (b"AUTH rate", Reason::RateExceeded, Stage::Auth),
];

/// Warnings that need nobody: odd names in others' DNS, advice, and what libsasl repeats of a failed login.
fn is_harmless(text: &[u8]) -> bool {
    const WORDS: [&[u8]; 23] = [
        b"getpeername: Transport endpoint is not connected",
        b"numeric hostname: ",
        b"valid_hostname: ",
        b"valid_ipv4_hostaddr: ",
        b"valid_ipv6_hostaddr: ",
        b"malformed domain name in resource data",
        b"numeric domain name in resource data",
        b"Unable to look up ",
        b"no MX host for ",
        b"No MX host for ",
        b"host ",
        b"dict_nis_init: ",
        b"restriction ",
        b"SASL authentication failure: ",
        b"smtputf8_",
        b"support for ",
        b"please avoid flushing",
        b"this may slow down",
        b"you may need to ",
        b"to avoid this condition",
        b"see http",
        b"See http",
        b"relay_domains ",
    ];
    (starts_with_any(text, &WORDS) && !contains(text, b"cannot connect to saslauthd")) || is_advice(text)
}

fn is_advice(text: &[u8]) -> bool {
    starts_with_any(text, &[b"do not list domain", b"mail for ", b"using backwards-compatible"])
        || contains(text.get(..96).unwrap_or(text), b"was deprecated")
        || contains(text.get(..96).unwrap_or(text), b"unused parameter")
}

fn trouble(text: &[u8]) -> Reason {
    let window = text.get(..256).unwrap_or(text);
    if contains(window, b"saslauthd") || contains(window, b"SASL") {
        return Reason::AuthServiceTrouble;
    }
    if contains(window, b"Name service error") || contains(window, b"name resolution") {
        return Reason::DnsTrouble;
    }
    Reason::LocalTrouble
}
