//! `mailward harden undo`: takes a plan back.

use std::path::Path;

use super::{Ground, show, warn};
use crate::cli::audit::collect;
use crate::cli::{Format, Outcome};

/// Options of `harden undo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The plan, as `harden history` names it [default: the newest that holds]
    id: Option<String>,
    #[command(flatten)]
    scope: collect::Scope,
    /// How to print it
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Runs the command.
pub(super) fn run(config: Option<&Path>, args: &Args) -> anyhow::Result<Outcome> {
    let ground = Ground::find(config, &args.scope)?;
    let history = ground.history()?;
    let undone = ground.with_site(|site| history.undo(site, args.id.as_deref()))?;
    ground.accept(&history, &undone.id, true);
    warn(&undone);
    show::undone(&undone, args.format)
}
