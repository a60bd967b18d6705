//! Connections that are open at once, from the lines that open and close them.

use mailward_model::{Event, EventKind, Program};

use crate::bounded::{Bounded, Worth};
use crate::source::Source;
use crate::window::seconds;

#[derive(Debug, Default)]
struct Open {
    number: u32,
    secs: u32,
}

impl Worth for Open {
    fn worth(&self) -> (u32, u32) {
        (self.number, self.secs)
    }
}

/// Open connections by source. A lost line would leave a connection open for ever, so a source that opened none for
/// [`FORGET`] seconds starts anew.
#[derive(Debug)]
pub(crate) struct Connections {
    open: Bounded<Source, Open>,
}

const FORGET: u32 = 1_800;

impl Connections {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { open: Bounded::new(capacity) }
    }

    /// Follows an event. Tells how many connections the source has open, if it just opened one.
    pub(crate) fn follow(&mut self, event: &Event<'_>, source: Source) -> Option<u32> {
        let counts = matches!(event.program, Program::Smtpd | Program::Postscreen);
        match event.kind {
            EventKind::Connect if counts => Some(self.opened(source, seconds(event.time))),
            // A client that passed is handed to smtpd, which opens it again.
            EventKind::Disconnect | EventKind::ScreenPass if counts => {
                self.closed(source);
                None
            }
            _ => None,
        }
    }

    fn opened(&mut self, source: Source, now: u32) -> u32 {
        let open = self.open.entry(source, Open::default);
        if now.saturating_sub(open.secs) > FORGET {
            open.number = 0;
        }
        (open.number, open.secs) = (open.number.saturating_add(1), now);
        open.number
    }

    fn closed(&mut self, source: Source) {
        let Some(open) = self.open.get_mut(&source) else { return };
        open.number = open.number.saturating_sub(1);
        if open.number == 0 {
            self.open.remove(&source);
        }
    }
}
