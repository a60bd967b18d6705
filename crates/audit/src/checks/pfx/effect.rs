//! Rules and settings that never act.

use std::collections::BTreeMap;

use super::{advise, and, mend};
use crate::check::{not_applicable, pass};
use crate::facts::{Known, Process};
use crate::plan::Change;
use crate::plan::asking::service_line;
use crate::postfix::restrictions::{LISTS, Rule};
use crate::postfix::{Kind, Origin, Postfix, Role, Service, boolean, elements};
use crate::{Check, Evidence, Finding, Judged, Outcome, Remedy, Server, Severity, Untold};

pub(super) static PFX_005: Check = Check {
    id: "PFX-005",
    title: "A rule can never act",
    severity: Severity::Low,
    why: "What stands behind a rule that decides everything, looks into an empty table, or only warns, protects nothing, although \
          the configuration reads as if it did.",
    proof: "A walk along each restriction list of each service: rules behind permit, reject or defer, rules that stand there \
            twice, warn_if_reject, empty tables, restriction classes that nothing names.",
    fix: "Move the rule before the one that decides, or take it out.",
    references: &["https://www.postfix.org/SMTPD_ACCESS_README.html"],
    judge: pfx_005,
};

pub(super) static PFX_006: Check = Check {
    id: "PFX-006",
    title: "Settings are written for a program that is not in the path of mail",
    severity: Severity::Medium,
    why: "The protection reads as if it were on, but the program that would apply it never sees a connection.",
    proof: "Parameters of postscreen against the services of master.cf, running policy services against the restriction lists, and \
            client passwords against smtp_sasl_auth_enable.",
    fix: "Put the program into the path of mail, or delete its settings.",
    references: &["https://www.postfix.org/POSTSCREEN_README.html"],
    judge: pfx_006,
};

pub(super) static PFX_007: Check = Check {
    id: "PFX-007",
    title: "Nothing tests the behaviour of clients on port 25 before they may talk",
    severity: Severity::Low,
    why: "Most robots talk before they are greeted; a server that waits and looks turns them away before they cost anything.",
    proof: "Which program has port 25 in master.cf, and the effective postscreen_greet_action.",
    fix: "Run postscreen on port 25 with postscreen_greet_action = enforce.",
    references: &["https://www.postfix.org/POSTSCREEN_README.html"],
    judge: pfx_007,
};

fn pfx_005(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    // What is wrong in a list, by place and list, with the services that use it.
    let mut dead: BTreeMap<(String, &str), Vec<String>> = BTreeMap::new();
    for service in postfix.smtpd() {
        for list in LISTS {
            let effective = postfix.in_service(service, list)?;
            if effective.origin == Origin::Default {
                continue;
            }
            for why in never_act(postfix, &postfix.rules_of(service, list)?) {
                let seen = dead.entry((effective.place.clone(), list)).or_default();
                if !seen.contains(&why) {
                    seen.push(why);
                }
            }
        }
    }
    let mut findings: Vec<Finding> = dead
        .into_iter()
        .map(|((place, list), whys)| {
            let first = whys.first().cloned().unwrap_or_default();
            let evidence =
                whys.iter().map(|why| Evidence { place: place.clone(), seen: format!("{list}: {why}") });
            Finding::new(
                Severity::Low,
                format!("{list} {}", place.split(':').next().unwrap_or_default()),
                format!("{list}: {first}"),
            )
            .cause(place.clone())
            .all_seen(evidence)
            .remedy(advise(
                server,
                "Move the rule before the one that decides, or take it out.",
                &[],
                list,
            ))
        })
        .collect();
    findings.extend(unused_classes(server, postfix)?);
    Ok(Outcome::of(findings, "every rule of every list can be reached"))
}

fn never_act(postfix: &Postfix<'_>, rules: &[Rule]) -> Vec<String> {
    let mut whys = Vec::new();
    let last = rules.iter().position(Rule::ends_list).unwrap_or(rules.len());
    for (index, rule) in rules.iter().enumerate() {
        if index > last {
            whys.push(format!(
                "`{rule}` is never asked, because `{}` before it decides everything",
                rules.get(last).map_or_else(String::new, ToString::to_string)
            ));
        } else if rules.iter().take(index).any(|earlier| earlier == rule) {
            whys.push(format!("`{rule}` stands there twice, and is never asked again with another answer"));
        } else if rule.only_warns {
            whys.push(format!("`{rule}` only warns, because of warn_if_reject"));
        } else if rule.is_access_table() && is_empty(postfix, rule) {
            whys.push(format!("`{rule}` looks into an empty table"));
        }
    }
    whys
}

fn is_empty(postfix: &Postfix<'_>, rule: &Rule) -> bool {
    let table = rule.argument.as_deref().and_then(|name| postfix.table(name).ok());
    table.is_some_and(|table| !table.path.is_empty() && table.entries.is_empty())
}

fn unused_classes(server: &Server<'_>, postfix: &Postfix<'_>) -> Result<Option<Finding>, Untold> {
    let effective = postfix.in_main("smtpd_restriction_classes")?;
    let values: Vec<&str> = postfix.set().map(|(_, value)| value).chain(all_overrides(postfix)).collect();
    let files =
        server.facts.below("/etc/postfix").filter_map(|(_, file)| file.text.known().map(String::as_str));
    let texts: Vec<&str> = files.collect();
    let used = |class: &str| {
        values.iter().any(|value| *value != effective.written && elements(value).contains(&class))
            || texts.iter().any(|text| {
                text.lines().any(|line| line.split([' ', '\t', ',']).skip(1).any(|word| word == class))
            })
    };
    let unused: Vec<String> =
        elements(&effective.value).into_iter().filter(|class| !used(class)).map(str::to_owned).collect();
    if unused.is_empty() {
        return Ok(None);
    }
    let summary = format!("No list and no table names the restriction class {}", and(&unused));
    Ok(Some(
        Finding::new(Severity::Low, "smtpd_restriction_classes", summary)
            .cause(effective.place.clone())
            .seen(effective.place.clone(), effective.to_string())
            .remedy(advise(
                server,
                "Name the class in a list, or take it out.",
                &[],
                "smtpd_restriction_classes",
            )),
    ))
}

fn all_overrides<'p>(postfix: &'p Postfix<'_>) -> impl Iterator<Item = &'p str> {
    postfix.services().iter().flat_map(|service| &service.overrides).map(|(_, value)| value.as_str())
}

fn pfx_006(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    if postfix.services().is_empty() {
        return crate::check::could_not_tell("the services of master.cf are not known");
    }
    let mut findings = Vec::new();
    findings.extend(idle_postscreen(server, postfix));
    findings.extend(helpers_of_postscreen(postfix));
    findings.extend(idle_greylisting(server, postfix));
    findings.extend(idle_passwords(server, postfix)?);
    Ok(Outcome::of(findings, "every program that settings are for is in the path of mail"))
}

/// Parameters that only set how postscreen is called or stores things say nothing of a protection.
fn protects(parameter: &str) -> bool {
    parameter.starts_with("postscreen_")
        && (["_action", "_sites", "_enable", "_list", "_threshold"]
            .iter()
            .any(|end| parameter.ends_with(end)))
}

fn idle_postscreen(server: &Server<'_>, postfix: &Postfix<'_>) -> Option<Finding> {
    if postfix.postscreen().is_some() {
        return None;
    }
    let set: Vec<(&str, &str)> = postfix.set().filter(|(name, _)| protects(name)).collect();
    let (first, _) = set.first()?;
    let mx = postfix.smtpd().find(|service| service.port == Some(25));
    let who = mx.map_or("no service has port 25".to_owned(), |service| {
        format!("{} runs smtpd", postfix.label(service))
    });
    let summary = format!("main.cf sets {first} and the like for postscreen, but {who}");
    let evidence = set
        .iter()
        .map(|(name, value)| Evidence { place: postfix.place(name), seen: format!("{name} = {value}") });
    let mut finding =
        Finding::new(Severity::Medium, "postscreen", summary).cause(postfix.place(first)).all_seen(evidence);
    if let Some(service) = mx {
        finding = finding.seen(service.place(), format!("{} inet ... {}", service.name, service.command));
    }
    Some(finding.remedy(postscreen_remedy(server)))
}

fn postscreen_remedy(server: &Server<'_>) -> Remedy {
    if server.facts.about.deployment == crate::facts::Deployment::DockerMailserver {
        return Remedy::new(
            "docker-mailserver ships postscreen on port 25; take the change of master.cf out.",
        )
        .apply("docker compose up -d --force-recreate");
    }
    let remedy = Remedy::new("Run postscreen on port 25, with smtpd behind it.");
    let Ok(postfix) = server.postfix() else { return remedy };
    remedy.changes(screened(server, postfix)).prove("postconf -M smtp/inet")
}

/// postscreen before the service on port 25, whose options go with smtpd.
fn screened(server: &Server<'_>, postfix: &Postfix<'_>) -> Vec<Change> {
    let Some(mx) = postfix.smtpd().find(|service| postfix.role(service) == Role::Mx) else {
        return Vec::new();
    };
    let chroot = service_line(server, postfix, mx).and_then(|words| words.into_iter().nth(4));
    let chroot = chroot.unwrap_or_else(|| "y".to_owned());
    let screen = format!("{} inet n - {chroot} - 1 postscreen", mx.name);
    let moved = mx.overrides.iter().map(|(name, value)| Change::overriding("smtpd/pass", name, value));
    let gone = mx.overrides.iter().map(|(name, _)| Change::Override {
        service: mx.key(),
        name: name.clone(),
        value: None,
    });
    let screen = Change::Service { service: mx.key(), line: Some(screen) };
    behind_postscreen(postfix, &chroot)
        .into_iter()
        .chain(moved)
        .chain(gone)
        .chain([screen, Change::parameter("postscreen_greet_action", "enforce")])
        .collect()
}

/// The services that postscreen needs and that are not there.
fn behind_postscreen(postfix: &Postfix<'_>, chroot: &str) -> Vec<Change> {
    let lines = [
        ("smtpd/pass", format!("smtpd pass - - {chroot} - - smtpd")),
        ("dnsblog/unix", format!("dnsblog unix - - {chroot} - 0 dnsblog")),
        ("tlsproxy/unix", format!("tlsproxy unix - - {chroot} - 0 tlsproxy")),
    ];
    let missing =
        lines.into_iter().filter(|(key, _)| !postfix.services().iter().any(|known| known.key() == *key));
    missing.map(|(key, line)| Change::Service { service: key.to_owned(), line: Some(line) }).collect()
}

/// postscreen hands connections, TLS and look-ups to services that must be there.
fn helpers_of_postscreen(postfix: &Postfix<'_>) -> Option<Finding> {
    let screen = postfix.postscreen()?;
    let sites = postfix.value("postscreen_dnsbl_sites").unwrap_or_default();
    let has = |command: &str| postfix.services().iter().any(|service| service.command == command);
    let behind =
        postfix.services().iter().any(|service| service.kind == Kind::Pass && service.command == "smtpd");
    let missing = [
        (!behind).then_some("smtpd pass: nobody takes the connections that postscreen lets through"),
        (!sites.is_empty() && !has("dnsblog"))
            .then_some("dnsblog: no list of postscreen_dnsbl_sites is asked"),
        (!has("tlsproxy")).then_some("tlsproxy: postscreen offers no TLS"),
    ];
    let missing: Vec<String> = missing.into_iter().flatten().map(str::to_owned).collect();
    let first = missing.first()?;
    let summary = format!("postscreen runs on port 25, but master.cf lacks a service: {first}");
    let evidence = missing
        .iter()
        .map(|seen| Evidence { place: "master.cf".to_owned(), seen: format!("no service {seen}") });
    let advice = "Add the services that postscreen needs.";
    Some(
        Finding::new(Severity::Medium, "postscreen services", summary)
            .cause(screen.place())
            .all_seen(evidence)
            .remedy(Remedy::new(advice).changes(behind_postscreen(postfix, "y")).prove("postconf -M")),
    )
}

/// A greylisting daemon that no restriction list asks.
fn idle_greylisting(server: &Server<'_>, postfix: &Postfix<'_>) -> Option<Finding> {
    let Known::Is(processes) = &server.facts.host.processes else { return None };
    let is = |process: &&Process| ["postgrey", "sqlgrey", "milter-greylist"].contains(&process.name.as_str());
    let daemon =
        processes.iter().find(is).or_else(|| processes.iter().find(|p| p.command.contains("/postgrey")))?;
    let milter = daemon.name == "milter-greylist";
    let wanted = if milter { "smtpd_milters" } else { "check_policy_service" };
    let values: Vec<&str> = postfix.set().map(|(_, value)| value).chain(all_overrides(postfix)).collect();
    let called = if milter {
        postfix.value("smtpd_milters").is_some_and(|milters| !milters.is_empty())
    } else {
        values.iter().any(|value| elements(value).contains(&"check_policy_service"))
    };
    let setting = postfix.set().find(|(name, _)| *name == "check_policy_service");
    if called {
        return None;
    }
    let summary = format!("{} runs, but no restriction list has a {wanted} that calls it", daemon.name);
    let mut finding = Finding::new(Severity::Medium, "greylisting", summary)
        .cause("smtpd_recipient_restrictions")
        .seen("processes", daemon.command.clone());
    if let Some((name, value)) = setting {
        finding = finding.seen(postfix.place(name), format!("{name} = {value} is no parameter"));
    }
    let advice = "Call it behind reject_unauth_destination in smtpd_recipient_restrictions, or stop it.";
    Some(finding.remedy(advise(server, advice, &[], "smtpd_recipient_restrictions")))
}

/// Passwords for a relay host that are never used.
fn idle_passwords(server: &Server<'_>, postfix: &Postfix<'_>) -> Result<Option<Finding>, Untold> {
    let maps = postfix.in_main("smtp_sasl_password_maps")?;
    let enabled =
        |service: &Service| service.overridden("smtp_sasl_auth_enable").and_then(boolean) == Some(true);
    let on = boolean(&postfix.need("smtp_sasl_auth_enable")?) == Some(true)
        || postfix.services().iter().any(enabled);
    if maps.value.is_empty() || on {
        return Ok(None);
    }
    let summary =
        "Passwords for a relay host are set, but smtp_sasl_auth_enable is off, so they are never sent";
    Ok(Some(
        Finding::new(Severity::Low, "smtp_sasl_password_maps", summary)
            .cause(maps.place.clone())
            .seen(maps.place.clone(), maps.to_string())
            .seen(postfix.in_main("smtp_sasl_auth_enable")?.place, "smtp_sasl_auth_enable = no")
            .remedy(advise(
                server,
                "Switch it on if the relay host wants a login; else take the table out.",
                &["smtp_sasl_auth_enable = yes"],
                "smtp_sasl_auth_enable",
            )),
    ))
}

fn pfx_007(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let Some(mx) = postfix.smtpd().find(|service| postfix.role(service) == Role::Mx) else {
        return not_applicable("no service takes mail from others on port 25");
    };
    if postfix.postscreen().is_some() {
        let action = postfix.in_main("postscreen_greet_action")?;
        if action.value != "ignore" {
            return pass(format!("postscreen has port 25, with {action}"));
        }
        let summary = "postscreen has port 25, but only takes notes of clients that talk too early";
        let (old, new) =
            (format!("postscreen_greet_action = {}", action.written), "postscreen_greet_action = enforce");
        return Ok(Finding::new(Severity::Low, "", summary)
            .cause(action.place.clone())
            .seen(action.place.clone(), action.to_string())
            .remedy(mend("Let it turn them away.", &[&old], &[new], "postscreen_greet_action"))
            .into());
    }
    let client = postfix.in_service(mx, "smtpd_client_restrictions")?;
    let waits =
        elements(&client.value).iter().any(|word| ["sleep", "reject_unauth_pipelining"].contains(word));
    if waits {
        return pass(format!("smtpd waits before it greets: {client}"));
    }
    Ok(Finding::new(Severity::Low, "", "smtpd has port 25 by itself, and greets every robot")
        .cause(mx.place())
        .seen(mx.place(), format!("{} inet ... {}", mx.name, mx.command))
        .remedy(postscreen_remedy(server))
        .into())
}
