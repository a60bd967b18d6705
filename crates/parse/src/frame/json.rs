//! Lines of JSON: `journalctl -o json` and Docker's json-file.
//!
//! Strings without escapes are read where they stand; others are written to a scratch buffer first, which the event then
//! borrows from.

use core::ops::Range;

use mailward_model::Timestamp;
use memchr::memchr2;

use super::stamp::{Clock, Stamp};
use super::{Frame, Framed, read_within};
use crate::scan::{decimal, decimal32, take_until};

/// Reads an object of the journal or of Docker.
pub(crate) fn read_json<'a>(line: &'a [u8], clock: &mut Clock, scratch: &'a mut Vec<u8>) -> Framed<'a> {
    scratch.clear();
    let fields = Fields::of(line, scratch);
    let scratch: &'a [u8] = scratch;
    match (&fields.log, &fields.message) {
        (Some(log), _) => docker(log.text(line, scratch), fields.time_of(line, scratch, clock), clock),
        (None, Some(message)) => journal(message.text(line, scratch), &fields, line, scratch, clock),
        (None, None) => Framed::Unknown(clock.last(), line),
    }
}

/// What a container wrote to its standard output is a line of any other frame, or a bare one.
fn docker<'a>(log: &'a [u8], time: Option<Timestamp>, clock: &mut Clock) -> Framed<'a> {
    let log = log.strip_suffix(b"\n").unwrap_or(log);
    let log = log.strip_suffix(b"\r").unwrap_or(log);
    let framed = read_within(log, clock, time);
    if let Some(time) = time {
        clock.set_last(time);
    }
    framed
}

fn journal<'a>(
    message: &'a [u8],
    fields: &Fields,
    line: &'a [u8],
    scratch: &'a [u8],
    clock: &mut Clock,
) -> Framed<'a> {
    let text = |field: &Option<Piece>| field.as_ref().map_or(&b""[..], |piece| piece.text(line, scratch));
    let time = decimal(text(&fields.realtime)).and_then(|micros| i64::try_from(micros).ok());
    let time = time.map_or(clock.last(), Timestamp::from_micros);
    clock.set_last(time);
    let tag = [text(&fields.identifier), text(&fields.command)].into_iter().find(|tag| !tag.is_empty());
    let Some(tag) = tag else { return Framed::Unknown(time, message) };
    let pid = decimal32(text(&fields.pid)).or_else(|| decimal32(text(&fields.syslog_pid))).unwrap_or(0);
    let trusted = !decimal32(text(&fields.uid)).is_some_and(is_ordinary_user);
    Framed::Tagged(Frame { time, host: text(&fields.host), tag, pid, message, trusted })
}

/// The journal knows who wrote a line. Mail servers run as root or as system users; `logger -t postfix/smtpd` of an
/// ordinary user (`UID_MIN` and `UID_MAX` of login.defs(5)) may say anything, so that its addresses count for nothing.
const fn is_ordinary_user(uid: u32) -> bool {
    uid >= 1_000 && uid <= 60_000
}

/// A string, in the line or in the scratch buffer.
struct Piece {
    range: Range<usize>,
    is_in_scratch: bool,
}

impl Piece {
    fn text<'a>(&self, line: &'a [u8], scratch: &'a [u8]) -> &'a [u8] {
        let whole = if self.is_in_scratch { scratch } else { line };
        whole.get(self.range.clone()).unwrap_or_default()
    }
}

/// The fields that count.
#[derive(Default)]
struct Fields {
    log: Option<Piece>,
    time: Option<Piece>,
    message: Option<Piece>,
    identifier: Option<Piece>,
    command: Option<Piece>,
    host: Option<Piece>,
    pid: Option<Piece>,
    syslog_pid: Option<Piece>,
    uid: Option<Piece>,
    realtime: Option<Piece>,
}

impl Fields {
    fn of(line: &[u8], scratch: &mut Vec<u8>) -> Self {
        let mut fields = Self::default();
        let mut walk = Walk { line, at: 1 };
        while let Some(key) = walk.key() {
            let place = fields.place(line.get(key).unwrap_or_default());
            let Some(value) = walk.value() else { break };
            if let Some(place) = place {
                *place = value.piece(line, scratch);
            }
        }
        fields
    }

    fn place(&mut self, key: &[u8]) -> Option<&mut Option<Piece>> {
        Some(match key {
            b"log" => &mut self.log,
            b"time" => &mut self.time,
            b"MESSAGE" => &mut self.message,
            b"SYSLOG_IDENTIFIER" => &mut self.identifier,
            b"_COMM" => &mut self.command,
            b"_HOSTNAME" => &mut self.host,
            b"_PID" => &mut self.pid,
            b"SYSLOG_PID" => &mut self.syslog_pid,
            b"_UID" => &mut self.uid,
            b"__REALTIME_TIMESTAMP" => &mut self.realtime,
            _ => return None,
        })
    }

    fn time_of(&self, line: &[u8], scratch: &[u8], clock: &mut Clock) -> Option<Timestamp> {
        let (Stamp::Exact(time) | Stamp::Local(time), _) =
            clock.stamp(self.time.as_ref()?.text(line, scratch), None)?;
        Some(time)
    }
}

/// A JSON value, as far as it matters here.
enum Value {
    /// The inside of a string, and whether it has escapes.
    String(Range<usize>, bool),
    /// The inside of an array.
    Array(Range<usize>),
    Other(Range<usize>),
}

impl Value {
    fn piece(&self, line: &[u8], scratch: &mut Vec<u8>) -> Option<Piece> {
        let start = scratch.len();
        match self {
            Self::String(range, false) | Self::Other(range) => {
                return Some(Piece { range: range.clone(), is_in_scratch: false });
            }
            Self::String(range, true) => unescape(line.get(range.clone())?, scratch),
            Self::Array(range) => array_of_bytes(line.get(range.clone())?, scratch)?,
        }
        Some(Piece { range: start..scratch.len(), is_in_scratch: true })
    }
}

/// `[87,97,114]`: what the journal makes of text that is not UTF-8 or has control characters. A field that occurs twice is
/// an array, too, of strings: then the first counts.
fn array_of_bytes(mut inside: &[u8], scratch: &mut Vec<u8>) -> Option<()> {
    if inside.first() == Some(&b'"') {
        let value = Walk { line: inside, at: 0 }.value()?;
        let Value::String(range, _) = value else { return None };
        unescape(inside.get(range)?, scratch);
        return Some(());
    }
    while !inside.is_empty() {
        let (number, rest) = take_until(inside, |b| !b.is_ascii_digit());
        scratch.push(u8::try_from(decimal32(number)?).ok()?);
        inside = take_until(rest, |b| b.is_ascii_digit()).1;
    }
    Some(())
}

/// Takes the escapes of RFC 8259 section 7 out; a broken one stays as it is.
fn unescape(mut text: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = memchr::memchr(b'\\', text) {
        let (plain, escape) = text.split_at(at);
        out.extend_from_slice(plain);
        text = match escape {
            [_, b'u', rest @ ..] => unicode(rest, out),
            [_, letter, rest @ ..] => {
                out.push(plain_escape(*letter));
                rest
            }
            rest => {
                out.extend_from_slice(rest);
                b""
            }
        };
    }
    out.extend_from_slice(text);
}

const fn plain_escape(letter: u8) -> u8 {
    match letter {
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'b' => 8,
        b'f' => 12,
        other => other,
    }
}

/// What follows `\u`: four digits, perhaps the first half of a pair of surrogates.
fn unicode<'a>(rest: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let Some((high, after)) = four_digits(rest) else {
        out.extend_from_slice(b"\\u");
        return rest;
    };
    let low = after.strip_prefix(b"\\u").and_then(four_digits);
    let (code, rest) = match low {
        Some((low @ 0xdc00..=0xdfff, after)) if (0xd800..0xdc00).contains(&high) => {
            (0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00), after)
        }
        _ => (high, after),
    };
    let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    rest
}

fn four_digits(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = bytes.split_first_chunk::<4>()?;
    let code = digits.iter().try_fold(0, |code, &b| Some(code * 16 + char::from(b).to_digit(16)?))?;
    Some((code, rest))
}

/// Walks over one object, looking at each byte once.
struct Walk<'l> {
    line: &'l [u8],
    at: usize,
}

impl Walk<'_> {
    fn rest(&self) -> &[u8] {
        self.line.get(self.at..).unwrap_or_default()
    }

    fn skip(&mut self, skipped: impl Fn(u8) -> bool) {
        self.at += take_until(self.rest(), |b| !skipped(b)).0.len();
    }

    /// The next key, up to its colon.
    fn key(&mut self) -> Option<Range<usize>> {
        self.skip(|b| b.is_ascii_whitespace() || b == b',');
        let (key, _) = self.string()?;
        self.skip(|b| b.is_ascii_whitespace());
        (self.rest().first() == Some(&b':')).then(|| self.at += 1)?;
        Some(key)
    }

    fn value(&mut self) -> Option<Value> {
        self.skip(|b| b.is_ascii_whitespace());
        match self.rest().first()? {
            b'"' => self.string().map(|(range, escaped)| Value::String(range, escaped)),
            b'[' => self.nested().map(|range| Value::Array(range.start + 1..range.end - 1)),
            b'{' => self.nested().map(Value::Other),
            _ => {
                let start = self.at;
                self.skip(|b| !matches!(b, b',' | b'}' | b']'));
                Some(Value::Other(start..self.at))
            }
        }
    }

    /// The inside of the string that begins here.
    fn string(&mut self) -> Option<(Range<usize>, bool)> {
        (self.rest().first() == Some(&b'"')).then(|| self.at += 1)?;
        let start = self.at;
        let mut escaped = false;
        loop {
            let at = self.at + memchr2(b'"', b'\\', self.rest())?;
            if self.line.get(at) == Some(&b'"') {
                self.at = at + 1;
                return Some((start..at, escaped));
            }
            escaped = true;
            self.at = at + 2;
        }
    }

    /// The array or object that begins here, brackets and all.
    fn nested(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        let mut depth = 0_usize;
        loop {
            match self.rest().first()? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Some(start..self.at);
            }
        }
    }
}
