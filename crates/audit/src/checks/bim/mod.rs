//! BIMI.

use super::dns::each_domain;
use crate::check::not_applicable;
use crate::records::bimi::Record;
use crate::records::dmarc::{Policy, discover};
use crate::{Check, Evidence, Finding, Judged, NotYet, Remedy, Server, Severity};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[&BIM_001];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[];

static BIM_001: Check = Check {
    id: "BIM-001",
    title: "A BIMI record cannot take effect",
    severity: Severity::Low,
    why: "Mailbox providers show the mark only for domains whose DMARC is enforced, and only an https SVG.",
    proof: "The record at `default._bimi` and the DMARC policy.",
    fix: "Correct the record, enforce DMARC, or delete the record.",
    references: &["draft-brand-indicators-for-message-identification"],
    judge: bim_001,
};

fn bim_001(server: &Server<'_>) -> Judged {
    each_domain(server, "every BIMI record can take effect", |dns, domain| {
        let name = format!("default._bimi.{domain}");
        let records: Vec<Record> =
            dns.records("TXT", &name)?.iter().filter_map(|text| Record::read(text)).collect();
        let Some(record) = records.first() else {
            return not_applicable(format!("{domain} has no BIMI record"));
        };
        let mut problems = record.problems.clone();
        if records.len() > 1 {
            problems.push(format!("{} records", records.len()));
        }
        let found = discover(dns, domain)?;
        let enforced = found.as_ref().is_some_and(|found| {
            found.record.for_domain() >= Some(Policy::Quarantine)
                && found.record.percent.is_none_or(|percent| percent == 100)
        });
        if !record.location.is_empty() && !enforced {
            problems.push("the DMARC policy is not enforced".to_owned());
        }
        let Some(first) = problems.first() else { return Ok(None) };
        Ok(Some(
            Finding::new(
                Severity::Low,
                domain,
                format!("the BIMI record of {domain} cannot take effect: {first}"),
            )
            .cause(format!("TXT {name}"))
            .all_seen(
                problems
                    .iter()
                    .map(|problem| Evidence { place: format!("dig TXT {name}"), seen: problem.clone() }),
            )
            .remedy(Remedy::new("Correct it, or delete it.").prove(format!("dig +short TXT {name}"))),
        ))
    })
}
