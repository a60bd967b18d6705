//! How far a plan is taken: shown and tried on a copy, or asked for, carried out and proved.

use std::ops::ControlFlow;
use std::path::Path;

use mailward_apply::{Done, History, apply, tried};

use super::apply::agreed;
use super::plan::Made;
use super::witness::Outside;
use super::{Ground, say, show};
use crate::cli::audit::{collect, spinner};
use crate::cli::{Format, Outcome};

/// How far, and how it is told.
#[derive(Debug, clap::Args)]
pub(super) struct Course {
    /// Show the plan and try it on a copy; nothing is changed
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// How to print it
    #[arg(long, value_enum, default_value = "text")]
    pub(super) format: Format,
}

impl Course {
    /// Takes a plan that changes something as far as was asked for: what was done, or how the command ends without.
    pub(super) fn take(
        &self,
        config: Option<&Path>,
        (ground, scope): (&Ground, &collect::Scope),
        history: &History,
        made: &Made,
        question: &str,
    ) -> anyhow::Result<ControlFlow<Outcome, Done>> {
        if self.dry_run {
            ground.with_site(|site| tried(&made.prepared, site))?;
            return show::tried(&made.prepared, self.format).map(ControlFlow::Break);
        }
        if !self.yes && !agreed(question)? {
            say("nothing was changed");
            return Ok(ControlFlow::Break(Outcome::Findings));
        }
        let bar = spinner();
        let witness = Outside::new(config, ground, scope, made)?;
        let done = ground.with_site(|site| {
            apply(history, &made.prepared, site, &witness, &|step| bar.set_message(step.to_owned()))
        });
        bar.finish_and_clear();
        let done = done?;
        ground.accept(history, &done.id, false);
        Ok(ControlFlow::Continue(done))
    }
}
