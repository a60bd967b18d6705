//! `mailward guard`: the daemon.

use std::path::{Path, PathBuf};

use mailward_source::Spec;

use super::{Format, Outcome};
use crate::guard::{self, Setup, Voice};

/// Options of `guard`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Read this log instead of the configured ones; may be given several times, `-` is standard input
    #[arg(long = "log", value_name = "FILE")]
    logs: Vec<PathBuf>,
    /// Decide and tell, ban nobody
    #[arg(long)]
    dry_run: bool,
    /// Leave the kernel alone; bans are kept and told, and need no privileges
    #[arg(long)]
    no_firewall: bool,
    /// Folder of the store, instead of the configured one
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// How it tells what it does on standard output
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Tell offences and logins, too
    #[arg(long)]
    all: bool,
}

/// Runs the command.
pub(crate) fn run(config: Option<&Path>, socket: Option<&Path>, args: &Args) -> anyhow::Result<Outcome> {
    let resolve = {
        let (config, socket, args) = (config.map(Path::to_owned), socket.map(Path::to_owned), args.clone());
        move || setup(config.as_deref(), socket.as_deref(), &args)
    };
    let voice = Voice::new(args.format == Format::Json, args.all)?;
    let setup = resolve()?;
    super::harden::mend_at_start(config, &setup.state);
    guard::run(setup, Box::new(resolve), voice)?;
    Ok(Outcome::Fine)
}

/// The configuration, with what the command line says instead.
fn setup(config: Option<&Path>, socket: Option<&Path>, args: &Args) -> anyhow::Result<Setup> {
    let mut setup = crate::setup::resolve(config)?;
    if !args.logs.is_empty() {
        let spec = |path: &PathBuf| {
            if path.as_os_str() == "-" { Spec::Stdin } else { Spec::File(path.clone()) }
        };
        setup.specs = args.logs.iter().map(spec).collect();
    }
    setup.enforce &= !args.dry_run;
    if args.no_firewall {
        setup.firewall = None;
    }
    if let Some(state) = &args.state {
        setup.state.clone_from(state);
    }
    if let Some(socket) = socket {
        setup.socket = socket.to_owned();
    }
    Ok(setup)
}
