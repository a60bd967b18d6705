//! Lines that Postfix cannot read, does not know, or forgets again.

use std::collections::BTreeMap;

use super::{advise, and, mend};
use crate::check::{could_not_tell, not_applicable};
use crate::facts::{Deployment, Known};
use crate::plan::Change;
use crate::postfix::restrictions::LISTS;
use crate::postfix::{MainCf, Postfix, usual_parameters};
use crate::{Check, Evidence, Facts, Finding, Judged, Outcome, Remedy, Server, Severity, Untold};

pub(super) static PFX_001: Check = Check {
    id: "PFX-001",
    title: "The configuration of Postfix does not load",
    severity: Severity::High,
    why: "A line without an equals sign stops every Postfix program at its next start, and docker-mailserver even writes an empty \
          main.cf because of one: no mail comes in or goes out, while the container still calls itself healthy.",
    proof: "What postconf says when it reads the configuration, lines of main.cf and of docker-mailserver's postfix-main.cf that \
            are no assignment, and restrictions that smtpd does not know.",
    fix: "Make an assignment of the line, or take it out; restrictions belong into a list such as smtpd_recipient_restrictions.",
    references: &["postconf(5), FILE FORMAT", "https://www.postfix.org/SMTPD_ACCESS_README.html"],
    judge: pfx_001,
};

pub(super) static PFX_002: Check = Check {
    id: "PFX-002",
    title: "Settings that Postfix does not know",
    severity: Severity::Medium,
    why: "Postfix ignores a name that it does not know, so the protection that somebody meant to switch on is not there.",
    proof: "The parameters that postconf calls unused, and names in main.cf that are missing from what postconf prints.",
    fix: "Correct the name, or take the line out.",
    references: &["postconf(5)"],
    judge: pfx_002,
};

pub(super) static PFX_003: Check = Check {
    id: "PFX-003",
    title: "The same setting is assigned twice",
    severity: Severity::Low,
    why: "Only the last assignment counts; who edits the first one changes nothing and believes in it.",
    proof: "Each parameter that main.cf or a service of master.cf assigns more than once, with all lines.",
    fix: "Delete the lines that have no effect.",
    references: &["postconf(5), FILE FORMAT"],
    judge: pfx_003,
};

/// docker-mailserver appends this file to main.cf.
const OVERRIDES: &str = "/tmp/docker-mailserver/postfix-main.cf";

fn pfx_001(server: &Server<'_>) -> Judged {
    let facts = server.facts;
    let mut findings: Vec<Finding> = broken_overrides(facts).into_iter().collect();
    if facts.said.get("postconf -n") == Some(&Known::Absent) {
        return not_applicable("there is no Postfix here");
    }
    let said = facts.said("postconf -n");
    if let Ok(said) = said {
        if said.status != Some(0) {
            findings.push(not_loaded(server, &said.stderr));
        } else if said.stdout.trim().is_empty() {
            findings.push(empty(server));
        }
    }
    if findings.is_empty() {
        said?;
        findings.extend(unknown_rules(server)?);
    }
    Ok(Outcome::of(findings, "postconf reads main.cf and master.cf without an error"))
}

fn not_loaded(server: &Server<'_>, stderr: &str) -> Finding {
    let fatal = stderr.lines().find(|line| line.contains("fatal")).or_else(|| stderr.lines().next());
    let fatal = fatal.unwrap_or("postconf failed and said nothing");
    let text = server.facts.text("/etc/postfix/main.cf").ok().flatten().unwrap_or_default();
    let broken = MainCf::read(text).broken;
    let lines: Vec<&str> = broken.iter().map(|line| line.text.as_str()).collect();
    Finding::new(Severity::High, "main.cf", "Postfix cannot read its configuration, and will not start again")
        .cause(broken.first().map_or_else(|| "main.cf".to_owned(), |line| format!("main.cf:{}", line.line)))
        .seen("postconf -n", fatal)
        .all_seen(broken.iter().map(|line| at("main.cf", line.line, &line.text)))
        .remedy(
            Remedy::new(ADVICE)
                .change(Change::lines("/etc/postfix/main.cf", &lines, &[]))
                .prove("postconf -n >/dev/null && postfix check"),
        )
}

const ADVICE: &str = "Take the line out; if it is a restriction, add it to smtpd_recipient_restrictions behind reject_unauth_destination.";

fn empty(server: &Server<'_>) -> Finding {
    let severity = Severity::Critical;
    Finding::new(
        severity,
        "main.cf",
        "main.cf is empty: every Postfix program gives up, and no mail comes in or goes out",
    )
    .cause("main.cf")
    .seen("postconf -n", "prints nothing")
    .remedy(advise(
        server,
        "Restore main.cf, and mend the line that emptied it.",
        &[],
        "smtpd_relay_restrictions",
    ))
}

/// One line that is no assignment, and docker-mailserver replaces main.cf by nothing.
fn broken_overrides(facts: &Facts) -> Option<Finding> {
    let text = facts.text(OVERRIDES).ok().flatten()?;
    let broken = MainCf::read(text).broken;
    let lines: Vec<&str> = broken.iter().map(|line| line.text.as_str()).collect();
    let first = broken.first()?;
    let summary = format!(
        "postfix-main.cf has a line without an equals sign (`{}`): the next container will have an empty main.cf, and no mail service",
        first.text
    );
    let advice = "Take the line out before the container is created again; for block lists set ENABLE_DNSBL=1 in mailserver.env.";
    Some(
        Finding::new(Severity::Critical, "postfix-main.cf", summary)
            .cause(format!("postfix-main.cf:{}", first.line))
            .all_seen(broken.iter().map(|line| at("postfix-main.cf", line.line, &line.text)))
            .remedy(
                Remedy::new(advice)
                    .change(Change::lines(OVERRIDES, &lines, &[]))
                    .prove("docker exec mailserver postconf -n smtpd_relay_restrictions"),
            ),
    )
}

fn at(file: &str, line: usize, text: &str) -> Evidence {
    Evidence { place: format!("{file}:{line}"), seen: text.to_owned() }
}

/// A restriction that smtpd does not know: it answers 451 to everybody who gets that far.
fn unknown_rules(server: &Server<'_>) -> Result<Option<Finding>, Untold> {
    let postfix = server.postfix()?;
    let mut evidence = Vec::new();
    for service in postfix.smtpd() {
        for list in LISTS.into_iter().chain(["smtpd_etrn_restrictions"]) {
            let effective = postfix.in_service(service, list)?;
            for rule in postfix.rules_of(service, list)? {
                if !postfix.knows_rule(service, &rule)? {
                    let seen = format!("{list} has {rule}, which smtpd does not know");
                    let place = effective.place.clone();
                    evidence.push(Evidence { place, seen });
                }
            }
        }
    }
    evidence.dedup();
    let Some(first) = evidence.first() else { return Ok(None) };
    let summary = format!("smtpd answers 451 to mail: {}", first.seen);
    let advice = "Correct the name of the restriction, or take it out.";
    let finding = Finding::new(Severity::High, "restrictions", summary).cause(first.place.clone());
    Ok(Some(finding.all_seen(evidence).remedy(advise(server, advice, &[], "smtpd_recipient_restrictions"))))
}

fn pfx_002(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let mut unknown: Vec<(String, Evidence)> = named_unused(server.facts);
    let (files, known) = (sources(server, postfix), known_names(server.facts, postfix));
    let printed: Vec<&str> = postfix.set().map(|(name, _)| name).collect();
    for (file, text) in &files {
        let of_machine = *file == "main.cf";
        for line in &text.assignments {
            let missing = !printed.contains(&line.name.as_str());
            let foreign =
                missing && (of_machine || !known.contains(&line.name)) && !is_used(&files, &line.name);
            if foreign && !unknown.iter().any(|(name, _)| *name == line.name) {
                unknown.push((
                    line.name.clone(),
                    at(file, line.line, &format!("{} = {}", line.name, line.value)),
                ));
            }
        }
    }
    if files.is_empty() && server.facts.said("postconf -n").is_err() {
        return could_not_tell("neither main.cf nor what `postconf -n` warned of is known");
    }
    let Some((_, first)) = unknown.first() else {
        return Ok(Outcome::Pass("Postfix knows every parameter that is set".to_owned()));
    };
    let names: Vec<String> = unknown.iter().map(|(name, _)| name.clone()).collect();
    let summary = format!("Postfix does not know {}, and ignores it", and(&names));
    let lines: Vec<&str> = unknown.iter().map(|(_, evidence)| evidence.seen.as_str()).collect();
    let advice = match names.iter().find_map(|name| Some((name, nearest(name, &known)?))) {
        Some((name, nearest)) => {
            format!("Correct the name, or take the line out: {name} may be meant to be {nearest}.")
        }
        None => "Take the line out, and set what it was meant to do.".to_owned(),
    };
    // A restriction in the place of a setting was meant to refuse somebody.
    let protects =
        |name: &String| ["check_", "reject_", "permit_"].iter().any(|prefix| name.starts_with(prefix));
    let severity = if names.iter().any(protects) { Severity::High } else { Severity::Medium };
    let finding = Finding::new(severity, "", summary).cause(first.place.clone());
    let finding = finding.all_seen(unknown.iter().map(|(_, evidence)| evidence.clone()));
    Ok(finding.remedy(mend(&advice, &lines, &[], "").prove("postconf -n >/dev/null")).into())
}

/// What postconf calls unused: `postconf: warning: /etc/postfix/main.cf: unused parameter: foo=bar`.
fn named_unused(facts: &Facts) -> Vec<(String, Evidence)> {
    let Ok(said) = facts.said("postconf -n") else { return Vec::new() };
    let warnings = said.stderr.lines().filter_map(|line| line.split_once(": unused parameter: "));
    let mut found: Vec<(String, Evidence)> = Vec::new();
    for (file, setting) in warnings {
        let file = file.rsplit(['/', ' ']).next().unwrap_or(file);
        let name = setting.split('=').next().unwrap_or(setting).trim();
        if !found.iter().any(|(known, _)| known == name) {
            found.push((name.to_owned(), Evidence { place: file.to_owned(), seen: setting.to_owned() }));
        }
    }
    found
}

/// The files that set parameters, as people wrote them.
fn sources<'s>(server: &'s Server<'_>, postfix: &'s Postfix<'_>) -> Vec<(&'static str, MainCf)> {
    let own = postfix.main_cf().map(|text| ("main.cf", text.clone()));
    let dms = server.facts.about.deployment == Deployment::DockerMailserver;
    let overrides = server.facts.text(OVERRIDES).ok().flatten().filter(|_| dms);
    own.into_iter().chain(overrides.map(|text| ("postfix-main.cf", MainCf::read(text)))).collect()
}

/// Names that are parameters of this Postfix, or of any if `postconf -d` is not known.
fn known_names(facts: &Facts, postfix: &Postfix<'_>) -> Vec<String> {
    let set = postfix.set().map(|(name, _)| name.to_owned());
    let mut known: Vec<String> = match postfix.parameters() {
        Some(names) => names.map(str::to_owned).collect(),
        None => usual_parameters().map(str::to_owned).collect(),
    };
    known.extend(set);
    if facts.about.deployment == Deployment::DockerMailserver {
        // Parameters of its own, which its master.cf uses.
        known.extend(["dkim_milter", "dmarc_milter", "rspamd_milter"].map(str::to_owned));
    }
    known
}

/// Whether another assignment uses a name, so that it is a variable of the administrator's.
fn is_used(files: &[(&'static str, MainCf)], name: &str) -> bool {
    let uses = [format!("${name}"), format!("${{{name}"), format!("$({name})")];
    files
        .iter()
        .flat_map(|(_, text)| &text.assignments)
        .any(|line| uses.iter().any(|used| line.value.contains(used)))
}

/// The known name that differs in the fewest letters, if they are few.
fn nearest<'k>(name: &str, known: &'k [String]) -> Option<&'k str> {
    let close = known.iter().map(|known| (distance(name, known), known.as_str()));
    close
        .filter(|(distance, known)| *distance <= known.len().min(name.len()) / 6 + 1)
        .min()
        .map(|(_, known)| known)
}

/// How many letters have to be put in, taken out or exchanged (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(b.chars()) {
            let exchanged = diagonal + usize::from(from != to);
            diagonal = *cell;
            left = exchanged.min(*cell + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

fn pfx_003(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let mut findings = Vec::new();
    let files = sources(server, postfix);
    for (file, text) in &files {
        findings.extend(twice(file, text));
    }
    for service in postfix.services() {
        findings.extend(twice_in_service(service));
    }
    if findings.is_empty() && files.is_empty() {
        return could_not_tell("the text of main.cf is not known");
    }
    Ok(Outcome::of(findings, "every parameter is assigned once"))
}

fn twice(file: &str, text: &MainCf) -> Option<Finding> {
    let mut lines: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for line in &text.assignments {
        lines.entry(&line.name).or_default().push(line);
    }
    lines.retain(|_, lines| lines.len() > 1);
    let names: Vec<String> = lines.keys().map(|name| (*name).to_owned()).collect();
    let wins = |index: usize, of: usize| if index + 1 == of { "wins" } else { "has no effect" };
    let evidence = lines.values().flat_map(|lines| {
        lines.iter().enumerate().rev().map(|(index, line)| {
            at(file, line.line, &format!("{} = {} ({})", line.name, line.value, wins(index, lines.len())))
        })
    });
    let kept = lines.values().filter_map(|lines| lines.last());
    let kept: Vec<String> = kept.map(|line| format!("{} = {}", line.name, line.value)).collect();
    let kept: Vec<&str> = kept.iter().map(String::as_str).collect();
    let (name, last) = lines.iter().next().and_then(|(name, lines)| Some((name, lines.last()?)))?;
    let summary = format!("{file} assigns {} more than once; only the last line counts", and(&names));
    Some(
        Finding::new(Severity::Low, file, summary)
            .cause(format!("{file}:{}", last.line))
            .all_seen(evidence)
            .remedy(mend("Delete the lines that have no effect.", &[], &kept, name)),
    )
}

fn twice_in_service(service: &crate::postfix::Service) -> Option<Finding> {
    let overrides = &service.overrides;
    let repeated = overrides
        .iter()
        .enumerate()
        .filter(|(index, (name, _))| overrides.iter().skip(index + 1).any(|(later, _)| later == name));
    let dead: Vec<String> = repeated.map(|(_, (name, value))| format!("-o {name}={value}")).collect();
    let first = dead.first()?;
    let kept =
        overrides.iter().filter(|(name, _)| dead.iter().any(|line| line.starts_with(&format!("-o {name}="))));
    let kept =
        kept.filter_map(|(name, _)| Some(Change::overriding(service.key(), name, service.overridden(name)?)));
    let summary = format!("master.cf gives {} an option twice: {first} has no effect", service.name);
    Some(
        Finding::new(Severity::Low, service.key(), summary)
            .cause(service.place())
            .all_seen(
                dead.iter()
                    .map(|line| Evidence { place: service.place(), seen: format!("{line} has no effect") }),
            )
            .remedy(Remedy::new("Delete the options that have no effect.").changes(kept)),
    )
}
