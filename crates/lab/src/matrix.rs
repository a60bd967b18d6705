//! Every attack, each from its own addresses, while honest users work; and recordings of that.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use serde::Serialize;

use crate::attack::{Attack, Company, Outcome, Settings, run};
use crate::host::Lab;
use crate::legit::{self, Legit, Report};
use crate::topology::{BYSTANDER, HOSTILE_NAMED, INNOCENTS, Place, ROGUE, accounts};

/// How everybody fared.
#[derive(Clone, Debug, Serialize)]
pub struct Matrix {
    /// The attacks, by name.
    pub attacks: Vec<Outcome>,
    /// The honest users before, during and after.
    pub users: BTreeMap<&'static str, Report>,
}

/// What is run, and how.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Attacks.
    pub attacks: Vec<Attack>,
    /// How many at the same time.
    pub jobs: usize,
    /// Whether honest users work meanwhile.
    pub legit: bool,
}

impl Matrix {
    /// Whether no honest user was hindered at any time.
    #[must_use]
    pub fn unhindered(&self) -> bool {
        self.users.values().all(Report::unhindered)
    }

    /// A table for a terminal or a Markdown document.
    #[must_use]
    pub fn table(&self) -> String {
        let mut out = String::from(
            "| attack | attempts | answered | sources | blocked | after |\n|---|--:|--:|--:|--:|--:|\n",
        );
        for it in &self.attacks {
            let after = it.ban_after.map_or("-".to_owned(), |seconds| format!("{seconds:.1} s"));
            let alive = if it.control { "" } else { " (server down?)" };
            out += &format!(
                "| {} | {} | {} | {} | {} | {after}{alive} |\n",
                it.attack, it.attempts, it.answered, it.sources, it.sources_blocked
            );
        }
        for (when, report) in &self.users {
            out += &format!("\nhonest users {when}: {}", told(report));
        }
        out + "\n"
    }
}

fn told(report: &Report) -> String {
    if report.unhindered() {
        return format!("unhindered in {} steps", report.steps.len());
    }
    let failed =
        report.failed().map(|step| format!("{} ({})", step.what, step.failure.as_deref().unwrap_or("?")));
    let shut_out =
        report.shut_out.iter().map(|(address, port)| format!("{address} shut out from port {port}"));
    format!("HINDERED: {}", failed.chain(shut_out).collect::<Vec<_>>().join("; "))
}

/// Runs the chosen attacks. `say` hears of each that is over.
///
/// # Errors
/// When the lab is down or fails.
pub fn all(lab: &Lab, choice: &Choice, say: &(dyn Fn(&str) + Sync)) -> Result<Matrix> {
    let mut users = BTreeMap::new();
    let (alone, mut together): (Vec<_>, Vec<_>) =
        choice.attacks.iter().copied().partition(|attack| attack.company == Company::Alone);
    together.sort_by_key(|attack| attack.company != Company::First);
    if choice.legit {
        users.insert("before", legit::run(lab, 1, false)?);
    }
    let (mut attacks, during) = beside_users(lab, &together, choice, say)?;
    users.extend(during.map(|report| ("during", report)));
    for attack in &alone {
        attacks.push(one(lab, attack, say)?);
    }
    if choice.legit {
        users.insert("after", legit::run(lab, 1, false)?);
    }
    attacks.sort_by(|a, b| a.attack.cmp(&b.attack));
    Ok(Matrix { attacks, users })
}

fn one(lab: &Lab, attack: &Attack, say: &(dyn Fn(&str) + Sync)) -> Result<Outcome> {
    let outcome = run(lab, attack, &Settings::default())?;
    let after = outcome
        .ban_after
        .map_or("not shut out".to_owned(), |seconds| format!("shut out after {seconds:.1} s"));
    say(&format!(
        "{}: {} of {} attempts answered, {after}, {} of {} addresses",
        outcome.attack, outcome.answered, outcome.attempts, outcome.sources_blocked, outcome.sources
    ));
    Ok(outcome)
}

/// Several attacks at the same time; the users work until the last is over.
fn beside_users(
    lab: &Lab,
    attacks: &[Attack],
    choice: &Choice,
    say: &(dyn Fn(&str) + Sync),
) -> Result<(Vec<Outcome>, Option<Report>)> {
    let (waiting, over) = (Mutex::new(attacks.iter()), AtomicBool::new(false));
    let take = || waiting.lock().ok()?.next();
    thread::scope(|scope| {
        let users = choice.legit.then(|| scope.spawn(|| users_until(lab, &over)));
        let worker = || -> Result<Vec<Outcome>> {
            let mut done = Vec::new();
            while let Some(attack) = take() {
                done.push(one(lab, attack, say)?);
            }
            Ok(done)
        };
        let workers: Vec<_> = (0..choice.jobs.max(1)).map(|_| scope.spawn(worker)).collect();
        let outcomes: Result<Vec<Vec<Outcome>>> = workers
            .into_iter()
            .map(|handle| handle.join().map_err(|_| anyhow!("an attack panicked"))?)
            .collect();
        over.store(true, Ordering::Relaxed);
        let report =
            users.map(|handle| handle.join().map_err(|_| anyhow!("the users panicked"))?).transpose();
        Ok((outcomes?.concat(), report?))
    })
}

/// The honest users at work until the attacks are over: everything that looks suspicious once, then ordinary rounds.
///
/// # Errors
/// When the lab is down.
pub fn users_until(lab: &Lab, over: &AtomicBool) -> Result<Report> {
    lab.enter(Place::Good)?;
    let mut users = Legit::new(lab)?;
    users.ordinary(0);
    users.hard();
    for round in 1.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        users.ordinary(round);
        thread::sleep(Duration::from_secs(5));
    }
    users.report()
}

/// Who was who in a recorded log.
#[derive(Debug, Serialize)]
struct Labels {
    /// Attacking addresses and networks, and their attack.
    attackers: BTreeMap<String, String>,
    /// Honest addresses and their names.
    innocents: BTreeMap<IpAddr, &'static str>,
    /// The address that injected log text names, and that does nothing.
    injected: IpAddr,
    accounts: Vec<&'static str>,
    attacks: Vec<Outcome>,
}

/// Runs the chosen attacks and keeps the log and who was who. Nothing should be defending.
///
/// # Errors
/// When the lab fails or the folder cannot be written.
pub fn record(lab: &Lab, choice: &Choice, dir: &Path, say: &(dyn Fn(&str) + Sync)) -> Result<()> {
    let matrix = all(lab, choice, say)?;
    ensure!(matrix.attacks.iter().all(|it| it.control), "the mail host did not answer; nothing recorded");
    fs::create_dir_all(dir)?;
    fs::copy(lab.mail_log(), dir.join("mail.log"))?;
    let labels = Labels {
        attackers: attackers(&matrix),
        innocents: INNOCENTS.iter().map(|innocent| (innocent.address, innocent.name)).collect(),
        injected: BYSTANDER.address,
        accounts: accounts().map(|account| account.name).collect(),
        attacks: matrix.attacks,
    };
    Ok(fs::write(dir.join("labels.json"), serde_json::to_string_pretty(&labels)? + "\n")?)
}

fn attackers(matrix: &Matrix) -> BTreeMap<String, String> {
    let own =
        matrix.attacks.iter().flat_map(|it| it.from.iter().map(|from| (from.to_string(), it.attack.clone())));
    let injecting = HOSTILE_NAMED.into_iter().chain([ROGUE]).map(|address| address.to_string());
    // The network of the addresses that talk before the greeting.
    let injecting = injecting.chain(["2001:db8:bad:66::/64".to_owned()]);
    own.chain(injecting.map(|who| (who, "log-injection".to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::legit::Step;

    #[test]
    fn the_table_names_who_was_hindered() {
        let step = |failure: Option<&str>| Step {
            what: "nora reads".to_owned(),
            failure: failure.map(str::to_owned),
            seconds: 0.1,
        };
        let report = |failure| Report { steps: vec![step(failure)], shut_out: Vec::new() };
        let matrix = |failure| Matrix { attacks: Vec::new(), users: [("during", report(failure))].into() };
        assert!(matrix(None).unhindered());
        assert!(matrix(None).table().contains("honest users during: unhindered in 1 steps"));
        let hindered = matrix(Some("no connection"));
        assert!(!hindered.unhindered());
        assert!(hindered.table().contains("HINDERED: nora reads (no connection)"));
    }
}
