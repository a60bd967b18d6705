//! Whether incoming mail is asked for SPF, DKIM and DMARC, and what becomes of refused mail.

use super::{advise, and};
use crate::check::{could_not_tell, not_applicable, pass};
use crate::plan::Change;
use crate::postfix::restrictions::LISTS;
use crate::postfix::{Postfix, Role, elements};
use crate::{Check, Finding, Judged, Outcome, Remedy, Server, Severity, Untold};

pub(super) static PFX_027: Check = Check {
    id: "PFX-027",
    title: "SPF of incoming mail is not evaluated",
    severity: Severity::Medium,
    why: "Mail with a forged sender comes in like any other, although the domain says which servers may send for it.",
    proof: "The policy services and milters that the services of port 25 use.",
    fix: "Use policyd-spf, a milter for SPF, or Rspamd.",
    references: &["RFC 7208"],
    judge: pfx_027,
};

pub(super) static PFX_028: Check = Check {
    id: "PFX-028",
    title: "DKIM and DMARC of incoming mail are not evaluated, or without effect",
    severity: Severity::Medium,
    why: "A domain that asks to have forged mail refused is not heeded, so phishing in its name arrives.",
    proof: "The milters that the services of port 25 use, and RejectFailures of OpenDMARC.",
    fix: "Use OpenDMARC with RejectFailures true behind OpenDKIM, or Rspamd.",
    references: &["RFC 9989", "opendmarc.conf(5)"],
    judge: pfx_028,
};

pub(super) static PFX_030: Check = Check {
    id: "PFX-030",
    title: "Spam and viruses are bounced after they were accepted",
    severity: Severity::Medium,
    why: "Senders of spam are forged, so the bounces go to people who wrote nothing, and this server lands on block lists.",
    proof: "The last assignment of each final destiny in the files of amavis, where mail is filtered after it was accepted.",
    fix: "Set D_DISCARD with a quarantine, or D_PASS with a mark.",
    references: &["RFC 3834", "https://www.postfix.org/BACKSCATTER_README.html"],
    judge: pfx_030,
};

/// What judges incoming mail: milters and policy services of the services that strangers reach.
struct Judges {
    milters: Vec<String>,
    policies: Vec<String>,
    place: String,
}

fn judges(postfix: &Postfix<'_>) -> Result<Option<Judges>, Untold> {
    let Some(mx) = super::reachable(postfix).find(|service| postfix.role(service) == Role::Mx) else {
        return Ok(None);
    };
    let milters = postfix.in_service(mx, "smtpd_milters")?;
    let mut policies = Vec::new();
    for list in LISTS {
        let rules = postfix.rules_of(mx, list)?;
        policies.extend(
            rules
                .into_iter()
                .filter(|rule| rule.name == "check_policy_service")
                .filter_map(|rule| rule.argument),
        );
    }
    Ok(Some(Judges {
        milters: elements(&milters.value).into_iter().map(str::to_owned).collect(),
        policies,
        place: postfix.label(mx),
    }))
}

/// Whether an endpoint is that of a program: by its name, its usual port, or the process that listens there.
fn is_of(server: &Server<'_>, endpoint: &str, words: &[&str], ports: &[u16]) -> bool {
    let lower = endpoint.to_ascii_lowercase();
    let port = lower.split([':', '@', ',', ' ']).find_map(|part| part.parse::<u16>().ok());
    let listens = || {
        let listeners = server.facts.host.listeners.known()?;
        let listener =
            listeners.iter().find(|listener| Some(listener.port) == port.filter(|port| *port > 0))?;
        Some(words.iter().any(|word| listener.program.contains(word)))
    };
    words.iter().any(|word| lower.contains(word))
        || port.is_some_and(|port| ports.contains(&port))
        || listens() == Some(true)
}

/// Words in the endpoint or the name of a program, and its usual ports.
type Program = (&'static [&'static str], &'static [u16]);

const RSPAMD: Program = (&["rspamd"], &[11332]);
const SPF: Program = (&["spf"], &[]);
const DMARC: Program = (&["dmarc"], &[8893, 54321]);
const DKIM: Program = (&["opendkim", "dkim"], &[8891, 12301]);
const GREYLIST: Program = (&["postgrey", "greylist", "sqlgrey", "quota", "mta-sts"], &[10023, 65265, 12340]);

fn pfx_027(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let Some(judges) = judges(postfix)? else {
        return not_applicable("no service takes mail from others on port 25");
    };
    let is = |(words, ports): Program, endpoint: &str| is_of(server, endpoint, words, ports);
    let all: Vec<&String> = judges.milters.iter().chain(&judges.policies).collect();
    if let Some(found) = all.iter().copied().find(|endpoint| is(SPF, endpoint) || is(RSPAMD, endpoint)) {
        return pass(format!("{found} evaluates SPF on {}", judges.place));
    }
    let itself = all.iter().copied().find(|endpoint| is(DMARC, endpoint));
    if let Some(found) = itself.filter(|_| self_validating(server)) {
        return pass(format!("OpenDMARC at {found} evaluates SPF itself"));
    }
    let known = |endpoint: &&String| is(DMARC, endpoint) || is(DKIM, endpoint) || is(GREYLIST, endpoint);
    if let Some(other) = all.iter().copied().find(|endpoint| !known(endpoint)) {
        return could_not_tell(format!("whether {other} evaluates SPF is not known"));
    }
    let seen = if all.is_empty() {
        "no milter and no policy service".to_owned()
    } else {
        and(&all.into_iter().cloned().collect::<Vec<_>>())
    };
    let add = "smtpd_recipient_restrictions = ..., reject_unauth_destination, check_policy_service unix:private/policyd-spf";
    Ok(Finding::new(
        Severity::Medium,
        "",
        format!("Nothing evaluates SPF of mail that comes in on {}", judges.place),
    )
    .cause("smtpd_recipient_restrictions")
    .seen(judges.place, seen)
    .remedy(advise(
        server,
        "Install policyd-spf, and ask it (docker-mailserver: ENABLE_POLICYD_SPF=1).",
        &[add],
        "smtpd_recipient_restrictions",
    ))
    .into())
}

fn opendmarc<'a>(server: &'a Server<'_>) -> Result<Option<&'a str>, Untold> {
    server.facts.text("/etc/opendmarc.conf")
}

fn setting<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once(char::is_whitespace))
        .filter(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
        .next_back()
}

fn is_true(value: Option<&str>) -> bool {
    value.is_some_and(|value| ["true", "yes", "1"].iter().any(|yes| value.eq_ignore_ascii_case(yes)))
}

fn self_validating(server: &Server<'_>) -> bool {
    let text = opendmarc(server).ok().flatten().unwrap_or_default();
    is_true(setting(text, "SPFSelfValidate"))
}

fn pfx_028(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let Some(judges) = judges(postfix)? else {
        return not_applicable("no service takes mail from others on port 25");
    };
    let find =
        |(words, ports): Program| judges.milters.iter().find(|milter| is_of(server, milter, words, ports));
    if let Some(rspamd) = find(RSPAMD) {
        return pass(format!("Rspamd at {rspamd} evaluates DKIM and DMARC"));
    }
    if let Some(dmarc) = find(DMARC) {
        let Some(text) = opendmarc(server)? else {
            return could_not_tell("/etc/opendmarc.conf does not exist");
        };
        if is_true(setting(text, "RejectFailures")) {
            return pass(format!("OpenDMARC at {dmarc} refuses what a domain wants refused"));
        }
        return Ok(Finding::new(
            Severity::Medium,
            "opendmarc",
            "OpenDMARC only notes what fails DMARC, and refuses nothing",
        )
        .cause("/etc/opendmarc.conf")
        .seen(
            "/etc/opendmarc.conf",
            format!("RejectFailures {}", setting(text, "RejectFailures").unwrap_or("is not set (false)")),
        )
        .remedy(
            Remedy::new("Let it refuse what the domain of the sender wants refused.")
                .change(Change::setting("/etc/opendmarc.conf", "", "RejectFailures", "true"))
                .prove("grep RejectFailures /etc/opendmarc.conf"),
        )
        .into());
    }
    let unknown = judges.milters.iter().find(|milter| !is_of(server, milter, DKIM.0, DKIM.1));
    if let Some(unknown) = unknown {
        return could_not_tell(format!("whether the milter {unknown} evaluates DMARC is not known"));
    }
    let seen = if judges.milters.is_empty() { "no milter".to_owned() } else { and(&judges.milters) };
    Ok(Finding::new(
        Severity::Medium,
        "",
        format!("Nothing evaluates DMARC of mail that comes in on {}", judges.place),
    )
    .cause("smtpd_milters")
    .seen(judges.place, format!("smtpd_milters: {seen}"))
    .remedy(advise(
        server,
        "Install OpenDMARC behind OpenDKIM, or Rspamd.",
        &["smtpd_milters = inet:localhost:8891, inet:localhost:8893"],
        "smtpd_milters",
    ))
    .into())
}

fn pfx_030(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let filter = postfix.in_main("content_filter")?;
    let amavis = filter.value.contains("10024") || filter.value.contains("amavis");
    if !amavis {
        return not_applicable("no mail is filtered by amavis after it was accepted");
    }
    let mut files: Vec<(&str, &str)> = server
        .facts
        .below("/etc/amavis")
        .filter_map(|(path, file)| Some((path, file.text.known()?.as_str())))
        .collect();
    files.sort_unstable();
    if files.is_empty() {
        return could_not_tell("the files of amavis are not known");
    }
    let mut findings = Vec::new();
    for what in ["spam", "virus", "banned"] {
        let Some((place, line)) = last_destiny(&files, what).filter(|(_, line)| line.contains("D_BOUNCE"))
        else {
            continue;
        };
        let name = format!("$final_{what}_destiny");
        let advice = "Keep it in quarantine instead.";
        findings.push(
            Finding::new(
                Severity::Medium,
                name.clone(),
                format!("amavis sends a bounce for {what} mail that was already accepted"),
            )
            .cause(place.clone())
            .seen(place, line.clone())
            .seen(filter.place.clone(), filter.to_string())
            .remedy(Remedy::new(advice).change(Change::setting(
                "/etc/amavis/conf.d/50-user",
                "",
                &name,
                "D_DISCARD",
            ))),
        );
    }
    Ok(Outcome::of(findings, "amavis sends no bounces"))
}

/// The assignment that holds: files are read in the order of their names.
fn last_destiny(files: &[(&str, &str)], what: &str) -> Option<(String, String)> {
    let name = format!("$final_{what}_destiny");
    let mut last = None;
    for (path, text) in files {
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.strip_prefix(name.as_str()).is_some_and(|rest| rest.trim_start().starts_with('=')) {
                last = Some((
                    format!("{path}:{}", index + 1),
                    line.split('#').next().unwrap_or(line).trim().to_owned(),
                ));
            }
        }
    }
    last
}
