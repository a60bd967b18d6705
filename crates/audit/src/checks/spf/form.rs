//! Whether there is one record, and whether it is well formed.

use super::{each_name, each_record, records_of, usual};
use crate::checks::dns::publish;
use crate::records::spf::{Record, Term, is_mistaken};
use crate::{Check, Evidence, Finding, Judged, Remedy, Server, Severity};

pub(super) static SPF_001: Check = Check {
    id: "SPF-001",
    title: "A mail domain has no SPF record",
    severity: Severity::High,
    why: "Anybody can send in its name, and large providers refuse or junk mail from domains without SPF.",
    proof: "TXT records of every mail domain that begin with `v=spf1`.",
    fix: "Publish `v=spf1` with the hosts that send, and `-all`.",
    references: &["RFC 7208 3"],
    judge: spf_001,
};

fn spf_001(server: &Server<'_>) -> Judged {
    each_name(server, "every mail domain has an SPF record", |domain| {
        let (records, meant) = records_of(server, domain)?;
        // What is meant as a record and is none is SPF-003.
        if !records.is_empty() || !meant.is_empty() {
            return Ok(None);
        }
        Ok(Some(
            Finding::new(Severity::High, domain, format!("{domain} has no SPF record"))
                .seen(format!("dig TXT {domain}"), "no text that begins with v=spf1")
                .remedy(publish("Name the hosts that send for the domain.", &usual(domain))),
        ))
    })
}

pub(super) static SPF_002: Check = Check {
    id: "SPF-002",
    title: "A mail domain has several SPF records",
    severity: Severity::High,
    why: "Receivers then take none of them (permerror), as if the domain had no SPF.",
    proof: "TXT records that begin with `v=spf1`.",
    fix: "Merge them into one.",
    references: &["RFC 7208 3.2", "RFC 7208 4.5"],
    judge: spf_002,
};

fn spf_002(server: &Server<'_>) -> Judged {
    each_name(server, "no mail domain has several SPF records", |domain| {
        let (records, _) = records_of(server, domain)?;
        if records.len() < 2 {
            return Ok(None);
        }
        let finding =
            Finding::new(Severity::High, domain, format!("{domain} has {} SPF records", records.len()));
        let lines: Vec<String> = records.iter().map(|text| format!("{domain}. IN TXT \"{text}\"")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        Ok(Some(
            finding
                .all_seen(
                    records.iter().map(|text| Evidence {
                        place: format!("dig TXT {domain}"),
                        seen: (*text).to_owned(),
                    }),
                )
                .remedy(
                    Remedy::new("Put all terms into one record, with one `all` at the end.")
                        .edit("DNS", &lines, &[&merged(domain, &records)])
                        .apply("publish it where the zone is kept")
                        .prove(format!("dig +short TXT {domain}")),
                ),
        ))
    })
}

fn merged(domain: &str, records: &[&str]) -> String {
    let mut terms: Vec<&str> = Vec::new();
    for term in records.iter().flat_map(|text| text.split_whitespace().skip(1)) {
        let all = term.trim_start_matches(['+', '-', '~', '?']).eq_ignore_ascii_case("all");
        if !all && !terms.contains(&term) {
            terms.push(term);
        }
    }
    format!("{domain}. IN TXT \"v=spf1 {} ~all\"", terms.join(" "))
}

pub(super) static SPF_003: Check = Check {
    id: "SPF-003",
    title: "An SPF record is malformed",
    severity: Severity::High,
    why: "One wrong term makes receivers drop the whole record (permerror).",
    proof: "Every term of the record, and of the records that it includes, read as the standard has it.",
    fix: "Correct the term.",
    references: &["RFC 7208 4.6", "RFC 7208 12"],
    judge: spf_003,
};

fn spf_003(server: &Server<'_>) -> Judged {
    each_name(server, "every SPF record is well formed", |domain| {
        let dns = &server.facts.dns;
        let (records, meant) = records_of(server, domain)?;
        if let (true, Some(text)) = (records.is_empty(), meant.first()) {
            let what = "v=spf1 is not followed by a blank, or not spelt so".to_owned();
            return Ok(Some(malformed(domain, vec![(domain.to_owned(), what, (*text).to_owned())])));
        }
        let own = records.iter().flat_map(|text| problems(domain, text));
        let mut found: Vec<_> = own.collect();
        let tree = crate::records::spf::tree(dns, domain);
        for part in tree.parts.iter().skip(1) {
            found.extend(problems(&part.domain, &part.text));
        }
        if !found.is_empty() {
            return Ok(Some(malformed(domain, found)));
        }
        tree.complete()?;
        Ok(None)
    })
}

fn problems(domain: &str, text: &str) -> Vec<(String, String, String)> {
    let record = Record::read(text);
    record.problems.iter().map(|problem| (domain.to_owned(), problem.to_string(), text.to_owned())).collect()
}

fn malformed(domain: &str, found: Vec<(String, String, String)>) -> Finding {
    let (at, what, text) = found.first().cloned().unwrap_or_default();
    let finding =
        Finding::new(Severity::High, domain, format!("the SPF record of {at} is malformed: {what}"));
    finding
        .cause(format!("TXT {at}"))
        .all_seen(
            found.into_iter().map(|(at, what, _)| Evidence { place: format!("dig TXT {at}"), seen: what }),
        )
        .remedy(
            Remedy::new("Correct the term.")
                .edit("DNS", &[&format!("{at}. IN TXT \"{text}\"")], &[])
                .apply("publish it where the zone is kept")
                .prove(format!("dig +short TXT {at}")),
        )
}

pub(super) static SPF_012: Check = Check {
    id: "SPF-012",
    title: "Terms of an SPF record have no effect",
    severity: Severity::Low,
    why: "Whoever wrote them believes that they hold: nothing behind `all` is looked at, nor `redirect` beside it, nor `include=` where `include:` was meant.",
    proof: "The order of the record's terms.",
    fix: "Move `all` to the end, write mechanisms with `:`, or take the dead terms out.",
    references: &["RFC 7208 5.1", "RFC 7208 6.1"],
    judge: spf_012,
};

fn spf_012(server: &Server<'_>) -> Judged {
    each_record(server, "every term of the SPF records counts", |domain, tree| {
        let Some(own) = tree.own() else { return Ok(None) };
        let all = own.record.all().map(|(place, _)| place);
        let dead: Vec<&str> = own
            .record
            .terms
            .iter()
            .enumerate()
            .filter(|(at, placed)| match placed.term {
                Term::Redirect(_) => all.is_some(),
                Term::Directive(..) => all.is_some_and(|all| *at > all),
                Term::Other => is_mistaken(&placed.text),
                Term::Explanation(_) => false,
            })
            .map(|(_, placed)| placed.text.as_str())
            .collect();
        if dead.is_empty() {
            return Ok(None);
        }
        let dead = dead.join(" ");
        Ok(Some(
            Finding::new(
                Severity::Low,
                domain,
                format!("`{dead}` in the SPF record of {domain} has no effect"),
            )
            .cause(format!("TXT {domain}"))
            .seen(format!("dig TXT {domain}"), &*own.text)
            .remedy(
                Remedy::new(format!(
                    "Move `{dead}` before `all` and write mechanisms with `:`, or remove it."
                ))
                .prove(format!("dig +short TXT {domain}")),
            ),
        ))
    })
}

pub(super) static SPF_015: Check = Check {
    id: "SPF-015",
    title: "An SPF record of type 99 or of Sender ID is published",
    severity: Severity::Info,
    why: "Both were given up; nobody reads them, and they drift away from the record that counts.",
    proof: "Records of type 99, and TXT records that begin with `spf2.0`.",
    fix: "Delete it.",
    references: &["RFC 7208 3.1", "RFC 6686"],
    judge: spf_015,
};

fn spf_015(server: &Server<'_>) -> Judged {
    each_name(server, "no given-up kind of record is published", |domain| {
        let dns = &server.facts.dns;
        let old = dns.records("TYPE99", domain)?.iter();
        let mut seen: Vec<Evidence> =
            old.map(|text| Evidence { place: format!("dig TYPE99 {domain}"), seen: text.clone() }).collect();
        let sender_id =
            dns.records("TXT", domain)?.iter().filter(|text| text.to_ascii_lowercase().starts_with("spf2.0"));
        seen.extend(
            sender_id.map(|text| Evidence { place: format!("dig TXT {domain}"), seen: text.clone() }),
        );
        let Some(first) = seen.first().map(|first| first.seen.clone()) else { return Ok(None) };
        Ok(Some(
            Finding::new(Severity::Info, domain, format!("{domain} has a record that nobody reads any more"))
                .all_seen(seen)
                .remedy(
                    Remedy::new("Delete it.")
                        .edit("DNS", &[&first], &[])
                        .prove(format!("dig TYPE99 {domain}")),
                ),
        ))
    })
}
