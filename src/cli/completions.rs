//! Shell completions and man pages, made from the command line itself.

use std::io::Write;
use std::path::PathBuf;

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Outcome};

/// Options of `completions`.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Args {
    /// Print completions for this shell
    #[arg(long, value_enum, conflicts_with = "man")]
    shell: Option<Shell>,
    /// Write a man page for every command into this folder
    #[arg(long, value_name = "DIR")]
    man: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    if let Some(folder) = &args.man {
        std::fs::create_dir_all(folder)?;
        clap_mangen::generate_to(Cli::command(), folder)?;
    }
    if let Some(shell) = args.shell {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "mailward", &mut script);
        std::io::stdout().lock().write_all(&script)?;
    }
    Ok(Outcome::Fine)
}
