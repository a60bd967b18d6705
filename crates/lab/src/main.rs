//! The lab's commands by themselves, for its own tests; `cargo xtask lab` is the same.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser as _;
use mailward_lab::{Program, cli};

fn main() -> anyhow::Result<ExitCode> {
    cli::run(&cli::Args::parse(), &Program::this(&[])?)
}
