//! `mailward integrity`: what was changed outside of Mailward's plans, and taking it over.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use mailward_audit::integrity::Entries;
use mailward_model::Timestamp;
use mailward_web::{Method, call};

use super::remote::{Print, operator, show};
use super::{Outcome, Usage, load};
use crate::integrity::{self, Acceptance};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// What has changed since it was accepted, line by line; secrets are masked
    Status(Print),
    /// Take what is there now as right: everything, or these files and directories
    Accept(Accept),
}

/// Options of `integrity accept`.
#[derive(Debug, clap::Args)]
pub(crate) struct Accept {
    /// Only these files, and what is in these directories
    paths: Vec<PathBuf>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    print: Print,
}

/// Runs the command.
pub(crate) fn run(config: Option<&Path>, command: &Command) -> anyhow::Result<Outcome> {
    let settings = load(config)?.settings;
    let state = &settings.guard.state_directory;
    let mut watcher = integrity::watcher(&settings)?;
    let baseline = integrity::load(state, true)?;
    let known = baseline.as_ref().map(|baseline| baseline.entries.clone()).unwrap_or_default();
    let seen = watcher.look(&known);
    let now = Timestamp::from_micros(mailward_host::clock::now());
    let changes = match &baseline {
        Some(_) => integrity::changes(&known, &seen, &watcher),
        None => Vec::new(),
    };
    match command {
        Command::Status(print) => {
            show(&integrity::report(baseline.as_ref(), &seen, &changes, now), print)?;
            let fine = baseline.is_some_and(|baseline| !baseline.is_forged()) && changes.is_empty();
            Ok(if fine { Outcome::Fine } else { Outcome::Findings })
        }
        Command::Accept(args) => {
            if baseline.is_none() && !args.paths.is_empty() {
                let why = "there is no baseline yet; without any path, everything is taken: mailward integrity accept";
                return Err(Usage(why.to_owned()).into());
            }
            let meant = Meant::of(&args.paths, &known, &seen.entries)?;
            if baseline.is_some() && args.paths.is_empty() && !args.yes {
                show(&integrity::report(baseline.as_ref(), &seen, &changes, now), &args.print)?;
                if !changes.is_empty() && !agrees(changes.len())? {
                    return Ok(Outcome::Findings);
                }
            }
            let who = Acceptance { by: &operator(), now };
            let (baseline, accepted) =
                integrity::accept(state, &seen, &watcher, |path| meant.has(path), who)?;
            // A daemon looks again by itself; asked, it does so at once.
            let _ = call(&settings.guard.socket, Method::Post, "/v1/integrity", None);
            let mut report = integrity::report(Some(&baseline), &seen, &accepted, now);
            report.accepted = true;
            if known.is_empty() {
                report.changes.clear();
                report.notes.push(format!("{} files are the baseline from now on", baseline.entries.len()));
            }
            show(&report, &args.print)
        }
    }
}

/// Asks on a terminal; elsewhere nobody could answer.
#[expect(clippy::print_stderr, reason = "a question to the person at the terminal")]
fn agrees(changes: usize) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Err(Usage(format!(
            "{changes} change(s) would be accepted: name their files, or say --yes to accept all of them"
        ))
        .into());
    }
    eprint!("Are all {changes} of them yours? Type yes to accept: ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

/// The files that were named.
struct Meant {
    paths: Vec<PathBuf>,
}

impl Meant {
    fn of(named: &[PathBuf], known: &Entries, seen: &Entries) -> anyhow::Result<Self> {
        let mut paths = Vec::new();
        for path in named {
            let whole = absolute(path)?;
            let has = |entries: &Entries| entries.keys().any(|file| file.starts_with(&whole));
            if !has(known) && !has(seen) {
                let path = path.display();
                return Err(Usage(format!(
                    "{path} is not watched. `mailward integrity status` lists what has changed; `paths` in [integrity] of \
                     mailward.toml adds to what is watched"
                ))
                .into());
            }
            paths.push(whole);
        }
        Ok(Self { paths })
    }

    fn has(&self, path: &Path) -> bool {
        self.paths.is_empty() || self.paths.iter().any(|named| path.starts_with(named))
    }
}

/// As files are named in the baseline: without links on the way, the last part as it is.
fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(path) };
    Ok(std::fs::canonicalize(parent).map_or_else(|_| path.clone(), |parent| parent.join(name)))
}
