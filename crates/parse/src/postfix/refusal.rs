//! What was done to a client, command or message: `reject: RCPT from client: reply; from=<x> to=<y> proto=ESMTP helo=<z>`,
//! and the same with `reject_warning`, `hold`, `discard`, `milter-reject` and so on.

use mailward_model::{Client, Event, EventKind, Program, Reason, Stage, Text};
use memchr::memchr_iter;

use super::{client, content, known, reason, stage};
use crate::scan::{bracketed, contains, decimal, find, rsplit_str, split, split_str, word};

/// Reads what follows the queue id.
pub(super) fn read<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<()> {
    let (action, _) = split(text.get(..24).unwrap_or(text), b':')?;
    let rest = text.get(action.len() + 1..)?.strip_prefix(b" ")?;
    let kind = kind(action)?;
    if kind == EventKind::Actioned {
        event.object = Text::new(action);
    }
    if !rest.first()?.is_ascii_uppercase() {
        return content::read(event, kind, rest);
    }
    let rest = from_client(event, rest)?;
    if event.program == Program::Postscreen {
        postscreen_tail(event, rest);
    } else {
        smtpd_tail(event, rest)?;
    }
    if event.reason == Reason::Other && action.starts_with(b"milter-") {
        event.reason = Reason::Milter;
    }
    known(event, kind)
}

/// By the words in `smtpd_check.c`, `smtpd_milter.c`, `smtpd_proxy.c` and `cleanup_message.c`.
fn kind(action: &[u8]) -> Option<EventKind> {
    Some(match action {
        b"reject" | b"milter-reject" | b"proxy-reject" | b"milter-header-reject" => EventKind::Rejected,
        b"reject_warning" => EventKind::RejectWarning,
        b"hold"
        | b"discard"
        | b"redirect"
        | b"filter"
        | b"prepend"
        | b"replace"
        | b"bcc"
        | b"info"
        | b"warn"
        | b"warning"
        | b"delay"
        | b"permit"
        | b"strip"
        | b"pass"
        | b"dunno"
        | b"proxy-accept"
        | b"milter-hold"
        | b"milter-discard"
        | b"milter-quarantine"
        | b"milter-accept"
        | b"milter-header-hold"
        | b"milter-header-discard"
        | b"milter-header-filter"
        | b"milter-header-redirect"
        | b"milter-header-warning"
        | b"milter-header-prepend"
        | b"milter-header-replace" => EventKind::Actioned,
        _ => return None,
    })
}

/// `RCPT from client: `; what follows it. The stage is Postfix's own word, the client stands right after it.
fn from_client<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<&'a [u8]> {
    let (command, _) = split_str(text.get(..48).unwrap_or(text), b" from ")?;
    let rest = text.get(command.len() + 6..)?;
    event.stage = stage(command);
    if let Some((address, port, rest)) = bracketed(rest) {
        event.client = Some(Client { address, port, name: Text::EMPTY });
        return rest.strip_prefix(b": ");
    }
    let (client, rest) = client(rest)?;
    event.client = client;
    rest.strip_prefix(b": ")
}

/// `reply; from=<x>, to=<y>, proto=ESMTP, helo=<z>`. The reply is postscreen's own words, so the first `; from=<` ends it.
fn postscreen_tail<'a>(event: &mut Event<'a>, text: &'a [u8]) {
    let (words, envelope) = split_str(text, b"; from=<").unwrap_or((text, b""));
    let (words, code, status) = numbers(words);
    (event.reply_code, event.dsn) = (code, Text::new(status));
    event.detail = Text::new(words);
    (event.reason, event.object) = classify(event, words);
    postscreen_envelope(event, envelope);
}

/// All of it is the client's, and HELO is one word.
fn postscreen_envelope<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<()> {
    let (envelope, rest) = rsplit_str(text, b">, proto=")?;
    let (sender, recipient) = split_str(envelope, b">, to=<")?;
    (event.sender, event.sender_given) = (Text::new(sender), true);
    event.recipient = Text::new(recipient);
    let (protocol, helo) = split(rest, b',')?;
    event.protocol = Text::new(protocol);
    event.helo = Text::new(helo.strip_prefix(b" helo=<")?.strip_suffix(b">")?);
    Some(())
}

/// `reply; from=<x> to=<y> proto=ESMTP helo=<z> sasl_username=<u>`, each but the reply and `proto` optional. HELO and
/// protocol can hold no blank and no `>` (`NEUTER_CHARACTERS` in smtpd), so they are read from the right; what is left are
/// the reply and the envelope.
pub(super) fn smtpd_tail<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<()> {
    let text = match rsplit_str(text, b" proto=") {
        Some((before, rest)) => {
            session(event, rest);
            before
        }
        None => text,
    };
    let (words, code, status) = numbers(text);
    (event.reply_code, event.dsn) = (code, Text::new(status));
    let named = name_length(words, event.helo.bytes());
    let (said, envelope) = cut(words.get(named..)?);
    let words = words.get(..named + said.len())?;
    if let Some(envelope) = envelope {
        read_envelope(event, envelope, words.get(..named).unwrap_or_default());
    }
    event.detail = Text::new(words);
    (event.reason, event.object) = classify(event, said);
    Some(())
}

/// `ESMTP helo=<z> sasl_username=<u>`.
fn session<'a>(event: &mut Event<'a>, text: &'a [u8]) {
    let (protocol, rest) = word(text);
    event.protocol = Text::new(protocol);
    let Some((helo, rest)) = rest.strip_prefix(b"helo=<").and_then(|rest| split(rest, b'>')) else { return };
    event.helo = Text::new(helo);
    if let Some(user) = rest.strip_prefix(b" sasl_username=<").and_then(|rest| rest.strip_suffix(b">")) {
        event.user = Text::new(user);
    }
}

/// Code and enhanced status of `550 5.1.1 words`; a milter in cleanup gives only the latter.
fn numbers(text: &[u8]) -> (&[u8], u16, &[u8]) {
    let (first, rest) = word(text);
    let code =
        decimal(first).and_then(|code| u16::try_from(code).ok()).filter(|code| (200..600).contains(code));
    let text = if code.is_some() { rest } else { text };
    let (status, rest) = word(text);
    let code = code.unwrap_or(0);
    if is_status(status) { (rest, code, status) } else { (text, code, b"") }
}

/// `5.7.1` (RFC 3463).
fn is_status(text: &[u8]) -> bool {
    matches!(text, [b'2' | b'4' | b'5', b'.', rest @ ..]
        if rest.len() >= 3 && rest.len() <= 7 && rest.contains(&b'.') && rest.iter().all(|b| b.is_ascii_digit() || *b == b'.'))
}

/// The length of `<name>: ` in front of the reason, 0 where there is none. The name is the client's: HELO, sender or recipient,
/// and may hold `>: Relay access denied; from=<` itself. Then the right end is the one by which the same text stands again
/// in the tail.
fn name_length(words: &[u8], helo: &[u8]) -> usize {
    // No address is longer (RFC 5321 section 4.5.3.1 has 256 bytes, Postfix accepts more); beyond that it is noise.
    let window = words.get(..1024).unwrap_or(words);
    let ends = || {
        memchr_iter(b'>', window)
            .filter(|&at| window.get(at..).is_some_and(|rest| rest.starts_with(NAME_END)))
    };
    let Some(first) = words.strip_prefix(b"<").and_then(|_| ends().next()) else { return 0 };
    let right = ends().nth(1).and_then(|_| ends().take(16).find(|&end| stands_again(words, end, helo)));
    right.unwrap_or(first) + NAME_END.len()
}

const NAME_END: &[u8] = b">: ";

/// Whether the name that ends here is the HELO, or stands in the tail as recipient or sender.
fn stands_again(words: &[u8], end: usize, helo: &[u8]) -> bool {
    let (Some(name), Some(rest)) = (words.get(1..end), words.get(end..)) else { return false };
    let before_recipient = rest.strip_suffix(b">").and_then(|rest| rest.strip_suffix(name));
    let sender = split_str(rest.get(..2048).unwrap_or(rest), b"; from=<")
        .and_then(|(_, rest)| rest.strip_prefix(name));
    name == helo
        || before_recipient.is_some_and(|rest| rest.ends_with(b"to=<") || rest.ends_with(b"from=<"))
        || sender.is_some_and(|rest| rest.starts_with(b">"))
}

/// The reason, and the envelope after it.
fn cut(said: &[u8]) -> (&[u8], Option<&[u8]>) {
    let at = find(said, b"; from=<").or_else(|| find(said, b"; to=<"));
    match at {
        Some(at) => (said.get(..at).unwrap_or_default(), said.get(at + 2..)),
        None => (said.strip_suffix(b";").unwrap_or(said), None),
    }
}

/// `from=<x> to=<y>`, either alone too. Where the recipient is known by its name in front, it is taken off by that.
pub(super) fn read_envelope<'a>(event: &mut Event<'a>, envelope: &'a [u8], name: &[u8]) {
    let envelope = envelope.strip_suffix(b">").unwrap_or(envelope);
    let Some(rest) = envelope.strip_prefix(b"from=<") else {
        event.recipient = Text::new(envelope.strip_prefix(b"to=<").unwrap_or_default());
        return;
    };
    event.sender_given = true;
    let name = name.strip_prefix(b"<").and_then(|name| name.strip_suffix(NAME_END)).unwrap_or_default();
    let known =
        rest.strip_suffix(name).and_then(|rest| rest.strip_suffix(b"> to=<")).filter(|_| !name.is_empty());
    let sender = known.or_else(|| rsplit_str(rest, b"> to=<").map(|(sender, _)| sender));
    event.sender = Text::new(sender.unwrap_or(rest));
    event.recipient = Text::new(sender.and_then(|sender| rest.get(sender.len() + 6..)).unwrap_or_default());
}

/// Reason and blocklist. What an action other than refusal says is no reason; its name stays in `object`.
fn classify<'a>(event: &Event<'a>, said: &'a [u8]) -> (Reason, Text<'a>) {
    if !event.object.is_empty() {
        return (Reason::None, event.object);
    }
    let is_temporary = event.reply_code / 100 == 4 || event.dsn.bytes().starts_with(b"4");
    if let Some((list, rest)) = reason::blocklist(said) {
        let is_error =
            contains(rest, b"127.255.255.") || contains(rest, b"rror: ") || contains(rest, b"resolver");
        let reason = if is_error { Reason::DnsblError } else { Reason::DnsblListed };
        return (reason, Text::new(list));
    }
    let reason = reason::of(said, is_temporary);
    let is_late = event.stage == Stage::EndOfMessage && reason == Reason::Other;
    (if is_late { reason::of_content(said, is_temporary) } else { reason }, Text::EMPTY)
}
