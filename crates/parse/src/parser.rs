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
    #[inline(always)]
    pub fn parse<'a>(&'a mut self, line: &'a [u8]) -> Event<'a> {
        let mut event = Event::new(Timestamp::default(), Program::Other);
        self.parse_into(line, &mut event);
        event
    }

    /// The same into an event that says nothing yet, in its place: a copy of its 400 bytes costs as much as reading the frame.
    #[inline]
    pub fn parse_into<'a>(&'a mut self, line: &'a [u8], event: &mut Event<'a>) {
        match frame::usual(line, &mut self.clock) {
            Some(frame) => tagged(event, &frame),
            None => self.unusual(event, line),
        }
    }

    #[cold]
    fn unusual<'a>(&'a mut self, event: &mut Event<'a>, line: &'a [u8]) {
        let framed = if line.first() == Some(&b'{') {
            frame::read_json(line, &mut self.clock, &mut self.scratch)
        } else {
            frame::read(line, &mut self.clock)
        };
        match &framed {
            Framed::Tagged(frame) => tagged(event, frame),
            Framed::Notice(time, text) => {
                (event.time, event.kind, event.detail) = (*time, EventKind::Notice, Text::new(text));
            }
            Framed::Unknown(time, text) => (event.time, event.detail) = (*time, Text::new(text)),
        }
    }
}

#[inline(always)]
fn tagged<'a>(event: &mut Event<'a>, frame: &Frame<'a>) {
    let (repeated, message) = frame::repeated(frame.message);
    event.time = frame.time;
    event.host = Text::new(frame.host);
    event.tag = Text::new(frame.tag);
    event.pid = frame.pid;
    event.repeated = repeated;
    dispatch(event, message);
    if event.kind == EventKind::Unknown {
        event.detail = Text::new(message);
    }
    if !frame.trusted {
        event.client = None;
    }
}
