//! The command line: what each command takes, and the exit codes.

mod input;
mod parse;
mod replay;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

/// Makes a self-hosted mail server (Postfix and Dovecot) safe and keeps it safe.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    /// Configuration file; without one every setting has its default.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Exit codes: 0 fine, 1 findings or refusals, 2 usage or configuration, 3 the world failed.

Start with:
  mailward analyze /var/log/mail.log     what attacks a log holds, and what Mailward would have done
  mailward init                          find Postfix and Dovecot, write mailward.toml
  mailward guard                         the daemon";

#[derive(Debug, Subcommand)]
enum Command {
    /// Log lines into typed events, a JSON line each.
    Parse(parse::Args),
    /// What the rules would decide on a log, by the log's own time, a JSON line each.
    Replay(replay::Args),
}

/// How a command prints its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// What a command found; errors are [`anyhow::Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All is fine.
    Fine,
    /// It found something, or refused something.
    Findings,
}

/// The command line or the configuration is wrong: exit code 2.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Runs the command that the arguments name.
pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(Outcome::Fine) => ExitCode::SUCCESS,
        Ok(Outcome::Findings) => ExitCode::from(1),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::from(if error.is::<Usage>() { 2 } else { 3 })
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<Outcome> {
    match &cli.command {
        Command::Parse(args) => parse::run(args),
        Command::Replay(args) => replay::run(cli.config.as_deref(), args),
    }
}

/// `mailward parse … | head` is no failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
}

#[expect(clippy::print_stderr, reason = "the one place where errors reach the terminal")]
fn complain(error: &anyhow::Error) {
    eprintln!("mailward: {error:#}");
}

/// An engine with the rules and lists of the configuration.
fn engine(
    _config: Option<&std::path::Path>,
    context: mailward_parse::Context,
) -> anyhow::Result<mailward_engine::Engine> {
    use mailward_decide::{Bans, Budget, Ladder, NeverBan};
    use mailward_detect::{Capacity, Detector, Patience, Rules};
    let detector = Detector::new(Rules::default(), Patience::default(), Capacity::default());
    let bans = Bans::new(NeverBan::built_in(), Ladder::default(), Budget::default());
    Ok(mailward_engine::Engine::new(context, detector, bans))
}
