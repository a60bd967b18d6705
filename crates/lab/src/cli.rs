//! The commands of `cargo xtask lab`.
#![expect(clippy::print_stdout, reason = "a developer's command talks to the terminal")]

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;

use crate::host::{self, Lab, LogFormat, Options, Program};
use crate::topology::Place;

/// A real mail host, its users and its attackers, in network namespaces of this machine.
#[derive(Debug, clap::Parser)]
#[command(name = "lab")]
pub struct Args {
    /// The lab's folder.
    #[arg(long, global = true, env = "MWLAB_DIR", default_value = "/tmp/mwlab", value_name = "DIR")]
    dir: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Makes the lab and starts the mail host (needs root).
    Up {
        /// What the names of the namespaces begin with; with another DIR, a second lab beside the first.
        #[arg(long, default_value = "mwlab")]
        prefix: String,
        /// How the log's time stamps look.
        #[arg(long, value_enum, default_value = "rfc3339")]
        log_format: LogFormat,
        /// Leave out Dovecot's delays after failed logins: quick and less real.
        #[arg(long)]
        quick: bool,
    },
    /// Ends everything that the lab started; the folder with the logs stays.
    Down {
        /// Removes the folder, too.
        #[arg(long)]
        purge: bool,
    },
    /// Tells what runs; status 1 where nothing does.
    Status,
    /// Runs a command in a machine: mail, net, good, bad, or one of their addresses.
    Exec {
        /// The machine.
        place: Place,
        /// The command and its arguments.
        #[arg(trailing_var_arg = true, required = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
    /// Rotates the mail log as logrotate does.
    Rotate {
        /// Copies and truncates instead of renaming.
        #[arg(long)]
        copytruncate: bool,
    },
    /// Process 1 of the mail host.
    #[command(name = "__init", hide = true)]
    Init { lab: PathBuf },
    /// DNS and the partner's mail server.
    #[command(name = "__world", hide = true)]
    World {
        lab: PathBuf,
        #[arg(long)]
        leased: bool,
    },
}

/// Runs one command. `program` is how this program is started again for the lab's own processes.
///
/// # Errors
/// When the lab cannot do what was asked.
pub fn run(args: &Args, program: &Program) -> Result<ExitCode> {
    let open = || Lab::open(&args.dir);
    match &args.command {
        Command::Up { prefix, log_format, quick } => {
            let (prefix, dir) = (prefix.clone(), args.dir.clone());
            up(Options { dir, prefix, log_format: *log_format, quick: *quick, leased: false }, program)
        }
        Command::Down { purge } => down(open()?, *purge),
        Command::Status => status(&open()?),
        Command::Exec { place, command } => exec(&open()?, *place, command),
        Command::Rotate { copytruncate } => open()?.rotate(*copytruncate).map(|()| ExitCode::SUCCESS),
        Command::Init { lab } => host::init(lab).map(|()| ExitCode::SUCCESS),
        Command::World { lab, leased } => host::world(lab, *leased).map(|()| ExitCode::SUCCESS),
    }
}

fn up(options: Options, program: &Program) -> Result<ExitCode> {
    let begin = Instant::now();
    let lab = Lab::up(options, program)?;
    println!("up in {:.1} s; log: {}", begin.elapsed().as_secs_f64(), lab.mail_log().display());
    Ok(ExitCode::SUCCESS)
}

fn down(lab: Lab, purge: bool) -> Result<ExitCode> {
    let dir = lab.dir().to_owned();
    lab.down()?;
    if purge {
        std::fs::remove_dir_all(dir)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn status(lab: &Lab) -> Result<ExitCode> {
    let Some(pid) = lab.running() else {
        println!("down; its logs are in {}", lab.dir().join("log").display());
        return Ok(ExitCode::FAILURE);
    };
    println!("up; process 1 of the mail host is {pid}; log: {}", lab.mail_log().display());
    for place in Place::ALL {
        println!("  {}-{}", lab.prefix(), place.name());
    }
    Ok(ExitCode::SUCCESS)
}

fn exec(lab: &Lab, place: Place, command: &[OsString]) -> Result<ExitCode> {
    let Some((program, args)) = command.split_first() else { return Ok(ExitCode::from(2)) };
    let status = lab.exec(place, program, args)?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}
