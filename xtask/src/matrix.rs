//! `cargo xtask matrix`: every attack of the lab, each from its own addresses, while Mailward guards the mail host and
//! honest users work.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use mailward_lab::attack::{self, Attack, Outcome};
use mailward_lab::bans::Ban;
use mailward_lab::matrix::{self, Choice, Matrix};
use mailward_lab::topology::INNOCENTS;
use mailward_lab::{Lab, LogFormat, Options, Program};

use crate::demo;
use crate::demo::live::{Lines, SETTINGS, start_guard};

/// Runs the attacks of the lab against a mail host that Mailward guards; status 1 where one is not stopped that the log
/// shows, or an innocent is touched.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these attacks.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// All but these.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    skip: Vec<String>,
    /// How many attacks at the same time.
    #[arg(long, default_value_t = 4)]
    jobs: usize,
    /// How the log's time stamps look.
    #[arg(long, value_enum, default_value = "rfc3339")]
    log_format: LogFormat,
    /// What the names of its namespaces begin with; with another, a second matrix beside the first.
    #[arg(long, default_value = "mwmatrix")]
    prefix: String,
    /// Also writes everything that was measured.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The binary; it is built where none is given.
    #[arg(long, value_name = "FILE")]
    mailward: Option<PathBuf>,
}

/// Attacks that leave nothing in the log until it is too late, or nothing that tells them from mail: they belong to the
/// services in the mail's path.
const NOT_IN_THE_LOG: &[&str] =
    &["spam-burst", "spam-bot", "smuggling", "log-injection", "starttls-injection"];

/// Of an attack with many sources so many in a hundred must be shut out at the end; the first few open the siege.
const SOURCES_PERCENT: usize = 60;

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let mailward = match &args.mailward {
        Some(path) => path.canonicalize().with_context(|| path.display().to_string())?,
        None => demo::build()?,
    };
    let dir = std::env::temp_dir().join(format!("mailward-matrix-{}", std::process::id()));
    let (prefix, log_format) = (args.prefix.clone(), args.log_format);
    let options = Options { dir: dir.clone(), prefix, log_format, leased: true, ..Options::default() };
    let lab = Lab::up(options, &Program::this(&["lab"])?)?;
    let result = guarded(&lab, args, &mailward);
    lab.down()?;
    let (matrix, bans) = match result {
        Ok(seen) => seen,
        Err(error) => {
            return Err(error.context(format!("the logs of the lab are in {}", dir.join("log").display())));
        }
    };
    if let Some(path) = &args.json {
        fs::write(path, serde_json::to_string_pretty(&matrix)? + "\n")?;
    }
    let wrong = judge(&matrix, &bans);
    println!("\n{}\n{} bans; {}", matrix.table(), bans.len(), verdict(&matrix, &wrong));
    if wrong.is_empty() {
        fs::remove_dir_all(&dir)?;
        return Ok(ExitCode::SUCCESS);
    }
    wrong.iter().for_each(|line| println!("WRONG: {line}"));
    println!("the logs of the lab are in {}", dir.join("log").display());
    Ok(ExitCode::FAILURE)
}

/// The attacks, and the bans that were announced meanwhile.
fn guarded(lab: &Lab, args: &Args, mailward: &std::path::Path) -> Result<(Matrix, Vec<Ban>)> {
    let choice = Choice { attacks: chosen(args)?, jobs: args.jobs, legit: true };
    let (guest, lines) = start_guard(lab, mailward, SETTINGS)?;
    thread::scope(|scope| {
        let watcher = scope.spawn(move || announced(lines));
        let matrix = matrix::all(lab, &choice, &|line| println!("{line}"));
        let status = guest.stop(Duration::from_secs(10))?;
        let bans = watcher.join().map_err(|_| anyhow!("the watcher panicked"))?;
        ensure!(status.success(), "mailward guard ended with {status}");
        Ok((matrix?, bans))
    })
}

fn announced(lines: Lines) -> Vec<Ban> {
    lines.map_while(Result::ok).filter_map(|line| Ban::parse(&line)).collect()
}

fn chosen(args: &Args) -> Result<Vec<Attack>> {
    for name in args.only.iter().chain(&args.skip) {
        attack::named(name).with_context(|| format!("no attack {name}; `cargo xtask lab attack --list`"))?;
    }
    let all = attack::all().into_iter();
    let wanted = |name: &str| args.only.is_empty() || args.only.iter().any(|only| only == name);
    Ok(all.filter(|it| wanted(it.name) && !args.skip.iter().any(|skip| skip == it.name)).collect())
}

/// What is not as it must be.
fn judge(matrix: &Matrix, bans: &[Ban]) -> Vec<String> {
    let mut wrong: Vec<_> = matrix.attacks.iter().filter_map(unstopped).collect();
    if !matrix.unhindered() {
        wrong.push("an honest user was hindered; see above".into());
    }
    for innocent in INNOCENTS {
        let by = bans.iter().filter(|ban| ban.covers(innocent.address));
        wrong.extend(by.map(|ban| format!("{} banned: {} ({})", innocent.name, ban.target, ban.reason)));
    }
    wrong
}

fn unstopped(attack: &Outcome) -> Option<String> {
    let Outcome { attack: name, sources, sources_blocked: blocked, .. } = attack;
    if name == "lucky-guess" && attack.notes.get("logins").is_some_and(|logins| *logins > 0) {
        return Some("lucky-guess: the right password was let in after wrong ones".into());
    }
    if NOT_IN_THE_LOG.contains(&name.as_str()) {
        return None;
    }
    let enough = *blocked > 0 && blocked * 100 >= sources * SOURCES_PERCENT;
    (!enough).then(|| format!("{name}: {blocked} of {sources} sources shut out"))
}

fn verdict(matrix: &Matrix, wrong: &[String]) -> String {
    let stopped = matrix.attacks.iter().filter(|attack| attack.sources_blocked > 0).count();
    let end = if wrong.is_empty() { "all as it must be" } else { "not all as it must be" };
    format!("{stopped} of {} attacks stopped; {end}", matrix.attacks.len())
}
