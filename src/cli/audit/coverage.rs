//! `mailward coverage`: which attacks in the log somebody on this host would stop, by kind: Mailward's rules, and fail2ban's jails
//! as they are configured.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use mailward_audit::Server;
use mailward_audit::facts::{Facts, LoggedAttack, LoggedSource};
use mailward_audit::fail2ban::Jail;
use mailward_audit::fail2ban::trial::bans;
use mailward_report::audit::{CoverageReport, Covered, Unstopped};

use super::collect::{self, Scope};
use crate::cli::{Outcome, Usage, remote};

/// The version of the JSON document.
const SCHEMA: u32 = 1;
/// Sources that are named of one kind.
const NAMED: usize = 100;

/// Options of `coverage`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Log files, instead of those that are found
    #[arg(value_name = "LOG")]
    logs: Vec<PathBuf>,
    /// Judge facts that `audit --save-facts` collected elsewhere
    #[arg(long, value_name = "FILE", conflicts_with_all = ["logs", "container", "prefix", "compose"])]
    facts: Option<PathBuf>,
    /// The container that the mail server runs in: short for a prefix of `docker exec -i NAME`
    #[arg(long, value_name = "NAME")]
    container: Option<String>,
    /// The command before every command, in one argument: "podman exec -i mailserver" [default: as configured]
    #[arg(long, value_name = "WORDS", conflicts_with = "container")]
    prefix: Option<String>,
    /// docker-mailserver's Compose file [default: as configured, or found]
    #[arg(long, value_name = "FILE")]
    compose: Option<PathBuf>,
    #[command(flatten)]
    print: remote::Print,
}

/// Runs the command.
pub(crate) fn run(config: Option<&Path>, args: &Args) -> anyhow::Result<Outcome> {
    let facts = match &args.facts {
        Some(path) => super::read_facts(path)?,
        None => collected(config, args)?,
    };
    if facts.log.path.is_empty() {
        let why = "no log was read: name one, as in `mailward coverage /var/log/mail.log`";
        return Err(Usage(why.to_owned()).into());
    }
    let report = report(&facts);
    remote::show(&report, &args.print)?;
    Ok(if report.has_gaps() { Outcome::Findings } else { Outcome::Fine })
}

fn collected(config: Option<&Path>, args: &Args) -> anyhow::Result<Facts> {
    let settings = crate::cli::load(config)?.settings;
    let scope =
        Scope::of_log(args.logs.clone(), args.container.clone(), args.prefix.clone(), args.compose.clone());
    Ok(collect::collect(config, &settings, &scope)?.0)
}

fn report(facts: &Facts) -> CoverageReport {
    CoverageReport {
        schema: SCHEMA,
        host: facts.about.host.clone(),
        log: facts.log.path.clone(),
        first: facts.log.first.clone(),
        last: facts.log.last.clone(),
        guard: guard(facts),
        coverage: rows(facts),
    }
}

/// Whether Mailward's guard runs.
fn guard(facts: &Facts) -> Option<bool> {
    let processes = facts.host.processes.known()?;
    let is = |command: &str| command.split_whitespace().nth(1) == Some("guard");
    Some(processes.iter().any(|process| process.name == "mailward" && is(&process.command)))
}

/// A row per kind of attack, the most frequent first.
pub(super) fn rows(facts: &Facts) -> Vec<Covered> {
    let server = Server::new(facts);
    let jails: Vec<(&Jail, BTreeSet<String>)> = server
        .fail2ban()
        .map(|fail2ban| {
            fail2ban.jails.iter().map(|jail| (jail, bans(jail, &facts.log).into_keys().collect())).collect()
        })
        .unwrap_or_default();
    // Where nobody knows whether the guard runs, what its rules do is what counts.
    let guarded = guard(facts) != Some(false);
    facts.log.attacks.iter().map(|attack| row(attack, &jails, guarded)).collect()
}

fn row(attack: &LoggedAttack, jails: &[(&Jail, BTreeSet<String>)], guarded: bool) -> Covered {
    let banned_by =
        |banned: &BTreeSet<String>| attack.sources.iter().any(|source| banned.contains(&source.address));
    let by: Vec<_> =
        jails.iter().filter(|(_, banned)| banned_by(banned)).map(|(jail, _)| jail.name.clone()).collect();
    let jailed = |source: &LoggedSource| jails.iter().any(|(_, banned)| banned.contains(&source.address));
    let ruled = |source: &LoggedSource| guarded && source.mailward.is_some();
    let free = |source: &&LoggedSource| !jailed(source) && !ruled(source);
    let by_rules = attack.sources.iter().filter(|source| source.mailward.is_some()).count() as u64;
    let mailward = (guarded && by_rules > 0).then(|| "Mailward".to_owned()).into_iter();
    let unstopped = attack.sources.iter().filter(free);
    Covered {
        attack: if attack.refused {
            format!("{} (refused anyway)", attack.title)
        } else {
            attack.title.clone()
        },
        refused: attack.refused,
        seen: attack.count,
        sources: attack.distinct,
        mailward: by_rules,
        others: attack.sources.iter().filter(|source| jailed(source)).count() as u64,
        by: mailward.chain(by.into_iter().map(|jail| format!("fail2ban {jail}"))).collect(),
        nobody: unstopped.clone().count() as u64,
        unstopped: unstopped
            .take(NAMED)
            .map(|source| Unstopped { address: source.address.clone(), count: source.count })
            .collect(),
    }
}
