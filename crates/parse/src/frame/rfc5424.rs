//! RFC 5424: `<22>1 2025-10-10T01:33:12.345678+02:00 host app 123 - [id key="value"] message`.

use mailward_model::Timestamp;
use memchr::memchr2;

use super::stamp::{Clock, Stamp};
use super::{Frame, Framed, priority};
use crate::scan::{decimal32, word};

/// Reads the frame; `None` where the line does not begin with one.
pub(super) fn read<'a>(line: &'a [u8], clock: &mut Clock) -> Option<Framed<'a>> {
    let rest = priority(line).map_or(line, |(_, rest)| rest).strip_prefix(b"1 ")?;
    let (time, rest) = time(rest, clock)?;
    let (host, rest) = word(rest);
    let (tag, rest) = word(rest);
    let (pid, rest) = word(rest);
    let (_message_id, rest) = word(rest);
    let Some(message) = after_structured_data(rest) else { return Some(Framed::Unknown(time, line)) };
    let message = message.strip_prefix(b"\xef\xbb\xbf").unwrap_or(message);
    let pid = decimal32(pid).unwrap_or(0);
    Some(Framed::Tagged(Frame { time, host: or_nil(host), tag: or_nil(tag), pid, message, trusted: true }))
}

/// The stamp, which may be the nil value: then the line counts as logged when the one before it was.
fn time<'a>(rest: &'a [u8], clock: &mut Clock) -> Option<(Timestamp, &'a [u8])> {
    if let Some(rest) = rest.strip_prefix(b"- ") {
        return Some((clock.last(), rest));
    }
    let (Stamp::Exact(time) | Stamp::Local(time), rest) = clock.stamp(rest, None)?;
    Some((time, rest.strip_prefix(b" ").unwrap_or(rest)))
}

fn or_nil(text: &[u8]) -> &[u8] {
    if text == b"-" { b"" } else { text }
}

/// What follows `-` or `[id key="value"][...]`, in which `\` escapes `"`, `\` and `]` (RFC 5424 section 6.3.3).
fn after_structured_data(rest: &[u8]) -> Option<&[u8]> {
    if let Some(message) = rest.strip_prefix(b"-") {
        return Some(message.strip_prefix(b" ").unwrap_or(message));
    }
    let mut rest = rest;
    while let Some(element) = rest.strip_prefix(b"[") {
        rest = after_element(element)?;
    }
    Some(rest.strip_prefix(b" ").unwrap_or(rest))
}

fn after_element(mut element: &[u8]) -> Option<&[u8]> {
    loop {
        let at = memchr2(b'"', b']', element)?;
        let after = element.get(at + 1..)?;
        if element.get(at) == Some(&b']') {
            return Some(after);
        }
        element = after_quoted(after)?;
    }
}

fn after_quoted(mut value: &[u8]) -> Option<&[u8]> {
    loop {
        let at = memchr2(b'"', b'\\', value)?;
        let is_end = value.get(at) == Some(&b'"');
        value = value.get(at + if is_end { 1 } else { 2 }..)?;
        if is_end {
            return Some(value);
        }
    }
}
