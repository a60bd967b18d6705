//! cleanup(8): what header, body and MIME checks did.
//!
//! `reject: header Subject: text from client; from=<x> to=<y> proto=ESMTP helo=<z>: words`. This is the one line of Postfix in
//! which text of the client's (up to 200 bytes of a header) stands before the client, and the envelope, the client's as
//! well, after it. The real ` from client; from=<` is always there; should a second one be found, one of them is forged
//! and nobody can tell which: then the line has no client. The queue id leads to it anyway.

use mailward_model::{Event, EventKind, Reason, Stage, Text};
use memchr::memmem;

use super::refusal::read_envelope;
use super::{client, known_for};
use crate::scan::{rsplit, rsplit_str, split, split_str, starts_with_any, word};

/// Reads what follows the action.
pub(super) fn read<'a>(event: &mut Event<'a>, kind: EventKind, text: &'a [u8]) -> Option<()> {
    let (class, rest) = word(text);
    if !matches!(
        class,
        b"header" | b"body" | b"mime-error" | b"nested" | b"nested-header" | b"mime" | b"mime-header"
    ) {
        return None;
    }
    event.stage = Stage::EndOfMessage;
    let reason = if kind == EventKind::Rejected { Reason::ContentPolicy } else { Reason::None };
    let Some(origin) = origin(rest) else {
        // smtp_header_checks(5) write the header alone: `prepend: header Subject: text: words`.
        return known_for(event, kind, reason, rest);
    };
    event.client = origin.client.and_then(client).and_then(|(client, _)| client);
    let words = tail(event, origin.envelope);
    known_for(event, kind, reason, words.unwrap_or(origin.content))
}

/// Where the client stands, and what follows it.
struct Origin<'a> {
    content: &'a [u8],
    /// None where it is not certain.
    client: Option<&'a [u8]>,
    envelope: &'a [u8],
}

/// The first place that looks like ` from client; from=<`, and whether it is the only one.
fn origin(text: &[u8]) -> Option<Origin<'_>> {
    let mut candidates = memmem::find_iter(text, b"; ").filter_map(|at| candidate(text, at));
    let (content, client, envelope) = candidates.next()?;
    let client = candidates.next().is_none().then_some(client);
    Some(Origin { content, client, envelope })
}

/// The word in ` from WORD; from=<` around this semicolon, and what follows it.
fn candidate(text: &[u8], semicolon: usize) -> Option<(&[u8], &[u8], &[u8])> {
    let envelope = text.get(semicolon + 2..)?;
    starts_with_any(envelope, &[b"from=<", b"to=<", b"proto="]).then_some(())?;
    let (before, word) = rsplit(text.get(..semicolon)?, b' ')?;
    Some((before.strip_suffix(b" from")?, word, envelope))
}

/// Reads `from=<x> to=<y> proto=ESMTP helo=<z>: words`, and returns the words.
fn tail<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<&'a [u8]> {
    let Some((envelope, rest)) = rsplit_str(text, b" proto=") else {
        let (envelope, words) = split_str(text, b">: ").unwrap_or((text, b""));
        read_envelope(event, envelope, b"");
        return Some(words);
    };
    read_envelope(event, envelope, b"");
    let (protocol, rest) = word(rest);
    event.protocol = Text::new(protocol);
    let (helo, rest) = split(rest.strip_prefix(b"helo=<")?, b'>')?;
    event.helo = Text::new(helo);
    rest.strip_prefix(b": ")
}
