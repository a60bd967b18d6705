//! `cargo xtask weaken`: a hardened mail host is weakened in one way at a time; exactly that must be found, and must be gone
//! when it is taken back.

mod act;
mod hardened;
mod host;
mod killed;
mod mended;
mod plants;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use mailward_lab::{Lab, Options, Program};

use crate::demo;
use act::Act;
pub(crate) use host::Host;
use host::{Look, Seen};
pub(crate) use mended::{different, files};

/// Weakens a hardened mail host in one way at a time; status 1 where the audit finds something else than that.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these weaknesses: check ids, families, or words of their names.
    #[arg(long, value_name = "WORD", value_delimiter = ',')]
    only: Vec<String>,
    /// Lists them and plants none.
    #[arg(long)]
    list: bool,
    /// Plants them all at once, has one plan mend them, and undoes it.
    #[arg(long)]
    harden: bool,
    /// With --harden: how many of them the plan must mend.
    #[arg(long, default_value_t = 60, value_name = "N")]
    least: usize,
    /// With --harden: at how many of its system calls the plan is killed before it is let through.
    #[arg(long, default_value_t = 0, value_name = "N")]
    kills: usize,
    /// What the names of the namespaces begin with.
    #[arg(long, default_value = "mwweak")]
    prefix: String,
    /// Goes on where the hardened host has findings that are not accepted.
    #[arg(long)]
    anyhow: bool,
    /// The binary; it is built where none is given.
    #[arg(long, value_name = "FILE")]
    mailward: Option<PathBuf>,
}

/// A weakness that can be planted.
#[derive(Clone, Copy, Debug)]
struct Plant {
    /// What it is, in a few words.
    name: &'static str,
    /// The check that must find it.
    id: &'static str,
    /// What its finding must say somewhere.
    says: &'static str,
    /// What is done before: a weakness that only shows where there is another.
    on: &'static [Act],
    /// How it is planted.
    acts: &'static [Act],
    /// From where it is looked for.
    look: Look,
}

impl Plant {
    /// One that the configuration or the files show.
    const fn new(id: &'static str, name: &'static str, says: &'static str, acts: &'static [Act]) -> Self {
        Self { name, id, says, on: &[], acts, look: Look::Offline }
    }

    /// Planted on a host to which this was done before.
    const fn on(self, on: &'static [Act]) -> Self {
        Self { on, ..self }
    }

    /// Looked for at the ports: the daemons are told of it.
    const fn at(self, look: Look) -> Self {
        Self { look, ..self }
    }
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let plants = chosen(args)?;
    if args.list {
        plants.iter().for_each(|plant| println!("{:<8} {}", plant.id, plant.name));
        return Ok(ExitCode::SUCCESS);
    }
    let mailward = match &args.mailward {
        Some(path) => path.canonicalize().with_context(|| path.display().to_string())?,
        None => demo::build()?,
    };
    let dir = std::env::temp_dir().join(format!("mailward-weaken-{}", std::process::id()));
    let options =
        Options { dir: dir.clone(), prefix: args.prefix.clone(), leased: true, ..Options::default() };
    let lab = Lab::up(options, &Program::this(&["lab"])?)?;
    let host = Host { lab: &lab, mailward: &mailward };
    let result = if args.harden {
        mended::judged(&host, &plants, args.least, args.kills)
    } else {
        judged(&host, &plants, args)
    };
    lab.down()?;
    let wrong = result.with_context(|| format!("the lab's folder is {}", dir.display()))?;
    std::fs::remove_dir_all(&dir)?;
    println!("\n{} weaknesses, {} of them not as they must be", plants.len(), wrong.len());
    wrong.iter().for_each(|line| println!("WRONG: {line}"));
    Ok(ExitCode::from(u8::from(!wrong.is_empty())))
}

fn chosen(args: &Args) -> Result<Vec<Plant>> {
    let wanted = |plant: &Plant| {
        let named = |word: &String| plant.id.starts_with(word.as_str()) || plant.name.contains(word.as_str());
        args.only.is_empty() || args.only.iter().any(named)
    };
    let plants: Vec<_> = plants::all().filter(wanted).collect();
    ensure!(!plants.is_empty(), "no such weakness; see `cargo xtask weaken --list`");
    Ok(plants)
}

/// What is not as it must be.
fn judged(host: &Host<'_>, plants: &[Plant], args: &Args) -> Result<Vec<String>> {
    hardened::harden(host, hardened::Logins::Closed)?;
    let mut wrong = Vec::new();
    let mut slowest = Duration::ZERO;
    for look in [Look::Offline, Look::Ports, Look::Outside] {
        let here: Vec<_> = plants.iter().filter(|plant| plant.look == look).collect();
        if here.is_empty() {
            continue;
        }
        let sound = host.audit(look)?;
        println!("{look:?}: the hardened host has {}", ids(&sound));
        let strange = hardened::strange(&sound);
        if !strange.is_empty() && !args.anyhow {
            wrong.extend(strange);
            continue;
        }
        for plant in here {
            let (lines, took) = tried(host, plant, &sound)?;
            slowest = slowest.max(took);
            let word = if lines.is_empty() { "ok" } else { "WRONG" };
            println!("{word:<5} {} {} ({:.1} s)", plant.id, plant.name, took.as_secs_f64());
            lines.iter().for_each(|line| println!("      {line}"));
            wrong.extend(lines.into_iter().map(|line| format!("{} {}: {line}", plant.id, plant.name)));
        }
        // What one leaves behind is found beside the next, and what the last leaves, now.
        let rest = difference(&host.audit(look)?, &sound);
        wrong.extend(rest.iter().map(|line| format!("still there when all was taken back: {line}")));
    }
    println!("the slowest audit took {:.1} s", slowest.as_secs_f64());
    Ok(wrong)
}

fn ids(seen: &Seen) -> String {
    let ids: Vec<_> = seen.findings.keys().map(String::as_str).collect();
    if ids.is_empty() { "no finding".to_owned() } else { ids.join(", ") }
}

/// Plants, looks, takes back.
fn tried(host: &Host<'_>, plant: &Plant, sound: &Seen) -> Result<(Vec<String>, Duration)> {
    let mut before = Vec::new();
    let mut planted = || -> Result<(Option<Seen>, Seen)> {
        let mut on = None;
        if !plant.on.is_empty() {
            for act in plant.on {
                before.push(act.perform(host)?);
            }
            host.reload(plant.look)?;
            on = Some(host.audit(plant.look)?);
        }
        for act in plant.acts {
            before.push(act.perform(host)?);
        }
        host.reload(plant.look)?;
        Ok((on, host.audit(plant.look)?))
    };
    let during = planted();
    before.iter().rev().try_for_each(act::Before::restore)?;
    host.reload(plant.look)?;
    let (on, during) = during.with_context(|| format!("{} {}", plant.id, plant.name))?;
    Ok((compare(plant, on.as_ref().unwrap_or(sound), &during), during.took))
}

/// Exactly the planted weakness must have been added.
fn compare(plant: &Plant, sound: &Seen, during: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    let new: Vec<_> =
        during.findings.iter().filter(|(name, _)| !sound.findings.contains_key(*name)).collect();
    let is_it = |name: &str| name.split(':').next() == Some(plant.id);
    let (own, others): (Vec<_>, Vec<_>) = new.into_iter().partition(|(name, _)| is_it(name));
    match own.as_slice() {
        [] => wrong.push("it is not found".to_owned()),
        [(_, finding)] if !finding.to_string().contains(plant.says) => {
            wrong.push(format!("its finding does not say {:?}: {finding}", plant.says));
        }
        [_] => {}
        more => wrong.push(format!("one weakness is {} findings", more.len())),
    }
    wrong.extend(others.iter().map(|(name, finding)| format!("also found: {name}: {}", told(finding))));
    let now: BTreeSet<_> = during.findings.keys().collect();
    wrong
        .extend(sound.findings.keys().filter(|name| !now.contains(name)).map(|name| format!("gone: {name}")));
    wrong
}

fn difference(seen: &Seen, sound: &Seen) -> Vec<String> {
    let new = seen.findings.iter().filter(|(name, _)| !sound.findings.contains_key(*name));
    let gone = sound.findings.keys().filter(|name| !seen.findings.contains_key(*name));
    new.map(|(name, finding)| format!("{name}: {}", told(finding)))
        .chain(gone.map(|name| format!("not {name} any more")))
        .collect()
}

/// A finding in a line.
fn told(finding: &serde_json::Value) -> String {
    let text = |key: &str| finding.get(key).and_then(serde_json::Value::as_str).unwrap_or_default();
    let evidence = finding.get("evidence").map(ToString::to_string).unwrap_or_default();
    format!("{} {evidence}", text("summary"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn seen(fingerprints: &[&str]) -> Seen {
        let finding = |name: &&str| ((*name).to_owned(), json!({"summary": format!("{name} is wrong")}));
        Seen { findings: fingerprints.iter().map(finding).collect::<BTreeMap<_, _>>(), took: Duration::ZERO }
    }

    #[test]
    fn only_what_was_planted_may_appear() {
        let plant = Plant::new("DOV-002", "TLS if you like", "DOV-002 is wrong", &[]);
        let sound = seen(&["ACC-020"]);
        let wrong = |during: &[&str]| compare(&plant, &sound, &seen(during)).len();
        assert_eq!(wrong(&["ACC-020", "DOV-002"]), 0);
        assert_eq!(wrong(&["ACC-020", "DOV-002:port 143"]), 1, "it says something else");
        assert_eq!(wrong(&["ACC-020"]), 1, "not found");
        assert_eq!(wrong(&["ACC-020", "DOV-002", "DOV-002:143"]), 1, "twice");
        assert_eq!(wrong(&["ACC-020", "DOV-002", "DOV-001"]), 1, "another");
        assert_eq!(wrong(&["DOV-002"]), 1, "one is gone");
    }

    #[test]
    fn every_weakness_has_a_name_of_its_own() {
        let names: BTreeSet<_> = plants::all().map(|plant| (plant.id, plant.name)).collect();
        assert_eq!(names.len(), plants::all().count());
        assert!(names.iter().all(|(id, _)| mailward_audit::find(id).is_some()));
    }
}
