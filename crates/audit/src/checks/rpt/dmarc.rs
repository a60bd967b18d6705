//! DMARC aggregate reports: who sends in our name, and how our own mail fares.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use mailward_model::Network;

use super::reports;
use crate::check::{could_not_tell, not_applicable};
use crate::facts::{DmarcReport, DmarcRow};
use crate::{Check, Finding, Judged, Outcome, Remedy, Server, Severity, Untold};

pub(super) static RPT_001: Check = Check {
    id: "RPT-001",
    title: "Somebody unknown sends much mail in our name",
    severity: Severity::High,
    why: "Mail that passes neither SPF nor DKIM is somebody's forgery, or a service of yours that was never told; where the policy is none, it is delivered.",
    proof: "Rows of received aggregate reports without an aligned pass, from addresses that are not the server's own, summed by network.",
    fix: "Find out whose they are; give services of yours SPF and DKIM, and then let the policy refuse the rest.",
    references: &["RFC 9990", "RFC 9989 section 4.7"],
    judge: rpt_001,
};

pub(super) static RPT_002: Check = Check {
    id: "RPT-002",
    title: "Our own mail fails SPF or DKIM somewhere",
    severity: Severity::High,
    why: "Receivers that enforce the policy refuse it, and others put it aside.",
    proof: "Rows of received aggregate reports from the server's own addresses without an aligned DKIM or SPF pass, by selector and reporter.",
    fix: "Sign every mail with the published key, and name every own address in SPF.",
    references: &["RFC 9990"],
    judge: rpt_002,
};

pub(super) static RPT_003: Check = Check {
    id: "RPT-003",
    title: "A service that sends for us passes, but not in our name",
    severity: Severity::Medium,
    why: "Its newsletters and invoices are lost as soon as the policy refuses what is not aligned.",
    proof: "Rows of received aggregate reports in which SPF or DKIM passes for another domain, and nothing is aligned with ours.",
    fix: "Have the service sign with your domain, and send with a return path in it.",
    references: &["RFC 9989 section 4.4"],
    judge: rpt_003,
};

pub(super) static RPT_004: Check = Check {
    id: "RPT-004",
    title: "Subdomains of ours are used by others",
    severity: Severity::Medium,
    why: "Names below the domain, also ones that do not exist, are believed as the domain itself is.",
    proof: "Rows of received aggregate reports whose From is a subdomain, without an aligned pass.",
    fix: "Publish sp=reject and np=reject in the DMARC record.",
    references: &["RFC 9989 section 4.7"],
    judge: rpt_004,
};

pub(super) static RPT_008: Check = Check {
    id: "RPT-008",
    title: "The policy could be stricter without losing own mail",
    severity: Severity::Info,
    why: "While the policy is none, forged mail is delivered although nothing of yours would be lost.",
    proof: "The share of the mail from own addresses that passes aligned, over the time that received reports cover, beside the policy that they applied.",
    fix: "Go from p=none to p=quarantine, and later to p=reject.",
    references: &["RFC 9989 section 4.7"],
    judge: rpt_008,
};

/// Messages that are a volume, and not somebody's mailing list.
const VOLUME: u64 = 50;
/// Messages, and seconds, that a decision about the policy takes.
const ENOUGH: u64 = 100;
const LONG_ENOUGH: i64 = 14 * 86_400;

fn rows(reports: &[DmarcReport]) -> impl Iterator<Item = (&DmarcReport, &DmarcRow)> {
    reports.iter().flat_map(|report| report.rows.iter().map(move |row| (report, row)))
}

/// The server's own addresses as the Internet sees them.
fn own(server: &Server<'_>) -> BTreeSet<IpAddr> {
    server.facts.dns.addresses.iter().filter_map(|address| address.parse().ok()).collect()
}

fn is_own(own: &BTreeSet<IpAddr>, row: &DmarcRow) -> bool {
    row.source.parse::<IpAddr>().is_ok_and(|address| own.contains(&address.to_canonical()))
}

/// IPv4 /24 and IPv6 /48 of a source; the source as it stands where it is no address.
fn network(row: &DmarcRow) -> String {
    match row.source.parse::<IpAddr>() {
        Ok(address) => {
            Network::around(address, if address.to_canonical().is_ipv4() { 24 } else { 48 }).to_string()
        }
        Err(_) => row.source.clone(),
    }
}

/// Whether SPF or DKIM passes for some other domain.
fn passes_elsewhere(row: &DmarcRow) -> Option<&str> {
    let signed = row.signatures.iter().find(|(_, _, result)| result == "pass").map(|(domain, ..)| domain);
    let sent = row.senders.iter().find(|(_, result)| result == "pass").map(|(domain, _)| domain);
    signed.or(sent).map(String::as_str)
}

fn some_dmarc<'s>(server: &'s Server<'_>) -> Result<&'s [DmarcReport], Untold> {
    let reports = reports(server)?;
    if reports.dmarc.is_empty() {
        return could_not_tell(format!("{} holds no DMARC report", reports.place));
    }
    Ok(&reports.dmarc)
}

fn rpt_001(server: &Server<'_>) -> Judged {
    let reports = some_dmarc(server)?;
    let own = own(server);
    let mut forged: BTreeMap<(String, String), (u64, u64)> = BTreeMap::new();
    for (report, row) in rows(reports) {
        if !row.passes() && passes_elsewhere(row).is_none() && !is_own(&own, row) {
            let sum = forged.entry((report.domain.clone(), network(row))).or_default();
            sum.0 += row.count;
            sum.1 += if row.disposition == "none" { row.count } else { 0 };
        }
    }
    let mut findings: BTreeMap<String, Finding> = BTreeMap::new();
    for ((domain, network), (count, delivered)) in
        forged.into_iter().filter(|(_, (count, _))| *count >= VOLUME)
    {
        let finding = findings.entry(domain.clone()).or_insert_with(|| {
            Finding::new(Severity::Low, domain.clone(), format!("Unknown sources send mail as {domain}"))
        });
        // What receivers refused did nobody any harm.
        finding.severity = finding.severity.max(if delivered > 0 { Severity::High } else { Severity::Low });
        let seen = format!("{count} messages without SPF and DKIM, {delivered} of them delivered");
        *finding = finding.clone().seen(format!("aggregate reports, {network}"), seen);
    }
    let remedy = |domain: &str| {
        Remedy::new("If they are none of yours, let receivers refuse them.")
            .add("DNS", &[&format!("_dmarc.{domain}. TXT \"v=DMARC1; p=reject; …\"")])
            .prove(format!("dig +short TXT _dmarc.{domain}"))
    };
    let findings = findings.into_iter().map(|(domain, finding)| finding.remedy(remedy(&domain))).collect();
    Ok(Outcome::of(
        findings,
        format!("no unknown network sent {VOLUME} messages in {} reports", reports.len()),
    ))
}

fn rpt_002(server: &Server<'_>) -> Judged {
    let reports = some_dmarc(server)?;
    let own = own(server);
    if own.is_empty() {
        return could_not_tell("the server's own addresses are not known");
    }
    let mut failed: BTreeMap<String, Vec<(u64, String)>> = BTreeMap::new();
    let mut sent = 0;
    for (report, row) in rows(reports).filter(|(_, row)| is_own(&own, row)) {
        sent += row.count;
        if row.dkim && row.spf {
            continue;
        }
        let which = match (row.dkim, row.spf) {
            (false, false) => "neither DKIM nor SPF",
            (false, true) => "no DKIM",
            _ => "no SPF",
        };
        let selectors: Vec<_> = row
            .signatures
            .iter()
            .map(|(domain, selector, result)| format!("{selector}._domainkey.{domain}: {result}"))
            .collect();
        let seen = format!("{} of {}: {which} {}", row.count, report.organisation, selectors.join(", "));
        failed.entry(report.domain.clone()).or_default().push((row.count, seen));
    }
    if sent == 0 {
        return not_applicable("no report tells of mail from own addresses");
    }
    let findings = failed.into_iter().map(|(domain, mut rows)| {
        rows.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        let finding = Finding::new(
            Severity::High,
            domain.clone(),
            format!("Mail of {domain} from this server fails SPF or DKIM at receivers"),
        );
        let seen = rows.into_iter().take(10).map(|(_, seen)| seen);
        let finding = seen.fold(finding, |finding, seen| finding.seen("aggregate reports", seen.trim_end()));
        finding.remedy(
            Remedy::new("Look at which selector signs, and whether SPF names this server's addresses.")
                .prove(format!("mailward audit --domain {domain} --only SPF DKM")),
        )
    });
    Ok(Outcome::of(findings.collect(), format!("all {sent} messages from own addresses passed SPF and DKIM")))
}

fn rpt_003(server: &Server<'_>) -> Judged {
    let reports = some_dmarc(server)?;
    let own = own(server);
    let mut services: BTreeMap<(String, String), u64> = BTreeMap::new();
    for (report, row) in rows(reports).filter(|(_, row)| !row.passes() && !is_own(&own, row)) {
        if let Some(other) = passes_elsewhere(row) {
            *services.entry((report.domain.clone(), other.to_owned())).or_default() += row.count;
        }
    }
    let findings = services.into_iter().filter(|(_, count)| *count >= 10).map(|((domain, service), count)| {
        Finding::new(Severity::Medium, format!("{domain} through {service}"), format!("{service} sends mail as {domain}, and not in its name"))
            .seen("aggregate reports", format!("{count} messages pass for {service}, and nothing is aligned with {domain}"))
            .remedy(Remedy::new("If the service is yours, have it sign with your domain; if it forwards mail, nothing has to be done."))
    });
    Ok(Outcome::of(findings.collect(), "whatever passes SPF or DKIM does so in our name"))
}

fn rpt_004(server: &Server<'_>) -> Judged {
    let reports = some_dmarc(server)?;
    let mut abused: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for (report, row) in rows(reports).filter(|(_, row)| !row.passes() && row.disposition == "none") {
        if row.header_from.len() > report.domain.len() && row.header_from.ends_with(&report.domain) {
            *abused.entry(report.domain.clone()).or_default().entry(row.header_from.clone()).or_default() +=
                row.count;
        }
    }
    let findings =
        abused.into_iter().filter(|(_, names)| names.values().sum::<u64>() >= 10).map(|(domain, names)| {
            let finding = Finding::new(
                Severity::Medium,
                domain.clone(),
                format!("Others send mail as subdomains of {domain}"),
            );
            let finding = names.into_iter().take(10).fold(finding, |finding, (name, count)| {
                finding.seen("aggregate reports", format!("{count} messages as {name} were delivered"))
            });
            finding.remedy(
                Remedy::new("Let receivers refuse subdomains that send nothing.")
                    .add("DNS", &[&format!("_dmarc.{domain}. TXT \"v=DMARC1; …; sp=reject; np=reject\"")])
                    .prove(format!("dig +short TXT _dmarc.{domain}")),
            )
        });
    Ok(Outcome::of(findings.collect(), "no forged subdomain was delivered"))
}

/// How the mail of a domain fared.
#[derive(Default)]
struct Fared {
    sent: u64,
    passed: u64,
    begin: i64,
    end: i64,
    policy: String,
}

fn rpt_008(server: &Server<'_>) -> Judged {
    let reports = some_dmarc(server)?;
    let own = own(server);
    let mut domains: BTreeMap<&str, Fared> = BTreeMap::new();
    for report in reports {
        let fared =
            domains.entry(&report.domain).or_insert_with(|| Fared { begin: i64::MAX, ..Fared::default() });
        fared.begin = fared.begin.min(report.begin);
        if report.end >= fared.end {
            fared.end = report.end;
            fared.policy.clone_from(&report.policy);
        }
        for row in report.rows.iter().filter(|row| is_own(&own, row) || row.passes()) {
            fared.sent += row.count;
            fared.passed += if row.passes() { row.count } else { 0 };
        }
    }
    let ready = |fared: &Fared| {
        fared.policy != "reject"
            && fared.sent >= ENOUGH
            && fared.end - fared.begin >= LONG_ENOUGH
            && fared.passed * 1000 >= fared.sent * 995
    };
    let findings = domains.iter().filter(|(_, fared)| ready(fared)).map(|(domain, fared)| {
        let next = if fared.policy == "quarantine" { "reject" } else { "quarantine" };
        Finding::new(Severity::Info, (*domain).to_owned(), format!("{domain} is ready for p={next}"))
            .seen(
                "aggregate reports",
                format!(
                    "{} of {} own messages passed in {} days, with p={}",
                    fared.passed,
                    fared.sent,
                    (fared.end - fared.begin) / 86_400,
                    fared.policy
                ),
            )
            .remedy(
                Remedy::new("Take the next step.")
                    .add("DNS", &[&format!("_dmarc.{domain}. TXT \"v=DMARC1; p={next}; …\"")])
                    .prove(format!("dig +short TXT _dmarc.{domain}")),
            )
    });
    Ok(Outcome::of(
        findings.collect(),
        "each domain has the policy that its reports allow, or too few of them",
    ))
}
