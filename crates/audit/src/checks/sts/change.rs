//! Whether a new policy was announced.

use super::{announced_policy, each_policy};
use crate::check::not_applicable;
use crate::checks::dns::publish;
use crate::records::sts::{Policy, url};
use crate::{Check, Finding, Judged, Server, Severity};

pub(super) static STS_008: Check = Check {
    id: "STS-008",
    title: "The MTA-STS policy was changed and its id was not",
    severity: Severity::Medium,
    why: "Senders keep the policy they have until the id changes, so they go on with the old one for as long as max_age says.",
    proof: "The policy and the id of the TXT record, beside those that the last audit of this host remembers.",
    fix: "Change the id of the TXT record with every change of the policy.",
    references: &["RFC 8461 3.1"],
    judge: sts_008,
};

fn sts_008(server: &Server<'_>) -> Judged {
    each_policy(server, "no policy was changed without a new id", |dns, domain, policy| {
        let (Some(before), Some(now)) =
            (dns.earlier_policies.get(domain), announced_policy(server.facts, domain))
        else {
            return not_applicable(format!("no earlier audit remembers the policy of {domain}"));
        };
        if before.id != now.id || Policy::read(&before.text) == *policy {
            return Ok(None);
        }
        let shown = |policy: &Policy| {
            format!("mode: {}, mx: {}, max_age: {}", policy.mode, policy.mx.join(" "), policy.max_age)
        };
        let summary = format!("the MTA-STS policy of {domain} was changed under the same id {}", now.id);
        let finding = Finding::new(Severity::Medium, domain, summary).cause(format!("TXT _mta-sts.{domain}"));
        Ok(Some(
            finding
                .seen(url(domain), shown(policy))
                .seen(format!("{} at {}", url(domain), before.taken), shown(&Policy::read(&before.text)))
                .seen(format!("dig TXT _mta-sts.{domain}"), format!("id={}, then as now", now.id))
                .remedy(publish(
                    "Change the id.",
                    &format!("_mta-sts.{domain}. IN TXT \"v=STSv1; id=<new>\""),
                )),
        ))
    })
}
