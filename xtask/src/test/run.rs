//! A run of steps: starts their programs, shows what they print, and keeps what must not be missed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::tool;

/// How a step ended.
pub(super) enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

impl Outcome {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed(_) => "FAILED",
            Self::Skipped(_) => "SKIPPED",
        }
    }
}

/// Something that was not tested.
pub(super) struct Skip {
    pub(super) step: &'static str,
    pub(super) line: String,
    /// How many tests said so.
    pub(super) times: usize,
}

/// A run of steps.
pub(super) struct Run {
    root: PathBuf,
    step: &'static str,
    until: Instant,
    skips: Vec<Skip>,
    counts: Vec<String>,
}

impl Run {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root, step: "", until: Instant::now(), skips: Vec::new(), counts: Vec::new() }
    }

    /// The root of the workspace.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn begin(&mut self, step: &'static str, limit: Duration) {
        self.step = step;
        self.until = Instant::now() + limit;
    }

    /// `cargo`, in the workspace, with colours where we have them.
    pub(super) fn cargo(&self, args: &[&str]) -> Result<Command> {
        use std::io::IsTerminal as _;
        let mut cargo = tool::cargo()?;
        let colour = if std::io::stdout().is_terminal() { "always" } else { "never" };
        cargo.current_dir(&self.root).env("CARGO_TERM_COLOR", colour).args(args);
        Ok(cargo)
    }

    /// Runs a command to its end; its failure is the step's.
    pub(super) fn call(&mut self, command: &mut Command) -> Result<Outcome> {
        println!("--- {}", tool::shown(command));
        let limit = self.until.saturating_duration_since(Instant::now());
        let (mut skips, mut counts) = (Vec::new(), Counts::default());
        let status = tool::run(command, limit, |line| {
            println!("{line}");
            let plain = without_colour(line);
            if is_skip(&plain) {
                skips.push(plain.trim().to_owned());
            }
            counts.read(plain.trim());
        })?;
        skips.iter().for_each(|line| self.skipped(line));
        self.counts.extend(counts.lines(self.step));
        Ok(if status.success() {
            Outcome::Passed
        } else {
            Outcome::Failed(format!("{}: {status}", tool::shown(command)))
        })
    }

    /// Runs commands in turn until one fails.
    pub(super) fn call_all(&mut self, commands: impl IntoIterator<Item = Command>) -> Result<Outcome> {
        for mut command in commands {
            let outcome = self.call(&mut command)?;
            if !matches!(outcome, Outcome::Passed) {
                return Ok(outcome);
            }
        }
        Ok(Outcome::Passed)
    }

    /// Keeps a line that tells of something that was not tested.
    pub(super) fn skipped(&mut self, line: &str) {
        let step = self.step;
        match self.skips.iter_mut().find(|skip| skip.step == step && skip.line == line) {
            Some(skip) => skip.times += 1,
            None => self.skips.push(Skip { step, line: line.to_owned(), times: 1 }),
        }
    }

    pub(super) fn skips(&self) -> &[Skip] {
        &self.skips
    }

    /// The test programs' own closing lines.
    pub(super) fn counts(&self) -> &[String] {
        &self.counts
    }
}

/// Whether a line tells of something that was not tested.
pub(super) fn is_skip(line: &str) -> bool {
    line.trim_start().starts_with("SKIPPED")
}

/// The numbers that cargo-nextest and `cargo test` print at the end.
#[derive(Default)]
struct Counts {
    nextest: Vec<String>,
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Counts {
    fn read(&mut self, line: &str) {
        if line.starts_with("Summary [") {
            self.nextest.push(line.to_owned());
        } else if line.starts_with("test result: ") {
            self.passed += number_before(line, " passed");
            self.failed += number_before(line, " failed");
            self.ignored += number_before(line, " ignored");
        }
    }

    fn lines(self, step: &str) -> Vec<String> {
        let Self { mut nextest, passed, failed, ignored } = self;
        // Below nextest these lines are the output of single tests.
        if nextest.is_empty() && passed + failed + ignored > 0 {
            nextest.push(format!("test result: {passed} passed; {failed} failed; {ignored} ignored"));
        }
        nextest.iter().map(|line| format!("{step}: {line}")).collect()
    }
}

fn number_before(line: &str, what: &str) -> u64 {
    let before = line.split_once(what).map_or("", |(before, _)| before);
    before.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Without the escape sequences of colours (ECMA-48, SGR).
fn without_colour(line: &str) -> String {
    let mut pieces = line.split("\u{1b}[");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| text + piece.split_once('m').map_or("", |(_, rest)| rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_counted() {
        let mut counts = Counts::default();
        for line in [
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "running 3 tests",
        ] {
            counts.read(line);
        }
        assert_eq!(counts.lines("test"), ["test: test result: 15 passed; 2 failed; 1 ignored"]);
        let mut counts = Counts::default();
        counts.read("Summary [   0.2s] 5 tests run: 5 passed, 0 skipped");
        counts.read("test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured");
        assert_eq!(counts.lines("test"), ["test: Summary [   0.2s] 5 tests run: 5 passed, 0 skipped"]);
    }

    #[test]
    fn colours_are_taken_off() {
        assert_eq!(without_colour("\u{1b}[32;1m     Summary\u{1b}[0m [1s]"), "     Summary [1s]");
        assert!(is_skip("  SKIPPED: needs root") && !is_skip("nothing was SKIPPED"));
    }
}
