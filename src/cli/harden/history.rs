//! `mailward harden history`: the plans that were carried out.

use std::path::Path;

use mailward_apply::History;

use super::{Ground, show};
use crate::cli::audit::collect;
use crate::cli::{Format, Outcome};

/// Options of `harden history`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    scope: collect::Scope,
    /// How to print it
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Runs the command. What was ended in the middle is mended first, by whoever may.
pub(super) fn run(config: Option<&Path>, args: &Args) -> anyhow::Result<Outcome> {
    let ground = Ground::find(config, &args.scope)?;
    let state = &ground.settings.guard.state_directory;
    if History::is_broken(state) {
        drop(ground.history()?);
    }
    show::history(&History::look(state), args.format)
}
