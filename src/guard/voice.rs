//! What the daemon tells: on standard output, and to whoever follows the control socket.

use std::io::Write;

use mailward_engine::Effect;
use mailward_model::{Ban, Timestamp};
use mailward_web::Events;
use serde_json::json;

use super::Setup;
use crate::record::Record;

/// Where it tells, and how.
#[derive(Debug)]
pub(crate) struct Voice {
    json: bool,
    /// Offences and logins, too.
    all: bool,
    events: Option<Events>,
}

impl Voice {
    /// A voice on standard output: JSON lines, or text for people and the journal.
    pub(crate) const fn new(json: bool, all: bool) -> Self {
        Self { json, all, events: None }
    }

    pub(super) fn with_events(self, events: Events) -> Self {
        Self { events: Some(events), ..self }
    }

    pub(super) fn started(&self, setup: &Setup, bans: usize) {
        let mode = if setup.enforce { "enforce" } else { "dry-run: bans are decided and not enforced" };
        let sources = setup.specs.len();
        self.say(&format!("guarding; mode {mode}; {sources} log source(s); {bans} ban(s) hold"));
    }

    /// Whether it tells of such an effect, or somebody follows who hears of all.
    pub(super) fn wants(&self, effect: &Effect) -> bool {
        self.says(effect) || self.events.as_ref().is_some_and(|events| events.listeners() > 0)
    }

    /// Tells an effect that is on the disk.
    pub(super) fn tell(&self, effect: &Effect, enforced: bool) {
        if !self.wants(effect) {
            return;
        }
        let time = match effect {
            Effect::Signal(signal) => signal.time,
            _ => super::clock(),
        };
        let record =
            Record { dry_run: !enforced && matches!(effect, Effect::Ban(_)), ..Record::of(effect, time) };
        self.record(&record, self.says(effect));
    }

    const fn says(&self, effect: &Effect) -> bool {
        self.all || !matches!(effect, Effect::Offence(_) | Effect::Login(_))
    }

    /// Tells that a ban has ended, or was lifted.
    pub(super) fn ended(&self, ban: &Ban, time: Timestamp) {
        self.record(&Record::unban(ban, time), true);
    }

    /// Says something about the daemon itself.
    pub(super) fn say(&self, text: &str) {
        if self.json {
            self.line(
                &json!({ "time": super::clock().to_string(), "event": "note", "text": text }).to_string(),
            );
        } else {
            self.line(text);
        }
    }

    fn record(&self, record: &Record, aloud: bool) {
        if let Some(events) = &self.events
            && events.listeners() > 0
            && let Ok(value) = serde_json::to_value(record)
        {
            events.publish(&value);
        }
        if !aloud {
            return;
        }
        if self.json {
            if let Ok(text) = crate::json::to_string(record) {
                self.line(&text);
            }
        } else {
            self.line(&record.sentence());
        }
    }

    /// Standard output may be gone; the guard goes on.
    #[expect(clippy::unused_self, reason = "the voice is the only one that speaks")]
    fn line(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{text}");
        let _ = out.flush();
    }
}
