//! Mailward: makes a self-hosted mail server safe and keeps it safe. This file only maps an outcome to an exit code.
#![forbid(unsafe_code)]

mod account;
mod alerts;
mod analysis;
#[cfg(feature = "backup")]
mod backup;
mod cli;
mod config;
mod explanation;
mod firewall;
mod guard;
mod incident;
mod integrity;
mod json;
mod login;
mod policy;
mod record;
mod setup;
mod tasks;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
