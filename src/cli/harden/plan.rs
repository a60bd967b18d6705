//! `mailward harden plan`: what would be changed, and why.

use std::path::{Path, PathBuf};

use mailward_apply::{Prepared, diffs};
use mailward_audit::plan::{Layout, Plan, Scale, Step, Tls, Wishes, harden};
use mailward_audit::{Facts, Server, judge};
use mailward_probe::Mask;

use super::{Ground, in_path, show};
use crate::cli::audit::{Wanted, collect, today};
use crate::cli::{Format, Outcome, Usage};

/// What a plan is made of.
#[derive(Debug, clap::Args)]
pub(super) struct Making {
    #[command(flatten)]
    pub(super) scope: collect::Scope,
    /// Only what these checks or families ask for, such as TLS-002 or DOV; or in-path: have Postfix ask the policy service, and
    /// Dovecot the login guard
    #[arg(long, value_name = "ID", value_delimiter = ',', num_args = 1..)]
    only: Vec<String>,
    /// Without what these checks or families ask for
    #[arg(long, value_name = "ID", value_delimiter = ',', num_args = 1..)]
    skip: Vec<String>,
    /// Whom the server serves
    #[arg(long, value_enum, default_value = "single-domain")]
    profile: Preset,
    /// What those who log in have to speak; port 25 stays as it is
    #[arg(long, value_enum, default_value = "intermediate")]
    tls: Level,
}

/// Versions of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Level {
    /// TLS 1.2 or 1.3
    Intermediate,
    /// TLS 1.3 alone, where the log shows nobody with less
    Modern,
}

/// What a host is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Preset {
    /// A family, an office
    SingleDomain,
    /// Customers: limits for each client are five times as high
    Hoster,
}

/// Options of `harden plan`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    making: Making,
    /// Write the plan to this file, for `harden apply FILE`; it holds whole files with their secrets, and is yours alone
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// How to print it
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Runs the command. Status 1 says that there is something to be changed.
pub(super) fn run(config: Option<&Path>, args: &Args) -> anyhow::Result<Outcome> {
    let ground = Ground::find(config, &args.making.scope)?;
    drop(ground.history()?);
    let made = Made::of(config, &ground, &args.making)?;
    made.show(args.format)?;
    if let Some(path) = &args.save {
        made.prepared.save(path)?;
    }
    Ok(if made.prepared.is_empty() { Outcome::Fine } else { Outcome::Findings })
}

/// A plan, and the facts that it was made from.
pub(super) struct Made {
    pub(super) facts: Facts,
    pub(super) prepared: Prepared,
}

impl Made {
    /// Audits, and makes a plan of what is found.
    pub(super) fn of(config: Option<&Path>, ground: &Ground, making: &Making) -> anyhow::Result<Self> {
        let facts = collect::collect(config, &ground.settings, &making.scope)?.0;
        let plan = planned(&facts, ground, making)?;
        let layout = Layout::of(&facts);
        let prepared = ground.with_site(|site| Prepared::make(plan, &layout, site))?;
        unchanged(&facts, &prepared)?;
        Ok(Self { facts, prepared })
    }

    /// The same with some of its steps.
    pub(super) fn with(self, ground: &Ground, steps: Vec<Step>) -> anyhow::Result<Self> {
        let plan = Plan { steps, ..self.prepared.plan };
        let layout = Layout::of(&self.facts);
        let prepared = ground.with_site(|site| Prepared::make(plan, &layout, site))?;
        Ok(Self { prepared, ..self })
    }

    pub(super) fn show(&self, format: Format) -> anyhow::Result<()> {
        let mask = Mask::of(&self.facts);
        let diffs = diffs(&self.prepared, &|path, text| mask.text(path, text));
        show::plan(&self.prepared.plan, &diffs, format)
    }
}

fn planned(facts: &Facts, ground: &Ground, making: &Making) -> anyhow::Result<Plan> {
    if in_path::is_meant(&making.only)? {
        return in_path::plan(ground, facts);
    }
    let wanted = Wanted::among(&making.only, &making.skip)?;
    let audit = judge(facts, |check| wanted.has(check));
    let accepted = ground.settings.audit.accept.iter().filter(|accept| accept.until >= today());
    let wishes = Wishes {
        only: making.only.clone(),
        accepted: accepted.map(|accept| (accept.check.clone(), accept.subject.clone())).collect(),
        scale: match making.profile {
            Preset::SingleDomain => Scale::SingleDomain,
            Preset::Hoster => Scale::Hoster,
        },
        tls: match making.tls {
            Level::Intermediate => Tls::Intermediate,
            Level::Modern => Tls::Modern,
        },
    };
    Ok(harden(&Server::new(facts), &audit, &wishes))
}

/// No file may have changed between the audit and the plan.
fn unchanged(facts: &Facts, prepared: &Prepared) -> Result<(), Usage> {
    let mask = Mask::of(facts);
    let stale = prepared.files.iter().find(|file| {
        let (Ok(Some(seen)), Some(text)) = (facts.text(&file.path), file.before.text()) else { return false };
        mask.text(&file.path, text) != seen
    });
    match stale {
        Some(file) => Err(Usage(format!("{} was changed while it was audited; type it again", file.path))),
        None => Ok(()),
    }
}
