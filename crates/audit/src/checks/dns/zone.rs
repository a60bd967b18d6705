//! What the zones of the mail domains hold besides.

use std::collections::BTreeSet;

use super::{domains, each, each_domain, each_own_exchanger, exchangers, publish, untold};
use crate::check::not_applicable;
use crate::facts::Dns;
use crate::questions::{CONVENIENCE, NOBODY};
use crate::records::caa::{Caa, domains_of};
use crate::records::{is_host_name, is_within, parent};
use crate::{Check, Evidence, Finding, Judged, Remedy, Server, Severity, Untold};

pub(super) static DNS_017: Check = Check {
    id: "DNS-017",
    title: "No CAA record says which authority may issue certificates",
    severity: Severity::Info,
    why: "Any of a hundred certificate authorities may then be talked into a certificate for the server's name.",
    proof: "CAA of every exchanger's name and of the names above it.",
    fix: "Publish CAA with your authority, and `iodef` to hear of refusals.",
    references: &["RFC 8659"],
    judge: dns_017,
};

fn dns_017(server: &Server<'_>) -> Judged {
    each_own_exchanger(server, "CAA records are published", |dns, host| {
        if caa(dns, host)?.is_some() {
            return Ok(None);
        }
        let zone = parent(host).unwrap_or(host);
        Ok(Some(
            Finding::new(Severity::Info, host, format!("no CAA record holds for {host}"))
                .seen(format!("dig CAA {host}"), "no record, nor above it")
                .remedy(publish(
                    "Name your certificate authority.",
                    &format!("{zone}. IN CAA 0 issue \"letsencrypt.org\""),
                )),
        ))
    })
}

/// The CAA records that hold for a name, with the name that has them (RFC 8659 3).
fn caa<'a>(dns: &Dns, host: &'a str) -> Result<Option<(&'a str, Vec<Caa>)>, Untold> {
    let mut name = Some(host);
    while let Some(at) = name.filter(|name| name.contains('.')) {
        let records = dns.records("CAA", at)?;
        if !records.is_empty() {
            return Ok(Some((at, records.iter().filter_map(|record| Caa::read(record)).collect())));
        }
        name = parent(at);
    }
    Ok(None)
}

pub(super) static DNS_018: Check = Check {
    id: "DNS-018",
    title: "CAA excludes the authority that issued the certificate in use",
    severity: Severity::High,
    why: "The next renewal is refused, and the certificate runs out.",
    proof: "`issue` of the CAA records that hold for the name against the issuer of the served certificate.",
    fix: "Add the authority to CAA, or change the authority.",
    references: &["RFC 8659 4.2", "RFC 8657"],
    judge: dns_018,
};

fn dns_018(server: &Server<'_>) -> Judged {
    each_own_exchanger(server, "CAA allows the authority in use", |dns, host| {
        let Some((at, records)) = caa(dns, host)? else {
            return not_applicable(format!("no CAA holds for {host}"));
        };
        let issue: Vec<&Caa> = records.iter().filter(|record| record.property == "issue").collect();
        if issue.is_empty() {
            return not_applicable(format!("CAA of {at} has no `issue`"));
        }
        let Some(port) = server.facts.tls.iter().find(|port| port.host.eq_ignore_ascii_case(host)) else {
            return untold(format!("no certificate of {host} was seen"));
        };
        let issuer = &port.leaf()?.issuer;
        let Some(known) = domains_of(issuer) else {
            return untold(format!("what {issuer} is called in CAA is not known here"));
        };
        if issue.iter().any(|record| known.contains(&record.value.as_str())) {
            return Ok(None);
        }
        let allowed: Vec<&str> = issue.iter().map(|record| record.value.as_str()).collect();
        let add = known.first().copied().unwrap_or_default();
        Ok(Some(
            Finding::new(
                Severity::High,
                host,
                format!("CAA of {at} does not allow {issuer}, which issued the certificate"),
            )
            .seen(format!("dig CAA {at}"), allowed.join(", "))
            .seen(port.place(), format!("issuer {issuer}"))
            .remedy(publish("Allow the authority in use.", &format!("{at}. IN CAA 0 issue \"{add}\""))),
        ))
    })
}

pub(super) static DNS_019: Check = Check {
    id: "DNS-019",
    title: "Every name below a mail domain has mail records",
    severity: Severity::Low,
    why: "With a wildcard MX or TXT, names that nobody set up take mail, and policies are looked up where none was meant.",
    proof: "MX and TXT of a name that nobody has.",
    fix: "Remove the wildcard; keep at most `v=spf1 -all`.",
    references: &["RFC 4592"],
    judge: dns_019,
};

fn dns_019(server: &Server<'_>) -> Judged {
    each_domain(server, "a name that nobody has, has no mail records", |dns, domain| {
        let name = format!("{NOBODY}.{domain}");
        let mut seen = Vec::new();
        for kind in ["MX", "TXT"] {
            let closing = |text: &&String| kind == "TXT" && text.trim().eq_ignore_ascii_case("v=spf1 -all");
            let found = dns.records(kind, &name)?.iter().filter(|text| !closing(text) && *text != "0 .");
            seen.extend(
                found.map(|text| Evidence { place: format!("dig {kind} {name}"), seen: text.clone() }),
            );
        }
        if seen.is_empty() {
            return Ok(None);
        }
        Ok(Some(
            Finding::new(Severity::Low, domain, format!("every name below {domain} has mail records"))
                .all_seen(seen)
                .remedy(
                    Remedy::new("Remove the wildcard records.")
                        .add("DNS", &[&format!("*.{domain}. IN TXT \"v=spf1 -all\"")])
                        .prove(format!("dig MX {name}")),
                ),
        ))
    })
}

pub(super) static DNS_020: Check = Check {
    id: "DNS-020",
    title: "Service records are missing or lead clients to cleartext",
    severity: Severity::Low,
    why: "Mail programs that set themselves up guess instead, or begin in the clear.",
    proof: "SRV of `_imaps`, `_imap`, `_submissions` and `_submission`.",
    fix: "Publish `_imaps` and `_submissions`, and `.` for what is not wanted.",
    references: &["RFC 6186", "RFC 8314 5.1"],
    judge: dns_020,
};

fn dns_020(server: &Server<'_>) -> Judged {
    let host = server.facts.dns.hosts.first().map_or("mail.example.org", String::as_str);
    each_domain(server, "service records lead to TLS", |dns, domain| {
        let ask = |service: &str| dns.records("SRV", &format!("{service}._tcp.{domain}"));
        let wanted = ["_imaps", "_submissions"];
        let mut seen = Vec::new();
        for service in wanted {
            if ask(service)?.is_empty() {
                seen.push(Evidence {
                    place: format!("dig SRV {service}._tcp.{domain}"),
                    seen: "no record".to_owned(),
                });
            }
        }
        for (service, port) in [("_submission", " 25 "), ("_imap", " 143 "), ("_pop3", " 110 ")] {
            let lead = ask(service)?.iter().filter(|record| record.contains(port));
            seen.extend(lead.map(|record| Evidence {
                place: format!("dig SRV {service}._tcp.{domain}"),
                seen: record.clone(),
            }));
        }
        if seen.is_empty() {
            return Ok(None);
        }
        let records = [
            format!("_imaps._tcp.{domain}. IN SRV 0 1 993 {host}."),
            format!("_submissions._tcp.{domain}. IN SRV 0 1 465 {host}."),
            format!("_imap._tcp.{domain}. IN SRV 0 0 0 ."),
        ];
        let lines: Vec<&str> = records.iter().map(String::as_str).collect();
        Ok(Some(
            Finding::new(
                Severity::Low,
                domain,
                format!("service records of {domain} do not lead mail programs to TLS"),
            )
            .all_seen(seen)
            .remedy(
                Remedy::new("Publish where the services with TLS are.")
                    .add("DNS", &lines)
                    .prove(format!("dig +short SRV _imaps._tcp.{domain}")),
            ),
        ))
    })
}

pub(super) static DNS_021: Check = Check {
    id: "DNS-021",
    title: "A name leads to one that nobody owns",
    severity: Severity::High,
    why: "Whoever registers the target receives the mail, serves the policy, or signs in the domain's name.",
    proof: "Aliases that end in NXDOMAIN, and exchangers in foreign domains that do not exist.",
    fix: "Remove the record.",
    references: &["M3AAWG Best Practices", "CWE-350"],
    judge: dns_021,
};

fn dns_021(server: &Server<'_>) -> Judged {
    let dns = &server.facts.dns;
    let mut names: Vec<String> = Vec::new();
    for domain in domains(server)? {
        names.extend(CONVENIENCE.iter().map(|prefix| format!("{prefix}.{domain}")));
    }
    let own = &dns.domains;
    let foreign = |host: &String| is_host_name(host) && !own.iter().any(|domain| is_within(host, domain));
    let hosts = exchangers(server).unwrap_or_default();
    let foreign: BTreeSet<String> = hosts.into_iter().filter(foreign).collect();
    let keys = dns.signing.known().into_iter().flatten();
    let selectors = keys.map(|key| format!("{}._domainkey.{}", key.selector, key.domain));
    let aliases = names.into_iter().map(|name| ("A", name)).chain(selectors.map(|name| ("TXT", name)));
    let hosts = foreign.iter().map(|host| ("A", host.clone()));
    each(aliases.chain(hosts), "no name leads to one that does not exist", |(kind, name)| {
        let answer = dns.answer(kind, &name)?;
        dns.records(kind, &name)?;
        let target = answer.aliases.last().filter(|_| answer.no_such_name());
        let missing = match target {
            // An alias inside of the own zone cannot be taken over.
            Some(target) if own.iter().any(|domain| is_within(target, domain)) => return Ok(None),
            Some(target) => target.clone(),
            None if answer.no_such_name() && foreign.contains(&name) => name.clone(),
            None => return Ok(None),
        };
        Ok(Some(
            Finding::new(Severity::High, &*name, format!("{name} leads to {missing}, which does not exist"))
                .seen(format!("dig {kind} {name}"), format!("NXDOMAIN at {missing}"))
                .remedy(
                    Remedy::new(format!("Remove the record that names {missing}, or register it again."))
                        .prove(format!("dig {kind} {name}")),
                ),
        ))
    })
}
