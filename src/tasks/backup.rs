//! Backups, by the commands that a person uses for them.

use std::path::Path;

use mailward_host::run::{Limits, output};
use mailward_report::Shown;

use super::{Done, Ground, LONGEST};

/// This very program, also after another version was put in its place.
pub(crate) const OURSELVES: &str = "/proc/self/exe";
/// Characters of what the command said.
const SAID: usize = 4_000;

/// Runs `mailward backup` with these words.
pub(super) fn run(ground: &Ground<'_>, words: &[&str]) -> anyhow::Result<Done> {
    anyhow::ensure!(cfg!(feature = "backup"), "this mailward was built without backups");
    let config = ground.config.map(Path::to_string_lossy);
    let mut args: Vec<&str> = config.as_deref().map(|config| vec!["--config", config]).unwrap_or_default();
    args.push("backup");
    args.extend(words);
    let output = output(Path::new(OURSELVES), &args, Limits { timeout: LONGEST, max_output: 64 << 10 })?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.code() {
        Some(code @ (0 | 1)) => Ok(Done { findings: code == 1, text: clipped(&said), ..Done::default() }),
        _ => anyhow::bail!("{}", clipped(&String::from_utf8_lossy(&output.stderr))),
    }
}

fn clipped(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| Shown::from(line).to_string()).collect();
    lines.join("\n").trim().chars().take(SAID).collect()
}
