//! The operator's routine, done by the daemon: what each task does, when, and what became of it.
//!
//! A task is run by `mailward task run`, by a person or by the daemon, which starts just that command: what a task takes of memory
//! goes with it, one that hangs is ended, and there is one way to run it.

mod backup;
mod digest;
mod disk;
mod queue;
mod records;
mod schedule;
mod services;
mod watch;

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mailward_host::lock::Lock;
use mailward_model::{Span, Timestamp};
use mailward_notify::{Alert, Letter};
use mailward_report::Severity;
use mailward_store::{Run, StoreError, Tasks};
use serde::{Deserialize, Serialize};

use crate::cli::audited;
use crate::config::{Settings, TaskSettings};

pub(crate) use backup::OURSELVES;
pub(crate) use schedule::Schedule;

/// Something that is done again and again.
pub(crate) struct Task {
    pub(crate) name: &'static str,
    /// What it does, in one line.
    pub(crate) about: &'static str,
    /// When, by the settings.
    pub(crate) schedule: fn(&TaskSettings) -> Schedule,
    run: fn(&Ground<'_>, &str) -> anyhow::Result<Done>,
}

/// Whatever there is to do, in the order in which it is done.
pub(crate) static TASKS: &[Task] = &[
    Task {
        name: "services",
        about: "Talks to each mail port as a client would, and sees whether the log tells of it",
        schedule: |tasks| tasks.services,
        run: services::run,
    },
    Task {
        name: "queue",
        about: "How much mail waits in the queue, since when, and why",
        schedule: |tasks| tasks.queue,
        run: queue::run,
    },
    Task {
        name: "disk",
        about: "Space and inodes, and on which day they will be used up",
        schedule: |tasks| tasks.disk,
        run: disk::run,
    },
    Task {
        name: "audit",
        about: "The whole audit, compared with the last one",
        schedule: |tasks| tasks.audit,
        run: watch::everything,
    },
    Task {
        name: "certificates",
        about: "Certificates: when they end, and whether the one that is served is the one on disk",
        schedule: |tasks| tasks.certificates,
        run: |ground, memory| watch::families(ground, memory, &["CRT"]),
    },
    Task {
        name: "dns",
        about: "MX, SPF, DKIM, DMARC and the other records of mail: what changed, and what is wrong",
        schedule: |tasks| tasks.dns,
        run: records::run,
    },
    Task {
        name: "reputation",
        about: "Whether block lists have this server or its domains",
        schedule: |tasks| tasks.reputation,
        run: |ground, memory| watch::families(ground, memory, &["REP"]),
    },
    Task {
        name: "updates",
        about: "Updates that wait for the mail server's packages, and known flaws in them",
        schedule: |tasks| tasks.updates,
        run: |ground, memory| watch::families(ground, memory, &["VER"]),
    },
    Task {
        name: "accounts",
        about: "Accounts that nobody uses, weak passwords, forwards and filters",
        schedule: |tasks| tasks.accounts,
        run: |ground, memory| watch::families(ground, memory, &["ACC"]),
    },
    Task {
        name: "logs",
        about: "Whether the mail log is written, rotated and kept as it should be",
        schedule: |tasks| tasks.logs,
        run: |ground, memory| watch::families(ground, memory, &["LOG"]),
    },
    Task {
        name: "backup",
        about: "Makes a backup",
        schedule: |tasks| tasks.backup,
        run: |ground, _| backup::run(ground, &["run"]),
    },
    Task {
        name: "backup-check",
        about: "Checks that the backups are whole",
        schedule: |tasks| tasks.backup_check,
        run: |ground, _| backup::run(ground, &["check"]),
    },
    Task {
        name: "restore-drill",
        about: "Restores a sample from the backups, and compares it",
        schedule: |tasks| tasks.restore_drill,
        run: |ground, _| backup::run(ground, &["drill"]),
    },
    Task {
        name: "digest-daily",
        about: "A mail about the last day: what needs you, what changed, what was kept out",
        schedule: |tasks| tasks.digest_daily,
        run: |ground, memory| digest::run(ground, memory, digest::Period::Day),
    },
    Task {
        name: "digest-weekly",
        about: "The same about the last seven days",
        schedule: |tasks| tasks.digest_weekly,
        run: |ground, memory| digest::run(ground, memory, digest::Period::Week),
    },
    Task {
        name: "digest-monthly",
        about: "The same about the last thirty days",
        schedule: |tasks| tasks.digest_monthly,
        run: |ground, memory| digest::run(ground, memory, digest::Period::Month),
    },
];

/// A task by its name.
pub(crate) fn find(name: &str) -> Option<&'static Task> {
    TASKS.iter().find(|task| task.name == name)
}

/// What tasks work on.
pub(crate) struct Ground<'a> {
    pub(crate) config: Option<&'a Path>,
    pub(crate) settings: &'a Settings,
    pub(crate) now: Timestamp,
    /// The server as it is now: looked at once, whoever asks.
    facts: OnceCell<mailward_audit::Facts>,
}

impl<'a> Ground<'a> {
    pub(crate) fn new(config: Option<&'a Path>, settings: &'a Settings) -> Self {
        let now = Timestamp::from_micros(mailward_host::clock::now());
        Self { config, settings, now, facts: OnceCell::new() }
    }

    fn state(&self) -> &Path {
        &self.settings.guard.state_directory
    }

    fn facts(&self) -> anyhow::Result<&mailward_audit::Facts> {
        if let Some(facts) = self.facts.get() {
            return Ok(facts);
        }
        let facts = audited::facts(self.config, self.settings)?;
        Ok(self.facts.get_or_init(|| facts))
    }
}

/// What a task brought.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Done {
    /// Whether there is something that a person has to see to.
    pub(crate) findings: bool,
    /// What it found, for people.
    pub(crate) text: String,
    /// What is wrong now, as this task sees it.
    pub(crate) alerts: Vec<Alert>,
    /// What happened since the last time.
    pub(crate) events: Vec<Alert>,
    /// What it wants to know the next time; nothing leaves that as it is.
    #[serde(skip)]
    memory: Option<String>,
    /// A letter to the operator.
    pub(crate) letter: Option<Letter>,
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ended {
    /// It did what it does.
    Done(Done),
    /// It could not, and why.
    Failed(String),
    /// The same task is being run already.
    Busy,
}

/// How a run is called in the record.
const RUNNING: &str = "running";
const FINE: &str = "fine";
const FINDINGS: &str = "findings";
const FAILED: &str = "failed";

impl Ended {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Done(done) if done.findings => FINDINGS,
            Self::Done(_) => FINE,
            Self::Failed(_) => FAILED,
            Self::Busy => RUNNING,
        }
    }
}

/// Where what tasks did is kept.
pub(crate) fn record(state: &Path) -> PathBuf {
    state.join("tasks.sqlite")
}

/// Runs a task and records it. Two of a kind are never run at once.
pub(crate) fn run(task: &Task, ground: &Ground<'_>) -> anyhow::Result<Ended> {
    let mut tasks = Tasks::open(&record(ground.state()))?;
    let Ok(_lock) = Lock::acquire(&ground.state().join(format!("task-{}.lock", task.name))) else {
        return Ok(Ended::Busy);
    };
    let (began, begun) = (Instant::now(), Timestamp::from_micros(mailward_host::clock::now()));
    let id = tasks.begin(task.name, begun, RUNNING)?;
    let memory = tasks.memory(task.name)?.unwrap_or_default();
    let ended = match (task.run)(ground, &memory) {
        Ok(done) => Ended::Done(done),
        Err(error) => Ended::Failed(format!("{error:#}")),
    };
    let (text, memory) = match &ended {
        Ended::Done(done) => (done.text.clone(), done.memory.as_deref()),
        Ended::Failed(why) => (why.clone(), None),
        Ended::Busy => (String::new(), None),
    };
    let took = Span::from_micros(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
    let run = Run { task: task.name.into(), begun, took, outcome: ended.name().into(), text };
    tasks.end(id, &run, memory)?;
    Ok(ended)
}

/// What is to be done, and from when on.
#[derive(Clone, Copy)]
pub(crate) struct Due {
    pub(crate) task: &'static Task,
    pub(crate) at: Timestamp,
}

/// When each task is due, the first one first; nothing where tasks are turned off. A task that was never run is due at its first time
/// after `since`.
pub(crate) fn due(settings: &Settings, since: Timestamp) -> Result<Vec<Due>, StoreError> {
    let tasks = Tasks::open(&record(&settings.guard.state_directory))?;
    let (zone, host) = (jiff::tz::TimeZone::system(), rustix::system::uname());
    let host = host.nodename().to_string_lossy();
    let mut due = Vec::new();
    for task in TASKS.iter().filter(|_| settings.tasks.enabled) {
        let last = counting(&tasks.runs(Some(task.name), 3)?).unwrap_or(since);
        let schedule = (task.schedule)(&settings.tasks);
        let at = schedule.due(last, settings.tasks.jitter, &host, &zone);
        due.extend(at.map(|at| Due { task, at }));
    }
    due.sort_by_key(|due| due.at);
    Ok(due)
}

/// When a task was run last. A run that was cut short is made up for; one that is cut short twice is not tried without end.
fn counting(runs: &[Run]) -> Option<Timestamp> {
    let cut_short = |run: &&Run| run.outcome == RUNNING;
    match runs {
        [last, before, ..] if cut_short(&last) && cut_short(&before) => Some(last.begun),
        [last, before, ..] if cut_short(&last) => Some(before.begun),
        [last] if cut_short(&last) => None,
        [last, ..] => Some(last.begun),
        [] => None,
    }
}

/// How long a run of several tasks may take: a backup is the longest.
pub(crate) const LONGEST: Duration = Duration::from_secs(24 * 3_600);

impl Task {
    /// Whether it may take hours, so that others do not wait for it.
    pub(crate) fn is_long(&self) -> bool {
        matches!(self.name, "backup" | "backup-check" | "restore-drill")
    }
}

/// An alert of a task about something that lasts.
fn alert(key: String, severity: Severity, title: String, text: String, next: &str, now: Timestamp) -> Alert {
    Alert { key, severity, title, text, next: next.to_owned(), since: now.into(), resolved: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(begun: i64, outcome: &str) -> Run {
        Run {
            task: "audit".into(),
            begun: Timestamp::from_secs(begun),
            took: Span::ZERO,
            outcome: outcome.into(),
            text: String::new(),
        }
    }

    #[test]
    fn a_run_that_was_cut_short_is_made_up_for_once() {
        let at = |secs| Some(Timestamp::from_secs(secs));
        for (runs, last) in [
            (vec![], None),
            (vec![run(30, FINE)], at(30)),
            (vec![run(30, FAILED), run(20, FINE)], at(30)),
            (vec![run(30, RUNNING)], None),
            (vec![run(30, RUNNING), run(20, FINE)], at(20)),
            (vec![run(30, RUNNING), run(20, RUNNING), run(10, FINE)], at(30)),
        ] {
            assert_eq!(counting(&runs), last, "{runs:?}");
        }
    }

    #[test]
    fn each_task_has_a_name_of_its_own() {
        let mut names: Vec<&str> = TASKS.iter().map(|task| task.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TASKS.len());
    }
}
