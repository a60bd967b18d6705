//! parse, detect and decide as one pure function: [`Engine::step`] takes a line and tells what follows.
//!
//! The daemon, `replay`, `analyze` and the tests call the same function, so a replay over an old log gives exactly the
//! decisions of the live run.
#![forbid(unsafe_code)]

mod digest;

use std::collections::HashMap;

use mailward_decide::{Bans, Cleared, Decision, Limit, Protected};
use mailward_detect::{Detector, Login, Notice};
use mailward_model::{Ban, Event, EventKind, Network, Offence, Program, Signal, Span, Subject, Timestamp};
use mailward_parse::{Context, Parser};

pub use digest::Digest;

/// What follows from a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is an offence.
    Offence(Offence),
    /// Somebody logged in.
    Login(Login),
    /// A rule's window is full.
    Signal(Signal),
    /// A ban, for that signal.
    Ban(Cleared),
    /// The signal asked for a ban, and none follows.
    Refused(Refused),
}

impl From<Notice> for Effect {
    fn from(notice: Notice) -> Self {
        match notice {
            Notice::Offence(offence) => Self::Offence(offence),
            Notice::Login(login) => Self::Login(login),
            Notice::Signal(signal) => Self::Signal(signal),
        }
    }
}

/// Why a signal that asks for a ban leads to none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The target is never banned.
    Protected(Protected),
    /// Somebody logged in from that network lately.
    Precious(Network),
    /// A rule runs away.
    OverBudget(Subject, Limit),
}

/// What a line was, in the least words: for the counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// When it was logged.
    pub time: Timestamp,
    /// Who wrote it.
    pub program: Program,
    /// What it says.
    pub kind: EventKind,
}

/// When a ban counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Now {
    /// The line is being written just now, by this clock.
    Clock(Timestamp),
    /// The line is history: its own time counts.
    Logged,
}

/// The chain from line to ban.
#[derive(Debug)]
pub struct Engine {
    context: Context,
    parsers: Vec<Parser>,
    detector: Detector,
    bans: Bans,
    /// Whom a refusal was told about, and when: each offence fills the window again.
    told: HashMap<Subject, Timestamp>,
}

/// How long a refusal about the same subject is not told again.
const TOLD: Span = Span::from_hours(1);
/// Subjects of refusals that are remembered.
const TOLD_MOST: usize = 4_096;

impl Engine {
    /// An engine that knows of no bans and no offences yet.
    #[must_use]
    pub fn new(context: Context, detector: Detector, bans: Bans) -> Self {
        Self { context, parsers: Vec::new(), detector, bans, told: HashMap::new() }
    }

    /// Takes a line of the log with this number; appends what follows to `effects`.
    #[inline]
    pub fn step(&mut self, log: usize, line: &[u8], now: Now, effects: &mut Vec<Effect>) -> Seen {
        self.watch(log, line, now, effects, |_| {})
    }

    /// Like [`Engine::step`], and shows the event to `watch` before it is judged.
    #[inline]
    pub fn watch(
        &mut self,
        log: usize,
        line: &[u8],
        now: Now,
        effects: &mut Vec<Effect>,
        watch: impl FnOnce(&Event<'_>),
    ) -> Seen {
        while self.parsers.len() <= log {
            self.parsers.push(Parser::new(self.context.clone()));
        }
        let Some(parser) = self.parsers.get_mut(log) else {
            return Seen { time: Timestamp::default(), program: Program::Other, kind: EventKind::Unknown };
        };
        if let Now::Clock(clock) = now {
            parser.set_reference(clock);
        }
        let mut event = Event::new(Timestamp::default(), Program::Other);
        parser.parse_into(line, &mut event);
        watch(&event);
        let seen = Seen { time: event.time, program: event.program, kind: event.kind };
        if let Some(since) = observe(&mut self.detector, &self.bans, &event, effects) {
            self.conclude(since, now, effects);
        }
        seen
    }

    /// Takes an event that did not come from a line of a log.
    #[inline]
    pub fn take(&mut self, event: &Event<'_>, now: Now, effects: &mut Vec<Effect>) {
        if let Some(since) = observe(&mut self.detector, &self.bans, event, effects) {
            self.conclude(since, now, effects);
        }
    }

    /// Detection, to ask what it knows.
    #[must_use]
    pub const fn detector(&self) -> &Detector {
        &self.detector
    }

    /// Detection, to bring back what was known before a restart.
    pub const fn detector_mut(&mut self) -> &mut Detector {
        &mut self.detector
    }

    /// The bans.
    #[must_use]
    pub const fn bans(&self) -> &Bans {
        &self.bans
    }

    /// The bans, for what a person decides and for what was decided before a restart.
    pub const fn bans_mut(&mut self) -> &mut Bans {
        &mut self.bans
    }

    /// Lifts the bans that have ended by now.
    pub fn expire(&mut self, now: Timestamp) -> Vec<Ban> {
        self.bans.expire(now)
    }

    /// Decides about each signal since a position.
    fn conclude(&mut self, since: usize, now: Now, effects: &mut Vec<Effect>) {
        for effect in effects.split_off(since) {
            match effect {
                Effect::Signal(signal) => self.decide(signal, now, effects),
                other => effects.push(other),
            }
        }
    }

    fn decide(&mut self, signal: Signal, now: Now, effects: &mut Vec<Effect>) {
        let now = match now {
            Now::Clock(clock) => clock,
            Now::Logged => signal.time,
        };
        if let Subject::Network(network) = signal.subject
            && signal.asks_for_ban()
            && self.detector.is_precious(network, signal.time)
        {
            self.refuse(signal, Refused::Precious(network), effects);
            return;
        }
        match self.bans.decide(&signal, now) {
            // While a ban is on its way to the kernel, the same source goes on to fill windows.
            Decision::Known => {}
            Decision::NoTarget => effects.push(Effect::Signal(signal)),
            Decision::Ban(cleared) => effects.extend([Effect::Signal(signal), Effect::Ban(cleared)]),
            Decision::Refused(protected) => self.refuse(signal, Refused::Protected(protected), effects),
            Decision::OverBudget(limit) => {
                let refused = Refused::OverBudget(signal.subject.clone(), limit);
                self.refuse(signal, refused, effects);
            }
        }
    }

    fn refuse(&mut self, signal: Signal, refused: Refused, effects: &mut Vec<Effect>) {
        let told = self.told.get(&signal.subject);
        if told.is_some_and(|told| signal.time.since(*told) < TOLD) {
            return;
        }
        if self.told.len() >= TOLD_MOST {
            self.told.clear();
        }
        self.told.insert(signal.subject.clone(), signal.time);
        effects.extend([Effect::Signal(signal), Effect::Refused(refused)]);
    }
}

/// Appends what detection has to tell; where signals are among it, which are to be decided, tells since when.
#[inline]
fn observe(
    detector: &mut Detector,
    bans: &Bans,
    event: &Event<'_>,
    effects: &mut Vec<Effect>,
) -> Option<usize> {
    let is_banned = |address| bans.is_banned(address, event.time);
    let before = effects.len();
    detector.observe(event, is_banned, effects);
    let told = effects.get(before..).unwrap_or_default();
    told.iter().any(|effect| matches!(effect, Effect::Signal(_))).then_some(before)
}
