//! Does tasks when they are due: starts `mailward task run`, reads what it says, and tells people what they have to know.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use mailward_host::run::{Limits, output};
use mailward_model::{Span, Timestamp};
use mailward_notify::Alert;
use mailward_report::Severity;
use serde::Deserialize;

use super::clock;
use crate::alerts::Herald;
use crate::config::Settings;
use crate::tasks::{self, Ended, LONGEST, OURSELVES, Task};

/// How long nobody looks whether something is due, at the most: clocks are set.
const NAP: Duration = Duration::from_secs(30);
/// What is due so soon after something is done with it: it is looked at the server once for all.
const TOGETHER: Span = Span::from_secs(30);
/// Bytes of what tasks say; a letter is the most of it.
const SAID: usize = 16 << 20;

/// The threads that do tasks: one for what takes moments, one for what takes hours.
#[derive(Debug)]
pub(super) struct Tasks {
    settings: Vec<Sender<Settings>>,
}

impl Tasks {
    /// Begins. `config` is the configuration that tasks read.
    pub(super) fn start(config: Option<&Path>, settings: &Settings, herald: &Herald) -> Self {
        let lanes = [("tasks", false), ("tasks-long", true)];
        let senders = lanes.map(|(name, long)| {
            let (sender, heard) = channel();
            let worker = Worker {
                config: config.map(Path::to_owned),
                settings: settings.clone(),
                herald: herald.clone(),
                long,
                begun: clock(),
            };
            // Without it nothing is done, which the record of tasks tells.
            let _ = std::thread::Builder::new().name(name.into()).spawn(move || worker.work(&heard));
            sender
        });
        Self { settings: senders.into() }
    }

    /// Goes on with other settings.
    pub(super) fn settings(&self, settings: &Settings) {
        for sender in &self.settings {
            let _ = sender.send(settings.clone());
        }
    }
}

struct Worker {
    config: Option<PathBuf>,
    settings: Settings,
    herald: Herald,
    /// Whether it does what takes hours.
    long: bool,
    /// Tasks that were never done are due after this.
    begun: Timestamp,
}

/// A line of `mailward task run --format json`.
#[derive(Deserialize)]
struct Said {
    task: String,
    ended: Ended,
}

impl Worker {
    fn work(mut self, heard: &Receiver<Settings>) {
        mailward_host::priority::step_back();
        loop {
            let nap = self.look();
            match heard.recv_timeout(nap) {
                Ok(settings) => self.settings = settings,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Does what is due; tells how long there is nothing to do.
    fn look(&self) -> Duration {
        let due = match tasks::due(&self.settings, self.begun) {
            Ok(due) => due,
            Err(error) => {
                self.failed("tasks", "No task can be done", &error.to_string());
                return NAP;
            }
        };
        let now = clock();
        let mine = due.into_iter().filter(|due| due.task.is_long() == self.long);
        let (due, later): (Vec<_>, Vec<_>) = mine.partition(|due| due.at <= now.plus(TOGETHER));
        if due.iter().any(|due| due.at <= now) {
            // In the order of the table: a digest tells of what was found just before it.
            let mut names: Vec<&'static Task> = due.iter().map(|due| due.task).collect();
            names.sort_by_key(|task| tasks::TASKS.iter().position(|other| other.name == task.name));
            self.run(&names);
            return Duration::from_secs(1);
        }
        let next = due.iter().chain(&later).map(|due| due.at).min();
        next.map_or(NAP, |at| Duration::from_micros(at.since(now).micros()).min(NAP))
    }

    fn run(&self, wanted: &[&'static Task]) {
        let config = self.config.as_deref().map(Path::to_string_lossy);
        let mut args: Vec<&str> =
            config.as_deref().map(|config| vec!["--config", config]).unwrap_or_default();
        let state = self.settings.guard.state_directory.to_string_lossy();
        let socket = self.settings.guard.socket.to_string_lossy();
        args.extend(["--socket", &socket, "task", "run", "--format", "json", "--state", &state]);
        args.extend(wanted.iter().map(|task| task.name));
        let limits = Limits { timeout: LONGEST, max_output: SAID };
        let said = match output(Path::new(OURSELVES), &args, limits) {
            Ok(output) if output.stdout.is_empty() => {
                Err(String::from_utf8_lossy(&output.stderr).into_owned())
            }
            Ok(output) => Ok(output.stdout),
            Err(error) => Err(error.to_string()),
        };
        match said {
            Ok(said) => said.split(|byte| *byte == b'\n').for_each(|line| self.hear(line)),
            Err(why) => self.failed("tasks", "No task can be done", &why),
        }
    }

    fn hear(&self, line: &[u8]) {
        let Ok(Said { task, ended }) = serde_json::from_slice(line) else { return };
        match ended {
            Ended::Done(done) => {
                self.herald.standing("tasks", Vec::new(), Span::ZERO);
                self.herald.standing(&format!("run/{task}"), Vec::new(), Span::ZERO);
                self.herald.standing(&format!("task/{task}"), done.alerts, Span::ZERO);
                done.events.into_iter().for_each(|event| self.herald.happened(event));
                done.letter.into_iter().for_each(|letter| self.herald.post(letter));
            }
            Ended::Failed(why) => {
                self.failed(&format!("run/{task}"), &format!("The task {task} could not be done"), &why);
            }
            Ended::Busy => {}
        }
    }

    fn failed(&self, origin: &str, title: &str, why: &str) {
        let alert = Alert {
            key: origin.to_owned(),
            severity: Severity::Medium,
            title: title.to_owned(),
            text: why.to_owned(),
            next: "mailward task log".into(),
            since: clock().into(),
            resolved: None,
        };
        self.herald.standing(origin, vec![alert], Span::ZERO);
    }
}
