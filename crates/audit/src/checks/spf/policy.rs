//! What the record lets through.

use std::net::IpAddr;

use super::{each_name, each_record, usual};
use crate::check::{not_applicable, pass};
use crate::checks::dns::{addresses, each, helo, is_parked, publish, untold};
use crate::facts::Dns;
use crate::records::spf::{Mechanism, Qualifier, Subject, Term, Tree, Verdict, check, is_record};
use crate::records::{dmarc, dmarc::Policy, is_host_name};
use crate::{Check, Evidence, Finding, Judged, Remedy, Server, Severity, Untold};

pub(super) static SPF_006: Check = Check {
    id: "SPF-006",
    title: "An SPF record forbids nobody",
    severity: Severity::High,
    why: "With `+all`, `?all` or no `all`, everybody passes or nothing is said about strangers.",
    proof: "The term that decides for an address that nothing else matches, redirects followed.",
    fix: "End the record with `-all`, or `~all` while you are not sure.",
    references: &["RFC 7208 5.1", "RFC 7208 4.7"],
    judge: spf_006,
};

fn spf_006(server: &Server<'_>) -> Judged {
    each_record(server, "every SPF record forbids strangers", |domain, tree| {
        let what = match last(tree, domain)? {
            Some(Qualifier::Fail | Qualifier::SoftFail) => return Ok(None),
            Some(Qualifier::Pass) => "lets everybody send (`+all`)",
            Some(Qualifier::Neutral) => "says nothing about strangers (`?all`)",
            None => "says nothing about strangers (no `all`)",
        };
        let text = tree.own().map_or("", |part| part.text.as_str());
        Ok(Some(
            Finding::new(Severity::High, domain, format!("the SPF record of {domain} {what}"))
                .cause(format!("TXT {domain}"))
                .seen(format!("dig TXT {domain}"), text)
                .remedy(
                    Remedy::new("End it with -all.")
                        .edit("DNS", &[&format!("{domain}. IN TXT \"{text}\"")], &[&closed(domain, text)])
                        .prove(format!("dig +short TXT {domain}")),
                ),
        ))
    })
}

fn closed(domain: &str, text: &str) -> String {
    let all = |term: &&str| !term.trim_start_matches(['+', '-', '~', '?']).eq_ignore_ascii_case("all");
    let terms: Vec<&str> = text.split_whitespace().filter(all).collect();
    format!("{domain}. IN TXT \"{} -all\"", terms.join(" "))
}

/// The qualifier that decides in the end.
fn last(tree: &Tree, domain: &str) -> Result<Option<Qualifier>, Untold> {
    let mut at = domain.to_owned();
    for _ in 0..=tree.parts.len() {
        let Some(part) = tree.parts.iter().find(|part| part.domain.eq_ignore_ascii_case(&at)) else {
            tree.complete()?;
            return not_applicable("the redirect leads to no record");
        };
        match (part.record.all(), part.record.redirect()) {
            (Some((_, qualifier)), _) => return Ok(Some(qualifier)),
            (None, Some(target)) if target.contains('%') => {
                return untold("the redirect depends on the sender");
            }
            (None, Some(target)) => target.trim_end_matches('.').clone_into(&mut at),
            (None, None) => return Ok(None),
        }
    }
    not_applicable("the redirects lead in a circle")
}

pub(super) static SPF_007: Check = Check {
    id: "SPF-007",
    title: "An SPF record uses ptr",
    severity: Severity::Low,
    why: "It is slow, fails when somebody else's name servers do, and receivers may pass it over.",
    proof: "The terms of the record and of those that it includes.",
    fix: "Name the addresses, or use `a`.",
    references: &["RFC 7208 5.5"],
    judge: spf_007,
};

fn spf_007(server: &Server<'_>) -> Judged {
    each_record(server, "no SPF record uses ptr", |domain, tree| {
        let found: Vec<Evidence> = terms(tree)
            .filter(|(_, term, _)| matches!(term, Term::Directive(_, Mechanism::Ptr(_))))
            .map(|(at, _, text)| Evidence { place: format!("dig TXT {at}"), seen: text.to_owned() })
            .collect();
        if found.is_empty() {
            tree.complete()?;
            return Ok(None);
        }
        Ok(Some(
            Finding::new(Severity::Low, domain, format!("the SPF record of {domain} uses ptr"))
                .cause(format!("TXT {domain}"))
                .all_seen(found)
                .remedy(
                    Remedy::new("Replace ptr by ip4 and ip6 of the hosts that are meant.")
                        .prove(format!("dig +short TXT {domain}")),
                ),
        ))
    })
}

/// All terms with the domain whose record has them.
fn terms(tree: &Tree) -> impl Iterator<Item = (&str, &Term, &str)> {
    tree.parts.iter().flat_map(|part| {
        part.record.terms.iter().map(|placed| (part.domain.as_str(), &placed.term, placed.text.as_str()))
    })
}

pub(super) static SPF_009: Check = Check {
    id: "SPF-009",
    title: "The server's own address may not send",
    severity: Severity::High,
    why: "The domain's own mail fails SPF, and with it DMARC where DKIM does not help.",
    proof: "The record evaluated for every address of the server, of both families.",
    fix: "Add the address to the record.",
    references: &["RFC 7208 4"],
    judge: spf_009,
};

fn spf_009(server: &Server<'_>) -> Judged {
    let addresses = addresses(server)?;
    let helo = helo(server).unwrap_or_default();
    let dns = &server.facts.dns;
    if let Some(relay) = server
        .postfix()
        .ok()
        .and_then(|postfix| postfix.explicit("relayhost"))
        .filter(|relay| !relay.is_empty())
    {
        return not_applicable(format!("mail leaves through {relay}"));
    }
    each_name(server, "the server may send for every mail domain", |domain| {
        if let Some(cause) = elsewhere(dns, domain, &helo, &addresses)? {
            return not_applicable(cause);
        }
        let mut outside = Vec::new();
        for address in &addresses {
            let subject = Subject {
                address: Some(*address),
                sender: format!("postmaster@{domain}"),
                helo: helo.clone(),
            };
            match check(dns, domain, &subject) {
                Verdict::Pass(_) => {}
                Verdict::None => return not_applicable(format!("{domain} has no SPF record")),
                Verdict::Broken(why) => {
                    return not_applicable(format!("the SPF record of {domain} is broken: {why}"));
                }
                Verdict::Untold(question) => {
                    return untold(format!("the resolver did not answer {question}"));
                }
                Verdict::Missing(question) => return untold(format!("{question} was not asked of the DNS")),
                verdict => outside.push((*address, verdict)),
            }
        }
        let Some((address, _)) = outside.first() else { return Ok(None) };
        let family = if address.is_ipv4() { "ip4" } else { "ip6" };
        Ok(Some(
            Finding::new(
                Severity::High,
                domain,
                format!("the SPF record of {domain} does not let {address} send, which is this server"),
            )
            .cause(format!("TXT {domain}"))
            .all_seen(outside.iter().map(|(address, verdict)| Evidence {
                place: format!("check_host({address}, {domain})"),
                seen: told(verdict),
            }))
            .remedy(
                Remedy::new(format!("Put {family}:{address} into the record, before all."))
                    .add("DNS", &[&format!("{domain}. IN TXT \"v=spf1 {family}:{address} mx -all\"")])
                    .prove(format!("dig +short TXT {domain}")),
            ),
        ))
    })
}

/// What else keeps `a` and `mx` from leading to the server, and is a finding of its own.
fn elsewhere(dns: &Dns, domain: &str, helo: &str, own: &[IpAddr]) -> Result<Option<String>, Untold> {
    if is_parked(dns, domain)? {
        return Ok(Some(format!("{domain} does not send")));
    }
    let exchangers = dns.exchangers(domain)?;
    if exchangers.is_empty() || exchangers.iter().any(|(_, host)| !is_host_name(host)) {
        return Ok(Some(format!("MX of {domain} names no host")));
    }
    let led = dns.addresses_of(helo).unwrap_or_default();
    let astray = dns.answer("A", helo).is_ok() && !led.iter().any(|address| own.contains(address));
    Ok(astray.then(|| format!("{helo} does not lead to the server")))
}

fn told(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Fail(term) => format!("fail, because of {term}"),
        Verdict::SoftFail(term) => format!("softfail, because of {term}"),
        Verdict::Neutral(Some(term)) => format!("neutral, because of {term}"),
        Verdict::Neutral(None) => "neutral: no term matches".to_owned(),
        other => format!("{other:?}"),
    }
}

pub(super) static SPF_010: Check = Check {
    id: "SPF-010",
    title: "An SPF record lets very many addresses send",
    severity: Severity::Medium,
    why: "Whoever rents a machine in such a network may send in the domain's name.",
    proof: "Networks in the record; in included records only those that are wider than any provider's.",
    fix: "Name the addresses that send.",
    references: &["M3AAWG Best Practices for Managing SPF Records"],
    judge: spf_010,
};

/// The widest prefixes that are not too wide: in the own record, and in included ones, whose owner knows what is his.
const OWN: (u8, u8) = (17, 33);
const INCLUDED: (u8, u8) = (11, 21);

fn spf_010(server: &Server<'_>) -> Judged {
    each_record(server, "no SPF record lets whole networks send", |domain, tree| {
        let found: Vec<Evidence> = terms(tree)
            .filter(|(at, term, _)| {
                let (four, six) = if *at == domain { OWN } else { INCLUDED };
                match term {
                    Term::Directive(Qualifier::Pass, Mechanism::Ip4(_, prefix)) => *prefix < four,
                    Term::Directive(Qualifier::Pass, Mechanism::Ip6(_, prefix)) => *prefix < six,
                    Term::Directive(
                        Qualifier::Pass,
                        Mechanism::A(_, short, long) | Mechanism::Mx(_, short, long),
                    ) => *short < four || *long < six,
                    _ => false,
                }
            })
            .map(|(at, _, text)| Evidence { place: format!("dig TXT {at}"), seen: text.to_owned() })
            .collect();
        if found.is_empty() {
            tree.complete()?;
            return Ok(None);
        }
        Ok(Some(
            Finding::new(
                Severity::Medium,
                domain,
                format!("the SPF record of {domain} lets whole networks send"),
            )
            .cause(format!("TXT {domain}"))
            .all_seen(found)
            .remedy(
                Remedy::new("Name the addresses that send instead of their networks.")
                    .prove(format!("dig +short TXT {domain}")),
            ),
        ))
    })
}

pub(super) static SPF_011: Check = Check {
    id: "SPF-011",
    title: "The name in HELO has no SPF record",
    severity: Severity::Low,
    why: "Bounces have no sender, so receivers check the HELO name; without a record anybody can use it.",
    proof: "TXT of `smtp_helo_name`.",
    fix: "Publish `v=spf1 a -all` for the host.",
    references: &["RFC 7208 2.3"],
    judge: spf_011,
};

fn spf_011(server: &Server<'_>) -> Judged {
    let name = helo(server)?;
    if server.facts.dns.records("TXT", &name)?.iter().any(|text| is_record(text)) {
        return pass(format!("{name} has an SPF record"));
    }
    Ok(Finding::new(
        Severity::Low,
        &*name,
        format!("{name}, which the server says in HELO, has no SPF record"),
    )
    .seen(format!("dig TXT {name}"), "no text that begins with v=spf1")
    .remedy(publish("Let nobody else use the name.", &format!("{name}. IN TXT \"v=spf1 a -all\"")))
    .into())
}

pub(super) static SPF_014: Check = Check {
    id: "SPF-014",
    title: "A name that does not send does not say so",
    severity: Severity::Medium,
    why: "Forgers take the names that nobody guards: parked domains and web hosts.",
    proof: "Domains with a null MX, and `www`, without `-all`, where DMARC does not cover them.",
    fix: "Publish `v=spf1 -all` for the name.",
    references: &["M3AAWG Protecting Parked Domains"],
    judge: spf_014,
};

fn spf_014(server: &Server<'_>) -> Judged {
    let dns = &server.facts.dns;
    let domains = crate::checks::dns::domains(server)?;
    let names =
        domains.iter().flat_map(|domain| [(domain, domain.clone()), (domain, format!("www.{domain}"))]);
    each(names, "names that do not send say so, or DMARC covers them", |(domain, name)| {
        let sends =
            if *domain == name { !is_parked(dns, domain)? } else { dns.addresses_of(&name)?.is_empty() };
        if sends || dns.records("TXT", &name)?.iter().any(|text| is_record(text)) {
            return Ok(None);
        }
        let covered = dmarc::discover(dns, domain)?.and_then(|found| {
            if *domain == name { found.record.for_domain() } else { found.record.for_subdomains() }
        });
        if covered.is_some_and(|policy| policy >= Policy::Quarantine) {
            return Ok(None);
        }
        Ok(Some(
            Finding::new(Severity::Medium, &*name, format!("{name} does not send and does not say so"))
                .seen(format!("dig TXT {name}"), "no text that begins with v=spf1")
                .remedy(publish("Say that nobody sends in its name.", &usual(&name).replace("mx ", ""))),
        ))
    })
}
