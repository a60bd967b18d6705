//! What delivery may do, and where copies go.

use super::{advise, and, mend};
use crate::check::{not_applicable, pass};
use crate::plan::Change;
use crate::postfix::{Logical, Postfix, elements, logical_lines};
use crate::{Check, Evidence, Finding, Judged, Outcome, Server, Severity, Untold};

pub(super) static PFX_017: Check = Check {
    id: "PFX-017",
    title: "Aliases may run commands or write files more widely than needed",
    severity: Severity::Medium,
    why: "Whoever can write an included list of addresses, or a program that an alias runs, runs commands on the mail server.",
    proof: "The effective allow_mail_to_commands and allow_mail_to_files, and owner and mode of the programs, files and lists that \
            aliases name.",
    fix: "Leave both at alias, forward, and let only root write what aliases name.",
    references: &["aliases(5)", "local(8), SECURITY"],
    judge: pfx_017,
};

pub(super) static PFX_018: Check = Check {
    id: "PFX-018",
    title: "Virtual delivery may run as a user of the system",
    severity: Severity::Medium,
    why: "An error in a table of users then writes mail with the rights of root or of a daemon.",
    proof: "The effective virtual_minimum_uid, and static virtual_uid_maps, where virtual(8) delivers.",
    fix: "Set virtual_minimum_uid = 100 or more, and give mailboxes a user of their own.",
    references: &["virtual(8), SECURITY"],
    judge: pfx_018,
};

pub(super) static PFX_020: Check = Check {
    id: "PFX-020",
    title: "Copies of mail go to an address outside",
    severity: Severity::High,
    why: "Every mail, or every mail of some people, is read elsewhere: by intent, by an employee who left, or by an intruder who \
          wants to stay.",
    proof: "The targets of always_bcc, sender_bcc_maps and recipient_bcc_maps, compared with the domains of this server.",
    fix: "Take the copy out; if it is wanted, accept this finding with the reason.",
    references: &["postconf(5), always_bcc"],
    judge: pfx_020,
};

pub(super) static PFX_026: Check = Check {
    id: "PFX-026",
    title: "Mail is forwarded outside without SRS",
    severity: Severity::Low,
    why: "Forwarded mail still carries the sender's domain, whose SPF does not allow this server, so receivers refuse it or put it \
          into the spam folder, and it spoils this server's name.",
    proof: "Aliases whose target is in a domain of others, and no rewriting of senders in the configuration.",
    fix: "Rewrite the envelope sender with postsrsd; on docker-mailserver set ENABLE_SRS=1.",
    references: &["RFC 7208 section 2.4", "https://www.open-spf.org/SRS/"],
    judge: pfx_026,
};

fn pfx_017(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let mut findings = Vec::new();
    for parameter in ["allow_mail_to_commands", "allow_mail_to_files"] {
        let effective = postfix.in_main(parameter)?;
        if !elements(&effective.value).contains(&"include") {
            continue;
        }
        let summary =
            format!("Who can write an included list of addresses can have the mail server act: {effective}");
        let (old, new) =
            (format!("{parameter} = {}", effective.written), format!("{parameter} = alias, forward"));
        findings.push(
            Finding::new(Severity::Medium, parameter, summary)
                .cause(effective.place.clone())
                .seen(effective.place.clone(), effective.to_string())
                .remedy(mend("Take include out.", &[&old], &[&new], parameter)),
        );
    }
    for (place, target) in aliased(server, postfix)? {
        findings.extend(writable(server, &place, &target));
    }
    Ok(Outcome::of(
        findings,
        "only aliases and forward files run commands, and only root writes what aliases name",
    ))
}

/// The lines of the alias files that are known, with their places.
fn alias_lines(server: &Server<'_>, postfix: &Postfix<'_>) -> Result<Vec<(String, String)>, Untold> {
    let maps = postfix.need("alias_maps")?;
    let paths = elements(&maps).into_iter().filter_map(|map| map.split_once(':')).map(|(_, path)| path);
    let mut lines = Vec::new();
    for path in paths.filter(|path| path.starts_with('/')) {
        let Ok(Some(text)) = server.facts.text(path) else { continue };
        let placed = |line: Logical| (format!("{path}:{}", line.line), line.text);
        lines.extend(logical_lines(text).into_iter().map(placed));
    }
    Ok(lines)
}

/// Files that aliases deliver to, with the line. Programs and lists that others may change are ACC-019's.
fn aliased(server: &Server<'_>, postfix: &Postfix<'_>) -> Result<Vec<(String, String)>, Untold> {
    let mut found = Vec::new();
    for (place, line) in alias_lines(server, postfix)? {
        let Some((_, targets)) = line.split_once(':') else { continue };
        for target in targets.split(',').map(str::trim) {
            let file = target.trim_matches('"').split_whitespace().next().unwrap_or_default();
            if file.starts_with('/') && file != "/dev/null" {
                found.push((place.clone(), file.to_owned()));
            }
        }
    }
    Ok(found)
}

fn writable(server: &Server<'_>, place: &str, target: &str) -> Option<Finding> {
    let file = server.facts.file(target).ok().flatten()?;
    let others = file.mode & 0o002 != 0 || (file.mode & 0o020 != 0 && file.gid != 0);
    others.then(|| {
        let seen = format!("{} {}:{}, mode {:04o}", target, file.owner, file.group, file.mode & 0o7777);
        Finding::new(Severity::Medium, target, format!("Others may write {target}, which an alias names"))
            .cause(target)
            .seen(target, seen)
            .seen(place, target)
            .remedy(
                crate::Remedy::new("Let only its owner write it.")
                    .change(Change::mode(target, file.mode & 0o7755))
                    .prove(format!("ls -l {target}")),
            )
    })
}

fn pfx_018(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let transport = postfix.need("virtual_transport")?;
    if transport.split(':').next() != Some("virtual") {
        return not_applicable(format!("virtual_transport = {transport}, so virtual(8) delivers nothing"));
    }
    if postfix.need("virtual_mailbox_domains")?.is_empty() {
        return not_applicable("there are no virtual mailboxes");
    }
    let mut evidence = Vec::new();
    for parameter in ["virtual_minimum_uid", "virtual_uid_maps"] {
        let effective = postfix.in_main(parameter)?;
        let number = effective.value.strip_prefix("static:").unwrap_or(&effective.value);
        if number.parse::<u32>().is_ok_and(|uid| uid < 100) {
            evidence.push(Evidence { place: effective.place.clone(), seen: effective.to_string() });
        }
    }
    let Some(first) = evidence.first() else {
        return pass("virtual mailboxes belong to users from 100 on");
    };
    let summary = format!("Virtual delivery may run as a user of the system: {}", first.seen);
    let finding =
        Finding::new(Severity::Medium, "", summary).cause(first.place.clone()).all_seen(evidence.clone());
    let advice = "Raise the limit, and give mailboxes a user of their own.";
    let old: Vec<&str> = evidence.iter().map(|evidence| evidence.seen.as_str()).collect();
    Ok(finding.remedy(mend(advice, &old, &["virtual_minimum_uid = 100"], "virtual_minimum_uid")).into())
}

/// Whether an address is at a domain of others.
fn is_outside(postfix: &Postfix<'_>, address: &str) -> Result<bool, Untold> {
    match address.rsplit_once('@') {
        Some((_, domain)) => Ok(postfix.class_of(None, domain)?.is_none()),
        None => Ok(false),
    }
}

fn pfx_020(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let mut targets: Vec<(String, String, &str)> = Vec::new();
    let mut unknown = None;
    let always = postfix.in_main("always_bcc")?;
    targets.extend(
        elements(&always.value).into_iter().map(|to| (to.to_owned(), always.place.clone(), "always_bcc")),
    );
    for parameter in ["sender_bcc_maps", "recipient_bcc_maps"] {
        for name in elements(&postfix.need(parameter)?) {
            match postfix.table(name) {
                Ok(table) => targets.extend(
                    table.entries.iter().map(|entry| (entry.value.clone(), table.place(entry), parameter)),
                ),
                Err(why) => unknown = Some(why),
            }
        }
    }
    let mut findings = Vec::new();
    for (target, place, parameter) in &targets {
        match is_outside(postfix, target) {
            Ok(false) => {}
            Err(why) => unknown = Some(why),
            Ok(true) => {
                let whose = if *parameter == "always_bcc" { "all mail" } else { "mail" };
                let summary =
                    format!("A copy of {whose} goes to {target}, which is not of this server ({parameter})");
                let finding = Finding::new(Severity::High, format!("{parameter} {target}"), summary);
                findings.push(
                    finding
                        .cause(place.clone())
                        .seen(place.clone(), format!("{parameter}: {target}"))
                        .remedy(advise(
                            server,
                            "Take the copy out, and find out who put it there.",
                            &[],
                            parameter,
                        )),
                );
            }
        }
    }
    match unknown {
        Some(why) if findings.is_empty() => Err(why),
        _ => Ok(Outcome::of(findings, "no copy of mail goes to an address of others")),
    }
}

/// Words in the configuration that stand for rewriting of senders.
const SRS: [&str; 4] = ["srs", ":10001", ":10002", "postsrsd"];

/// Where such a word may stand.
const REWRITING: [&str; 5] = [
    "sender_canonical_maps",
    "recipient_canonical_maps",
    "canonical_maps",
    "smtpd_milters",
    "smtp_generic_maps",
];

fn pfx_026(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    for parameter in REWRITING {
        let effective = postfix.in_main(parameter)?;
        if SRS.iter().any(|word| effective.value.to_ascii_lowercase().contains(word)) {
            return pass(format!("senders are rewritten: {effective}"));
        }
    }
    let (mut outside, mut unknown) = (Vec::new(), None);
    let maps = postfix.need("virtual_alias_maps")?;
    for name in elements(&maps) {
        let table = match postfix.table(name) {
            Ok(table) => table,
            Err(why) => {
                unknown = Some(why);
                continue;
            }
        };
        for entry in &table.entries {
            for target in elements(&entry.value) {
                match is_outside(postfix, target) {
                    Ok(true) => outside.push((table.place(entry), format!("{} {target}", entry.key))),
                    Ok(false) => {}
                    Err(why) => unknown = Some(why),
                }
            }
        }
    }
    outside.extend(outside_aliases(server, postfix)?);
    let Some((place, _)) = outside.first() else {
        return match unknown {
            Some(why) => Err(why),
            None => pass("no alias leads to a domain of others"),
        };
    };
    let names: Vec<String> = outside.iter().take(5).map(|(_, seen)| seen.clone()).collect();
    let summary = format!("Aliases forward mail outside ({}), and no sender is rewritten", and(&names));
    let evidence = outside.iter().map(|(place, seen)| Evidence { place: place.clone(), seen: seen.clone() });
    Ok(Finding::new(Severity::Low, "", summary)
        .cause(place.clone())
        .all_seen(evidence)
        .remedy(advise(
            server,
            "Install postsrsd and let it rewrite envelope senders (docker-mailserver: ENABLE_SRS=1).",
            &[
                "sender_canonical_maps = socketmap:unix:srs:forward",
                "sender_canonical_classes = envelope_sender",
            ],
            "sender_canonical_maps",
        ))
        .into())
}

fn outside_aliases(server: &Server<'_>, postfix: &Postfix<'_>) -> Result<Vec<(String, String)>, Untold> {
    let mut found = Vec::new();
    for (place, line) in alias_lines(server, postfix)? {
        let targets = line.split_once(':').map(|(_, targets)| targets).unwrap_or_default();
        let address = |target: &&str| target.contains('@') && !target.contains(['|', '/', ':']);
        let outside = targets.split(',').map(str::trim).filter(address);
        for _ in outside.filter(|target| is_outside(postfix, target) == Ok(true)) {
            found.push((place.clone(), line.clone()));
        }
    }
    Ok(found)
}
