//! The command line: what each command takes, and the exit codes.

mod account;
mod analyze;
mod audit;
#[cfg(feature = "backup")]
mod backup;
mod completions;
mod config;
mod explain;
mod firewall;
mod greylist;
mod guard;
mod harden;
mod import;
mod incident;
mod init;
mod input;
mod integrity;
mod limits;
mod login;
mod notify;
mod parse;
mod policy;
mod remote;
mod replay;
mod task;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

pub(crate) use audit::{audited, deployed, severity};
pub(crate) use config::load;
pub(crate) use input::{Logs, open};

/// Makes a self-hosted mail server (Postfix and Dovecot) safe and keeps it safe.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    /// Configuration file; without one every setting has its default.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The daemon's control socket, instead of the configured one.
    #[arg(long, global = true, value_name = "PATH")]
    socket: Option<PathBuf>,
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
    /// Find Postfix, Dovecot and their logs, and write a commented mailward.toml.
    Init(init::Args),
    /// The daemon: follows the logs and bans attackers in the kernel.
    Guard(guard::Args),
    /// How the daemon is: sources, bans, kernel, findings.
    Status(remote::Print),
    /// The bans that hold.
    Bans(remote::Print),
    /// Ban an address or network by hand.
    Ban(remote::BanArgs),
    /// Lift a ban.
    Unban(remote::UnbanArgs),
    /// Never ban an address or network; without one, show the list.
    Allow(remote::AllowArgs),
    /// Why an address, network or account is banned, or is not; or what an audit check is about.
    Explain(explain::Args),
    /// What is going on: sources, networks and accounts of the last hour.
    Top(remote::Print),
    /// The configuration: every mistake, or every setting in force.
    #[command(subcommand)]
    Config(config::Command),
    /// Inspect the whole mail server: what is wrong, the proof, and the fix.
    Audit(Box<audit::Args>),
    /// Mend what the audit finds: plan, show, apply, prove, and undo.
    #[command(subcommand)]
    Harden(Box<harden::Command>),
    /// Which attacks in a log no protection on this host stops.
    Coverage(audit::coverage::Args),
    /// The packet filter of this host: default deny, tried out before it stays.
    #[command(subcommand)]
    Firewall(firewall::Command),
    /// Bring bans, ignore lists and jail settings along from another tool.
    #[command(subcommand)]
    Import(import::Command),
    /// What was changed in configuration and in the places where intruders stay.
    #[command(subcommand)]
    Integrity(integrity::Command),
    /// Save the mail server, prove that it comes back, bring it back: encrypted, in restic's format.
    #[cfg(feature = "backup")]
    #[command(subcommand)]
    Backup(backup::Command),
    /// The mail accounts: list, add, passwd, disable, enable, delete, and who is connected.
    Account(account::Args),
    /// An account that somebody else uses: stop it, see what happened, give it back.
    Incident(incident::Args),
    /// What Postfix is answered when it asks, and why.
    #[command(subcommand)]
    Policy(policy::Command),
    /// Whom the greylist has seen, and whom it leaves alone.
    #[command(subcommand)]
    Greylist(greylist::Command),
    /// How much an account may send, and has sent.
    #[command(subcommand)]
    Limits(limits::Command),
    /// What Dovecot is answered when it asks about logins, and why.
    #[command(subcommand)]
    Login(login::Command),
    /// What the daemon does again and again: list, run, and what became of it.
    #[command(subcommand)]
    Task(task::Command),
    /// Whether alerts reach anybody: send a test, see what waits.
    #[command(subcommand)]
    Notify(notify::Command),
    /// The attacks in a log: what, from where, at whom, when, and what the rules would have done.
    Analyze(analyze::Args),
    /// Log lines into typed events, a JSON line each.
    Parse(parse::Args),
    /// What the rules would decide on a log, by the log's own time, a JSON line each.
    Replay(replay::Args),
    /// Shell completions and man pages, made from this very command line.
    #[command(hide = true)]
    Completions(completions::Args),
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
    let config = cli.config.as_deref();
    let daemon = || -> anyhow::Result<remote::Daemon> {
        let socket = cli.socket.clone().map_or_else(|| crate::setup::socket(config), Ok)?;
        Ok(remote::Daemon::at(socket))
    };
    match &cli.command {
        Command::Init(args) => init::run(config, args),
        Command::Config(command) => config::run(config, command),
        Command::Completions(args) => completions::run(args),
        Command::Guard(args) => guard::run(config, cli.socket.as_deref(), args),
        Command::Status(print) => daemon()?.status(print),
        Command::Bans(print) => daemon()?.bans(print),
        Command::Ban(args) => daemon()?.ban(args),
        Command::Unban(args) => daemon()?.unban(args),
        Command::Allow(args) => daemon()?.allow(args),
        Command::Explain(args) => match explain::check(args) {
            Some(explained) => explained,
            None if args.logs.is_empty() => daemon()?.explain(args),
            None => explain::run(config, args),
        },
        Command::Top(print) => daemon()?.top(print),
        Command::Audit(args) => audit::run(config, args),
        Command::Harden(command) => harden::run(config, command),
        Command::Coverage(args) => audit::coverage::run(config, args),
        Command::Firewall(command) => firewall::run(config, command),
        Command::Import(command) => import::run(config, cli.socket.as_deref(), command),
        Command::Integrity(command) => integrity::run(config, command),
        #[cfg(feature = "backup")]
        Command::Backup(command) => backup::run(config, command),
        Command::Account(args) => account::run(config, args),
        Command::Incident(args) => incident::run(config, args),
        Command::Policy(command) => policy::run(config, daemon, command),
        Command::Greylist(command) => greylist::run(config, daemon, command),
        Command::Limits(command) => limits::run(&daemon()?, command),
        Command::Login(command) => login::run(config, daemon, command),
        Command::Task(command) => task::run(config, cli.socket.as_deref(), command),
        Command::Notify(command) => notify::run(config, command),
        Command::Analyze(args) => analyze::run(config, args),
        Command::Parse(args) => parse::run(args),
        Command::Replay(args) => replay::run(config, args),
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
    // Errors of the crates tell their cause themselves; only what is new is added.
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    eprintln!("mailward: {text}");
}
