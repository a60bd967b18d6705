//! Whether there is one record, where it belongs, and well formed.

use super::{each_record, instead, place, with};
use crate::checks::dns::{each_domain, publish};
use crate::questions::NOBODY;
use crate::records::dmarc::{Record, discover, is_meant, is_record, walk, why_not};
use crate::{Check, Evidence, Finding, Judged, Remedy, Server, Severity};

pub(super) static DMR_001: Check = Check {
    id: "DMR-001",
    title: "No DMARC record holds for a mail domain",
    severity: Severity::High,
    why: "Nobody tells receivers what to do with forged mail, and large providers want a record from whoever sends much.",
    proof: "The tree walk from `_dmarc` of the domain up to the top.",
    fix: "Begin with `p=none` and `rua`, read the reports, then raise the policy.",
    references: &["RFC 9989 4.10"],
    judge: dmr_001,
};

fn dmr_001(server: &Server<'_>) -> Judged {
    each_domain(server, "a DMARC record holds for every mail domain", |dns, domain| {
        let own = dns.records("TXT", &format!("_dmarc.{domain}"))?;
        // Several records are DMR-002, broken ones DMR-003, misplaced ones DMR-010.
        let apex = dns.records("TXT", domain)?.iter().any(|text| is_record(text));
        if apex
            || own.iter().any(|text| is_record(text) || is_meant(text))
            || discover(dns, domain)?.is_some()
        {
            return Ok(None);
        }
        let asked: Vec<String> = walk(domain).into_iter().map(|name| format!("_dmarc.{name}")).collect();
        Ok(Some(
            Finding::new(Severity::High, domain, format!("no DMARC record holds for {domain}"))
                .seen(place(domain), format!("no record at {}", asked.join(", ")))
                .remedy(publish(
                    "Ask for reports first.",
                    &format!("_dmarc.{domain}. IN TXT \"v=DMARC1; p=none; rua=mailto:dmarc@{domain}\""),
                )),
        ))
    })
}

pub(super) static DMR_002: Check = Check {
    id: "DMR-002",
    title: "A domain has several DMARC records",
    severity: Severity::High,
    why: "Receivers then take none of them.",
    proof: "TXT records at `_dmarc` that begin with `v=DMARC1`.",
    fix: "Keep one.",
    references: &["RFC 9989 4.10.1"],
    judge: dmr_002,
};

fn dmr_002(server: &Server<'_>) -> Judged {
    each_domain(server, "no mail domain has several DMARC records", |dns, domain| {
        let texts = dns.records("TXT", &format!("_dmarc.{domain}"))?;
        let records: Vec<&String> = texts.iter().filter(|text| is_record(text)).collect();
        if records.len() < 2 {
            return Ok(None);
        }
        let lines: Vec<String> =
            records.iter().skip(1).map(|text| format!("_dmarc.{domain}. IN TXT \"{text}\"")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        Ok(Some(
            Finding::new(Severity::High, domain, format!("{domain} has {} DMARC records", records.len()))
                .all_seen(records.iter().map(|text| Evidence { place: place(domain), seen: (*text).clone() }))
                .remedy(
                    Remedy::new("Keep the one that is meant.")
                        .edit("DNS", &lines, &[])
                        .prove(format!("dig +short TXT _dmarc.{domain}")),
                ),
        ))
    })
}

pub(super) static DMR_003: Check = Check {
    id: "DMR-003",
    title: "A DMARC record is malformed",
    severity: Severity::High,
    why: "Receivers pass over what they cannot read, so the policy that was meant does not hold.",
    proof: "The record read tag by tag.",
    fix: "Correct the tag; `v=DMARC1` is first, and `;` stands between tags.",
    references: &["RFC 9989 4.7"],
    judge: dmr_003,
};

fn dmr_003(server: &Server<'_>) -> Judged {
    each_domain(server, "every DMARC record is well formed", |dns, domain| {
        let texts = dns.records("TXT", &format!("_dmarc.{domain}"))?;
        let (mut grave, mut slight, mut broken) = (Vec::new(), Vec::new(), None);
        for text in texts {
            let (problems, passed_over) = if is_record(text) {
                let record = Record::read(text);
                (record.problems, record.passed_over)
            } else if is_meant(text) {
                (vec![why_not(text)], Vec::new())
            } else {
                continue;
            };
            if !(problems.is_empty() && passed_over.is_empty()) {
                broken = broken.or(Some(text));
            }
            grave.extend(problems);
            slight.extend(passed_over);
        }
        // What receivers pass over leaves the policy in force.
        let severity = if grave.is_empty() { Severity::Low } else { Severity::High };
        let found: Vec<String> = grave.into_iter().chain(slight).collect();
        let (Some(problem), Some(text)) = (found.first(), broken) else { return Ok(None) };
        Ok(Some(
            Finding::new(severity, domain, format!("the DMARC record of {domain} is malformed: {problem}"))
                .cause(format!("TXT _dmarc.{domain}"))
                .all_seen(
                    found.iter().map(|problem| Evidence { place: place(domain), seen: problem.clone() }),
                )
                .remedy(
                    Remedy::new("Correct it.")
                        .edit("DNS", &[&format!("_dmarc.{domain}. IN TXT \"{text}\"")], &[])
                        .prove(format!("dig +short TXT _dmarc.{domain}")),
                ),
        ))
    })
}

pub(super) static DMR_010: Check = Check {
    id: "DMR-010",
    title: "A DMARC record stands where nobody looks",
    severity: Severity::High,
    why: "Receivers ask at `_dmarc` only; a record at the domain itself, or one that a wildcard makes up, protects nothing.",
    proof: "TXT of the domain, and of a name below it that nobody has.",
    fix: "Move the record to `_dmarc`.",
    references: &["RFC 9989 4.7", "RFC 4592"],
    judge: dmr_010,
};

fn dmr_010(server: &Server<'_>) -> Judged {
    each_domain(server, "DMARC records stand at _dmarc only", |dns, domain| {
        let at_apex = dns.records("TXT", domain)?.iter().find(|text| is_record(text));
        let nobody = format!("{NOBODY}.{domain}");
        let by_wildcard = dns.records("TXT", &nobody)?.iter().find(|text| is_record(text));
        let own = dns.records("TXT", &format!("_dmarc.{domain}"))?;
        let (at, text) = match (at_apex, by_wildcard) {
            (Some(text), _) => (domain.to_owned(), text),
            (_, Some(text)) if own == [text.clone()] => (format!("*.{domain}"), text),
            _ => return Ok(None),
        };
        Ok(Some(
            Finding::new(Severity::High, domain, format!("a DMARC record stands at {at}"))
                .cause(format!("TXT {at}"))
                .seen(format!("dig TXT {}", if at == domain { domain } else { &nobody }), text)
                .remedy(
                    Remedy::new("Move it.")
                        .edit(
                            "DNS",
                            &[&format!("{at}. IN TXT \"{text}\"")],
                            &[&format!("_dmarc.{domain}. IN TXT \"{text}\"")],
                        )
                        .prove(format!("dig +short TXT _dmarc.{domain}")),
                ),
        ))
    })
}

pub(super) static DMR_012: Check = Check {
    id: "DMR-012",
    title: "A DMARC record has tags that were given up",
    severity: Severity::Info,
    why: "Readers that follow the current standard pass them over, so they promise what does not happen.",
    proof: "`pct`, `rf`, `ri` and size limits in the record.",
    fix: "Remove them.",
    references: &["RFC 9989 C"],
    judge: dmr_012,
};

fn dmr_012(server: &Server<'_>) -> Judged {
    each_record(server, "no DMARC record has tags that were given up", |_, domain, found| {
        // A percentage that weakens the policy is DMR-005.
        let weakens = found.record.percent.is_some_and(|percent| percent < 100);
        let obsolete: Vec<&str> = found
            .record
            .obsolete
            .iter()
            .map(String::as_str)
            .filter(|tag| !weakens || !tag.starts_with("pct="))
            .collect();
        if obsolete.is_empty() {
            return Ok(None);
        }
        let text = ["pct", "rf", "ri"].iter().fold(found.text.clone(), |text, tag| with(&text, tag, None));
        let seen = obsolete.join(", ");
        Ok(Some(
            Finding::new(
                Severity::Info,
                domain,
                format!("the DMARC record of {} has {seen}, which was given up", found.domain),
            )
            .seen(place(&found.domain), seen)
            .remedy(instead("Remove them.", found, &text)),
        ))
    })
}
