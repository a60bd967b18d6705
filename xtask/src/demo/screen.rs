//! What the demonstration shows.

use mailward_lab::attack::Outcome;
use mailward_lab::bans::Ban;
use mailward_lab::legit::Report;

/// A decision of a replay, if it is a ban.
pub(super) fn decision(line: &str) {
    if let Some(ban) = Ban::parse(line) {
        let when = ban.time.map_or_else(String::new, |time| time.strftime("%H:%M:%S UTC").to_string());
        println!("{when}  BAN {:<22} {}", ban.target, ban.reason);
    }
}

/// So many bans of one attack are shown; a botnet's others are only counted.
const SHOWN: usize = 4;

/// The `n`th ban of an attack in the live run, from 1: how long after the attack's first attempt it came.
pub(super) fn ban(ban: &Ban, at: f64, attack: Option<(&str, f64)>, n: usize) {
    let who =
        attack.map_or_else(String::new, |(name, after)| format!("{name}, {after:.1} s after its start: "));
    if n <= SHOWN {
        println!("{at:6.1} s  BAN {:<22} {who}{}", ban.target, ban.reason);
    } else if let Some((name, _)) = attack.filter(|_| n == SHOWN + 1) {
        println!("{at:6.1} s  BAN ... and more of {name}");
    }
}

/// The attacks and how they ended.
pub(super) fn table(outcomes: &[Outcome]) {
    println!("\n| attack | attempts | answered | blocked | after |\n|---|--:|--:|--:|--:|");
    for it in outcomes {
        let blocked = format!("{} of {}", it.sources_blocked, it.sources);
        let after = it.ban_after.map_or("-".to_owned(), |seconds| format!("{seconds:.1} s"));
        println!("| {} | {} | {} | {blocked} | {after} |", it.attack, it.attempts, it.answered);
    }
}

/// How the honest users fared; whether nobody was hindered.
pub(super) fn users(reports: &[Report]) -> bool {
    let steps: usize = reports.iter().map(|report| report.steps.len()).sum();
    let mut unhindered = true;
    for report in reports {
        for step in report.failed() {
            unhindered = false;
            println!("HINDERED: {}: {}", step.what, step.failure.as_deref().unwrap_or_default());
        }
        for (address, port) in &report.shut_out {
            unhindered = false;
            println!("SHUT OUT: {address} cannot connect to port {port}");
        }
    }
    if unhindered {
        println!("\nhonest users: {steps} things done, nobody hindered, nobody shut out");
    }
    unhindered
}
