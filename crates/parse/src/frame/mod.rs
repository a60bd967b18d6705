//! Framing: what the logger put around a program's message.
//!
//! Known frames: RFC 3164 with or without host, RFC 3339 stamps (rsyslog's FileFormat), RFC 5424, Dovecot's and Postfix's own
//! log files, fail2ban's, Docker's json-file, `journalctl -o json`, and lines of container runtimes. A `<PRI>` may stand in
//! front of any syslog frame.

mod header;
mod json;
mod rfc5424;
mod stamp;

use mailward_model::Timestamp;

use crate::scan::{decimal, number, split_str};

pub(crate) use json::read_json;
pub(crate) use stamp::Clock;
use stamp::Stamp;

/// A line that names its program.
pub(crate) struct Frame<'a> {
    pub(crate) time: Timestamp,
    pub(crate) host: &'a [u8],
    pub(crate) tag: &'a [u8],
    pub(crate) pid: u32,
    pub(crate) message: &'a [u8],
    /// Whether the source vouches that no ordinary user wrote it; always, where the source cannot tell.
    pub(crate) trusted: bool,
}

/// What framing made of a line.
pub(crate) enum Framed<'a> {
    /// A program's message.
    Tagged(Frame<'a>),
    /// A known line that belongs to no program.
    Notice(Timestamp, &'a [u8]),
    /// No frame that is known here.
    Unknown(Timestamp, &'a [u8]),
}

/// A line of the same minute as the one before, with host and tag, as nearly every line is. All others are left to [`read`],
/// which gives the same answer for these, only later.
#[inline(always)]
pub(crate) fn usual<'a>(line: &'a [u8], clock: &mut Clock) -> Option<Frame<'a>> {
    let (Stamp::Exact(time) | Stamp::Local(time), rest) = clock.same_minute(line, None)?;
    header::usual(rest, time)
}

/// Reads any frame that is not JSON.
pub(crate) fn read<'a>(line: &'a [u8], clock: &mut Clock) -> Framed<'a> {
    read_within(line, clock, None)
}

/// The same for a line inside another frame, whose time counts unless the line's own is exact.
fn read_within<'a>(line: &'a [u8], clock: &mut Clock, outer: Option<Timestamp>) -> Framed<'a> {
    match clock.stamp(line, outer) {
        Some((stamp, rest)) => stamped(stamp, rest, clock, outer),
        None => wrapped(line, clock, outer),
    }
}

fn stamped<'a>(stamp: Stamp, rest: &'a [u8], clock: &mut Clock, outer: Option<Timestamp>) -> Framed<'a> {
    let time = match (stamp, outer) {
        (Stamp::Local(_), Some(outer)) => outer,
        (Stamp::Exact(time) | Stamp::Local(time), _) => time,
    };
    match container_runtime(rest) {
        Some(inner) if outer.is_none() => read_within(inner, clock, Some(time)),
        _ => header::read(rest, time),
    }
}

/// A line that begins with something else than its stamp: colours, a priority, RFC 5424, or that has none.
fn wrapped<'a>(line: &'a [u8], clock: &mut Clock, outer: Option<Timestamp>) -> Framed<'a> {
    let line = without_colours(line);
    if let Some(framed) = rfc5424::read(line, clock) {
        return framed;
    }
    let line = without_priority(line);
    match clock.stamp(line, outer) {
        Some((stamp, rest)) => stamped(stamp, rest, clock, outer),
        None => unstamped(line, outer.unwrap_or_else(|| clock.last())),
    }
}

/// A bare `postfix/smtpd[1]: connect from ...`, as a container writes to its standard output.
fn unstamped(line: &[u8], time: Timestamp) -> Framed<'_> {
    if line.starts_with(b"[") {
        return header::start_up(line, time);
    }
    header::read(line, time)
}

/// `stdout F text`: podman's k8s-file and the Kubernetes container runtimes, after their stamp.
fn container_runtime(rest: &[u8]) -> Option<&[u8]> {
    let rest = rest.strip_prefix(b" std")?;
    let rest = rest.strip_prefix(b"out ").or_else(|| rest.strip_prefix(b"err "))?;
    rest.strip_prefix(b"F ").or_else(|| rest.strip_prefix(b"P "))
}

/// `message repeated 2 times: [ text]` of rsyslog's `$RepeatedMsgReduction`: how often, and the text.
#[inline]
pub(crate) fn repeated(message: &[u8]) -> (u32, &[u8]) {
    if message.first() != Some(&b'm') {
        return (1, message);
    }
    inner_of_repeated(message).unwrap_or((1, message))
}

fn inner_of_repeated(message: &[u8]) -> Option<(u32, &[u8])> {
    let (times, rest) = number(message.strip_prefix(b"message repeated ")?)?;
    let inner = rest.strip_prefix(b" times: [")?;
    let inner = inner.strip_suffix(b"]").unwrap_or(inner);
    Some((u32::try_from(times).ok()?.max(1), crate::scan::trim_start(inner)))
}

/// `<22>` in front, of a line that was stored as it came over the wire.
fn without_priority(line: &[u8]) -> &[u8] {
    priority(line).map_or(line, |(_, rest)| rest)
}

fn priority(line: &[u8]) -> Option<(u64, &[u8])> {
    let (value, rest) = split_str(line.get(..5).unwrap_or(line).strip_prefix(b"<")?, b">")?;
    let value = decimal(value).filter(|&value| value < 192)?;
    Some((value, line.get(line.len().min(5) - rest.len()..)?))
}

/// Without `ESC [ ... m` in front, as start-up scripts of containers colour their lines.
fn without_colours(mut line: &[u8]) -> &[u8] {
    while let Some((_, rest)) = line.strip_prefix(b"\x1b[").and_then(|rest| crate::scan::split(rest, b'm')) {
        line = rest;
    }
    line
}
