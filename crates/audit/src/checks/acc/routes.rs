//! Aliases that lead nowhere, in circles, everywhere, or to a program.

use std::collections::BTreeSet;

use super::alias::{Alias, Routes};
use super::named;
use crate::check::{could_not_tell, not_applicable, pass};
use crate::facts::{Deployment, Known};
use crate::plan::Change;
use crate::{Check, Evidence, Finding, Judged, Outcome, Remedy, Server, Severity, Untold};

pub(super) static ACC_012: Check = Check {
    id: "ACC-012",
    title: "Aliases lead in a circle",
    severity: Severity::Medium,
    why: "Mail to any of these addresses is deferred for days and then bounced.",
    proof: "The graph of all aliases: an address that comes back to itself over another one.",
    fix: "Take one of the targets out.",
    references: &["virtual(5)", "aliases(5)"],
    judge: acc_012,
};

pub(super) static ACC_013: Check = Check {
    id: "ACC-013",
    title: "Aliases lead to addresses that do not exist",
    severity: Severity::Low,
    why: "Mail to the alias is accepted and then bounced to a sender who mostly did not write it, or lost.",
    proof: "Targets in domains served here that are no account, alias or catch-all.",
    fix: "Correct the target, or remove the alias.",
    references: &["virtual(5)"],
    judge: acc_013,
};

pub(super) static ACC_016: Check = Check {
    id: "ACC-016",
    title: "A catch-all address takes mail for every name",
    severity: Severity::Low,
    why: "It collects the spam for every name that a spammer invents, and a sender with a typing error never learns of it.",
    proof: "An alias for a whole domain, @example.org, that leads to one address.",
    fix: "List the addresses that are in use, and remove the catch-all.",
    references: &["M3AAWG Sender Best Common Practices"],
    judge: acc_016,
};

pub(super) static ACC_017: Check = Check {
    id: "ACC-017",
    title: "Addresses that the domain's records name do not exist",
    severity: Severity::Medium,
    why: "Reports on authentication and encryption bounce; the first sign of trouble is then a block list.",
    proof: "The addresses of served domains that DMARC, TLS-RPT and CAA records name, against accounts and aliases; postmaster and abuse are SMT-023's.",
    fix: "Add aliases for them to a mailbox that somebody reads.",
    references: &["RFC 9990", "RFC 8460"],
    judge: acc_017,
};

pub(super) static ACC_019: Check = Check {
    id: "ACC-019",
    title: "An alias runs a program, or reads a list, that others may change",
    severity: Severity::High,
    why: "Whoever may change the file runs what he likes as the mail system's user, and with a list sends mail where he likes.",
    proof: "Owner and mode of each program and list that an alias names, and of the directories above it.",
    fix: "Give it to root, mode 0755 (0644 for a list), in a directory of root's.",
    references: &["local(8)", "aliases(5)"],
    judge: acc_019,
};

/// Where aliases are changed, and how that comes in force.
fn aliases_file(server: &Server<'_>, alias: Option<&Alias>) -> (String, &'static str) {
    match (server.facts.about.deployment, alias) {
        // Changes there are taken over within seconds.
        (Deployment::DockerMailserver, _) => {
            ("docker-data/dms/config/postfix-virtual.cf".to_owned(), "sleep 5")
        }
        (Deployment::Plain, Some(alias)) => {
            let file = alias.place.rsplit_once(':').map_or(alias.place.as_str(), |(file, _)| file);
            (file.to_owned(), if alias.local { "newaliases" } else { "postmap FILE" })
        }
        (Deployment::Plain, None) => ("/etc/postfix/virtual".to_owned(), "postmap /etc/postfix/virtual"),
    }
}

fn mend(server: &Server<'_>, alias: &Alias, advice: String) -> Remedy {
    let (file, apply) = aliases_file(server, Some(alias));
    let separator = if alias.local { ": " } else { " " };
    let line = format!("{}{separator}{}", alias.address, alias.targets.join(", "));
    let prove = format!(
        "postmap -q {} {}",
        alias.address,
        if alias.local { "hash:/etc/aliases".to_owned() } else { format!("texthash:{file}") }
    );
    Remedy::new(advice).edit(&file, &[&line], &[]).apply(apply.replace("FILE", &file)).prove(prove)
}

fn told(alias: &Alias) -> Evidence {
    Evidence {
        place: alias.place.clone(),
        seen: format!("{} -> {}", alias.address, alias.targets.join(", ")),
    }
}

fn acc_012(server: &Server<'_>) -> Judged {
    let routes = Routes::read(server)?;
    if routes.aliases.is_empty() {
        return none(&routes);
    }
    let findings = routes.circles().into_keys().map(|members| {
        let own: Vec<_> = routes.aliases.iter().filter(|alias| members.contains(&alias.address)).collect();
        let finding = Finding::new(
            Severity::Medium,
            members.join(" "),
            format!("{} lead in a circle", members.join(", ")),
        )
        .all_seen(own.iter().map(|alias| told(alias)));
        match own.first() {
            Some(alias) => {
                finding.remedy(mend(server, alias, "Take one of the targets out of the circle.".to_owned()))
            }
            None => finding,
        }
    });
    Ok(Outcome::of(
        findings.collect(),
        format!("none of {} aliases comes back to itself", routes.aliases.len()),
    ))
}

/// There are no aliases, as far as tables could be looked into.
fn none(routes: &Routes) -> Judged {
    match routes.unread.first() {
        Some(map) => could_not_tell(format!("{map} was not looked into")),
        None => not_applicable("there are no aliases"),
    }
}

/// Addresses whose domain is served from mailboxes.
fn acc_013(server: &Server<'_>) -> Judged {
    let routes = Routes::read(server)?;
    if routes.aliases.is_empty() {
        return none(&routes);
    }
    let mut dead: Vec<(&Alias, &str)> = Vec::new();
    for alias in &routes.aliases {
        for target in alias.targets.iter().filter(|target| !target.starts_with(['|', '/', ':', '@'])) {
            let ours =
                target.rsplit_once('@').is_some_and(|(_, domain)| routes.mailbox_domains.contains(domain));
            if ours && !routes.exists(target)? {
                dead.push((alias, target));
            }
        }
    }
    let Some((first, _)) = dead.first() else {
        return pass(format!(
            "every target of {} aliases in domains served here exists",
            routes.aliases.len()
        ));
    };
    let names = named(dead.iter().map(|(_, target)| *target));
    let finding = Finding::new(Severity::Low, "", format!("aliases lead to {names}, which do not exist"))
        .all_seen(dead.iter().map(|(alias, _)| told(alias)))
        .remedy(mend(server, first, "Correct the target, or remove the alias.".to_owned()));
    Ok(finding.into())
}

fn acc_016(server: &Server<'_>) -> Judged {
    let routes = Routes::read(server)?;
    // @old.example -> @new.example keeps the names; that is another name for a domain, no catch-all.
    let all: Vec<_> = routes
        .aliases
        .iter()
        .filter(|alias| {
            alias.address.starts_with('@') && alias.targets.iter().any(|target| !target.starts_with('@'))
        })
        .collect();
    let Some(first) = all.first() else {
        return match routes.unread.first() {
            Some(map) => could_not_tell(format!("{map} was not looked into")),
            None => pass(format!("none of {} aliases is for a whole domain", routes.aliases.len())),
        };
    };
    let names = named(all.iter().map(|alias| alias.address.as_str()));
    let finding = Finding::new(Severity::Low, "", format!("catch-all for {names}"))
        .all_seen(all.iter().map(|alias| told(alias)))
        .remedy(mend(server, first, "List the addresses that are in use instead.".to_owned()));
    Ok(finding.into())
}

/// Addresses in our domains that a record tells others to write to: after `mailto:`, up to what ends a URI there.
fn published(server: &Server<'_>, domain: &str) -> Vec<(String, String)> {
    let asked = [format!("TXT _dmarc.{domain}"), format!("TXT _smtp._tls.{domain}"), format!("CAA {domain}")];
    let mut found = Vec::new();
    for question in asked {
        let Some(answer) = server.facts.dns.answers.get(&question).and_then(Known::known) else { continue };
        for record in &answer.records {
            for uri in record.split("mailto:").skip(1) {
                let end = uri.find([',', ';', '!', '"', '?', ' ']).unwrap_or(uri.len());
                found.extend(uri.get(..end).map(|address| (address.to_ascii_lowercase(), question.clone())));
            }
        }
    }
    found
}

/// The domains whose mail is kept here.
fn served(routes: &Routes) -> Result<BTreeSet<&String>, Untold> {
    let local =
        routes.local_domains.iter().filter(|domain| domain.contains('.') && !domain.starts_with("localhost"));
    // A server of mailboxes has its own name in mydestination for cron's mail only.
    let domains: BTreeSet<_> = if routes.mailbox_domains.is_empty() {
        local.collect()
    } else {
        routes.mailbox_domains.iter().collect()
    };
    if domains.is_empty() { could_not_tell("which domains are served is not known") } else { Ok(domains) }
}

/// postmaster and abuse of the served domains, as far as neither a mailbox nor an alias has them.
///
/// # Errors
/// When domains, accounts or aliases are not known.
pub(in crate::checks) fn missing_roles(server: &Server<'_>) -> Result<Vec<String>, Untold> {
    let routes = Routes::read(server)?;
    let mut missing = Vec::new();
    for domain in served(&routes)? {
        for role in ["postmaster", "abuse"] {
            let address = format!("{role}@{domain}");
            if !routes.exists(&address)? {
                missing.push(address);
            }
        }
    }
    Ok(missing)
}

fn acc_017(server: &Server<'_>) -> Judged {
    let routes = Routes::read(server)?;
    let domains = served(&routes)?;
    if server.facts.dns.answers.is_empty() {
        return could_not_tell("the records that name addresses were not looked at");
    }
    let mut missing = Vec::new();
    for domain in &domains {
        for (address, why) in published(server, domain) {
            let ours = address.rsplit_once('@').is_some_and(|(_, domain)| routes.serves(domain));
            if ours && !routes.exists(&address)? {
                missing.push(Evidence { place: why, seen: format!("{address} does not exist") });
            }
        }
    }
    missing.dedup_by(|a, b| a.seen == b.seen);
    if missing.is_empty() {
        return pass(format!(
            "every published address of {} exists",
            named(domains.iter().map(|domain| domain.as_str()))
        ));
    }
    let names: Vec<_> =
        missing.iter().filter_map(|evidence| evidence.seen.split(' ').next()).map(str::to_owned).collect();
    let (file, apply) = aliases_file(server, None);
    let lines: Vec<_> = names.iter().map(|name| format!("{name} ADDRESS-THAT-SOMEBODY-READS")).collect();
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    let remedy = Remedy::new("Add aliases to a mailbox that somebody reads.")
        .add(&file, &lines)
        .apply(apply)
        .prove(format!("postmap -q {} texthash:{file}", names.first().map_or("", String::as_str)));
    let finding =
        Finding::new(Severity::Medium, "", format!("missing: {}", named(names.iter().map(String::as_str))))
            .all_seen(missing);
    Ok(finding.remedy(remedy).into())
}

/// The file that a target runs or reads.
fn run(target: &str) -> Option<&str> {
    let command = target.strip_prefix('|').map(str::trim_start);
    let list = target.strip_prefix(":include:");
    let path = command.or(list)?.split_whitespace().next()?;
    path.starts_with('/').then_some(path)
}

/// What lets others change a file: itself, or a directory above it without the sticky bit.
///
/// # Errors
/// When nobody looked at the file.
fn to_root(server: &Server<'_>, path: &str) -> Option<Change> {
    let mode = server.facts.file(path).ok().flatten()?.mode & 0o7755;
    let root = || Some("root".to_owned());
    Some(Change::Access { file: path.to_owned(), mode: Some(mode), owner: root(), group: root() })
}

fn changeable(server: &Server<'_>, path: &str) -> Result<Option<String>, Untold> {
    let Some(file) = server.facts.file(path)? else { return Ok(None) };
    let others = |mode: u32| mode & 0o002 != 0 || (mode & 0o020 != 0);
    if others(file.mode) && (file.mode & 0o002 != 0 || file.group != "root") {
        return Ok(Some(format!("{path} has mode 0{:o}, group {}", file.mode & 0o7777, file.group)));
    }
    let mut above = path;
    while let Some((parent, _)) = above.rsplit_once('/').filter(|(parent, _)| !parent.is_empty()) {
        if let Some(Known::Is(directory)) = server.facts.files.get(parent)
            && directory.mode & 0o1002 == 0o0002
        {
            return Ok(Some(format!("{parent} has mode 0{:o}", directory.mode & 0o7777)));
        }
        above = parent;
    }
    Ok(None)
}

fn acc_019(server: &Server<'_>) -> Judged {
    let routes = Routes::read(server)?;
    let running: Vec<_> = routes
        .aliases
        .iter()
        .flat_map(|alias| alias.targets.iter().filter_map(move |target| Some((alias, run(target)?))))
        .collect();
    if running.is_empty() {
        return match routes.unread.first() {
            Some(map) => could_not_tell(format!("{map} was not looked into")),
            None => not_applicable("no alias runs a program or reads a list"),
        };
    }
    let mut findings = Vec::new();
    for (alias, path) in &running {
        if let Some(how) = changeable(server, path)? {
            let remedy = Remedy::new(format!("Give {path} and its directories to root alone."))
                .changes(to_root(server, path))
                .prove(format!("ls -ld {path}"));
            let finding = Finding::new(
                Severity::High,
                *path,
                format!("{} uses {path}, which others may change", alias.address),
            )
            .cause(*path)
            .all_seen([told(alias), Evidence { place: (*path).to_owned(), seen: how }]);
            findings.push(finding.remedy(remedy));
        }
    }
    Ok(Outcome::of(findings, format!("only root can change what {} aliases run or read", running.len())))
}
