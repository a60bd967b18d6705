//! `mailward harden apply`: carries a plan out.

use std::collections::BTreeSet;
use std::io::{self, BufRead, IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use mailward_apply::{ApplyError, Prepared, diffs};
use mailward_audit::plan::{Layout, Plan, Reason, Step};
use mailward_probe::Mask;

use super::course::Course;
use super::plan::{Made, Making};
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
    /// Show each step alone and ask for it
    #[arg(long, conflicts_with_all = ["yes", "format"])]
    interactive: bool,
    #[command(flatten)]
    course: Course,
}

/// Runs the command.
pub(super) fn run(config: Option<&Path>, args: &Args) -> anyhow::Result<Outcome> {
    let ground = Ground::find(config, &args.making.scope)?;
    let history = ground.history()?;
    let made = match &args.file {
        Some(path) => saved(config, &ground, args, path)?,
        None => Made::of(config, &ground, &args.making)?,
    };
    let made = if args.interactive { chosen(made, &ground)? } else { Some(made) };
    let Some(made) = made else {
        say("nothing was changed");
        return Ok(Outcome::Findings);
    };
    if args.course.format == Format::Text {
        made.show(Format::Text)?;
    }
    if made.prepared.is_empty() {
        return show::nothing(args.course.format);
    }
    let on = (&ground, &args.making.scope);
    let done = match args.course.take(config, on, &history, &made, "Carry it out? [yes/no] ")? {
        ControlFlow::Continue(done) => done,
        ControlFlow::Break(outcome) => return Ok(outcome),
    };
    show::done(&done, args.course.format)
}

/// A plan of a file; the server is audited all the same, for what is proved afterwards.
fn saved(config: Option<&Path>, ground: &Ground, args: &Args, path: &Path) -> anyhow::Result<Made> {
    let prepared = Prepared::load(path)?;
    let facts = collect::collect(config, &ground.settings, &args.making.scope)?.0;
    Ok(Made { facts, prepared })
}

/// What a person says to a step.
enum Answer {
    Yes,
    No,
    /// This step, and all that follow.
    All,
    Quit,
}

/// Asks for each step; none where the person leaves.
fn chosen(made: Made, ground: &Ground) -> anyhow::Result<Option<Made>> {
    let (mask, layout) = (Mask::of(&made.facts), Layout::of(&made.facts));
    let steps = &made.prepared.plan.steps;
    let (mut taken, mut declined) = (Vec::new(), BTreeSet::new());
    let mut all = false;
    let prepared = |steps: &[Step]| {
        let plan = Plan { steps: steps.to_vec(), ..Plan::default() };
        ground.with_site(|site| Prepared::make(plan, &layout, site))
    };
    let mut so_far = prepared(&[])?;
    for (n, step) in steps.iter().enumerate() {
        // A step may build on those before it.
        let with = match prepared(&[&taken[..], std::slice::from_ref(step)].concat()) {
            Err(ApplyError::Clash(clash)) => {
                say(&format!("step {} of {} needs one that you did not take: {clash}", n + 1, steps.len()));
                declined.extend(step.reasons.iter().cloned());
                continue;
            }
            with => with?,
        };
        let own = with.clone().since(&so_far);
        show::step(n + 1, steps.len(), &diffs(&own, &|path, text| mask.text(path, text)))?;
        let answer = if all { Answer::All } else { answer()? };
        match answer {
            Answer::No => declined.extend(step.reasons.iter().cloned()),
            Answer::Quit => return Ok(None),
            Answer::Yes | Answer::All => {
                taken.push(step.clone());
                so_far = with;
            }
        }
        all |= matches!(answer, Answer::All);
    }
    in_part(&mut taken, &declined);
    made.with(ground, taken).map(Some)
}

/// What is mended in part only is not to be proved.
fn in_part(taken: &mut [Step], declined: &BTreeSet<Reason>) {
    let reasons = taken.iter().flat_map(|step| &step.reasons);
    let parts: BTreeSet<Reason> = reasons.filter(|reason| declined.contains(*reason)).cloned().collect();
    for reason in &parts {
        say(&format!("{} stays: not all of its steps were taken ({})", reason.check, reason.summary));
    }
    taken.iter_mut().for_each(|step| step.reasons.retain(|reason| !parts.contains(reason)));
}

/// Asks until the answer is one.
fn answer() -> anyhow::Result<Answer> {
    loop {
        let said = asked("Take this step? y: yes, n: no, a: yes to all from here, q: quit ")?;
        return Ok(match said.as_deref() {
            Some("y" | "yes") => Answer::Yes,
            Some("n" | "no") => Answer::No,
            Some("a" | "all") => Answer::All,
            None | Some("q" | "quit") => Answer::Quit,
            Some(_) => continue,
        });
    }
}

/// Whether a person agrees.
pub(super) fn agreed(question: &str) -> anyhow::Result<bool> {
    Ok(matches!(asked(question)?.as_deref(), Some("yes" | "y")))
}

/// What a person answers; none at the end of the input.
fn asked(question: &str) -> anyhow::Result<Option<String>> {
    if !io::stdin().is_terminal() {
        return Err(Usage("nobody is there to be asked; give --yes to carry it out".to_owned()).into());
    }
    let mut out = io::stdout().lock();
    write!(out, "{question}")?;
    out.flush()?;
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer)?;
    Ok((read > 0).then(|| answer.trim().to_owned()))
}
