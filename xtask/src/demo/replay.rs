//! Without a lab: what the rules would have decided in the bundled incident.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use mailward_lab::incident::judge;

use crate::tool;

/// Replays the incident, prints the bans and holds them against the answer key.
pub(super) fn run(mailward: &Path) -> Result<ExitCode> {
    let dir = tool::root()?.join("examples/incident");
    let truth = fs::read_to_string(dir.join("truth.json"))?;
    let log = dir.join("mail.log");
    println!("$ mailward replay {}", log.display());
    let begin = Instant::now();
    let output = Command::new(mailward).arg("replay").arg(&log).output();
    let output = output.with_context(|| format!("cannot run {}", mailward.display()))?;
    let took = begin.elapsed();
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(matches!(output.status.code(), Some(0 | 1)), "mailward replay: {}\n{said}", output.status);
    let decisions = String::from_utf8_lossy(&output.stdout);
    for line in decisions.lines() {
        super::screen::decision(line);
    }
    let verdict = judge(&truth, &decisions)?;
    println!("\n{}", verdict.table);
    println!(
        "{} of {} attacking addresses banned, decided in {} ms",
        verdict.banned,
        verdict.attackers,
        took.as_millis()
    );
    if verdict.innocents.is_empty() {
        println!("innocents banned: none");
        return Ok(ExitCode::SUCCESS);
    }
    println!("INNOCENTS BANNED: {:?}", verdict.innocents);
    Ok(ExitCode::FAILURE)
}
