//! Overrides in master.cf that undo what main.cf says.

use super::mend_service;
use crate::check::could_not_tell;
use crate::postfix::{Effective, Origin, Postfix, Protocols, Role, Service, boolean, elements};
use crate::{Check, Evidence, Finding, Judged, Outcome, Server, Severity, Untold};

pub(super) static PFX_008: Check = Check {
    id: "PFX-008",
    title: "An override in master.cf weakens a sound value of main.cf",
    severity: Severity::Medium,
    why: "An -o option beats main.cf for its service, so a protection that main.cf shows as on is off where it matters.",
    proof: "Each -o of each service that others reach, compared with the value that it beats: switches, TLS versions and levels, \
            trusted networks, limits, emptied lists.",
    fix: "Delete the option, so that main.cf holds for the service too.",
    references: &["master(5)"],
    judge: pfx_008,
};

/// Switches that are sound when on, and the checks that fail when they are off.
const SWITCHES: [(&str, &str); 6] = [
    ("smtpd_tls_auth_only", "passwords are taken without TLS (SMT-004)"),
    ("smtpd_helo_required", "clients need not say who they are (SMT-013)"),
    ("disable_vrfy_command", "addresses can be asked for one by one (SMT-007)"),
    ("smtpd_forbid_unauth_pipelining", "clients may talk out of turn (SMT-016)"),
    ("smtpd_delay_reject", "rules about senders and recipients in early lists never apply"),
    ("smtpd_sasl_authenticated_header", "nobody can tell who sent a mail"),
];

/// Values from weak to strong.
const RANKS: [(&str, &[&str], &str); 4] = [
    ("smtpd_tls_security_level", &["none", "may", "encrypt"], "connections need no TLS (SMT-020)"),
    ("smtpd_tls_mandatory_ciphers", &["export", "low", "medium", "high"], "weaker ciphers are offered"),
    ("smtpd_tls_ciphers", &["export", "low", "medium", "high"], "weaker ciphers are offered"),
    (
        "smtpd_forbid_bare_newline",
        &["no", "note", "yes", "reject", "normalize"],
        "mail can be smuggled (SMT-014)",
    ),
];

const LIMITS: [&str; 6] = [
    "smtpd_client_auth_rate_limit",
    "smtpd_client_connection_count_limit",
    "smtpd_client_connection_rate_limit",
    "smtpd_client_message_rate_limit",
    "smtpd_client_recipient_rate_limit",
    "smtpd_hard_error_limit",
];

fn pfx_008(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    if postfix.services().is_empty() {
        return could_not_tell("the services of master.cf are not known");
    }
    let mut findings = Vec::new();
    for service in super::reachable(postfix).filter(|service| postfix.role(service) != Role::Internal) {
        findings.extend(weakened(server, postfix, service)?);
    }
    Ok(Outcome::of(findings, "no option of a service that others reach is weaker than main.cf"))
}

fn weakened(
    server: &Server<'_>,
    postfix: &Postfix<'_>,
    service: &Service,
) -> Result<Option<Finding>, Untold> {
    let (mut evidence, mut options, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for (parameter, _) in &service.overrides {
        let effective = postfix.in_service(service, parameter);
        let (Ok(here), Ok(main)) = (effective, postfix.in_main(parameter)) else { continue };
        let Some(effect) = weaker(postfix, service, &main, &here)? else { continue };
        // Who sets the weak value nowhere else has chosen it for this service: a default is no advice.
        let beaten = match main.origin {
            Origin::Default => continue,
            _ => format!("{} at {}", main.value, main.place),
        };
        let seen = format!("-o {parameter}={} beats `{beaten}`: {effect}", here.written);
        evidence.push(Evidence { place: here.place.clone(), seen });
        options.push(format!("-o {parameter}={}", here.written));
        names.push(parameter.clone());
    }
    let Some(first) = evidence.first() else { return Ok(None) };
    let label = postfix.label(service);
    let summary = format!("On {label} master.cf undoes main.cf: {}", first.seen);
    let lines: Vec<&str> = options.iter().map(String::as_str).collect();
    let advice = "Delete the option, so that main.cf holds here too.";
    let finding = Finding::new(Severity::Medium, service.key(), summary).cause(service.place());
    Ok(Some(finding.all_seen(evidence).remedy(mend_service(server, service, advice, &lines, &[]))))
}

/// What a weaker value than main.cf's means; none if it is not weaker.
fn weaker(
    postfix: &Postfix<'_>,
    service: &Service,
    main: &Effective,
    here: &Effective,
) -> Result<Option<String>, Untold> {
    let parameter = here.parameter.as_str();
    if let Some((_, effect)) = SWITCHES.iter().find(|(name, _)| *name == parameter) {
        let off = boolean(&main.value) == Some(true) && boolean(&here.value) == Some(false);
        return Ok(off.then(|| (*effect).to_owned()));
    }
    if let Some((_, order, effect)) = RANKS.iter().find(|(name, ..)| *name == parameter) {
        let rank = |value: &str| order.iter().position(|known| *known == value);
        let lower = rank(&here.value) < rank(&main.value) && rank(&here.value).is_some();
        return Ok(lower.then(|| (*effect).to_owned()));
    }
    if LIMITS.contains(&parameter) {
        let lifted = here.value == "0" && main.value != "0";
        return Ok(lifted.then(|| "there is no limit for a client (SMT-025)".to_owned()));
    }
    Ok(match parameter {
        "smtpd_tls_protocols" | "smtpd_tls_mandatory_protocols" => older_tls(&main.value, &here.value),
        "smtpd_sasl_security_options" => {
            let anonymous = |value: &str| !elements(value).contains(&"noanonymous");
            let opened = anonymous(&here.value) && !anonymous(&main.value);
            opened.then(|| "clients may log in without a name (SMT-006)".to_owned())
        }
        "mynetworks" => wider(postfix, service)?,
        "smtpd_sender_restrictions" => {
            let guards = |value: &str| value.contains("_sender_login_mismatch");
            let open = guards(&main.value) && !guards(&here.value);
            open.then(|| "who is logged in may send as anybody (SMT-018)".to_owned())
        }
        _ => None,
    })
}

fn older_tls(main: &str, here: &str) -> Option<String> {
    let (main, here) = (Protocols::read(main), Protocols::read(here));
    let admitted: Vec<String> =
        here.allowed().iter().filter(|version| !main.allows(**version)).map(ToString::to_string).collect();
    (!admitted.is_empty()).then(|| format!("{} is allowed again (TLS-001, TLS-002)", super::and(&admitted)))
}

/// The networks that only the override trusts.
fn wider(postfix: &Postfix<'_>, service: &Service) -> Result<Option<String>, Untold> {
    let (main, here) = (postfix.networks(None)?, postfix.networks(Some(service))?);
    let more = here.entries.iter().find(|entry| {
        !entry.not
            && !entry.network.address().is_loopback()
            && !main.entries.iter().any(|known| known.network.covers(entry.network))
    });
    Ok(more.map(|entry| format!("{} may relay here (SMT-030)", entry.network)))
}
