//! `cargo xtask weaken --harden`: the host is weakened in many ways at once, mended by one plan, and the plan is undone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, ensure};
use mailward_lab::legit::{self, Report};
use mailward_lab::topology::Place;
use serde_json::Value;

use super::act::Act;
use super::host::{Host, Look, Seen};
use super::{Plant, hardened, killed, told};

/// One of the honest users reads there, and a plan closes no port that somebody may be on.
const IN_USE: Act = Act::Replace(
    "/etc/dovecot/local.conf",
    "inet_listener imap {\n    port = 0",
    "inet_listener imap {\n    port = 143",
);

/// What is not as it must be.
pub(super) fn judged(host: &Host<'_>, plants: &[Plant], least: usize, kills: usize) -> Result<Vec<String>> {
    hardened::harden(host, hardened::Logins::Open)?;
    IN_USE.perform(host)?;
    host.reload(Look::Ports)?;
    let sound = host.audit(Look::Ports)?;
    let planted = plant(host, plants)?;
    host.reload(Look::Ports)?;
    let weak = host.audit(Look::Ports)?;
    let found: BTreeSet<&str> = ids(&weak).difference(&ids(&sound)).copied().collect();
    println!("{planted} weaknesses planted at once; {} checks fail that did not before", found.len());
    let before = files(host)?;
    let mut wrong = people("before", host)?;
    if kills > 0 {
        wrong.extend(killed::judged(host, kills)?);
    }
    wrong.extend(mended(host)?);
    let after = host.audit(Look::Ports)?;
    let left: Vec<_> = found.intersection(&ids(&after)).copied().collect();
    println!("{} of {} checks pass again", found.len() - left.len(), found.len());
    wrong.extend(left.iter().map(|id| format!("still there: {id}: {}", of(&after, id))));
    if found.len() - left.len() < least {
        wrong.push(format!("{} weaknesses were mended, and not {least}", found.len() - left.len()));
    }
    let (again, hindered) = at_work("after", host, || again(host))?;
    wrong.extend(again.into_iter().chain(hindered));
    let begin = Instant::now();
    let undone = host.harden(&["undo"])?;
    println!("harden undo took {:.1} s: {}", begin.elapsed().as_secs_f64(), undone.trim());
    let differ = different(&before, &files(host)?);
    println!("{} files and folders compared, {} are not as they were", before.len(), differ.len());
    wrong.extend(differ);
    Ok(wrong)
}

/// Checks whose weaknesses are not planted among the others: what would stop honest people on the weakened host already, so that
/// nobody could tell whether the plan does.
const APART: &[(&str, &str)] = &[
    ("SMT-010", "port 25 would wait for a proxy"),
    ("DOV-021", "logins would wait for a database"),
    ("CRT-001", "mail programs leave when a certificate is over"),
    ("CRT-004", "mail programs leave when a certificate is another's"),
    ("CRT-007", "mail programs leave when a certificate's key is short"),
    ("CRT-008", "mail programs leave when a certificate is signed with SHA-1"),
    ("CRT-012", "mail programs leave when a certificate names nobody"),
    ("CRT-014", "without its key no TLS is spoken"),
    ("TLS-028", "no other server can use TLS"),
    ("TLS-030", "those who send on port 465 cannot"),
    ("TLS-031", "servers without TLS cannot deliver"),
    ("TLS-032", "those who send on port 465 cannot"),
    ("PFX-011", "its filter is not there: turned on, it stops all mail"),
    ("PFX-012", "its filter is not there, and mail is put off"),
    ("PFX-013", "its filter is not there, and mail is put off"),
    ("PFX-016", "mail for others goes to a relay that is not there"),
    ("PFX-018", "mail goes to mailboxes where nobody reads"),
    ("PFX-019", "Postfix takes mail for people whom it does not know"),
    ("DOV-012", "wrong passwords are taken"),
    ("ACC-009", "whose password it is cannot be told"),
    ("ACC-014", "mail goes elsewhere"),
    ("ACC-015", "mail is thrown away"),
    ("ACC-016", "mail for those who left is taken"),
];

/// What no plan decides: whose account, whose certificate, whose mail it is.
const FOR_A_PERSON: &[&str] = &[
    "ACC-001", "ACC-002", "ACC-003", "ACC-006", "ACC-007", "ACC-010", "ACC-012", "ACC-013", "ACC-018",
    "CRT-015", "DOV-008", "DOV-011", "DOV-018", "DOV-019", "DOV-020", "FIL-009", "FIL-014", "PFX-004",
    "PFX-005", "PFX-009", "PFX-010", "PFX-020", "PFX-024", "PFX-026", "PFX-032", "QTA-007", "QUE-004",
    "SMT-001", "SMT-002", "SMT-017", "SMT-022", "SMT-023",
];

fn is_apart(plant: &Plant) -> bool {
    APART.iter().any(|(id, _)| *id == plant.id) || FOR_A_PERSON.contains(&plant.id)
}

/// Plants whatever does not undo another; how many that were.
fn plant(host: &Host<'_>, plants: &[Plant]) -> Result<usize> {
    let mut touched = BTreeSet::new();
    let mut planted = 0;
    for plant in plants.iter().filter(|plant| plant.look != Look::Outside && !is_apart(plant)) {
        let acts: Vec<_> = plant.on.iter().chain(plant.acts).collect();
        let targets: BTreeSet<String> = acts.iter().filter_map(|act| target(act)).collect();
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
            planted += 1;
        }
    }
    Ok(planted)
}

/// What an act changes: two that change the same cannot both be found. A folder may be made twice.
fn target(act: &Act) -> Option<String> {
    let name = |text: &str| text.split('=').next().unwrap_or(text).trim().to_owned();
    Some(match act {
        Act::Main(setting) | Act::Service(setting) | Act::Entry(setting) => name(setting),
        Act::Append(path, text) => format!("{path} {text}"),
        Act::Replace(path, from, _) => format!("{path} {from}"),
        Act::Mode(path, _) => format!("mode of {path}"),
        Act::Owner(path, ..) => format!("owner of {path}"),
        Act::Write(path, _) | Act::Gone(path) | Act::Run(path, _) => (*path).to_owned(),
        Act::Directory(..) => return None,
    })
}

fn ids(seen: &Seen) -> BTreeSet<&str> {
    seen.findings.keys().filter_map(|name| name.split(':').next()).collect()
}

fn of(seen: &Seen, id: &str) -> String {
    let found = seen.findings.iter().filter(|(name, _)| name.split(':').next() == Some(id));
    found.map(|(_, finding)| told(finding)).collect::<Vec<_>>().join("; ")
}

/// Who is just logging in while Dovecot reads its files anew is cut off, and mail programs try again: so many steps are one login
/// and what waits for its message.
const CUT_OFF: usize = 3;

/// One plan, while people work.
fn mended(host: &Host<'_>) -> Result<Vec<String>> {
    let begin = Instant::now();
    let ((said, took), mut wrong) = at_work("during", host, || {
        let said = host.harden(&["apply", "--yes", "--format", "json"])?;
        Ok((said, begin.elapsed()))
    })?;
    println!("harden apply took {:.1} s", took.as_secs_f64());
    if (1..=CUT_OFF).contains(&wrong.len()) {
        wrong = people("once more", host)?;
    }
    let done: Value = serde_json::from_str(&said).context("what was applied, in JSON")?;
    let changed = done.get("changed").and_then(Value::as_array).context("no files were changed")?;
    let names = changed.iter().filter_map(Value::as_str);
    let unseen = names.filter(|name| !name.starts_with("/etc/") && !OUTSIDE.contains(name));
    wrong.extend(unseen.map(|name| format!("the plan changed {name}, which is not compared")));
    println!("{} files changed", changed.len());
    Ok(wrong)
}

/// Does something while people work; whom of them it hindered.
fn at_work<T>(when: &str, host: &Host<'_>, work: impl FnOnce() -> Result<T>) -> Result<(T, Vec<String>)> {
    thread::scope(|scope| {
        let people = scope.spawn(|| people(when, host));
        let done = work();
        let hindered = people.join().map_err(|_| anyhow!("the honest users panicked"))?;
        Ok((done?, hindered?))
    })
}

/// A plan on the hardened host is empty.
fn again(host: &Host<'_>) -> Result<Vec<String>> {
    let said = host.harden(&["plan", "--format", "json"])?;
    let plan: Value = serde_json::from_str(&said).context("the plan's JSON")?;
    let files = plan.get("files").and_then(Value::as_array).context("a plan without files")?;
    Ok(files.iter().map(|file| format!("a second plan changes {file}")).collect())
}

fn people(when: &str, host: &Host<'_>) -> Result<Vec<String>> {
    let report: Report = legit::run(host.lab, 1, true)?;
    let failed: Vec<_> = report
        .failed()
        .map(|step| format!("{when}: {}: {}", step.what, step.failure.clone().unwrap_or_default()))
        .collect();
    let took: f64 = report.steps.iter().map(|step| step.seconds).sum();
    println!("honest users {when}: {} steps in {took:.0} s, {} failed", report.steps.len(), failed.len());
    failed.iter().for_each(|line| println!("      {line}"));
    Ok(failed)
}

/// Bytes, mode, owner and time of every file of the host's `/etc`, and of those [`OUTSIDE`].
pub(crate) type Files = BTreeMap<PathBuf, (Vec<u8>, u32, u32, u32, i64, i64)>;

/// Files elsewhere that a plan changes, where they are there.
const OUTSIDE: &[&str] = &["/var/mail/vhosts/example.org/nora/.dovecot.sieve", LOG];
/// It goes on while people work.
const LOG: &str = "/var/log/mail.log";

pub(crate) fn files(host: &Host<'_>) -> Result<Files> {
    let mut all = Files::new();
    gather(&host.file("/etc")?, &mut all)?;
    for name in OUTSIDE {
        let path = host.file(name)?;
        if path.exists() {
            keep(path, *name != LOG, &mut all)?;
        }
    }
    Ok(all)
}

fn gather(folder: &Path, all: &mut Files) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if fs::symlink_metadata(&path)?.is_dir() {
            gather(&path, all)?;
        }
        keep(path, true, all)?;
    }
    Ok(())
}

/// A directory's time tells that files in it were replaced, and is not compared.
fn keep(path: PathBuf, whole: bool, all: &mut Files) -> Result<()> {
    let known = fs::symlink_metadata(&path)?;
    let whole = whole && known.is_file();
    let bytes = if whole { fs::read(&path)? } else { Vec::new() };
    let time = if whole { (known.mtime(), known.mtime_nsec()) } else { (0, 0) };
    all.insert(path, (bytes, known.mode(), known.uid(), known.gid(), time.0, time.1));
    Ok(())
}

pub(crate) fn different(before: &Files, after: &Files) -> Vec<String> {
    let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let differ = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    differ.map(|name| format!("undo left {} other than it was", name.display())).collect()
}

impl Host<'_> {
    /// What `mailward harden` says on the mail host.
    pub(crate) fn harden(&self, words: &[&str]) -> Result<String> {
        let mailward = self.mailward.to_string_lossy();
        let whole = [&[&*mailward, "harden"], words, &["--resolver", "none"]].concat();
        let (status, out, errors) = self.output(Place::Mail, &whole)?;
        ensure!(matches!(status, Some(0 | 1)), "{words:?}: {errors}\n{out}");
        Ok(out)
    }
}
