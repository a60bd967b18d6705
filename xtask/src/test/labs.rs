//! Real mail servers under attack: our own lab, and an independent one beside the repository where there is one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::run::{Outcome, Run};
use crate::demo;

/// What the demo does not show.
const OWN: &str = "pop3-bruteforce,sieve-bruteforce,lucky-guess,ipv6-hop,plaintext-auth,imap-probe,non-smtp-command,\
                   imap-persistent,distributed-spray";

/// A few of the independent lab: guessers, botnets, probes, and text that reads like a log.
const REFEREE: &str = "sasl-bruteforce,imap-bruteforce,distributed-bruteforce,ipv6-rotate,ssl-probe,pregreet,rbl,\
                       relay-probe,log-injection";

/// The demo, live where the lab can run; the replay of the bundled incident everywhere.
pub(super) fn demo(run: &mut Run) -> Result<Outcome> {
    let missing = mailward_lab::missing();
    if !missing.is_empty() {
        run.skipped(&format!("SKIPPED: the live demo: {}", missing.join("; ")));
    }
    let replay = run.cargo(&["xtask", "demo", "--replay"])?;
    let live = run.cargo(&["xtask", "demo"])?;
    run.call_all(if missing.is_empty() { vec![replay, live] } else { vec![replay] })
}

pub(super) fn own(run: &mut Run) -> Result<Outcome> {
    in_the_lab(run, &["xtask", "matrix", "--only", OWN])
}

pub(super) fn weakened(run: &mut Run) -> Result<Outcome> {
    in_the_lab(run, &["xtask", "weaken"])
}

pub(super) fn mended(run: &mut Run) -> Result<Outcome> {
    in_the_lab(run, &["xtask", "weaken", "--harden"])
}

pub(super) fn in_path(run: &mut Run) -> Result<Outcome> {
    in_the_lab(run, &["xtask", "in-path"])
}

fn in_the_lab(run: &mut Run, words: &[&str]) -> Result<Outcome> {
    let missing = mailward_lab::missing();
    if !missing.is_empty() {
        return Ok(Outcome::Skipped(missing.join("; ")));
    }
    run.call(&mut run.cargo(words)?)
}

/// The independent lab.
pub(super) fn referee(run: &mut Run) -> Result<Outcome> {
    let program = run.root().join("../shared/lab/lab");
    if !program.exists() {
        return Ok(Outcome::Skipped("there is no independent lab beside this repository".into()));
    }
    let dir = std::env::temp_dir().join(format!("mailward-referee-{}", std::process::id()));
    let lab = Referee { program: program.canonicalize()?, dir };
    if !lab.command(&["check"]).status()?.success() {
        return Ok(Outcome::Skipped(
            "the independent lab cannot run here; it needs root and Debian's mail servers".into(),
        ));
    }
    let mailward = demo::build()?;
    let outcome = lab.guarded(run, &mailward);
    // Whatever happened, nothing stays behind but the logs.
    let down = run.call(&mut lab.command(&["down"]));
    let outcome = outcome?;
    ensure!(matches!(down?, Outcome::Passed), "the independent lab does not go down");
    if matches!(outcome, Outcome::Passed) {
        fs::remove_dir_all(&lab.dir)?;
    } else {
        println!("the logs are in {}", lab.dir.display());
    }
    Ok(outcome)
}

struct Referee {
    program: PathBuf,
    dir: PathBuf,
}

impl Referee {
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.env("LAB_DIR", &self.dir).env("LAB_PREFIX", "mwref").args(args);
        command
    }

    fn guarded(&self, run: &mut Run, mailward: &Path) -> Result<Outcome> {
        let results = self.dir.join("results.json");
        let (mailward, results_text) = (text(mailward)?, text(&results)?);
        let guard = ["exec", "-d", "--name", "mailward", "mail", "--", mailward, "guard"];
        let matrix = ["matrix", "--only", REFEREE, "--out", results_text];
        let up = run.call(&mut self.command(&["up"]))?;
        if !matches!(up, Outcome::Passed) {
            return Ok(up);
        }
        let done = run.call_all([self.command(&guard), self.command(&matrix)])?;
        if !matches!(done, Outcome::Passed) {
            return Ok(done);
        }
        let results = fs::read(&results).with_context(|| results.display().to_string())?;
        let wrong = wrong(&serde_json::from_slice(&results)?)?;
        Ok(if wrong.is_empty() { Outcome::Passed } else { Outcome::Failed(wrong.join("; ")) })
    }
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}

/// What is not as it must be in the results.
fn wrong(results: &Value) -> Result<Vec<String>> {
    let Some(attacks) = results.get("results").and_then(Value::as_array) else {
        bail!("results without attacks")
    };
    let mut wrong = Vec::new();
    for attack in attacks {
        let name = attack.get("attack").and_then(Value::as_str).unwrap_or_default();
        let blocked = attack.pointer("/blocked_after/sources").and_then(Value::as_u64).unwrap_or(0);
        if name == "log-injection" {
            let reachable = attack.get("victim_reachable").and_then(Value::as_object);
            if !reachable.is_some_and(|ports| ports.values().all(|port| port == &Value::Bool(true))) {
                wrong.push("log-injection got an innocent banned".into());
            }
        } else if blocked == 0 {
            wrong.push(format!("{name} was not stopped"));
        }
    }
    for when in ["legit_before", "legit_during", "legit_after"] {
        if results.pointer(&format!("/{when}/ok")).and_then(Value::as_bool) != Some(true) {
            wrong.push(format!("{when}: an honest user was hindered"));
        }
    }
    Ok(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn results_are_judged() {
        let legit = json!({"ok": true});
        let good = json!({
            "results": [
                {"attack": "pregreet", "blocked_after": {"sources": 1}},
                {"attack": "log-injection", "victim_reachable": {"25": true, "993": true}},
            ],
            "legit_before": legit, "legit_during": legit, "legit_after": legit,
        });
        assert!(wrong(&good).unwrap().is_empty());
        let bad = json!({
            "results": [
                {"attack": "pregreet", "blocked_after": {"sources": 0}},
                {"attack": "log-injection", "victim_reachable": {"25": true, "993": false}},
            ],
            "legit_before": legit, "legit_during": {"ok": false}, "legit_after": legit,
        });
        assert_eq!(wrong(&bad).unwrap().len(), 3);
    }
}
