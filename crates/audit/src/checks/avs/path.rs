//! Whether mail passes a filter at all, and how many.

use crate::check::{not_applicable, pass};
use crate::postfix::{Role, Service};
use crate::{Check, Evidence, Finding, Judged, Remedy, Server, Severity, Untold};

use super::config::runs;

pub(crate) static AVS_001: Check = Check {
    id: "AVS-001",
    title: "A service takes mail that no content filter sees",
    severity: Severity::Medium,
    why: "Viruses, phishing and spam reach mailboxes as they come, and a stolen account sends them out as they are.",
    proof: "content_filter, smtpd_proxy_filter and the milters of each service that takes mail; milters that only sign or check \
            signatures do not count.",
    fix: "Wire a filter into the service: content_filter for amavis, smtpd_milters for Rspamd.",
    references: &["https://www.postfix.org/FILTER_README.html", "https://www.postfix.org/MILTER_README.html"],
    judge: avs_001,
};

fn avs_001(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let taking: Vec<&Service> = postfix
        .smtpd()
        .filter(|service| matches!(postfix.role(service), Role::Mx | Role::Submission))
        .collect();
    if taking.is_empty() {
        return not_applicable("no service takes mail from the network");
    }
    let mut unseen = Vec::new();
    for service in &taking {
        let mut values = Vec::new();
        for parameter in ["content_filter", "smtpd_proxy_filter", "smtpd_milters"] {
            values.push((parameter, postfix.in_service(service, parameter)?));
        }
        if !values.iter().any(|(parameter, value)| filters(parameter, &value.value)) {
            let said = values.iter().map(|(parameter, value)| format!("{parameter} = {}", value.value));
            unseen.push((postfix.label(service), said.collect::<Vec<_>>().join("; ")));
        }
    }
    if unseen.is_empty() {
        return pass(format!("all {} services that take mail hand it to a filter", taking.len()));
    }
    let names: Vec<&str> = unseen.iter().map(|(name, _)| name.as_str()).collect();
    let summary = format!("No content filter sees the mail of {}", names.join(", "));
    let remedy = Remedy::new("Let Rspamd, or amavis with SpamAssassin and ClamAV, see all mail.")
        .add("main.cf", &["smtpd_milters = inet:127.0.0.1:11332"])
        .apply("postfix reload")
        .prove("postconf -h smtpd_milters content_filter");
    let seen = unseen.iter().map(|(place, seen)| Evidence { place: place.clone(), seen: seen.clone() });
    Ok(Finding::new(Severity::Medium, "", summary)
        .cause("content_filter")
        .all_seen(seen)
        .remedy(remedy)
        .into())
}

/// Whether a value hands mail to something that looks into it.
fn filters(parameter: &str, value: &str) -> bool {
    if parameter != "smtpd_milters" {
        return !value.trim().is_empty();
    }
    let signing = ["8891", "8893", "8892", "12301", "54321", "opendkim", "opendmarc", "dkimpy", "openarc"];
    value
        .split([',', ' '])
        .filter(|milter| !milter.is_empty())
        .any(|milter| !signing.iter().any(|known| milter.contains(known)))
}

pub(crate) static AVS_014: Check = Check {
    id: "AVS-014",
    title: "Two content filters judge the same mail",
    severity: Severity::Medium,
    why: "Each learns from what the other changed, scores are added up or contradict each other, and memory is spent twice.",
    proof: "A content_filter to amavis together with Rspamd as milter, and both of them running.",
    fix: "Keep one of the two.",
    references: &["https://docs.rspamd.com/about/comparison/"],
    judge: avs_014,
};

fn avs_014(server: &Server<'_>) -> Judged {
    if server.dms().is_ok() {
        return not_applicable("docker-mailserver's filters are judged by DMS-007");
    }
    let postfix = server.postfix()?;
    let mut both = Vec::new();
    for service in
        postfix.smtpd().filter(|service| matches!(postfix.role(service), Role::Mx | Role::Submission))
    {
        let filter = postfix.in_service(service, "content_filter")?.value;
        let milters = postfix.in_service(service, "smtpd_milters")?.value;
        if filter.contains("1002") && (milters.contains("11332") || milters.contains("rspamd")) {
            both.push(Evidence {
                place: postfix.label(service),
                seen: format!("content_filter = {filter}; smtpd_milters = {milters}"),
            });
        }
    }
    if both.is_empty() {
        return pass("each service hands mail to one filter at most");
    }
    if runs(server, &["rspamd"]) == Some(false) {
        return Err(Untold::NotApplicable("Rspamd does not run".to_owned()));
    }
    let remedy = Remedy::new("Keep Rspamd or amavis, and take the other out of main.cf.")
        .edit("main.cf", &["content_filter"], &["content_filter ="])
        .apply("postfix reload")
        .prove("postconf -h content_filter smtpd_milters");
    let summary = "amavis and Rspamd both judge the same mail";
    Ok(Finding::new(Severity::Medium, "", summary)
        .cause("content_filter")
        .all_seen(both)
        .remedy(remedy)
        .into())
}
