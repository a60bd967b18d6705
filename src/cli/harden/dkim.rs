//! `mailward harden dkim`: signing keys, made and changed step by step.

use std::ops::ControlFlow;
use std::path::Path;

use mailward_apply::Prepared;
use mailward_audit::Server;
use mailward_audit::facts::Facts;
use mailward_audit::plan::dkim::{Rotation, Step, Wishes, plan, rotations};
use mailward_audit::plan::{Algorithm, Layout};
use serde_json::json;

use super::course::Course;
use super::plan::Made;
use super::{Ground, show};
use crate::cli::audit::collect;
use crate::cli::{Format, Outcome, Usage};

/// Options of `harden dkim`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// These domains [default: all that the server serves]
    #[arg(value_name = "DOMAIN")]
    only: Vec<String>,
    /// Make a new key even where the old one is good
    #[arg(long)]
    renew: bool,
    /// An Ed25519 key beside the RSA key; Rspamd only
    #[arg(long)]
    ed25519: bool,
    #[command(flatten)]
    scope: collect::Scope,
    #[command(flatten)]
    course: Course,
}

/// Runs the command. Status 1 says that a step is left to be taken, by it or by you.
pub(super) fn run(config: Option<&Path>, args: &Args) -> anyhow::Result<Outcome> {
    if args.scope.offline {
        let why = "--offline: whether a record is published has to be asked of the DNS; leave it out";
        return Err(Usage(why.to_owned()).into());
    }
    let ground = Ground::find(config, &args.scope)?;
    let history = ground.history()?;
    let (facts, found) = look(config, &ground, args, args.renew)?;
    let layout = Layout::of(&facts);
    let prepared = ground.with_site(|site| Prepared::make(plan(&facts, &found), &layout, site))?;
    let made = Made { facts, prepared };
    if made.prepared.is_empty() {
        tell(&found, args.course.format)?;
        return Ok(outcome(&found));
    }
    if args.course.format == Format::Text {
        tell(&found, Format::Text)?;
        made.show(Format::Text)?;
    }
    let on = (&ground, &args.scope);
    let done = match args.course.take(config, on, &history, &made, "Take the step? [yes/no] ")? {
        ControlFlow::Continue(done) => done,
        ControlFlow::Break(outcome) => return Ok(outcome),
    };
    if args.course.format == Format::Text {
        show::done(&done, Format::Text)?;
    }
    // The wish is fulfilled.
    let (_, next) = look(config, &ground, args, false)?;
    tell(&next, args.course.format)?;
    Ok(outcome(&next))
}

/// At which step each domain is.
fn look(
    config: Option<&Path>,
    ground: &Ground,
    args: &Args,
    renew: bool,
) -> anyhow::Result<(Facts, Vec<Rotation>)> {
    let facts = collect::collect(config, &ground.settings, &args.scope)?.0;
    let domains = args.only.iter().map(|domain| domain.to_ascii_lowercase()).collect();
    let wishes = Wishes { domains, renew, ed25519: args.ed25519 };
    let found = rotations(&Server::new(&facts), &wishes).map_err(|why| Usage(why.why().to_owned()))?;
    if found.is_empty() {
        return Err(
            Usage("no mail domain was found; name one: mailward harden dkim DOMAIN".to_owned()).into()
        );
    }
    Ok((facts, found))
}

fn outcome(found: &[Rotation]) -> Outcome {
    let rests = |rotation: &Rotation| matches!(rotation.step, Step::Rest { .. });
    if found.iter().all(rests) { Outcome::Fine } else { Outcome::Findings }
}

fn tell(found: &[Rotation], format: Format) -> anyhow::Result<()> {
    match format {
        Format::Json => show::print(&json!({ "keys": found })),
        Format::Text => show::text(&found.iter().flat_map(lines).collect::<Vec<_>>()),
    }
}

fn lines(rotation: &Rotation) -> Vec<String> {
    let kind = match rotation.algorithm {
        Algorithm::Rsa => "RSA",
        Algorithm::Ed25519 => "Ed25519",
    };
    let (step, told) = told(&rotation.step);
    let step = step.map(|number| format!(", step {number} of 6")).unwrap_or_default();
    let head = format!("{} ({kind}{step}): ", rotation.domain);
    let mut told = told.into_iter();
    let first = head + &told.next().unwrap_or_default();
    // A line of a zone file begins with its name: a record is shown as it can be copied.
    let shown =
        |line: String| if line.is_empty() || line.contains(" TXT ") { line } else { format!("    {line}") };
    core::iter::once(first).chain(told.map(shown)).collect()
}

fn told(step: &Step) -> (Option<u8>, Vec<String>) {
    match step {
        Step::Make { name, why } => {
            (Some(1), vec![format!("a new key is made, because {why}. Its record will be {name}.")])
        }
        Step::Publish { name, value, missing } => (
            Some(2),
            vec![
                "publish this record in the DNS, and leave the old one there:".to_owned(),
                String::new(),
                format!("{name}. IN TXT {value}"),
                String::new(),
                format!("It is not, or not whole, at: {}.", missing.join(", ")),
                "Nothing signs with the new key yet. When the record is there, type `mailward harden dkim` again."
                    .to_owned(),
            ],
        ),
        Step::Switch { name } => {
            (Some(3), vec![format!("{name} is published everywhere; mail is signed with it from now on.")])
        }
        Step::Wait { name, until } => (
            Some(4),
            vec![
                format!("wait until {until}: mail that was signed with the old key may be under way."),
                format!("Leave {name} in the DNS."),
            ],
        ),
        Step::Withdraw { name } => (
            Some(5),
            vec![
                format!("take the record {name} out of the DNS: no mail needs it any more."),
                "When it is gone, type `mailward harden dkim` again.".to_owned(),
            ],
        ),
        Step::Remove { name } => {
            (Some(6), vec![format!("{name} is gone from the DNS; the old key is removed here, too.")])
        }
        Step::Rest { name, days } => {
            (None, vec![format!("signs with {name}, {days} days old. Nothing is to be done.")])
        }
        Step::Blocked { why } => (None, vec![format!("{why}.")]),
    }
}
