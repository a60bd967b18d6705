//! `cargo xtask lab`: the project's own lab; the commands are [`mailward_lab::cli`]'s.

use std::process::ExitCode;

use anyhow::Result;
use mailward_lab::{Program, cli};

pub(crate) use mailward_lab::cli::Args;

/// Runs one of the lab's commands. The lab starts this program again for its own processes, as `xtask lab __init`.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    cli::run(args, &Program::this(&["lab"])?)
}

/// `cargo xtask incident`: writes the bundled incident.
pub(crate) fn incident() -> Result<ExitCode> {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/incident");
    mailward_lab::incident::write(dir.as_ref())?;
    Ok(ExitCode::SUCCESS)
}
