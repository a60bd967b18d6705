//! Which attacks of the log the rules would have stopped.

use std::collections::BTreeMap;

use crate::check::could_not_tell;
use crate::facts::{LogFacts, LoggedAttack};
use crate::fail2ban::sample::lines_counted;
use crate::fail2ban::trial::{Effect, attempts, bans, effect};
use crate::fail2ban::{Fail2ban, Jail};
use crate::{Check, Evidence, Facts, Finding, Judged, Outcome, Remedy, Server, Severity, Untold};

use super::enforced::banned_now;
use super::engine::{aggressive, dovecot_lines, mailward_runs};

pub(crate) static BAN_002: Check = Check {
    id: "BAN-002",
    title: "A jail's pattern matches none of the lines it is meant for",
    severity: Severity::High,
    why: "Programs change their lines from release to release; the jail then runs, reports zero failures, and looks as if nobody \
          attacked.",
    proof: "The jail's filter is run over the lines of the log that have what it looks for, and over the lines that the running \
            Dovecot writes about a failed login.",
    fix: "Use the filter of a fail2ban that knows these lines, or correct the pattern and try it with fail2ban-regex.",
    references: &["fail2ban-regex(1)"],
    judge: ban_002,
};

/// What patterns are about, by the words in them and in the lines.
const SIGNS: &[&str] = &[
    "SSL_accept",
    "SASL",
    "PREGREET",
    "HANGUP",
    "auth failed",
    "Password mismatch",
    "Relay access denied",
    "lost connection after",
];

fn ban_002(server: &Server<'_>) -> Judged {
    let fail2ban = server.fail2ban()?;
    let mut findings = Vec::new();
    let mut judged = Vec::new();
    for jail in fail2ban.jails.iter().filter(|jail| !jail.filter.is_empty()) {
        if !jail.filter.broken.is_empty() {
            continue;
        }
        match misses(server.facts, jail) {
            Some(finding) => findings.push(finding),
            None => judged.push(jail.name.as_str()),
        }
    }
    if findings.is_empty() && judged.is_empty() {
        return could_not_tell("no jail has patterns that are understood here");
    }
    Ok(Outcome::of(
        findings,
        format!("the patterns of {} match the lines they are meant for", judged.join(", ")),
    ))
}

fn misses(facts: &Facts, jail: &Jail) -> Option<Finding> {
    let own = format!("{} {}", jail.name, jail.filter_name);
    let dovecot = own.contains("dovecot");
    let signs =
        || SIGNS.iter().filter(|sign| jail.filter.patterns.iter().any(|pattern| pattern.contains(**sign)));
    let meant: Vec<&str> = facts
        .log
        .attacks
        .iter()
        .flat_map(|attack| &attack.events)
        .map(|event| event.line.as_str())
        .filter(|line| signs().any(|sign| line.contains(sign)))
        .filter(|line| !dovecot || line.contains(" dovecot"))
        .collect();
    let matched = meant.iter().filter(|line| jail.filter.counts(line).is_some()).count();
    if let (Some(line), 0) = (meant.first(), matched) {
        let summary =
            format!("The jail {} matches none of the {} lines it is meant for", jail.name, meant.len());
        return Some(blind(facts, jail, &summary, facts.log.path.as_str(), line));
    }
    let samples = dovecot_lines(facts);
    let blind_here = dovecot && lines_counted(&jail.filter, samples) == 0;
    let line = samples.last()?;
    blind_here.then(|| {
        let summary = format!("The jail {} does not know the lines that this Dovecot writes", jail.name);
        blind(facts, jail, &summary, "a failed login, as this Dovecot logs it", line)
    })
}

fn blind(facts: &Facts, jail: &Jail, summary: &str, place: &str, line: &str) -> Finding {
    let mut finding = Finding::new(Severity::High, jail.name.clone(), summary)
        .cause(format!("filter of {}", jail.name))
        .seen(if place.is_empty() { "log" } else { place }, line.to_owned());
    if let Some(pattern) = jail.filter.patterns.first() {
        finding = finding.seen(format!("jail {}", jail.name), pattern.clone());
    }
    let log = if facts.log.path.is_empty() { "/var/log/mail.log" } else { &facts.log.path };
    finding.remedy(
        Remedy::new("Use a release of fail2ban that knows these lines, or correct the pattern.").prove(
            format!(
                "fail2ban-regex {log} {}",
                if jail.filter_name.is_empty() { &jail.name } else { &jail.filter_name }
            ),
        ),
    )
}

pub(crate) static BAN_003: Check = Check {
    id: "BAN-003",
    title: "Attacks in the log are stopped by no rule",
    severity: Severity::Medium,
    why: "What no rule counts goes on unnoticed, and what is spread over many addresses stays below every limit per address.",
    proof: "Every attack of the log is run through the jails as they are configured, and through Mailward's rules: how often it \
            was seen, who counts it, how many attempts a ban would have prevented, and whether a source is banned now.",
    fix: "Run Mailward's guard, which counts these and looks at networks and accounts; or set fail2ban's jail to mode aggressive.",
    references: &["https://www.postfix.org/POSTSCREEN_README.html"],
    judge: ban_003,
};

/// Fewer attempts than this are noise.
const FEW: u64 = 3;

/// What the rules would have done about one kind of attack.
struct Covered<'a> {
    attack: &'a LoggedAttack,
    /// The jails that count it, and what they would have done.
    jails: Vec<(&'a str, Effect)>,
    /// Attempts that Mailward's rules would have prevented.
    mailward: u64,
    /// Attempts in all.
    count: u64,
}

fn ban_003(server: &Server<'_>) -> Judged {
    let log = &server.facts.log;
    if log.path.is_empty() {
        return could_not_tell("no log was read");
    }
    let fail2ban = match server.fail2ban() {
        Ok(fail2ban) => Some(fail2ban),
        Err(Untold::NotApplicable(_)) => None,
        Err(why) if !mailward_runs(server.facts) => return Err(why),
        Err(_) => None,
    };
    let jails: Vec<(&Jail, BTreeMap<String, i64>)> = fail2ban
        .into_iter()
        .flat_map(|fail2ban| &fail2ban.jails)
        .map(|jail| (jail, bans(jail, log)))
        .collect();
    let covered: Vec<Covered<'_>> = log.attacks.iter().map(|attack| covered(attack, &jails)).collect();
    let guarded = mailward_runs(server.facts);
    let mut findings = Vec::new();
    findings.extend(uncounted(server.facts, &covered, fail2ban, guarded));
    findings.extend(below(&covered, guarded));
    findings.extend(fail2ban.into_iter().flat_map(|fail2ban| if_it_ran(fail2ban, log)));
    let kinds = covered.len();
    Ok(Outcome::of(
        findings,
        format!("a rule stops each of the {kinds} kinds of attack in the log, or the server refuses it"),
    ))
}

fn covered<'a>(attack: &'a LoggedAttack, jails: &[(&'a Jail, BTreeMap<String, i64>)]) -> Covered<'a> {
    let effects = jails.iter().map(|(jail, bans)| (jail.name.as_str(), effect(jail, bans, attack)));
    let stopped = |source: &str| attack.sources.iter().find(|known| known.address == source)?.mailward;
    let tried = attempts(attack);
    let mailward =
        tried.iter().filter(|attempt| attempt.is_after(stopped(attempt.source).map(|at| at * 1000)));
    Covered {
        attack,
        jails: effects.filter(|(_, effect)| effect.counted > 0).collect(),
        mailward: mailward.count() as u64,
        // Attempts that weigh nothing, as a device's old password, are lines of the log too.
        count: attack.count.max(tried.len() as u64),
    }
}

impl Covered<'_> {
    /// How often, from where, and who is banned now.
    fn told(&self, facts: &Facts) -> String {
        let attack = self.attack;
        let top: Vec<String> = attack
            .sources
            .iter()
            .take(3)
            .map(|source| format!("{} {}×", source.address, source.count))
            .collect();
        let banned = banned_now(facts);
        let now = attack.sources.iter().filter(|source| banned.contains(&source.address)).count();
        format!(
            "{} attempts from {} addresses (most: {}); {now} of these addresses are banned now; Mailward's rules would have \
             prevented {}",
            self.count,
            attack.distinct,
            top.join(", "),
            self.mailward
        )
    }

    fn place(&self) -> String {
        if self.attack.service.is_empty() {
            self.attack.title.clone()
        } else {
            format!("{} ({})", self.attack.title, self.attack.service)
        }
    }
}

/// Attacks that the server does not refuse by itself and that nobody counts.
fn uncounted(
    facts: &Facts,
    covered: &[Covered<'_>],
    fail2ban: Option<&Fail2ban>,
    guarded: bool,
) -> Option<Finding> {
    let open: Vec<&Covered<'_>> = covered
        .iter()
        .filter(|one| !one.attack.refused && one.count >= FEW && !guarded)
        .filter(|one| {
            one.jails.iter().map(|(_, effect)| effect.counted).max().unwrap_or_default() * 4 < one.count
        })
        .collect();
    if open.is_empty() {
        return None;
    }
    let titles: Vec<String> =
        open.iter().map(|one| format!("{} ({})", one.attack.title.to_lowercase(), one.count)).collect();
    let mode = fail2ban.and_then(|fail2ban| {
        fail2ban.jails.iter().find(|jail| jail.name == "postfix" && !jail.mode.is_empty())
    });
    let cause =
        mode.map_or_else(|| "no jail".to_owned(), |jail| format!("jail postfix, mode = {}", jail.mode));
    let mut finding =
        Finding::new(Severity::Medium, "no rule", format!("No rule counts {}", titles.join(", ")))
            .cause(cause);
    for one in &open {
        finding = finding.seen(one.place(), one.told(facts));
        if let Some(event) = one.attack.events.first() {
            finding = finding.seen("log", event.line.clone());
        }
    }
    if let Some(jail) = mode {
        let seen = format!("mode = {}: these lines are not among those it counts", jail.mode);
        finding = finding.seen("jail postfix", seen);
    }
    Some(finding.remedy(aggressive(facts)))
}

/// Attacks that are counted and that a limit per address does not stop.
fn below(covered: &[Covered<'_>], guarded: bool) -> Option<Finding> {
    let slow: Vec<&Covered<'_>> = covered
        .iter()
        .filter(|one| !one.attack.refused && one.count >= FEW * 3 && !one.jails.is_empty() && !guarded)
        .filter(|one| {
            one.jails.iter().map(|(_, effect)| effect.prevented).max().unwrap_or_default() * 4 < one.count
        })
        .filter(|one| {
            one.jails.iter().map(|(_, effect)| effect.counted).max().unwrap_or_default() * 4 >= one.count
        })
        .collect();
    if slow.is_empty() {
        return None;
    }
    let titles: Vec<String> = slow.iter().map(|one| one.attack.title.to_lowercase()).collect();
    let summary = format!("Limits per address hardly stop {}", titles.join(", "));
    let seen = slow.iter().flat_map(|one| {
        one.jails.iter().map(|(jail, effect)| Evidence {
            place: one.place(),
            seen: format!(
                "{} attempts from {} addresses; jail {jail} counts {}, bans {} addresses and prevents {} attempts; Mailward's \
                 rules would have prevented {}",
                one.count, one.attack.distinct, effect.counted, effect.banned, effect.prevented, one.mailward
            ),
        })
    });
    let advice =
        "Count by network, by account and by guessed password too; that is what Mailward's guard does.";
    let remedy = Remedy::new(advice).apply("systemctl enable --now mailward").prove("mailward status");
    Some(
        Finding::new(Severity::Medium, "threshold", summary)
            .cause("maxretry per address")
            .all_seen(seen)
            .remedy(remedy),
    )
}

/// Jails that do not run: what they would do if they did.
fn if_it_ran(fail2ban: &Fail2ban, log: &LogFacts) -> Vec<Finding> {
    let written = fail2ban.skipped.iter().filter_map(|skipped| skipped.would_be.as_ref());
    written
        .filter_map(|jail| {
            let bans = bans(jail, log);
            let effects = log.attacks.iter().map(|attack| (attack, effect(jail, &bans, attack)));
            let (attack, best) = effects.max_by_key(|(_, effect)| effect.counted)?;
            if best.counted < FEW * 3 || best.prevented * 2 >= best.counted {
                return None;
            }
            let banned: Vec<&str> = bans.keys().map(String::as_str).collect();
            let summary = format!(
                "Even with its filter in place the jail {} would prevent {} of {} attempts",
                jail.name, best.prevented, best.counted
            );
            let seen = format!(
                "{} failures in {} s per address: of {} addresses it bans {} ({})",
                jail.max_retry,
                jail.find_time,
                attack.distinct,
                banned.len(),
                banned.join(", ")
            );
            let advice =
                "A limit per address does not reach an attack from a whole network; count by network.";
            Some(
                Finding::new(Severity::Medium, format!("threshold {}", jail.name), summary)
                    .cause(format!("jail {}", jail.name))
                    .seen(attack.title.clone(), seen)
                    .remedy(
                        Remedy::new(advice).apply("systemctl enable --now mailward").prove("mailward status"),
                    ),
            )
        })
        .collect()
}
