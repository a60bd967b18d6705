//! Defaults of old, test switches, and times.

use super::{advise, and, mend};
use crate::check::pass;
use crate::plan::Change;
use crate::plan::asking::service_line;
use crate::postfix::{Postfix, Version, boolean, elements};
use crate::{Check, Evidence, Finding, Judged, Outcome, Remedy, Server, Severity};

pub(super) static PFX_004: Check = Check {
    id: "PFX-004",
    title: "Postfix runs with the defaults of an older version",
    severity: Severity::Low,
    why: "A compatibility_level below that of the software keeps defaults in force that were changed because they were unsafe.",
    proof: "The defaults that differ between the effective compatibility_level and that of the installed version, where main.cf \
            does not set them.",
    fix: "Set the parameters named to what you want, then compatibility_level to the version that is installed.",
    references: &["https://www.postfix.org/COMPATIBILITY_README.html"],
    judge: pfx_004,
};

pub(super) static PFX_021: Check = Check {
    id: "PFX-021",
    title: "Test switches are left on",
    severity: Severity::Low,
    why: "soft_bounce makes mail that should be returned wait for days, and verbose programs fill the log with what mail says.",
    proof: "The effective soft_bounce and debug_peer_list, and the services of master.cf that have -v.",
    fix: "Take the switches out.",
    references: &["https://www.postfix.org/DEBUG_README.html"],
    judge: pfx_021,
};

pub(super) static PFX_022: Check = Check {
    id: "PFX-022",
    title: "Mail waits for too long or too short a time in the queue",
    severity: Severity::Low,
    why: "Below a day, mail is returned because the other server was down over night; above a week, senders learn too late that it \
          did not arrive.",
    proof: "The effective maximal_queue_lifetime and bounce_queue_lifetime.",
    fix: "Set both to between three and five days.",
    references: &["RFC 5321 section 4.5.4.1"],
    judge: pfx_022,
};

pub(super) static PFX_023: Check = Check {
    id: "PFX-023",
    title: "The postmaster is not told of errors",
    severity: Severity::Low,
    why: "Postfix can mail its own trouble (no space, a broken table) to the postmaster; without it nobody learns of it before \
          users do.",
    proof: "The effective notify_classes, and what becomes of mail to postmaster in the alias table.",
    fix: "Set notify_classes = resource, software, and let postmaster lead to a mailbox that is read.",
    references: &["postconf(5), notify_classes", "RFC 5321 section 4.5.1"],
    judge: pfx_023,
};

/// Parameters whose default hangs on the level, and what the old default means.
const OLD: [(&str, &str); 8] = [
    ("smtpd_relay_restrictions", "nothing stops relaying but smtpd_recipient_restrictions"),
    ("mynetworks_style", "the whole subnet may relay"),
    ("relay_domains", "subdomains of every domain in mydestination are relayed to"),
    ("smtpd_relay_before_recipient_restrictions", "relaying is decided after the recipient list"),
    ("append_dot_mydomain", "names without a dot are completed"),
    ("smtputf8_enable", "international addresses are refused"),
    ("smtpd_tls_fingerprint_digest", "client certificates are told apart by MD5"),
    ("smtp_tls_security_level", "outgoing mail is not encrypted"),
];

fn pfx_004(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let version = postfix.version()?;
    let Version(major, minor, _) = version;
    let newest = format!("{major}.{minor}");
    let level = postfix.in_main("compatibility_level")?;
    let mut evidence = Vec::new();
    for (parameter, meaning) in OLD {
        let Some(default) = postfix.default(parameter).filter(|_| postfix.explicit(parameter).is_none())
        else {
            continue;
        };
        let now = postfix.expanded(None, &default);
        let then = postfix.expanded(None, &default.replace("$compatibility_level", &newest));
        if now != then {
            let seen = format!("`{now}` instead of `{then}`: {meaning}");
            evidence.push(Evidence { place: parameter.to_owned(), seen });
        }
    }
    if evidence.is_empty() {
        return pass(format!("compatibility_level {} changes no default of Postfix {version}", level.value));
    }
    let names: Vec<String> = evidence.iter().map(|evidence| evidence.place.clone()).collect();
    let summary = format!("compatibility_level {} keeps old defaults of {}", level.value, and(&names));
    let line = format!("compatibility_level = {newest}");
    let advice = "Set what should stay as it is, then raise the level.";
    let finding = Finding::new(Severity::Low, "", summary).cause(level.place.clone());
    let finding =
        finding.seen(level.place, format!("compatibility_level = {}", level.value)).all_seen(evidence);
    Ok(finding.remedy(advise(server, advice, &[&line], "compatibility_level")).into())
}

fn pfx_021(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let mut evidence = Vec::new();
    let soft = postfix.in_main("soft_bounce")?;
    if boolean(&soft.value) == Some(true) {
        evidence.push(Evidence { place: soft.place.clone(), seen: soft.to_string() });
    }
    let peers = postfix.in_main("debug_peer_list")?;
    if !peers.value.is_empty() {
        evidence.push(Evidence { place: peers.place.clone(), seen: peers.to_string() });
    }
    for service in postfix.services() {
        if service.overridden("soft_bounce").and_then(boolean) == Some(true) {
            evidence.push(Evidence { place: service.place(), seen: "-o soft_bounce=yes".to_owned() });
        }
        if service.verbosity() > 0 {
            let seen = format!("{} -{}", service.command, "v".repeat(service.verbosity()));
            evidence.push(Evidence { place: service.place(), seen });
        }
    }
    let Some(first) = evidence.first() else {
        return pass("soft_bounce is off, and no program is verbose");
    };
    let summary = format!("Test switches are on: {}", first.seen);
    let finding = Finding::new(Severity::Low, "", summary).cause(first.place.clone());
    let advice = "Take the switches out.";
    Ok(finding
        .all_seen(evidence.clone())
        .remedy(
            Remedy::new(advice).changes(quiet(server, postfix)).prove("postconf -h soft_bounce; postconf -M"),
        )
        .into())
}

/// No switch for tests is on.
fn quiet(server: &Server<'_>, postfix: &Postfix<'_>) -> Vec<Change> {
    let set: Vec<&str> = postfix.set().map(|(name, _)| name).collect();
    let switches = ["soft_bounce", "debug_peer_list"].into_iter().filter(|name| set.contains(name));
    let mut changes: Vec<_> = switches.map(Change::unset).collect();
    for service in postfix.services() {
        if service.overridden("soft_bounce").is_some() {
            changes.push(Change::Override {
                service: service.key(),
                name: "soft_bounce".to_owned(),
                value: None,
            });
        }
        if let (1.., Some(words)) = (service.verbosity(), service_line(server, postfix, service)) {
            let is_verbose = |word: &String| {
                word.strip_prefix('-').is_some_and(|v| !v.is_empty() && v.bytes().all(|b| b == b'v'))
            };
            let line: Vec<_> = words.into_iter().filter(|word| !is_verbose(word)).collect();
            changes.push(Change::Service { service: service.key(), line: Some(line.join(" ")) });
        }
    }
    changes
}

const DAY: u64 = 86_400;

fn pfx_022(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let mut findings = Vec::new();
    for parameter in ["maximal_queue_lifetime", "bounce_queue_lifetime"] {
        let seconds = postfix.seconds(parameter, 'd')?;
        if (DAY..=7 * DAY).contains(&seconds) {
            continue;
        }
        let effective = postfix.in_main(parameter)?;
        let how = if seconds < DAY { "less than a day" } else { "more than a week" };
        let summary =
            format!("Mail waits for {how} before it is returned ({parameter} = {})", effective.value);
        let (old, new) = (format!("{parameter} = {}", effective.written), format!("{parameter} = 5d"));
        findings.push(
            Finding::new(Severity::Low, parameter, summary)
                .cause(effective.place.clone())
                .seen(effective.place.clone(), effective.to_string())
                .remedy(mend("Let mail wait for five days.", &[&old], &[&new], parameter)),
        );
    }
    Ok(Outcome::of(findings, "mail waits for one to seven days before it is returned"))
}

fn pfx_023(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let classes = postfix.in_main("notify_classes")?;
    let named = elements(&classes.value);
    let missing: Vec<String> = ["resource", "software"]
        .into_iter()
        .filter(|class| !named.contains(class))
        .map(str::to_owned)
        .collect();
    let mut findings = Vec::new();
    if !missing.is_empty() {
        let summary = format!("Postfix does not report {} errors to the postmaster", and(&missing));
        let old = format!("notify_classes = {}", classes.written);
        let new = "notify_classes = resource, software";
        findings.push(
            Finding::new(Severity::Low, "notify_classes", summary)
                .cause(classes.place.clone())
                .seen(classes.place.clone(), classes.to_string())
                .remedy(mend("Let Postfix report them.", &[&old], &[new], "notify_classes")),
        );
    }
    let thrown_away = postmaster_to_nobody(server)?;
    findings.extend(thrown_away);
    Ok(Outcome::of(findings, format!("notify_classes = {}", classes.value)))
}

/// Where the alias of postmaster leads, if that is nowhere.
fn postmaster_to_nobody(server: &Server<'_>) -> Result<Option<Finding>, crate::Untold> {
    let postfix = server.postfix()?;
    for name in elements(&postfix.need("alias_maps")?) {
        let Some(path) = name.split_once(':').map(|(_, path)| path).filter(|path| path.starts_with('/'))
        else {
            continue;
        };
        let Ok(Some(text)) = server.facts.text(path) else { continue };
        let alias = crate::postfix::logical_lines(text).into_iter().find_map(|line| {
            let (alias, target) = line.text.split_once(':')?;
            alias.trim().eq_ignore_ascii_case("postmaster").then(|| (line.line, target.trim().to_owned()))
        });
        let Some((line, target)) = alias.filter(|(_, target)| target == "/dev/null") else { continue };
        let summary = "Mail to postmaster is thrown away, so nobody reads what Postfix reports";
        return Ok(Some(
            Finding::new(Severity::Low, "postmaster", summary)
                .cause(format!("{path}:{line}"))
                .seen(format!("{path}:{line}"), format!("postmaster: {target}"))
                .remedy(
                    crate::Remedy::new("Let postmaster lead to somebody who reads it.")
                        .edit(path, &["postmaster: /dev/null"], &["postmaster: root"])
                        .apply("newaliases")
                        .prove(format!("postalias -q postmaster {name}")),
                ),
        ));
    }
    Ok(None)
}
