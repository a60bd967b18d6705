//! The steps.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::run::{Outcome, Run};
use super::{junit, labs};
use crate::tool;

/// A step of `cargo xtask test`.
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    /// After so many minutes it has failed.
    pub(super) minutes: u64,
    pub(super) run: fn(&mut Run) -> Result<Outcome>,
}

pub(super) const STEPS: &[Step] = &[
    Step { name: "fmt", what: "the code is formatted", minutes: 2, run: fmt },
    Step { name: "clippy", what: "no warning in any target", minutes: 15, run: clippy },
    Step {
        name: "test",
        what: "every test, those too that need root and Debian's packages",
        minutes: 25,
        run: test,
    },
    Step { name: "doctest", what: "the examples in the documentation", minutes: 10, run: doctest },
    Step { name: "doc", what: "the documentation builds, private items too", minutes: 10, run: doc },
    Step { name: "generated", what: "generated documents are fresh", minutes: 10, run: generated },
    Step { name: "deny", what: "licences, sources, duplicates of the dependencies", minutes: 3, run: deny },
    Step { name: "advisories", what: "no dependency has a known flaw", minutes: 3, run: advisories },
    Step { name: "demo", what: "what the README shows", minutes: 8, run: labs::demo },
    Step {
        name: "lab",
        what: "attacks on a real mail server that Mailward guards",
        minutes: 12,
        run: labs::own,
    },
    Step {
        name: "audit",
        what: "a hardened mail server that is weakened in one way at a time, and what the audit finds",
        minutes: 20,
        run: labs::weakened,
    },
    Step {
        name: "harden",
        what: "the same server weakened in many ways at once, mended by one plan while people work, and taken back",
        minutes: 10,
        run: labs::mended,
    },
    Step {
        name: "in-path",
        what: "attacks on a real mail server that asks Mailward, and nobody is banned",
        minutes: 10,
        run: labs::in_path,
    },
    Step {
        name: "referee",
        what: "the same in an independent lab, where there is one",
        minutes: 10,
        run: labs::referee,
    },
    Step { name: "fuzz", what: "each fuzz target for a while", minutes: 12, run: fuzz },
];

fn fmt(run: &mut Run) -> Result<Outcome> {
    run.call(&mut run.cargo(&["fmt", "--all", "--check"])?)
}

fn clippy(run: &mut Run) -> Result<Outcome> {
    let args = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    run.call(&mut run.cargo(&args)?)
}

fn test(run: &mut Run) -> Result<Outcome> {
    if tool::find("cargo-nextest").is_none() {
        run.skipped(
            "SKIPPED: cargo-nextest is missing (`cargo xtask setup`); the tests run one program at a time",
        );
        let args = ["test", "--workspace", "--lib", "--bins", "--tests", "--locked", "--no-fail-fast"];
        return run.call(run.cargo(&args)?.args(["--", "--show-output"]));
    }
    let mut nextest = run.cargo(&["nextest", "run", "--workspace", "--locked", "--profile", "ci"])?;
    let outcome = run.call(&mut nextest)?;
    // Where nextest puts it, wherever cargo builds.
    let report = run.root().join("target/nextest/ci/junit.xml");
    let report = fs::read_to_string(&report).with_context(|| report.display().to_string())?;
    junit::skips(&report).iter().for_each(|line| run.skipped(line));
    Ok(outcome)
}

fn doctest(run: &mut Run) -> Result<Outcome> {
    run.call(&mut run.cargo(&["test", "--doc", "--workspace", "--locked"])?)
}

fn doc(run: &mut Run) -> Result<Outcome> {
    let args = ["doc", "--workspace", "--no-deps", "--document-private-items", "--locked"];
    run.call(run.cargo(&args)?.env("RUSTDOCFLAGS", "-D warnings"))
}

fn generated(run: &mut Run) -> Result<Outcome> {
    run.call(&mut run.cargo(&["xtask", "docs", "--check"])?)
}

fn deny(run: &mut Run) -> Result<Outcome> {
    if tool::find("cargo-deny").is_none() {
        return Ok(Outcome::Skipped("cargo-deny is missing; `cargo xtask setup` installs it".into()));
    }
    run.call(&mut run.cargo(&["deny", "--workspace", "check", "bans", "licenses", "sources"])?)
}

fn advisories(run: &mut Run) -> Result<Outcome> {
    if tool::find("cargo-deny").is_none() {
        return Ok(Outcome::Skipped("cargo-deny is missing; `cargo xtask setup` installs it".into()));
    }
    let fetched = run.call(&mut run.cargo(&["deny", "fetch", "db"])?);
    if !matches!(fetched, Ok(Outcome::Passed)) {
        return Ok(Outcome::Skipped("the advisory database cannot be fetched from here".into()));
    }
    run.call(&mut run.cargo(&["deny", "--workspace", "check", "advisories"])?)
}

fn fuzz(run: &mut Run) -> Result<Outcome> {
    if tool::find("cargo-fuzz").is_none() {
        return Ok(Outcome::Skipped("cargo-fuzz is missing: cargo install cargo-fuzz".into()));
    }
    let targets = tool::output(&mut run.cargo(&["fuzz", "list"])?)?;
    // The golden lines are a better beginning than none.
    let mut commands =
        vec![run.cargo(&["run", "--manifest-path", "fuzz/Cargo.toml", "--example", "seeds"])?];
    for target in targets.lines() {
        commands.push(fuzz_target(run, target)?);
    }
    run.call_all(commands)
}

/// The sanitizers and the coverage counters are not stable features of the compiler; the stable compiler has them.
fn fuzz_target(run: &Run, target: &str) -> Result<Command> {
    let mut command = run.cargo(&["fuzz", "run", target, "--", "-max_total_time=20", "-verbosity=0"])?;
    command.env("RUSTC_BOOTSTRAP", "1");
    Ok(command)
}
