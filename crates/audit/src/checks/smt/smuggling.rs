//! Mail whose end the next server sees elsewhere (CVE-2023-51764).

use super::{internet_services, talks};
use crate::check::{could_not_tell, not_applicable, pass};
use crate::facts::{MailService, Trial};
use crate::plan::asking::everywhere;
use crate::postfix::{Networks, Postfix, Service, elements};
use crate::{Check, Evidence, Finding, Judged, Outcome, Remedy, Server, Severity, Untold};

pub(super) static SMT_014: Check = Check {
    id: "SMT-014",
    title: "Mail can be smuggled in behind another mail's end",
    severity: Severity::High,
    why: "A server that takes a bare newline for a line's end lets a stranger put a second mail into the first: it comes in as from the sending server, past SPF, with a forged sender.",
    proof: "The effective smtpd_forbid_bare_newline by version, its exclusions, and whether reject_unauth_pipelining stands in its place; with --active and --deliver-to, eleven false ends of data, each with a second mail behind it.",
    fix: "Set smtpd_forbid_bare_newline = normalize (Postfix 3.5.24, 3.6.14, 3.7.10, 3.8.5 and newer).",
    references: &["CVE-2023-51764", "https://www.postfix.org/smtp-smuggling.html"],
    judge: smt_014,
};

pub(super) static SMT_015: Check = Check {
    id: "SMT-015",
    title: "Stray line ends are passed on to other servers",
    severity: Severity::Medium,
    why: "A mail with stray line ends that goes out unchanged is smuggled into the next server from here, in our name.",
    proof: "The effective cleanup_replace_stray_cr_lf, or its absence in this version, beside smtpd_forbid_bare_newline.",
    fix: "Set cleanup_replace_stray_cr_lf = yes.",
    references: &["https://www.postfix.org/smtp-smuggling.html", "RFC 5321 section 2.3.8"],
    judge: smt_015,
};

pub(super) static SMT_016: Check = Check {
    id: "SMT-016",
    title: "Commands are taken from clients that do not wait for answers",
    severity: Severity::Low,
    why: "Spam software sends everything at once; honest clients do so only where the server offers it.",
    proof: "The effective smtpd_forbid_unauth_pipelining and reject_unauth_pipelining in the data restrictions; and two commands in one packet.",
    fix: "Set smtpd_forbid_unauth_pipelining = yes.",
    references: &["RFC 2920 section 3.1", "postconf(5), smtpd_forbid_unauth_pipelining"],
    judge: smt_016,
};

/// Whether a service turns a bare newline into a line's end or refuses it; and where that is said.
fn forbids_bare_newline(postfix: &Postfix<'_>, service: &Service) -> Result<(bool, String, String), Untold> {
    match postfix.in_service(service, "smtpd_forbid_bare_newline") {
        Ok(effective) => {
            let on = !matches!(effective.value.to_ascii_lowercase().as_str(), "no" | "note" | "");
            Ok((on, effective.place, format!("smtpd_forbid_bare_newline = {}", effective.value)))
        }
        Err(_) => {
            let version = postfix.version()?;
            Ok((
                false,
                format!("Postfix {version}"),
                "this version has no smtpd_forbid_bare_newline".to_owned(),
            ))
        }
    }
}

/// The way out for versions without the parameter: no pipelining without permission, and no BDAT.
fn workaround(postfix: &Postfix<'_>, service: &Service) -> Result<bool, Untold> {
    let data = postfix.rules_of(service, "smtpd_data_restrictions")?;
    let refuses = data.iter().any(|rule| rule.name == "reject_unauth_pipelining" && !rule.only_warns);
    let forbids = postfix.is_on(service, "smtpd_forbid_unauth_pipelining").unwrap_or(false);
    let discarded = postfix.in_service(service, "smtpd_discard_ehlo_keywords")?.value;
    Ok((refuses || forbids) && elements(&discarded).iter().any(|word| word.eq_ignore_ascii_case("chunking")))
}

fn too_wide(networks: &Networks) -> Option<&str> {
    let wide = networks.entries.iter().find(|entry| !entry.not && entry.network.prefix() == 0);
    wide.map(|entry| entry.written.as_str())
}

/// What false ends of data did that were sent as a stranger; none where nobody sent any, or the sender is excluded from the rule.
fn tried(server: &Server<'_>) -> Option<(Vec<Evidence>, String)> {
    let trials: Vec<_> =
        server.facts.trials.iter().filter(|trial| is_stranger(server, trial) == Some(true)).collect();
    let ends = || trials.iter().flat_map(|trial| trial.ends.iter().map(move |end| (*trial, end)));
    let told = ends().filter(|(_, end)| end.replies.known().is_some()).count();
    let let_in = ends().filter(|(_, end)| end.lets_in()).map(|(trial, end)| Evidence {
        place: format!("{}, asked from {}", trial.place(), trial.source),
        seen: format!("behind {} a second mail was begun", end.name),
    });
    (told > 0).then(|| (let_in.collect(), format!("none of {told} false ends of data let a second mail in")))
}

/// Whether a trial came from an address to which the rule about bare newlines applies; none if that is not known.
fn is_stranger(server: &Server<'_>, trial: &Trial) -> Option<bool> {
    if server.facts.about.remote {
        return Some(true);
    }
    let postfix = server.postfix().ok()?;
    let service = internet_services(postfix).ok()?.into_iter().next()?;
    match postfix.clients(service, "smtpd_forbid_bare_newline_exclusions") {
        Ok(excluded) => excluded.contains(trial.source.parse().ok()?).map(|excluded| !excluded),
        // A version without the rule has no exclusions either.
        Err(_) => Some(true),
    }
}

fn smt_014(server: &Server<'_>) -> Judged {
    let judged = by_settings(server);
    let Some((let_in, none)) = tried(server) else { return judged };
    match judged {
        Ok(Outcome::Fail(findings)) => {
            let with = |finding: Finding| finding.all_seen(let_in.iter().cloned());
            Ok(Outcome::Fail(findings.into_iter().map(with).collect()))
        }
        _ if !let_in.is_empty() => {
            let remedy = Remedy::new(
                "Find out which server in front of the mailboxes takes bare newlines, and update it.",
            )
            .prove("mailward audit --active --deliver-to ADDRESS --only SMT-014");
            let finding =
                Finding::new(Severity::High, "", "Mail can be smuggled in behind another mail's end");
            Ok(finding.all_seen(let_in).remedy(remedy).into())
        }
        Ok(Outcome::Pass(shown)) => pass(format!("{shown}; {none}")),
        Err(_) => pass(none),
    }
}

fn by_settings(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let services = internet_services(postfix)?;
    let mut finding = Finding::new(Severity::High, "", "Mail can be smuggled in behind another mail's end");
    let mut shown = String::new();
    for service in &services {
        let (forbids, place, seen) = forbids_bare_newline(postfix, service)?;
        if !forbids && !workaround(postfix, service)? {
            finding.cause = "smtpd_forbid_bare_newline".to_owned();
            finding = finding.seen(place, format!("{}: {seen}", postfix.label(service)));
        } else if forbids
            && let Ok(exclusions) = postfix.clients(service, "smtpd_forbid_bare_newline_exclusions")
            && let Some(network) = too_wide(&exclusions)
        {
            finding.cause = "smtpd_forbid_bare_newline_exclusions".to_owned();
            finding = finding
                .seen(exclusions.place.clone(), format!("{}: {network} is excluded", postfix.label(service)));
        }
        shown = seen;
    }
    if services.is_empty() {
        return not_applicable("no service for mail is reachable from the network");
    }
    if finding.evidence.is_empty() {
        return pass(shown);
    }
    let remedy = Remedy::new("Take bare newlines for what they are, from everybody.")
        .changes(everywhere(server, "smtpd_forbid_bare_newline", "normalize"))
        .prove("postconf -h smtpd_forbid_bare_newline");
    Ok(finding.remedy(remedy).into())
}

fn smt_015(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    match postfix.in_main("cleanup_replace_stray_cr_lf") {
        Ok(effective) if effective.value.eq_ignore_ascii_case("yes") => {
            pass(format!("cleanup_replace_stray_cr_lf = yes ({})", effective.place))
        }
        Ok(effective) => {
            let remedy = Remedy::new("Replace stray line ends by blanks.")
                .changes(everywhere(server, "cleanup_replace_stray_cr_lf", "yes"))
                .prove("postconf -h cleanup_replace_stray_cr_lf");
            let finding =
                Finding::new(Severity::Medium, "", "Stray line ends are passed on to other servers")
                    .cause("cleanup_replace_stray_cr_lf")
                    .seen(effective.place, format!("cleanup_replace_stray_cr_lf = {}", effective.value));
            Ok(finding.remedy(remedy).into())
        }
        // The parameter came with the fix; a list of all parameters without it is proof that this version lacks it.
        Err(_) if postfix.parameters().is_some() => {
            let version = postfix.version()?;
            let finding =
                Finding::new(Severity::Medium, "", "Stray line ends are passed on to other servers")
                    .cause("the version of Postfix")
                    .seen("postconf -d", format!("Postfix {version} has no cleanup_replace_stray_cr_lf"));
            Ok(finding.remedy(Remedy::new("Install the distribution's current Postfix.")).into())
        }
        Err(why) => Err(why),
    }
}

fn smt_016(server: &Server<'_>) -> Judged {
    let mut finding =
        Finding::new(Severity::Low, "", "Commands are taken from clients that do not wait for answers");
    let mut told = false;
    for talk in talks(server, MailService::Smtp) {
        if let Some(tried) = talk.tried("unauthorised-pipelining") {
            told = true;
            if tried.is_yes() {
                finding = finding
                    .seen(format!("{}, EHLO and MAIL in one packet", talk.place()), tried.reply.clone());
            }
        }
    }
    let judged = server.postfix().and_then(|postfix| {
        let services = internet_services(postfix)?;
        for service in &services {
            let mut rules = postfix.rules_of(service, "smtpd_data_restrictions")?;
            rules.extend(postfix.rules_of(service, "smtpd_recipient_restrictions")?);
            rules.extend(postfix.rules_of(service, "smtpd_client_restrictions")?);
            let refuses =
                rules.iter().any(|rule| rule.name == "reject_unauth_pipelining" && !rule.only_warns);
            let forbids = postfix.is_on(service, "smtpd_forbid_unauth_pipelining").unwrap_or(false);
            if !refuses && !forbids {
                finding.cause = "smtpd_forbid_unauth_pipelining".to_owned();
                finding.evidence.push(Evidence {
                    place: "smtpd_forbid_unauth_pipelining".to_owned(),
                    seen: format!(
                        "{}: neither it nor reject_unauth_pipelining is set",
                        postfix.label(service)
                    ),
                });
            }
        }
        Ok(services.len())
    });
    match judged {
        Err(why) if !told => return Err(why),
        Ok(0) if !told => return could_not_tell("no service for mail is reachable from the network"),
        _ => {}
    }
    if finding.evidence.is_empty() {
        return pass("who does not wait for answers is refused");
    }
    let remedy = Remedy::new("Refuse commands that come before the answer to the one before.")
        .changes(everywhere(server, "smtpd_forbid_unauth_pipelining", "yes"))
        .prove("postconf -h smtpd_forbid_unauth_pipelining");
    Ok(finding.remedy(remedy).into())
}
