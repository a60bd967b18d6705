//! Includes that nothing is sent through.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::each_record;
use crate::check::{could_not_tell, not_applicable};
use crate::checks::rpt::reports;
use crate::facts::{DmarcReport, Dns};
use crate::records::spf::{Mechanism, Qualifier, Subject, Term, Verdict, check};
use crate::{Check, Finding, Judged, Remedy, Server, Severity, Untold};

pub(super) static SPF_016: Check = Check {
    id: "SPF-016",
    title: "An SPF record includes a provider that sends nothing",
    severity: Severity::Low,
    why: "All customers of a provider that is included may send in the domain's name, and its record spends look-ups.",
    proof: "Each include of the record against all addresses in received DMARC reports of at least 30 days and 100 messages.",
    fix: "Take the include out once nobody uses the provider any more.",
    references: &["RFC 7208 11.4"],
    judge: spf_016,
};

const LONG_ENOUGH: i64 = 30 * 86_400;
const ENOUGH: u64 = 100;

fn spf_016(server: &Server<'_>) -> Judged {
    let reports = reports(server)?;
    let dns = &server.facts.dns;
    each_record(server, "through every include mail was sent", |domain, tree| {
        let terms = tree.own().into_iter().flat_map(|own| &own.record.terms);
        let includes = terms.filter_map(|placed| match &placed.term {
            Term::Directive(Qualifier::Pass, Mechanism::Include(target)) if !target.contains('%') => {
                Some((placed.text.as_str(), target.as_str()))
            }
            _ => None,
        });
        let includes: Vec<_> = includes.collect();
        if includes.is_empty() {
            return not_applicable(format!("the SPF record of {domain} includes nobody"));
        }
        let of_domain: Vec<_> =
            reports.dmarc.iter().filter(|report| report.domain.eq_ignore_ascii_case(domain)).collect();
        let (seen, addresses) = sources(&of_domain, domain)?;
        let mut unused = Vec::new();
        for (text, target) in includes {
            if !is_used(dns, domain, target, &addresses)? {
                unused.push(text);
            }
        }
        let Some(first) = unused.first() else { return Ok(None) };
        let summary = format!("the SPF record of {domain} includes a provider that sends nothing: {first}");
        let finding = Finding::new(Severity::Low, domain, summary).cause(format!("TXT {domain}"));
        let finding = unused.iter().fold(finding, |finding, text| {
            finding
                .seen(format!("dig TXT {domain}"), format!("{text}: none of the sources that were reported"))
        });
        Ok(Some(
            finding.seen(reports.place.clone(), seen).remedy(
                Remedy::new("Take the include out once nobody uses the provider any more.")
                    .prove(format!("dig +short TXT {domain}")),
            ),
        ))
    })
}

/// What reports cover, and the addresses in them.
fn sources(reports: &[&DmarcReport], domain: &str) -> Result<(String, BTreeSet<IpAddr>), Untold> {
    let begin = reports.iter().map(|report| report.begin).min().unwrap_or_default();
    let end = reports.iter().map(|report| report.end).max().unwrap_or_default();
    let rows = || reports.iter().flat_map(|report| &report.rows);
    let messages: u64 = rows().map(|row| row.count).sum();
    let addresses: BTreeSet<IpAddr> = rows().filter_map(|row| row.source.parse().ok()).collect();
    let seen =
        format!("{messages} messages from {} addresses in {} days", addresses.len(), (end - begin) / 86_400);
    if end - begin < LONG_ENOUGH || messages < ENOUGH {
        return could_not_tell(format!("reports about {domain} are too few to tell: {seen}"));
    }
    Ok((seen, addresses))
}

/// Whether one of the addresses may send because of what is included.
fn is_used(dns: &Dns, domain: &str, target: &str, addresses: &BTreeSet<IpAddr>) -> Result<bool, Untold> {
    let mut untold = None;
    for address in addresses {
        let subject = Subject {
            address: Some(*address),
            sender: format!("postmaster@{domain}"),
            helo: domain.to_owned(),
        };
        match check(dns, target, &subject) {
            Verdict::Pass(_) => return Ok(true),
            Verdict::Untold(why) | Verdict::Missing(why) => untold = Some(why),
            _ => {}
        }
    }
    untold.map_or(Ok(false), |question| could_not_tell(format!("the DNS did not tell {question}")))
}
