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
    #[inline]
    pub fn parse<'a>(&'a mut self, line: &'a [u8]) -> Event<'a> {
        if let Some(frame) = frame::usual(line, &mut self.clock) {
            let mut event = Event::new(frame.time, Program::Other);
            tagged(&mut event, &frame);
            return event;
        }
        self.unusual(line)
    }

    fn unusual<'a>(&'a mut self, line: &'a [u8]) -> Event<'a> {
        let framed = if line.first() == Some(&b'{') {
            frame::read_json(line, &mut self.clock, &mut self.scratch)
        } else {
            frame::read(line, &mut self.clock)
        };
        let mut event = Event::new(framed.time(), Program::Other);
        fill(&mut event, &framed);
        event
    }
}

fn fill<'a>(event: &mut Event<'a>, framed: &Framed<'a>) {
    match framed {
        Framed::Tagged(frame) => tagged(event, frame),
        Framed::Notice(_, text) => (event.kind, event.detail) = (EventKind::Notice, Text::new(text)),
        Framed::Unknown(_, text) => event.detail = Text::new(text),
    }
}

#[inline(always)]
fn tagged<'a>(event: &mut Event<'a>, frame: &Frame<'a>) {
    let (repeated, message) = frame::repeated(frame.message);
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
