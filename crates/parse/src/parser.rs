//! The parser: a clock for stamps, a scratch buffer for escaped text, and one line at a time.

use jiff::tz::TimeZone;
use mailward_model::{Event, EventKind, Program, Text, Timestamp};

use crate::dispatch::dispatch;
use crate::frame::{self, Clock, Frame, Framed};

/// What stamps alone do not tell.
#[derive(Clone, Debug)]
pub struct Context {
    /// "Now", or the log file's time of change: stamps without a year (RFC 3164) are taken as the latest that is not after
    /// it by more than a day. It is also the time of a line that has no stamp at all when none came before it.
    pub reference: Timestamp,
    /// The zone of stamps without an offset.
    pub zone: TimeZone,
}

/// Reads lines of one log, in order.
#[derive(Clone, Debug)]
pub struct Parser {
    clock: Clock,
    scratch: Vec<u8>,
}

impl Parser {
    /// A parser of one log.
    #[must_use]
    pub fn new(context: Context) -> Self {
        Self { clock: Clock::new(context), scratch: Vec::new() }
    }

    /// Moves the reference on, as a live log does.
    pub fn set_reference(&mut self, reference: Timestamp) {
        self.clock.set_reference(reference);
    }

    /// Reads one line, without its line end. Never fails: see [`EventKind::Unknown`].
    #[must_use]
    pub fn parse<'a>(&'a mut self, line: &'a [u8]) -> Event<'a> {
        let framed = if line.first() == Some(&b'{') {
            frame::read_json(line, &mut self.clock, &mut self.scratch)
        } else {
            frame::read(line, &mut self.clock)
        };
        match framed {
            Framed::Tagged(frame) => tagged(&frame),
            Framed::Notice(time, text) => untagged(time, EventKind::Notice, text),
            Framed::Unknown(time, text) => untagged(time, EventKind::Unknown, text),
        }
    }
}

fn tagged<'a>(frame: &Frame<'a>) -> Event<'a> {
    let (repeated, message) = frame::repeated(frame.message);
    let mut event = Event::new(frame.time, Program::Other);
    event.host = Text::new(frame.host);
    event.tag = Text::new(frame.tag);
    event.pid = frame.pid;
    event.repeated = repeated;
    dispatch(&mut event, message);
    if event.kind == EventKind::Unknown {
        event.detail = Text::new(message);
    }
    if !frame.trusted {
        event.client = None;
    }
    event
}

const fn untagged(time: Timestamp, kind: EventKind, text: &[u8]) -> Event<'_> {
    let mut event = Event::new(time, Program::Other);
    event.kind = kind;
    event.detail = Text::new(text);
    event
}
