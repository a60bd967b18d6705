//! Developer commands: `cargo xtask setup`, `test`, `demo`, `lab`, `bench`, `docs`.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a developer's command talks to the terminal")]

mod bench;
mod checks;
mod demo;
mod docs;
mod in_path;
mod lab;
mod matrix;
mod setup;
mod test;
mod tool;
mod weaken;

use std::process::ExitCode;

use clap::Parser as _;

/// Developer commands of Mailward.
#[derive(clap::Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Command {
    /// Installs what tests, lab and demo need.
    Setup(setup::Args),
    /// Runs everything that continuous integration runs.
    Test(test::Args),
    /// Shows Mailward at work: a mail server, its attackers, its users (needs root; else a replay).
    Demo(demo::Args),
    /// A real mail host, its users and its attackers, in network namespaces.
    Lab(lab::Args),
    /// Every attack of the lab while Mailward guards its mail host.
    Matrix(matrix::Args),
    /// Weaknesses of a mail server, one at a time, and what the audit finds.
    Weaken(weaken::Args),
    /// The mail server asks Mailward while it is attacked and used.
    InPath(in_path::Args),
    /// Writes the bundled incident again, under examples/.
    Incident,
    /// Measures speed and memory, ours and the others'.
    Bench(bench::Args),
    /// Writes the generated documents, or checks that they are fresh.
    Docs(docs::Args),
}

fn main() -> ExitCode {
    let command = Command::parse();
    let result = tool::end_with_us().and_then(|()| match command {
        Command::Setup(args) => setup::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Lab(args) => lab::run(&args),
        Command::Matrix(args) => matrix::run(&args),
        Command::Weaken(args) => weaken::run(&args),
        Command::InPath(args) => in_path::run(&args),
        Command::Incident => lab::incident(),
        Command::Bench(args) => bench::run(&args),
        Command::Docs(args) => docs::run(&args),
    });
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
