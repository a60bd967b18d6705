//! TLS-RPT.

use super::dns::{each_domain, is_parked, publish};
use crate::check::{not_applicable, pass};
use crate::facts::Dns;
use crate::postfix::Version;
use crate::records::tlsrpt::{is_meant, is_record, targets};
use crate::{Check, Evidence, Finding, Judged, NotYet, Remedy, Server, Severity, Untold};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[&TRP_001, &TRP_002, &TRP_003];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[];

fn meant<'a>(dns: &'a Dns, domain: &str) -> Result<Vec<&'a str>, Untold> {
    let texts = dns.records("TXT", &format!("_smtp._tls.{domain}"))?;
    Ok(texts.iter().map(String::as_str).filter(|text| is_meant(text)).collect())
}

static TRP_001: Check = Check {
    id: "TRP-001",
    title: "A mail domain asks for no TLS reports",
    severity: Severity::Low,
    why: "Nobody learns that other servers fail to reach it safely: an ended certificate, a wrong policy, an attacker.",
    proof: "TXT at `_smtp._tls`.",
    fix: "Publish `v=TLSRPTv1` with a mailbox.",
    references: &["RFC 8460 3"],
    judge: trp_001,
};

fn trp_001(server: &Server<'_>) -> Judged {
    each_domain(server, "every mail domain asks for TLS reports", |dns, domain| {
        if is_parked(dns, domain)? {
            return not_applicable(format!("{domain} takes no mail"));
        }
        if !meant(dns, domain)?.is_empty() {
            return Ok(None);
        }
        Ok(Some(
            Finding::new(Severity::Low, domain, format!("{domain} asks for no TLS reports"))
                .seen(format!("dig TXT _smtp._tls.{domain}"), "no record")
                .remedy(publish(
                    "Ask for them.",
                    &format!("_smtp._tls.{domain}. IN TXT \"v=TLSRPTv1; rua=mailto:tls-reports@{domain}\""),
                )),
        ))
    })
}

static TRP_002: Check = Check {
    id: "TRP-002",
    title: "A TLS-RPT record is malformed, or reports cannot arrive",
    severity: Severity::Medium,
    why: "Reporters pass over what they cannot read or deliver to.",
    proof: "TXT at `_smtp._tls` read tag by tag, and MX and address of the mailboxes' domains.",
    fix: "Publish one record with an address that takes mail.",
    references: &["RFC 8460 3"],
    judge: trp_002,
};

fn trp_002(server: &Server<'_>) -> Judged {
    each_domain(server, "every TLS-RPT record is well formed and reaches somebody", |dns, domain| {
        let texts = meant(dns, domain)?;
        if texts.is_empty() {
            return not_applicable(format!("{domain} asks for no TLS reports"));
        }
        let mut problems = Vec::new();
        for text in &texts {
            match targets(text) {
                Err(problem) => problems.push(problem),
                Ok(targets) => problems.extend(unreachable(dns, &targets)?),
            }
        }
        let valid = texts.iter().filter(|text| is_record(text)).count();
        if valid > 1 {
            problems.push(format!("{valid} records"));
        }
        let Some(first) = problems.first() else { return Ok(None) };
        let name = format!("_smtp._tls.{domain}");
        Ok(Some(
            Finding::new(
                Severity::Medium,
                domain,
                format!("the TLS-RPT record of {domain} does not work: {first}"),
            )
            .cause(format!("TXT {name}"))
            .all_seen(
                problems
                    .iter()
                    .map(|problem| Evidence { place: format!("dig TXT {name}"), seen: problem.clone() }),
            )
            .remedy(publish(
                "Publish one record with an address that takes mail.",
                &format!("{name}. IN TXT \"v=TLSRPTv1; rua=mailto:tls-reports@{domain}\""),
            )),
        ))
    })
}

fn unreachable(dns: &Dns, targets: &[String]) -> Result<Vec<String>, Untold> {
    let mut problems = Vec::new();
    for target in targets {
        let Some((_, domain)) = target.strip_prefix("mailto:").and_then(|mail| mail.rsplit_once('@')) else {
            continue;
        };
        let all = dns.exchangers(domain)?;
        // An own domain without MX is DNS-001.
        let own = dns.domains.iter().any(|own| own.eq_ignore_ascii_case(domain));
        let none = !own && all.is_empty() && dns.records("A", domain)?.is_empty();
        if none || (!all.is_empty() && all.iter().all(|(_, host)| host == ".")) {
            problems.push(format!("{target}: {domain} takes no mail"));
        }
    }
    Ok(problems)
}

static TRP_003: Check = Check {
    id: "TRP-003",
    title: "The server could send TLS reports to others and does not",
    severity: Severity::Info,
    why: "Other domains do not hear of failures that only a sender sees.",
    proof: "`smtp_tlsrpt_enable` of Postfix 3.10 and later.",
    fix: "Install a report generator (tlsrpt-reporter) and set `smtp_tlsrpt_enable = yes`.",
    references: &["RFC 8460", "https://www.postfix.org/TLSRPT_README.html"],
    judge: trp_003,
};

fn trp_003(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let version = postfix.version()?;
    if version < Version::parse("3.10.0") {
        return not_applicable(format!("Postfix {version} cannot (3.10 and later can)"));
    }
    // It is off by default in every version that has it.
    let value = postfix.value("smtp_tlsrpt_enable").unwrap_or_else(|| "no".to_owned());
    if value.eq_ignore_ascii_case("yes") {
        return pass("smtp_tlsrpt_enable = yes");
    }
    Ok(Finding::new(Severity::Info, "", "Postfix sends no TLS reports to others")
        .cause("smtp_tlsrpt_enable")
        .seen(postfix.place("smtp_tlsrpt_enable"), format!("smtp_tlsrpt_enable = {value}"))
        .remedy(
            Remedy::new("Install tlsrpt-reporter and switch it on.")
                .add(
                    "main.cf",
                    &["smtp_tlsrpt_enable = yes", "smtp_tlsrpt_socket_name = run/tlsrpt/tlsrpt.sock"],
                )
                .apply("postfix reload")
                .prove("postconf -h smtp_tlsrpt_enable"),
        )
        .into())
}
