//! `cargo xtask weaken --harden --kills N`: the plan is ended at system calls of its own, while people work. Whatever the moment,
//! the host must be as it was, and mail must flow.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context as _, Result, ensure};
use mailward_lab::legit;
use mailward_lab::topology::Place;

use super::host::Host;
use super::mended::{different, files};

const STRACE: &str = "/usr/bin/strace";
/// System calls that change the disk.
const CALLS: &[&str] = &["rename", "fsync", "fchown", "fchmod", "utimensat", "unlink", "mkdir"];
/// Where the plan is, on the host.
const PLAN: &str = "/var/lib/mailward/weakened.json";

/// What is not as it must be after the plan was killed at so many moments.
pub(super) fn judged(host: &Host<'_>, kills: usize) -> Result<Vec<String>> {
    host.harden(&["plan", "--save", PLAN])?;
    let moments = moments(host, kills)?;
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let people = scope.spawn(|| work(host, &over));
        let wrong: Result<Vec<_>> = moments.iter().map(|(call, n)| killed(host, call, *n)).collect();
        over.store(true, Ordering::Relaxed);
        let mut wrong = wrong?.concat();
        let (rounds, failed) = people.join().map_err(|_| anyhow::anyhow!("the honest users panicked"))??;
        println!("killed {} times; {rounds} rounds of honest mail meanwhile", moments.len());
        wrong.extend(failed);
        Ok(wrong)
    })
}

/// Ordinary mail of honest users, in both directions, until the killing is over. A connection that is cut when a program reads its
/// files anew is made again, as mail programs do: what fails counts when it fails again in the next round.
fn work(host: &Host<'_>, over: &AtomicBool) -> Result<(usize, Vec<String>)> {
    let (mut rounds, mut wrong) = (0, Vec::new());
    let mut before = BTreeSet::new();
    while !over.load(Ordering::Relaxed) {
        let report = legit::run(host.lab, 1, false)?;
        rounds += 1;
        let failed: BTreeSet<String> = report.failed().map(|step| step.what.clone()).collect();
        wrong.extend(failed.intersection(&before).map(|what| format!("while plans were killed: {what}")));
        before = failed;
    }
    Ok((rounds, wrong))
}

/// Moments of the plan, spread over all of its system calls that change the disk.
fn moments(host: &Host<'_>, kills: usize) -> Result<Vec<(&'static str, usize)>> {
    let trace = format!("trace={}", CALLS.join(","));
    let (status, out, log) = apply(host, &["-e", &trace])?;
    ensure!(status == Some(0), "the plan that nobody kills ends with {status:?}: {out}");
    host.harden(&["undo"])?;
    let count = |call: &str| log.lines().filter(|line| line.starts_with(&format!("{call}("))).count();
    let all: Vec<_> = CALLS.iter().flat_map(|call| (1..=count(call)).map(move |n| (*call, n))).collect();
    ensure!(all.len() >= kills, "the plan makes {} system calls and not {kills}", all.len());
    println!("the plan changes the disk with {} system calls", all.len());
    Ok(all.iter().copied().step_by(all.len() / kills.max(1)).take(kills).collect())
}

fn apply(host: &Host<'_>, how: &[&str]) -> Result<(Option<i32>, String, String)> {
    let mailward = host.mailward.to_string_lossy();
    let words = [mailward.as_ref(), "harden", "apply", PLAN, "--yes", "--resolver", "none"];
    host.output(Place::Mail, &[&[STRACE, "-qq"], how, &words].concat())
}

/// Ends the plan at one moment, and has what is left mended.
fn killed(host: &Host<'_>, call: &str, n: usize) -> Result<Vec<String>> {
    let before = files(host)?;
    let inject = format!("inject={call}:signal=KILL:when={n}");
    let (status, out, _) = apply(host, &["-o", "/dev/null", "-e", &inject])?;
    ensure!(status != Some(0), "{call} {n} did not end the plan: {out}");
    let mended = host.harden(&["history"])?;
    let newest = mended.lines().next().context("no plan in the history")?;
    println!("killed at {call} {n}: {}", newest.trim());
    // What was proved before holds, and is taken back by hand.
    if newest.contains("holds") {
        host.harden(&["undo"])?;
    }
    let differ = different(&before, &files(host)?);
    Ok(differ.into_iter().map(|line| format!("killed at {call} {n}: {line}")).collect())
}
