//! `mailward config`: every mistake in the configuration, and every setting in force.

use std::io::Write;
use std::path::Path;

use clap::Subcommand;
use serde::Serialize;

use super::{Format, Outcome, Usage};
use crate::config::{self, ConfigError, Loaded, Mistake, Settings, Style};

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print every mistake, or "ok"; exit code 2 if there are mistakes
    Check {
        /// How to print
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Print every setting in force with its meaning; what differs from its default is marked
    Show {
        /// Print the defaults, whatever the configuration says
        #[arg(long)]
        defaults: bool,
    },
}

/// What `check` found, for programs.
#[derive(Debug, Serialize)]
struct Checked<'a> {
    file: Option<&'a Path>,
    ok: bool,
    mistakes: &'a [Mistake],
}

/// Runs the command.
pub(crate) fn run(asked: Option<&Path>, command: &Command) -> anyhow::Result<Outcome> {
    let out = &mut std::io::stdout().lock();
    match command {
        Command::Check { format: Format::Text } => {
            let loaded = load(asked)?;
            writeln!(out, "{}: ok", place(&loaded))?;
        }
        Command::Check { format: Format::Json } => return check_json(asked, out),
        Command::Show { defaults: true } => print(&Settings::default(), "The defaults.", out)?,
        Command::Show { defaults: false } => {
            let loaded = load(asked)?;
            print(&loaded.settings, &format!("The settings in force; from {}.", place(&loaded)), out)?;
        }
    }
    Ok(Outcome::Fine)
}

/// The settings; mistakes in them are a wrong usage.
pub(crate) fn load(asked: Option<&Path>) -> anyhow::Result<Loaded> {
    config::load(asked).map_err(|error| Usage(error.to_string()).into())
}

fn place(loaded: &Loaded) -> String {
    match &loaded.path {
        Some(path) => path.display().to_string(),
        None => format!("the defaults (there is no {})", config::PATH),
    }
}

fn print(settings: &Settings, head: &str, out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "# {head}\n")?;
    Ok(out.write_all(config::show(settings, Style::Effective).as_bytes())?)
}

fn check_json(asked: Option<&Path>, out: &mut dyn Write) -> anyhow::Result<Outcome> {
    let loaded = config::load(asked);
    let checked = match &loaded {
        Ok(loaded) => Checked { file: loaded.path.as_deref(), ok: true, mistakes: &[] },
        Err(ConfigError::Mistakes { path, mistakes }) => Checked { file: Some(path), ok: false, mistakes },
        Err(error) => return Err(Usage(error.to_string()).into()),
    };
    serde_json::to_writer_pretty(&mut *out, &checked)?;
    writeln!(out)?;
    match checked.mistakes.len() {
        0 => Ok(Outcome::Fine),
        some => Err(Usage(format!("the configuration has {some} mistakes")).into()),
    }
}
