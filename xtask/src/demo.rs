//! `cargo xtask demo`: Mailward at work, within a minute and a half.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};

/// Shows Mailward at work: guarding the lab's mail host, or, without root, on the bundled incident.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The binary to show.
    #[arg(long, default_value = "target/debug/mailward", value_name = "FILE")]
    mailward: PathBuf,
}

/// Runs the demonstration.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    replay(&args.mailward)
}

/// What the rules would have done in the bundled incident.
fn replay(mailward: &Path) -> Result<ExitCode> {
    let log = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/incident/mail.log");
    for command in ["analyze", "replay"] {
        let status = Command::new(mailward).args([command, log]).status();
        let status =
            status.with_context(|| format!("cannot run {}; say: cargo build", mailward.display()))?;
        if !status.success() {
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}
