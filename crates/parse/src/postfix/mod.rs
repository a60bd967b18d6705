//! Lines of Postfix, 2.11 to 3.11, a module per kind of line.
//!
//! Postfix writes `daemon: [severity: ][queue id: ]text`. A client stands as `name[address]` right after a fixed word
//! (`connect from`, `RCPT from`, `warning:`), to the left of everything that the client said; so clients are read from the
//! left. HELO, envelope and echoed commands come after it, with one exception that `content` explains. Host names are valid
//! names (`valid_hostname()` in Postfix refuses others), so that they hold no bracket or blank.

mod content;
mod delivery;
mod postscreen;
mod queue;
mod reason;
mod refusal;
mod sasl;
mod service;
mod smtpd;
mod tls;
mod warning;

use mailward_model::{Client, Event, EventKind, Program, Reason, Stage, Text};

use crate::scan::{peer, rsplit, seek, split};
use crate::{policyd_spf, postgrey};

/// Reads a line whose tag is `postfix[-x]/(.../)?daemon`.
pub(crate) fn parse<'a>(event: &mut Event<'a>, message: &'a [u8]) {
    let tag = event.tag.bytes();
    let Some((program, service)) = usual(tag).or_else(|| named(tag)) else {
        return neighbour(event, message);
    };
    event.program = program;
    event.service = Text::new(if service.is_empty() && is_server(program) { b"smtp" } else { service });
    if read(event, message).is_none() {
        forget(event);
    }
}

/// A line that was left in the middle keeps nothing: half a reading is none.
#[cold]
fn forget(event: &mut Event<'_>) {
    let Event { time, program, host, tag, pid, service, repeated, .. } = *event;
    *event = Event { host, tag, pid, service, repeated, ..Event::new(time, program) };
}

/// Policy services that log as if they belonged to Postfix.
fn neighbour<'a>(event: &mut Event<'a>, message: &'a [u8]) {
    match parts(event.tag.bytes()).1 {
        b"policy-spf" | b"policyd-spf" => {
            event.program = Program::PolicydSpf;
            policyd_spf::parse(event, message);
        }
        b"postgrey" => {
            event.program = Program::Postgrey;
            postgrey::parse(event, message);
        }
        // `postfixadmin` and the like are none of Postfix's daemons.
        _ if !event.tag.bytes().contains(&b'/') => {
            event.kind = EventKind::Notice;
            event.detail = Text::new(message);
        }
        _ => {}
    }
}

/// Whether the tag's last part is the name of a Postfix daemon.
pub(crate) fn is_daemon(tag: &[u8]) -> bool {
    named(tag).is_some()
}

/// `postfix/smtpd` and `postfix/submission/smtpd`, as [`named`] would read them.
#[inline]
fn usual(tag: &[u8]) -> Option<(Program, &[u8])> {
    let daemon = tag.strip_prefix(b"postfix/")?;
    if let Some(program) = program(daemon) {
        return Some((program, b""));
    }
    let (service, daemon) = split(daemon, b'/')?;
    Some((program(daemon)?, service))
}

/// The daemon, and the service's name.
fn named(tag: &[u8]) -> Option<(Program, &[u8])> {
    let (service, daemon) = parts(tag);
    Some((program(daemon)?, service))
}

/// The middle of the tag, which is the service's name, and the daemon: `postfix/submission/smtpd`.
#[inline]
fn parts(tag: &[u8]) -> (&[u8], &[u8]) {
    let (_, rest) = split(tag, b'/').unwrap_or((b"", tag));
    match split(rest, b'/') {
        None => (b"", rest),
        Some(_) => rsplit(rest, b'/').unwrap_or((b"", rest)),
    }
}

fn program(daemon: &[u8]) -> Option<Program> {
    Some(match daemon {
        b"smtpd" => Program::Smtpd,
        b"postscreen" => Program::Postscreen,
        b"qmgr" | b"nqmgr" | b"oqmgr" => Program::Qmgr,
        b"cleanup" => Program::Cleanup,
        b"smtp" => Program::Smtp,
        b"lmtp" => Program::PostfixLmtp,
        b"local" => Program::PostfixLocal,
        b"virtual" => Program::Virtual,
        b"pipe" => Program::Pipe,
        b"error" | b"discard" | b"retry" => Program::PostfixError,
        b"bounce" | b"defer" | b"trace" => Program::Bounce,
        b"dnsblog" => Program::Dnsblog,
        b"tlsproxy" => Program::Tlsproxy,
        b"anvil" => Program::Anvil,
        b"scache" => Program::Scache,
        b"verify" => Program::Verify,
        b"flush" => Program::Flush,
        b"showq" => Program::Showq,
        b"proxymap" | b"proxywrite" => Program::Proxymap,
        b"spawn" => Program::Spawn,
        b"tlsmgr" => Program::Tlsmgr,
        b"master" => Program::Master,
        b"postfix-script" | b"post-install" | b"postfix" | b"postfix-tls-script" | b"postmulti-script" => {
            Program::PostfixScript
        }
        b"pickup" => Program::Pickup,
        b"trivial-rewrite" | b"rewrite" => Program::TrivialRewrite,
        b"postdrop" | b"sendmail" | b"postsuper" | b"postqueue" | b"postalias" | b"postmap" | b"postconf"
        | b"postlogd" | b"postkick" | b"postlock" | b"postlog" | b"postcat" | b"postmulti"
        | b"posttls-finger" | b"qmqpd" | b"newaliases" | b"mailq" | b"nbdb_reindexd" => {
            Program::PostfixCommand
        }
        _ => return None,
    })
}

/// The daemons that face SMTP clients; without a name of its own their service is `smtp`.
const fn is_server(program: Program) -> bool {
    matches!(program, Program::Smtpd | Program::Postscreen | Program::Tlsproxy | Program::Dnsblog)
}

/// Sets what the line says; `None` where it is not known.
fn read<'a>(event: &mut Event<'a>, message: &'a [u8]) -> Option<()> {
    if let Some(known) = frequent(event, message) {
        return Some(known);
    }
    if let Some((severity, text)) = severity(message) {
        return warning::read(event, severity, text);
    }
    if let Some((queue_id, text)) = queue_id(message) {
        event.queue_id = Text::new(queue_id);
        return with_queue_id(event, text);
    }
    service::read(event, message)
}

/// Lines without severity and queue id of the daemons that write the most.
fn frequent<'a>(event: &mut Event<'a>, message: &'a [u8]) -> Option<()> {
    match event.program {
        Program::Smtpd => smtpd::session(event, message),
        Program::Postscreen => postscreen::read(event, message),
        Program::Dnsblog => postscreen::dnsblog(event, message),
        Program::Tlsproxy => postscreen::tlsproxy(event, message),
        _ => None,
    }
}

fn with_queue_id<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<()> {
    if event.program == Program::Smtpd {
        return smtpd::with_queue_id(event, text);
    }
    queue::read(event, text)
}

/// `warning: `, `error: `, `fatal: ` or `panic: ` in front (msg_output(3)).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Severity {
    Warning,
    Error,
}

fn severity(message: &[u8]) -> Option<(Severity, &[u8])> {
    if let Some(text) = message.strip_prefix(b"warning: ") {
        return Some((Severity::Warning, text));
    }
    let text = message.strip_prefix(b"fatal: ").or_else(|| message.strip_prefix(b"error: "));
    Some((Severity::Error, text.or_else(|| message.strip_prefix(b"panic: "))?))
}

/// The queue id in front, empty for `NOQUEUE`, and what follows it. Short ids are upper-case hexadecimal, long ones
/// (`enable_long_queue_ids`) digits and consonants; both are at least six characters.
fn queue_id(message: &[u8]) -> Option<(&[u8], &[u8])> {
    if let Some(text) = message.strip_prefix(b"NOQUEUE: ") {
        return Some((b"", text));
    }
    let at = seek(message.get(..32).unwrap_or(message), [b':']).filter(|at| *at >= 6)?;
    let (id, text) = message.split_at_checked(at)?;
    let kinds = id.iter().map(|&b| QUEUE_ID_BYTES.get(usize::from(b)).copied().unwrap_or(0));
    let is_id = kinds.fold(SHORT | LONG, |both, kind| both & kind) != 0;
    Some((id, text.strip_prefix(b": ")?)).filter(|_| is_id)
}

const SHORT: u8 = 1;
const LONG: u8 = 2;

/// Which kind of queue id may hold a byte. Long ones are `safe_ultostr()` with base 52: no vowels, so that ids spell no words.
const QUEUE_ID_BYTES: [u8; 256] = {
    let mut table = [0; 256];
    let mut b = 0_u8;
    while b < 128 {
        let is_vowel = matches!(b | 0x20, b'a' | b'e' | b'i' | b'o' | b'u');
        let long = if b.is_ascii_alphanumeric() && !is_vowel { LONG } else { 0 };
        let short = if matches!(b, b'0'..=b'9' | b'A'..=b'F') { SHORT } else { 0 };
        #[expect(clippy::indexing_slicing, reason = "b is below 128")]
        {
            table[b as usize] = short | long;
        }
        b += 1;
    }
    table
};

/// A client in front, and what follows it. Postfix writes `unknown[unknown]` when even the address is not known: then
/// there is none, but the line goes on.
fn client(bytes: &[u8]) -> Option<(Option<Client<'_>>, &[u8])> {
    if let Some((client, rest)) = peer(bytes) {
        return Some((Some(client), rest));
    }
    bytes.strip_prefix(b"unknown[unknown]").map(|rest| (None, rest))
}

/// The stage by the name that Postfix has for it.
fn stage(command: &[u8]) -> Stage {
    let (word, _) = crate::scan::word(command);
    match word {
        b"CONNECT" => Stage::Connect,
        b"EHLO" | b"HELO" | b"LHLO" => Stage::Helo,
        b"STARTTLS" => Stage::Starttls,
        b"AUTH" => Stage::Auth,
        b"MAIL" => Stage::Mail,
        b"RCPT" => Stage::Rcpt,
        b"DATA" | b"BDAT" => Stage::Data,
        b"END-OF-MESSAGE" | b"." => Stage::EndOfMessage,
        b"VRFY" => Stage::Vrfy,
        b"ETRN" => Stage::Etrn,
        _ => Stage::Other,
    }
}

/// Sets the kind, the last step of every reading.
const fn known(event: &mut Event<'_>, kind: EventKind) -> Option<()> {
    event.kind = kind;
    Some(())
}

/// Sets kind, reason and words.
const fn known_for<'a>(
    event: &mut Event<'a>,
    kind: EventKind,
    reason: Reason,
    detail: &'a [u8],
) -> Option<()> {
    event.kind = kind;
    event.reason = reason;
    event.detail = Text::new(detail);
    Some(())
}
