//! `cargo xtask test`: everything that continuous integration runs, step by step, with a table at the end.

mod junit;
mod labs;
mod run;
mod steps;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::tool;
use run::{Outcome, Run, Skip};
use steps::{STEPS, Step};

/// Runs everything that continuous integration runs.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Runs only these steps.
    #[arg(long, value_name = "STEP", value_delimiter = ',')]
    only: Vec<String>,
    /// Leaves these steps out.
    #[arg(long, value_name = "STEP", value_delimiter = ',')]
    skip: Vec<String>,
    /// Lists the steps and runs nothing.
    #[arg(long)]
    list: bool,
}

struct Done {
    step: &'static Step,
    outcome: Outcome,
    took: Duration,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let steps = chosen(args)?;
    if args.list {
        for step in steps {
            println!("{:<12} {} (at most {} min)", step.name, step.what, step.minutes);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut run = Run::new(tool::root()?);
    let done: Vec<_> = steps.into_iter().map(|step| perform(step, &mut run)).collect();
    summarise(&done, &run);
    let failed = done.iter().any(|done| matches!(done.outcome, Outcome::Failed(_)));
    Ok(ExitCode::from(u8::from(failed)))
}

fn chosen(args: &Args) -> Result<Vec<&'static Step>> {
    for name in args.only.iter().chain(&args.skip) {
        if !STEPS.iter().any(|step| step.name == name) {
            let names: Vec<_> = STEPS.iter().map(|step| step.name).collect();
            bail!("there is no step {name}; the steps are {}", names.join(", "));
        }
    }
    let named = |names: &[String], step: &Step| names.iter().any(|name| name == step.name);
    let only = |step: &&Step| args.only.is_empty() || named(&args.only, step);
    Ok(STEPS.iter().filter(only).filter(|step| !named(&args.skip, step)).collect())
}

fn perform(step: &'static Step, run: &mut Run) -> Done {
    println!("\n=== {}: {}", step.name, step.what);
    let begin = Instant::now();
    run.begin(step.name, Duration::from_secs(step.minutes * 60));
    let outcome = (step.run)(run).unwrap_or_else(|error| Outcome::Failed(format!("{error:#}")));
    let took = begin.elapsed();
    match &outcome {
        Outcome::Passed => {}
        Outcome::Skipped(why) => run.skipped(&format!("SKIPPED: the whole step: {why}")),
        Outcome::Failed(why) => println!("FAILED: {}: {why}", step.name),
    }
    Done { step, outcome, took }
}

fn summarise(done: &[Done], run: &Run) {
    println!("\n{:<12} {:<8} {:>8}", "step", "result", "seconds");
    for Done { step, outcome, took } in done {
        println!("{:<12} {:<8} {:>8.1}", step.name, outcome.name(), took.as_secs_f64());
    }
    let total: Duration = done.iter().map(|done| done.took).sum();
    println!("{:<12} {:<8} {:>8.1}", "total", "", total.as_secs_f64());
    if !run.skips().is_empty() {
        println!("\nSKIPPED, so this was not tested here:");
    }
    for Skip { step, line, times } in run.skips() {
        let times = if *times > 1 { format!(" ({times} times)") } else { String::new() };
        println!("  {step}: {line}{times}");
    }
    for done in done {
        if let Outcome::Failed(why) = &done.outcome {
            println!(
                "\nFAILED {}: {why}\n  again: cargo xtask test --only {}",
                done.step.name, done.step.name
            );
        }
    }
    println!();
    for line in run.counts() {
        println!("{line}");
    }
}
