//! What the daemon tells: on standard output, and to whoever follows the control socket.

use std::time::Duration;

use anyhow::Context as _;
use mailward_engine::Effect;
use mailward_model::{Ban, Timestamp};
use mailward_web::Events;
use serde_json::json;

use super::Setup;
use super::outlet::Outlet;
use crate::record::Record;

/// Where it tells, and how.
#[derive(Debug)]
pub(crate) struct Voice {
    json: bool,
    /// Offences and logins, too.
    all: bool,
    outlet: Outlet,
    events: Option<Events>,
}

/// How long the end waits for a reader of standard output.
const PATIENCE: Duration = Duration::from_secs(2);

impl Voice {
    /// A voice on standard output: JSON lines, or text for people and the journal.
    pub(crate) fn new(json: bool, all: bool) -> anyhow::Result<Self> {
        let lost =
            move |lost| note(json, &format!("{lost} line(s) were not told: nobody read standard output"));
        let outlet = Outlet::open(std::io::stdout(), lost).context("cannot start a thread")?;
        Ok(Self { json, all, outlet, events: None })
    }

    pub(super) fn with_events(self, events: Events) -> Self {
        Self { events: Some(events), ..self }
    }

    pub(super) fn started(&self, setup: &Setup, bans: usize) {
        let mode = mode(setup);
        let sources = setup.specs.len();
        self.say(&format!("guarding; mode {mode}; {sources} log source(s); {bans} ban(s) hold"));
    }

    /// Tells what a reload took over, and what it could not.
    pub(super) fn reloaded(&self, before: &Setup, now: &Setup) {
        self.say(&format!("configuration read again; mode {}", mode(now)));
        let fixed = |setup: &Setup| (setup.specs.clone(), setup.state.clone(), setup.socket.clone());
        if fixed(before) != fixed(now) {
            let text = "logs, state directory and socket stay as they were until: systemctl restart mailward";
            self.say(text);
        }
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

    /// Tells that a file is not as it was.
    pub(super) fn integrity(&self, record: &Record) {
        self.record(record, true);
    }

    /// Tells that a ban has ended, or was lifted.
    pub(super) fn ended(&self, ban: &Ban, time: Timestamp) {
        self.record(&Record::unban(ban, time), true);
    }

    /// Says something about the daemon itself.
    pub(super) fn say(&self, text: &str) {
        self.outlet.line(&note(self.json, text));
    }

    /// Says the last thing, and waits a little until it is heard.
    pub(super) fn last(&self, text: &str) {
        self.outlet.last(&note(self.json, text), PATIENCE);
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
                self.outlet.line(&text);
            }
        } else {
            self.outlet.line(&record.sentence());
        }
    }
}

const fn mode(setup: &Setup) -> &'static str {
    if setup.enforce { "enforce" } else { "dry-run: bans are decided and not enforced" }
}

/// A line about the daemon itself.
fn note(json: bool, text: &str) -> String {
    if json {
        json!({ "time": super::clock().to_string(), "event": "note", "text": text }).to_string()
    } else {
        text.to_owned()
    }
}
