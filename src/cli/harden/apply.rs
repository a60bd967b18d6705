//! `mailward harden apply`: carries a plan out.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use mailward_apply::{Prepared, apply, diffs, tried};
use mailward_audit::plan::Step;
use mailward_probe::Mask;

use super::plan::{Made, Making};
use super::witness::Outside;
use super::{Ground, say, show};
use crate::cli::audit::collect;
use crate::cli::{Format, Outcome, Usage};

/// Options of `harden apply`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A plan that was written with `harden plan --save` [default: one is made now]
    #[arg(value_name = "FILE", conflicts_with_all = ["only", "skip", "profile", "interactive"])]
    file: Option<PathBuf>,
    #[command(flatten)]
    making: Making,
    /// Ask for each step
    #[arg(long, conflicts_with = "yes")]
    interactive: bool,
    /// Show the plan and try it on a copy; nothing is changed
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// How to print it
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Runs the command.
pub(super) fn run(config: Option<&Path>, args: &Args) -> anyhow::Result<Outcome> {
    let ground = Ground::find(config, &args.making.scope)?;
    let history = ground.history()?;
    let made = match &args.file {
        Some(path) => saved(config, &ground, args, path)?,
        None => Made::of(config, &ground, &args.making)?,
    };
    let made = if args.interactive { chosen(made, &ground)? } else { made };
    if args.format == Format::Text {
        made.show(Format::Text)?;
    }
    if made.prepared.is_empty() {
        return show::nothing(args.format);
    }
    if args.dry_run {
        ground.with_site(|site| tried(&made.prepared, site))?;
        return show::tried(&made.prepared, args.format);
    }
    if !args.yes && !agreed("Carry it out? [yes/no] ")? {
        say("nothing was changed");
        return Ok(Outcome::Findings);
    }
    let bar = steps();
    let witness = Outside::new(config, &ground, &args.making.scope, &made)?;
    let done = ground.with_site(|site| {
        apply(&history, &made.prepared, site, &witness, &|step| bar.set_message(step.to_owned()))
    });
    bar.finish_and_clear();
    let done = done?;
    ground.accept(&history, &done.id, false);
    show::done(&done, args.format)
}

/// A plan of a file; the server is audited all the same, for what is proved afterwards.
fn saved(config: Option<&Path>, ground: &Ground, args: &Args, path: &Path) -> anyhow::Result<Made> {
    let prepared = Prepared::load(path)?;
    let facts = collect::collect(config, &ground.settings, &args.making.scope)?.0;
    Ok(Made { facts, prepared })
}

/// Asks for each step.
fn chosen(made: Made, ground: &Ground) -> anyhow::Result<Made> {
    let mask = Mask::of(&made.facts);
    let mut steps: Vec<Step> = Vec::new();
    for step in &made.prepared.plan.steps {
        let one = mailward_audit::plan::Plan { steps: vec![step.clone()], ..Default::default() };
        let layout = mailward_audit::plan::Layout::of(&made.facts);
        let Ok(alone) = ground.with_site(|site| Prepared::make(one.clone(), &layout, site)) else { continue };
        show::plan(&one, &diffs(&alone, &|path, text| mask.text(path, text)), Format::Text)?;
        if agreed("Take this step? [yes/no] ")? {
            steps.push(step.clone());
        }
    }
    made.with(ground, steps)
}

/// Asks a person.
fn agreed(question: &str) -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        return Err(Usage("nobody is there to be asked; give --yes to carry it out".to_owned()).into());
    }
    let mut out = io::stdout().lock();
    write!(out, "{question}")?;
    out.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "yes" | "y"))
}

/// What is being done, on a terminal; nothing in a pipe.
fn steps() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
