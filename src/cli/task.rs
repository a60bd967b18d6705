//! `mailward task`: what the daemon does again and again.

use std::io::Write;
use std::path::{Path, PathBuf};

use mailward_model::Timestamp;
use mailward_report::Shown;
use mailward_store::{Run, Tasks};
use serde_json::json;

use super::remote::Print;
use super::{Format, Outcome, Usage, load};
use crate::config::Settings;
use crate::tasks::{self, Ended, Ground, TASKS};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Every task: when it is done, what became of it last, and when it is done next
    List(Print),
    /// Do tasks now, one after the other
    Run {
        /// Their names, as `mailward task list` has them
        #[arg(required = true)]
        names: Vec<String>,
        /// The state directory, where the daemon has another one than the configuration says
        #[arg(long, value_name = "DIR", hide = true)]
        state: Option<PathBuf>,
        #[command(flatten)]
        print: Print,
    },
    /// What became of tasks, the latest first
    Log {
        /// Only of this task
        name: Option<String>,
        /// So many runs
        #[arg(long, value_name = "N", default_value_t = 20)]
        last: usize,
        #[command(flatten)]
        print: Print,
    },
}

/// Runs the command.
pub(crate) fn run(
    config: Option<&Path>,
    socket: Option<&Path>,
    command: &Command,
) -> anyhow::Result<Outcome> {
    let mut settings = load(config)?.settings;
    socket.iter().for_each(|socket| settings.guard.socket = (*socket).to_owned());
    match command {
        Command::List(print) => list(&settings, print),
        Command::Run { names, state, print } => {
            state.iter().for_each(|state| settings.guard.state_directory.clone_from(state));
            work(config, &settings, names, print)
        }
        Command::Log { name, last, print } => {
            name.as_deref().map(known).transpose()?;
            let record = Tasks::open(&tasks::record(&settings.guard.state_directory))?;
            log(&record.runs(name.as_deref(), *last)?, print)
        }
    }
}

fn known(name: &str) -> Result<&'static tasks::Task, Usage> {
    tasks::find(name).ok_or_else(|| {
        let names: Vec<&str> = TASKS.iter().map(|task| task.name).collect();
        Usage(format!("there is no task \"{name}\"; there are: {}", names.join(", ")))
    })
}

fn list(settings: &Settings, print: &Print) -> anyhow::Result<Outcome> {
    let now = Timestamp::from_micros(mailward_host::clock::now());
    let due = tasks::due(settings, now)?;
    let record = Tasks::open(&tasks::record(&settings.guard.state_directory))?;
    let mut out = std::io::stdout().lock();
    let mut documents = Vec::new();
    for task in TASKS {
        let schedule = (task.schedule)(&settings.tasks).to_string();
        let last = record.runs(Some(task.name), 1)?.into_iter().next();
        let next = due.iter().find(|due| due.task.name == task.name).map(|due| due.at);
        if print.format() == Format::Json {
            documents.push(json!({
                "name": task.name, "about": task.about, "schedule": schedule, "next": next.map(|at| at.to_string()),
                "last": last.as_ref().map(document),
            }));
            continue;
        }
        writeln!(out, "{:<15} {schedule:<16} {}", task.name, task.about)?;
        let last =
            last.map_or("never run".to_owned(), |run| format!("{} at {}", run.outcome, seconds(run.begun)));
        let next = next.map_or(String::new(), |at| format!("; next at {}", seconds(at)));
        writeln!(out, "{:<15} {last}{next}", "")?;
    }
    if print.format() == Format::Json {
        writeln!(out, "{}", json!(documents))?;
    }
    Ok(Outcome::Fine)
}

fn work(
    config: Option<&Path>,
    settings: &Settings,
    names: &[String],
    print: &Print,
) -> anyhow::Result<Outcome> {
    let wanted = names.iter().map(|name| known(name)).collect::<Result<Vec<_>, _>>()?;
    let ground = Ground::new(config, settings);
    let (mut failed, mut findings) = (Vec::new(), false);
    for task in wanted {
        let ended = tasks::run(task, &ground)?;
        let mut out = std::io::stdout().lock();
        if print.format() == Format::Json {
            // A line each, as soon as it is there: the daemon does not lose it with a later one.
            writeln!(out, "{}", json!({ "task": task.name, "ended": ended }))?;
        } else {
            writeln!(out, "{}: {}", task.name, said(&ended))?;
        }
        match &ended {
            Ended::Done(done) => findings |= done.findings,
            Ended::Failed(_) | Ended::Busy => failed.push(task.name),
        }
    }
    anyhow::ensure!(failed.is_empty() || print.format() == Format::Json, "not done: {}", failed.join(", "));
    Ok(if findings { Outcome::Findings } else { Outcome::Fine })
}

fn said(ended: &Ended) -> String {
    match ended {
        Ended::Done(done) => match &done.letter {
            Some(letter) => format!("{}\n\n{}", done.text, letter.text),
            None => indented(&done.text),
        },
        Ended::Failed(why) => format!("FAILED: {}", indented(why)),
        Ended::Busy => "is being done by somebody else just now".to_owned(),
    }
}

fn indented(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| Shown::from(line).to_string()).collect();
    lines.join("\n    ")
}

fn document(run: &Run) -> serde_json::Value {
    json!({
        "task": run.task, "begun": run.begun.to_string(), "took_ms": run.took.micros() / 1_000, "outcome": run.outcome,
        "text": run.text,
    })
}

fn log(runs: &[Run], print: &Print) -> anyhow::Result<Outcome> {
    let mut out = std::io::stdout().lock();
    if print.format() == Format::Json {
        writeln!(out, "{}", json!(runs.iter().map(document).collect::<Vec<_>>()))?;
        return Ok(Outcome::Fine);
    }
    for run in runs {
        let took = run.took.micros() as f64 / 1e6;
        writeln!(out, "{} {:<15} {:<9} {took:.1} s", seconds(run.begun), run.task, run.outcome)?;
        if !run.text.is_empty() {
            writeln!(out, "    {}", indented(&run.text))?;
        }
    }
    if runs.is_empty() {
        writeln!(out, "no task was done yet: mailward task list")?;
    }
    Ok(Outcome::Fine)
}

/// A time in the zone of this host, to the second.
fn seconds(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_microsecond(at.micros()).unwrap_or_default();
    at.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}
