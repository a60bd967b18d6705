//! `mailward analyze`: the attack statistics of a log.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use mailward_report::View;

use super::{Logs, Outcome, remote};
use crate::analysis;

/// Options of `analyze`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    logs: Logs,
    #[command(flatten)]
    print: Printed,
}

/// How a report is printed, and where.
#[derive(Debug, clap::Args)]
pub(super) struct Printed {
    /// How to print the report
    #[arg(long, value_enum, default_value = "text")]
    format: Form,
    /// Write the report to this file
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// A form of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// For the terminal
    Text,
    /// Markdown, for tickets and mail
    Markdown,
    /// JSON, for programs
    Json,
    /// A page with charts that needs nothing else
    Html,
}

/// Runs the command.
pub(crate) fn run(config: Option<&Path>, args: &Args) -> anyhow::Result<Outcome> {
    let first = args.logs.files.first().context("no log named")?;
    let engine = crate::setup::engine(config, args.logs.context(first)?)?;
    let bar = progress(&args.logs.files);
    let report = analysis::analyze(&args.logs, engine, |bytes| bar.inc(bytes))?;
    bar.finish_and_clear();
    args.print.view(&report)?;
    Ok(if report.attacks.is_empty() { Outcome::Fine } else { Outcome::Findings })
}

impl Printed {
    /// Prints a report, or writes it to its file.
    pub(super) fn view(&self, report: &impl View) -> anyhow::Result<()> {
        let format = match self.format {
            Form::Text => mailward_report::Format::Text,
            Form::Markdown => mailward_report::Format::Markdown,
            Form::Json => mailward_report::Format::Json,
            Form::Html => mailward_report::Format::Html,
        };
        let text = report.render(format, &remote::look())?;
        match &self.output {
            Some(path) => mailward_host::atomic::write(path, text.as_bytes(), Some(0o644))?,
            None => std::io::stdout().lock().write_all(text.as_bytes())?,
        }
        Ok(())
    }
}

/// A bar on a terminal, nothing in a pipe. Compressed logs hold more than their size; the bar then waits at its end.
fn progress(files: &[PathBuf]) -> ProgressBar {
    let bytes = files.iter().filter_map(|path| std::fs::metadata(path).ok()).map(|data| data.len()).sum();
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(bytes);
    let template = "{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
