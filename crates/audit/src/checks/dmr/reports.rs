//! Where reports go.

use super::{each_record, instead, place, with};
use crate::check::{could_not_tell, not_applicable, pass};
use crate::checks::dns::publish;
use crate::records::dmarc::{is_record, organisation};
use crate::{Check, Evidence, Finding, Judged, Remedy, Server, Severity};

pub(super) static DMR_007: Check = Check {
    id: "DMR-007",
    title: "A DMARC record asks for no reports",
    severity: Severity::Medium,
    why: "Nobody learns who sends in the domain's name, or that own mail fails.",
    proof: "`rua` of the record.",
    fix: "Add `rua` with a mailbox that somebody reads.",
    references: &["RFC 9990", "RFC 9989 4.7"],
    judge: dmr_007,
};

fn dmr_007(server: &Server<'_>) -> Judged {
    each_record(server, "every DMARC record asks for reports", |_, domain, found| {
        // An address that cannot be read is DMR-003.
        if found.text.to_ascii_lowercase().replace(' ', "").contains("rua=") {
            return Ok(None);
        }
        let text = with(&found.text, "rua", Some(&format!("mailto:dmarc@{domain}")));
        Ok(Some(
            Finding::new(
                Severity::Medium,
                domain,
                format!("the DMARC record of {} asks for no reports", found.domain),
            )
            .cause(format!("TXT _dmarc.{}", found.domain))
            .seen(place(&found.domain), &*found.text)
            .remedy(instead("Ask for them.", found, &text)),
        ))
    })
}

pub(super) static DMR_008: Check = Check {
    id: "DMR-008",
    title: "Reports go to a domain that did not agree to it",
    severity: Severity::Medium,
    why: "Reporters send nothing there, so no report arrives.",
    proof: "`<domain>._report._dmarc.<target>` of every target outside of the domain's organisation.",
    fix: "Have the target publish the record, or use an address of your own.",
    references: &["RFC 9990 4"],
    judge: dmr_008,
};

fn dmr_008(server: &Server<'_>) -> Judged {
    each_record(server, "every outside target of reports agreed to it", |dns, domain, found| {
        let home = organisation(dns, &found.domain)?;
        let mut refused = Vec::new();
        for address in found.record.aggregate.iter().chain(&found.record.failure) {
            let Some((_, target)) = address.rsplit_once('@') else { continue };
            if organisation(dns, target)?.eq_ignore_ascii_case(&home) {
                continue;
            }
            let name = format!("{}._report._dmarc.{target}", found.domain);
            if !dns.records("TXT", &name)?.iter().any(|text| is_record(text)) {
                refused.push((address, name));
            }
        }
        let Some((address, name)) = refused.first() else { return Ok(None) };
        Ok(Some(
            Finding::new(
                Severity::Medium,
                domain,
                format!("reports of {} go to {address}, whose domain did not agree", found.domain),
            )
            .cause(format!("TXT _dmarc.{}", found.domain))
            .all_seen(refused.iter().map(|(address, name)| Evidence {
                place: format!("dig TXT {name}"),
                seen: format!("no record, though rua or ruf names {address}"),
            }))
            .remedy(publish(
                "Have the owner of the target publish this, or use an own address.",
                &format!("{name}. IN TXT \"v=DMARC1\""),
            )),
        ))
    })
}

pub(super) static DMR_009: Check = Check {
    id: "DMR-009",
    title: "The mailbox for reports cannot take mail",
    severity: Severity::Medium,
    why: "Reports are lost, and with them what they would have told.",
    proof: "MX and address of the target's domain.",
    fix: "Make the mailbox, or name another.",
    references: &["RFC 9990 3"],
    judge: dmr_009,
};

fn dmr_009(server: &Server<'_>) -> Judged {
    each_record(server, "every mailbox for reports can take mail", |dns, domain, found| {
        let mut broken = Vec::new();
        for address in found.record.aggregate.iter().chain(&found.record.failure) {
            let Some((_, target)) = address.rsplit_once('@') else { continue };
            let all = dns.exchangers(target)?;
            // An own domain without MX is DNS-001.
            let own = dns.domains.iter().any(|own| own.eq_ignore_ascii_case(target));
            let none = !own && all.is_empty() && dns.records("A", target)?.is_empty();
            let null = !all.is_empty() && all.iter().all(|(_, host)| host == ".");
            if none || null {
                let what = if null { "null MX: it takes no mail" } else { "neither MX nor address" };
                broken
                    .push(Evidence { place: format!("dig MX {target}"), seen: format!("{address}: {what}") });
            }
        }
        let Some(first) = broken.first() else { return Ok(None) };
        let summary = format!("reports of {} cannot be delivered: {}", found.domain, first.seen);
        Ok(Some(
            Finding::new(Severity::Medium, domain, summary)
                .cause(format!("TXT _dmarc.{}", found.domain))
                .all_seen(broken)
                .remedy(
                    Remedy::new("Name a mailbox that takes mail.")
                        .edit(
                            "DNS",
                            &[&found.text],
                            &[&with(&found.text, "rua", Some(&format!("mailto:dmarc@{domain}")))],
                        )
                        .prove(format!("dig +short TXT _dmarc.{}", found.domain)),
                ),
        ))
    })
}

pub(super) static DMR_014: Check = Check {
    id: "DMR-014",
    title: "Nobody reads the mailbox that reports go to",
    severity: Severity::Low,
    why: "Forgers and own mail that fails show in the reports, and nobody sees it.",
    proof: "Logins to the account that `rua` names, in a log of two weeks or more; and whether a folder of reports is given to the audit.",
    fix: "Keep the reports in a folder and name it in `reports` of [audit], so that each audit reads them.",
    references: &["RFC 9990"],
    judge: dmr_014,
};

/// Whoever reads reports does so every week or two.
const LONG_ENOUGH: i64 = 14 * 86_400;

fn dmr_014(server: &Server<'_>) -> Judged {
    if let Some(reports) = server.facts.reports.known() {
        return pass(format!("every audit reads the reports in {}", reports.place));
    }
    each_record(server, "somebody logs in to each mailbox that reports go to", |_, domain, found| {
        let Some(address) = found.record.aggregate.first() else {
            return not_applicable(format!("the DMARC record of {} asks for no reports", found.domain));
        };
        let accounts = server.facts.accounts.get()?;
        if !accounts.iter().any(|account| account.name.eq_ignore_ascii_case(address)) {
            return could_not_tell(format!("{address} is no account here, and who reads it is not known"));
        }
        let usage = server.facts.usage.get()?;
        let days = (usage.to - usage.from) / 86_400;
        if usage.to - usage.from < LONG_ENOUGH || usage.by_service.is_empty() {
            return could_not_tell(format!("a log of {days} days is too short to tell who logs in"));
        }
        let name = address.to_ascii_lowercase();
        let local = name.split('@').next().unwrap_or_default();
        if usage.last.contains_key(&name) || usage.last.contains_key(local) {
            return Ok(None);
        }
        Ok(Some(
            Finding::new(Severity::Low, domain, format!("nobody reads {address}, to which reports of {} go", found.domain))
                .cause(format!("TXT _dmarc.{}", found.domain))
                .seen(place(&found.domain), &*found.text)
                .seen("log", format!("no login of {address} in {days} days"))
                .remedy(
                    Remedy::new("Keep the reports in a folder, and name it in `reports` of [audit]: each audit reads them.")
                        .prove("mailward audit --reports DIR --only RPT,DMR-014"),
                ),
        ))
    })
}
