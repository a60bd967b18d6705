//! `cargo xtask weaken --harden`: the host is weakened in many ways at once, mended by one plan, and the plan is undone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use mailward_lab::legit::{self, Report};
use mailward_lab::topology::Place;

use super::act::Act;
use super::host::{Host, Look, Seen};
use super::{Plant, hardened, told};

/// What is not as it must be.
pub(super) fn judged(host: &Host<'_>, plants: &[Plant], least: usize) -> Result<Vec<String>> {
    hardened::harden(host, hardened::Logins::Open)?;
    let sound = host.audit(Look::Ports)?;
    let planted = plant(host, plants)?;
    host.reload(Look::Ports)?;
    let weak = host.audit(Look::Ports)?;
    let found: BTreeSet<&str> =
        planted.iter().copied().filter(|id| has(&weak, id) && !has(&sound, id)).collect();
    println!(
        "{} weaknesses planted at once, of {} checks that did not fail before",
        planted.len(),
        found.len()
    );
    let before = files(host)?;
    let mut wrong = people("before", host)?;
    wrong.extend(mended(host)?);
    let after = host.audit(Look::Ports)?;
    let left: Vec<_> = found.iter().filter(|id| has(&after, id)).collect();
    println!("{} of {} checks pass again", found.len() - left.len(), found.len());
    wrong.extend(left.iter().map(|id| format!("still there: {id}: {}", of(&after, id))));
    if found.len() - left.len() < least {
        wrong.push(format!("{} weaknesses were mended, and not {least}", found.len() - left.len()));
    }
    wrong.extend(people("after", host)?);
    wrong.extend(again(host)?);
    let undone = host.mailward(&["undo"])?;
    println!("{}", undone.trim());
    wrong.extend(different(&before, &files(host)?));
    Ok(wrong)
}

/// What stops the server altogether, and is only told of its files: nobody could work on it.
const BREAKS: &[&str] = &["mysql", "proxy_protocol", "haproxy"];

fn breaks(plant: &Plant) -> bool {
    let acts = format!("{:?} {:?}", plant.on, plant.acts);
    BREAKS.iter().any(|word| acts.contains(word))
}

/// Plants whatever does not undo another, and tells which checks must find it.
fn plant(host: &Host<'_>, plants: &[Plant]) -> Result<Vec<&'static str>> {
    let mut touched = BTreeSet::new();
    let mut planted = Vec::new();
    for plant in plants.iter().filter(|plant| plant.look != Look::Outside && !breaks(plant)) {
        let acts: Vec<_> = plant.on.iter().chain(plant.acts).collect();
        let targets: BTreeSet<String> = acts.iter().map(|act| target(act)).collect();
        if !targets.is_disjoint(&touched) {
            continue;
        }
        let mut done = Vec::new();
        for act in acts {
            match act.perform(host) {
                Ok(before) => done.push(before),
                Err(error) => {
                    println!("not planted: {} {}: {error:#}", plant.id, plant.name);
                    done.iter().rev().try_for_each(super::act::Before::restore)?;
                    done.clear();
                    break;
                }
            }
        }
        if !done.is_empty() {
            touched.extend(targets);
            planted.push(plant.id);
        }
    }
    Ok(planted)
}

/// What an act changes: two that change the same cannot both be found.
fn target(act: &Act) -> String {
    let name = |text: &str| text.split('=').next().unwrap_or(text).trim().to_owned();
    match act {
        Act::Main(setting) => name(setting),
        Act::Service(setting) | Act::Entry(setting) => name(setting),
        Act::Append(path, text) => format!("{path} {text}"),
        Act::Replace(path, from, _) => format!("{path} {from}"),
        Act::Write(path, _)
        | Act::Mode(path, _)
        | Act::Owner(path, ..)
        | Act::Gone(path)
        | Act::Run(path, _)
        | Act::Directory(path, _) => (*path).to_owned(),
    }
}

fn has(seen: &Seen, id: &str) -> bool {
    seen.findings.keys().any(|name| name.split(':').next() == Some(id))
}

fn of(seen: &Seen, id: &str) -> String {
    let found = seen.findings.iter().filter(|(name, _)| name.split(':').next() == Some(id));
    found.map(|(_, finding)| told(finding)).collect::<Vec<_>>().join("; ")
}

/// One plan, while people work.
fn mended(host: &Host<'_>) -> Result<Vec<String>> {
    let begin = Instant::now();
    let (applied, during) = std::thread::scope(|scope| {
        let people = scope.spawn(|| people("during", host));
        (host.mailward(&["apply", "--yes", "--format", "json"]), people.join())
    });
    println!("harden apply took {:.1} s: {}", begin.elapsed().as_secs_f64(), applied?.trim());
    during.map_err(|_| anyhow::anyhow!("the honest users panicked"))?
}

/// A plan on the hardened host is empty.
fn again(host: &Host<'_>) -> Result<Vec<String>> {
    let said = host.mailward(&["plan", "--format", "json"])?;
    let plan: serde_json::Value = serde_json::from_str(&said).context("the plan's JSON")?;
    let files = plan.get("files").and_then(serde_json::Value::as_array).context("a plan without files")?;
    Ok(files.iter().map(|file| format!("a second plan changes {file}")).collect())
}

fn people(when: &str, host: &Host<'_>) -> Result<Vec<String>> {
    let report: Report = legit::run(host.lab, 1, true)?;
    let failed: Vec<_> = report
        .failed()
        .map(|step| format!("{when}: {}: {}", step.what, step.failure.clone().unwrap_or_default()))
        .collect();
    println!("honest users {when}: {} steps, {} failed", report.steps.len(), failed.len());
    Ok(failed)
}

/// Bytes, mode, owner and time of every file of the host's `/etc`.
type Files = BTreeMap<String, (Vec<u8>, u32, u32, u32, i64, i64)>;

fn files(host: &Host<'_>) -> Result<Files> {
    let mut all = Files::new();
    let root = host.file("/etc")?;
    gather(&root, &root, &mut all)?;
    Ok(all)
}

fn gather(root: &Path, folder: &Path, all: &mut Files) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let known = fs::symlink_metadata(&path)?;
        if known.is_dir() {
            gather(root, &path, all)?;
        }
        let bytes = if known.is_file() { fs::read(&path)? } else { Vec::new() };
        // A directory's time tells that files in it were replaced.
        let time = if known.is_file() { (known.mtime(), known.mtime_nsec()) } else { (0, 0) };
        let name = path.strip_prefix(root)?.display().to_string();
        all.insert(name, (bytes, known.mode(), known.uid(), known.gid(), time.0, time.1));
    }
    Ok(())
}

fn different(before: &Files, after: &Files) -> Vec<String> {
    let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let differ = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    differ.map(|name| format!("undo left /etc/{name} other than it was")).collect()
}

impl Host<'_> {
    /// What `mailward harden` says on the mail host.
    fn mailward(&self, words: &[&str]) -> Result<String> {
        let mailward = self.mailward.to_string_lossy();
        let whole = [&[&*mailward, "harden"], words, &["--resolver", "none"]].concat();
        let (status, out, errors) = self.output(Place::Mail, &whole)?;
        ensure!(matches!(status, Some(0 | 1)), "{words:?}: {errors}\n{out}");
        Ok(out)
    }
}
