//! TLS reports: what senders could not do safely.

use std::collections::BTreeMap;

use super::reports;
use crate::check::could_not_tell;
use crate::{Check, Finding, Judged, Outcome, Remedy, Server, Severity};

pub(super) static RPT_005: Check = Check {
    id: "RPT-005",
    title: "Senders report that TLS to us fails",
    severity: Severity::High,
    why: "Where MTA-STS or DANE is enforced, mail from them does not arrive; elsewhere it comes in clear.",
    proof: "Failures in received TLS reports, by type of result and receiving host.",
    fix: "Mend what the type of result names: certificate, name, STARTTLS, policy or TLSA record.",
    references: &["RFC 8460 section 4.3"],
    judge: rpt_005,
};

/// What to do about a type of result (RFC 8460 section 4.3).
fn advice(kind: &str) -> &'static str {
    match kind {
        "certificate-expired" => "Renew the certificate, and reload the daemons afterwards.",
        "certificate-host-mismatch" => "Have the certificate name every MX host.",
        "certificate-not-trusted" => "Use a certificate of a public authority, and send the whole chain.",
        "starttls-not-supported" => "Offer STARTTLS on port 25 of every MX host.",
        "tlsa-invalid" | "dane-required" | "dnssec-invalid" => {
            "Compare the TLSA records with the certificate, and look at DNSSEC."
        }
        kind if kind.starts_with("sts-") => {
            "Compare the MTA-STS policy with the MX hosts, and look whether it can be fetched."
        }
        _ => "Look at the port with `mailward audit --only TLS CRT`.",
    }
}

fn rpt_005(server: &Server<'_>) -> Judged {
    let reports = reports(server)?;
    if reports.tls.is_empty() {
        return could_not_tell(format!("{} holds no TLS report", reports.place));
    }
    let mut failures: BTreeMap<(&str, &str), BTreeMap<&str, u64>> = BTreeMap::new();
    let (mut good, mut bad) = (0, 0);
    for (report, policy) in
        reports.tls.iter().flat_map(|report| report.policies.iter().map(move |policy| (report, policy)))
    {
        good += policy.successes;
        bad += policy.failures;
        for (kind, host, count) in &policy.details {
            let place = if host.is_empty() { report.organisation.as_str() } else { host.as_str() };
            *failures.entry((&policy.domain, kind)).or_default().entry(place).or_default() += count;
        }
        if policy.details.is_empty() && policy.failures > 0 {
            *failures
                .entry((&policy.domain, "unnamed"))
                .or_default()
                .entry(&report.organisation)
                .or_default() += policy.failures;
        }
    }
    let findings = failures.into_iter().map(|((domain, kind), places)| {
        let finding = Finding::new(
            Severity::High,
            format!("{domain} {kind}"),
            format!("Senders to {domain} report {kind}"),
        );
        let finding = places.into_iter().take(10).fold(finding, |finding, (place, count)| {
            finding.seen("TLS reports", format!("{place}: {count} sessions"))
        });
        finding.remedy(Remedy::new(advice(kind)))
    });
    Ok(Outcome::of(findings.collect(), format!("{good} sessions were secured, {bad} were not")))
}
