//! `cargo xtask demo`: Mailward at work, within a minute and a half.
//!
//! As root on a machine with Postfix and Dovecot: the lab's mail host comes up, Mailward guards it, attackers attack and
//! honest users work. Elsewhere: what Mailward would have decided in the bundled incident.

pub(crate) mod live;
mod replay;
mod screen;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};

use crate::tool;

/// Options of the demonstration.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The binary to show; it is built where none is given.
    #[arg(long, value_name = "FILE")]
    mailward: Option<PathBuf>,
    /// Replays the bundled incident, even where the lab could run.
    #[arg(long)]
    replay: bool,
}

/// Runs the demonstration.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let mailward = match &args.mailward {
        Some(path) => path.canonicalize()?,
        None => build()?,
    };
    let missing = mailward_lab::missing();
    if args.replay {
        return replay::run(&mailward);
    }
    if !missing.is_empty() {
        println!("The live demonstration cannot run here: {}.", missing.join("; "));
        println!("So this is what Mailward would have decided in the bundled incident.\n");
        return replay::run(&mailward);
    }
    live::run(&mailward)
}

/// Builds Mailward as developers run it.
pub(crate) fn build() -> Result<PathBuf> {
    println!("Building Mailward ...");
    let status = tool::cargo()?
        .current_dir(tool::root()?)
        .args(["build", "--quiet", "--package", "mailward"])
        .status()?;
    ensure!(status.success(), "the build failed");
    Ok(tool::target()?.join("debug/mailward"))
}
