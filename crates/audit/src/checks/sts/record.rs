//! Whether MTA-STS is there, announced rightly, and can be fetched.

use super::{announced, fetched};
use crate::check::not_applicable;
use crate::checks::dns::{each_domain, is_parked};
use crate::facts::Fetched;
use crate::records::sts::{Policy, id, is_record, url};
use crate::{Check, Evidence, Finding, Judged, Remedy, Server, Severity};

pub(super) static STS_001: Check = Check {
    id: "STS-001",
    title: "Nothing keeps an attacker from stripping TLS on the way to a mail domain",
    severity: Severity::Medium,
    why: "Without MTA-STS and DANE a sender falls back to cleartext whenever somebody removes STARTTLS from the conversation.",
    proof: "TXT at `_mta-sts`, and TLSA of the exchangers.",
    fix: "Publish an MTA-STS policy, or sign the zone and publish TLSA.",
    references: &["RFC 8461", "RFC 7672", "BSI TR-03108"],
    judge: sts_001,
};

fn sts_001(server: &Server<'_>) -> Judged {
    each_domain(server, "every mail domain has MTA-STS or DANE", |dns, domain| {
        if is_parked(dns, domain)? {
            return not_applicable(format!("{domain} takes no mail"));
        }
        if announced(dns, domain).is_ok() {
            return Ok(None);
        }
        dns.records("TXT", &format!("_mta-sts.{domain}"))?;
        let exchangers = dns.exchangers(domain)?;
        if exchangers.is_empty() {
            return not_applicable(format!("{domain} has no MX record"));
        }
        for (_, host) in &exchangers {
            if dns.records("TLSA", &format!("_25._tcp.{host}"))?.is_empty() {
                let records = [
                    format!("_mta-sts.{domain}. IN TXT \"v=STSv1; id=1\""),
                    format!("mta-sts.{domain}. IN A <address of a web server>"),
                ];
                let lines: Vec<&str> = records.iter().map(String::as_str).collect();
                let policy = exchangers.iter().map(|(_, host)| format!("mx: {host}"));
                let policy: Vec<String> = ["version: STSv1".to_owned(), "mode: testing".to_owned()]
                    .into_iter()
                    .chain(policy)
                    .chain(["max_age: 604800".to_owned()])
                    .collect();
                let policy: Vec<&str> = policy.iter().map(String::as_str).collect();
                return Ok(Some(
                    Finding::new(Severity::Medium, domain, format!("{domain} has neither MTA-STS nor DANE"))
                        .seen(format!("dig TXT _mta-sts.{domain}"), "no record")
                        .seen(format!("dig TLSA _25._tcp.{host}"), "no record")
                        .remedy(
                            Remedy::new("Publish a policy in mode testing first.")
                                .add("DNS", &lines)
                                .add(url(domain), &policy)
                                .prove(format!("curl {}", url(domain))),
                        ),
                ));
            }
        }
        Ok(None)
    })
}

pub(super) static STS_002: Check = Check {
    id: "STS-002",
    title: "An MTA-STS record is malformed, or there are several",
    severity: Severity::Medium,
    why: "Senders then treat the domain as if it had no policy.",
    proof: "TXT at `_mta-sts`: `v=STSv1` and an `id` of 1 to 32 letters and digits.",
    fix: "Publish one record of that form.",
    references: &["RFC 8461 3.1"],
    judge: sts_002,
};

fn sts_002(server: &Server<'_>) -> Judged {
    each_domain(server, "every MTA-STS record is well formed", |dns, domain| {
        let texts = announced(dns, domain)?;
        let valid = texts.iter().filter(|text| is_record(text)).count();
        let mut problems: Vec<String> = texts.iter().filter_map(|text| id(text).err()).collect();
        if valid > 1 {
            problems.push(format!("{valid} records"));
        }
        let Some(first) = problems.first() else { return Ok(None) };
        let name = format!("_mta-sts.{domain}");
        let removed: Vec<String> = texts.iter().map(|text| format!("{name}. IN TXT \"{text}\"")).collect();
        let removed: Vec<&str> = removed.iter().map(String::as_str).collect();
        Ok(Some(
            Finding::new(
                Severity::Medium,
                domain,
                format!("the MTA-STS record of {domain} is malformed: {first}"),
            )
            .cause(format!("TXT {name}"))
            .all_seen(
                problems
                    .iter()
                    .map(|problem| Evidence { place: format!("dig TXT {name}"), seen: problem.clone() }),
            )
            .remedy(
                Remedy::new("Publish one record.")
                    .edit("DNS", &removed, &[&format!("{name}. IN TXT \"v=STSv1; id=20260101\"")])
                    .prove(format!("dig +short TXT {name}")),
            ),
        ))
    })
}

pub(super) static STS_003: Check = Check {
    id: "STS-003",
    title: "An announced MTA-STS policy cannot be fetched or read",
    severity: Severity::High,
    why: "Senders go on without a policy, or with an old one that they kept; either way the domain is not protected as it says.",
    proof: "The policy fetched by https: certificate, status, redirects, type, and every line.",
    fix: "Mend the web server for `mta-sts`, or remove the TXT record.",
    references: &["RFC 8461 3.3", "RFC 8461 3.2"],
    judge: sts_003,
};

fn sts_003(server: &Server<'_>) -> Judged {
    each_domain(server, "every announced policy can be fetched", |dns, domain| {
        announced(dns, domain)?;
        let host = format!("mta-sts.{domain}");
        let problems = if dns.addresses_of(&host)?.is_empty() {
            vec![format!("{host} has no address")]
        } else {
            problems(fetched(dns, domain)?)
        };
        let Some(first) = problems.first() else { return Ok(None) };
        Ok(Some(
            Finding::new(
                Severity::High,
                domain,
                format!("the MTA-STS policy of {domain} cannot be used: {first}"),
            )
            .cause(url(domain))
            .all_seen(problems.iter().map(|problem| Evidence { place: url(domain), seen: problem.clone() }))
            .remedy(
                Remedy::new("Serve the policy with a valid certificate, type text/plain and no redirect.")
                    .prove(format!("curl -v {}", url(domain))),
            ),
        ))
    })
}

fn problems(fetched: &Fetched) -> Vec<String> {
    if !fetched.failure.is_empty() {
        return vec![fetched.failure.clone()];
    }
    if !fetched.certificate.is_empty() {
        return vec![format!("its certificate does not hold: {}", fetched.certificate)];
    }
    if let Some(target) = &fetched.redirect {
        return vec![format!("{} redirects to {target}, which senders do not follow", fetched.status)];
    }
    if fetched.status != 200 {
        return vec![format!("the answer is {}", fetched.status)];
    }
    let mut problems = Policy::read(&fetched.body).problems;
    let kind = fetched.content_type.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("text/plain") {
        problems.push(format!("its type is `{kind}`, not text/plain"));
    }
    problems
}
