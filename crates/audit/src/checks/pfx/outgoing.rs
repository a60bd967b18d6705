//! How mail leaves.

use super::{and, mend};
use crate::check::{could_not_tell, not_applicable, pass};
use crate::facts::Known;
use crate::postfix::{Effective, Kind, Postfix, Service, boolean, elements};
use crate::{Check, Evidence, Finding, Judged, Server, Severity, Untold};

pub(super) static PFX_014: Check = Check {
    id: "PFX-014",
    title: "Outgoing mail is not encrypted",
    severity: Severity::High,
    why: "Every mail to other servers goes readable, although nearly all of them offer TLS.",
    proof: "The effective smtp_tls_security_level of the services that deliver to other servers, smtp and relay.",
    fix: "Set smtp_tls_security_level = dane where the resolver validates DNSSEC, else may.",
    references: &["RFC 7435", "https://www.postfix.org/TLS_README.html#client_tls"],
    judge: pfx_014,
};

pub(super) static PFX_015: Check = Check {
    id: "PFX-015",
    title: "Who receives outgoing mail is not checked, neither by DANE nor by MTA-STS",
    severity: Severity::Low,
    why: "Without either, one between the servers can take TLS away, or answer with a certificate of its own, and read the mail.",
    proof: "The effective smtp_tls_security_level, smtp_dns_support_level and smtp_tls_policy_maps, and whether the resolver \
            validates.",
    fix: "Set smtp_tls_security_level = dane and smtp_dns_support_level = dnssec, with a validating resolver on the machine; for \
          MTA-STS add a resolver such as postfix-tlspol to smtp_tls_policy_maps.",
    references: &["RFC 7672", "RFC 8461"],
    judge: pfx_015,
};

pub(super) static PFX_016: Check = Check {
    id: "PFX-016",
    title: "The login at the relay host is sent without required TLS",
    severity: Severity::High,
    why: "One who takes the offer of TLS away gets the password, and with it everything that the relay host delivers for you.",
    proof: "smtp_sasl_auth_enable with the effective TLS level of each service that delivers, and the policy for the relay host.",
    fix: "Set smtp_tls_security_level = encrypt, or secure, for the relay host.",
    references: &["https://www.postfix.org/SASL_README.html#client_sasl"],
    judge: pfx_016,
};

/// The services that deliver to other servers.
fn deliver<'p>(postfix: &'p Postfix<'_>) -> Vec<&'p Service> {
    let is = |service: &&Service| {
        service.command == "smtp"
            && service.kind == Kind::Unix
            && matches!(service.name.as_str(), "smtp" | "relay")
    };
    postfix.services().iter().filter(is).collect()
}

/// The level of a service; the switches of before Postfix 2.3 count where there is none.
fn level(postfix: &Postfix<'_>, service: &Service) -> Result<Effective, Untold> {
    let mut effective = postfix.in_service(service, "smtp_tls_security_level")?;
    if effective.value.is_empty() {
        for (switch, level) in [("smtp_enforce_tls", "encrypt"), ("smtp_use_tls", "may")] {
            let old = postfix.in_service(service, switch)?;
            if boolean(&old.value) == Some(true) {
                return Ok(Effective { value: level.to_owned(), ..old });
            }
        }
        "none".clone_into(&mut effective.value);
    }
    Ok(effective)
}

fn levels<'p>(postfix: &'p Postfix<'_>) -> Result<Vec<(&'p Service, Effective)>, Untold> {
    let services = deliver(postfix);
    if services.is_empty() {
        return could_not_tell("the services of master.cf that deliver to other servers are not known");
    }
    services.into_iter().map(|service| Ok((service, level(postfix, service)?))).collect()
}

fn pfx_014(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let levels = levels(postfix)?;
    let open: Vec<&(&Service, Effective)> =
        levels.iter().filter(|(_, level)| level.value == "none").collect();
    let Some((_, first)) = open.first() else {
        let (_, level) =
            levels.first().ok_or_else(|| Untold::CouldNotTell("no service delivers".to_owned()))?;
        return pass(level.to_string());
    };
    let names: Vec<String> = open.iter().map(|(service, _)| service.key()).collect();
    let evidence = open.iter().map(|(service, level)| Evidence {
        place: level.place.clone(),
        seen: format!("{}: smtp_tls_security_level = {}", service.key(), level.written),
    });
    let more: &[&str] = if server.facts.dns.validating == Known::Is(false) {
        &["smtp_tls_security_level = may"]
    } else {
        &DANE
    };
    let old = format!("smtp_tls_security_level = {}", first.written);
    let summary = format!("Mail to other servers is never encrypted ({})", and(&names));
    let finding = Finding::new(Severity::High, "", summary).cause(first.place.clone()).all_seen(evidence);
    let advice = "Encrypt wherever the other server can.";
    Ok(finding.remedy(mend(advice, &[&old], more, "smtp_tls_security_level")).into())
}

/// Without signed answers it is as `may` (postconf(5)).
const DANE: [&str; 2] = ["smtp_tls_security_level = dane", "smtp_dns_support_level = dnssec"];

fn pfx_015(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let relay = postfix.need("relayhost")?;
    if !relay.is_empty() {
        return not_applicable(format!("all mail leaves through {relay}, which has to check"));
    }
    let levels = levels(postfix)?;
    let (service, level) =
        levels.first().ok_or_else(|| Untold::CouldNotTell("no service delivers".to_owned()))?;
    let support = postfix.in_service(service, "smtp_dns_support_level")?;
    let policy = postfix.in_service(service, "smtp_tls_policy_maps")?;
    // Only programs can answer for domains that nobody listed.
    let asks = ["socketmap:", "tcp:"].iter().any(|kind| policy.value.contains(kind));
    let wants = matches!(level.value.as_str(), "dane" | "dane-only");
    let validating = server.facts.dns.validating.known();
    if wants && support.value == "dnssec" && validating != Some(&false) {
        return pass(format!("{level}, {support}"));
    }
    if asks {
        return pass(format!("{policy} asks for the policy of each domain"));
    }
    if level.value == "none" {
        return not_applicable("outgoing mail is not encrypted at all");
    }
    let why = match (wants, support.value.as_str()) {
        (true, "dnssec") => "the level is dane, but the resolver does not validate, so DANE never applies",
        (true, _) => "the level is dane, but smtp_dns_support_level is not dnssec, so DANE never applies",
        _ => "outgoing TLS takes any certificate",
    };
    let old = format!("smtp_tls_security_level = {}", level.written);
    Ok(Finding::new(Severity::Low, "", format!("Nobody checks who receives outgoing mail: {why}"))
        .cause(level.place.clone())
        .seen(level.place.clone(), level.to_string())
        .seen(support.place.clone(), support.to_string())
        .seen(policy.place.clone(), policy.to_string())
        .remedy(mend(
            "Use DANE, with a validating resolver on this machine.",
            &[&old],
            &DANE,
            "smtp_tls_security_level",
        ))
        .into())
}

fn pfx_016(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let mut logs_in = false;
    for (service, level) in levels(postfix)? {
        if !postfix.is_on(service, "smtp_sasl_auth_enable")? {
            continue;
        }
        logs_in = true;
        if postfix.is_on(service, "smtp_tls_wrappermode")? || is_required(&level.value) {
            continue;
        }
        let relay = postfix.in_service(service, "relayhost")?;
        let policy = policy_for(postfix, service, &relay.value)?;
        if policy.as_deref().is_some_and(is_required) {
            continue;
        }
        let who = if relay.value.is_empty() { "other servers" } else { &relay.value };
        let summary = format!("The password for {who} is sent without TLS where the other side offers none");
        let old = format!("smtp_tls_security_level = {}", level.written);
        let new = "smtp_tls_security_level = encrypt";
        return Ok(Finding::new(Severity::High, "", summary)
            .cause(level.place.clone())
            .seen(level.place.clone(), format!("smtp_tls_security_level = {}", level.value))
            .seen(relay.place.clone(), relay.to_string())
            .seen(postfix.in_service(service, "smtp_sasl_auth_enable")?.place, "smtp_sasl_auth_enable = yes")
            .remedy(mend("Require TLS of the relay host.", &[&old], &[new], "smtp_tls_security_level"))
            .into());
    }
    if logs_in {
        pass("TLS is required before the login is sent")
    } else {
        not_applicable("Postfix logs in nowhere")
    }
}

fn is_required(level: &str) -> bool {
    matches!(level, "encrypt" | "dane-only" | "fingerprint" | "verify" | "secure")
}

/// The level that the policy table has for the relay host; none if it has none for it.
fn policy_for(postfix: &Postfix<'_>, service: &Service, relay: &str) -> Result<Option<String>, Untold> {
    let maps = postfix.in_service(service, "smtp_tls_policy_maps")?;
    for name in elements(&maps.value) {
        let table = postfix.table(name)?;
        let bare = relay.trim_matches(['[', ']']).split(']').next().unwrap_or(relay);
        for key in [relay, bare] {
            if let Some(entry) = table.find(key)? {
                return Ok(entry.value.split_whitespace().next().map(str::to_owned));
            }
        }
    }
    Ok(None)
}
