//! DNSSEC.

use super::{domains, each, exchangers, untold};
use crate::facts::{Answer, Dns, Known};
use crate::{Check, Evidence, Finding, Judged, Remedy, Server, Severity, Untold};

pub(super) static DNS_012: Check = Check {
    id: "DNS-012",
    title: "A mail domain or an exchanger's zone is not signed",
    severity: Severity::Low,
    why: "Without DNSSEC whoever can forge answers redirects the mail, and DANE has nothing to stand on.",
    proof: "SOA of each mail domain and the address of each exchanger: signatures, and whether a validating resolver vouches.",
    fix: "Sign the zone and publish DS in the parent.",
    references: &["RFC 4033", "RFC 7672", "BSI TR-03108"],
    judge: dns_012,
};

fn dns_012(server: &Server<'_>) -> Judged {
    let dns = &server.facts.dns;
    let mut names: Vec<(&str, String)> =
        domains(server)?.iter().map(|domain| ("SOA", domain.clone())).collect();
    names.extend(exchangers(server).unwrap_or_default().into_iter().map(|host| ("A", host)));
    each(names, "every mail domain and exchanger is signed", |(kind, name)| {
        dns.records(kind, &name)?;
        let answer = dns.answer(kind, &name)?;
        let how = match (answer.authenticated, answer.signed_until, &dns.validating) {
            (true, ..) => return Ok(None),
            (_, Some(_), Known::Is(true)) => {
                "signed, but the chain from the root is broken off (no DS in the parent)"
            }
            (_, Some(_), _) => return Ok(None),
            (_, None, Known::Is(true)) => "not signed",
            (_, None, _) => {
                return untold(format!("whether {name} is signed: the resolver does not validate"));
            }
        };
        Ok(Some(
            Finding::new(Severity::Low, &*name, format!("{name} is {how}"))
                .seen(format!("dig +dnssec {kind} {name}"), "AD is not set")
                .remedy(
                    Remedy::new("Switch on DNSSEC where the zone is kept, then hand DS to the registrar.")
                        .prove(format!("delv {kind} {name}")),
                ),
        ))
    })
}

/// Answers about a domain or what is below it.
fn about<'a>(dns: &'a Dns, domain: &'a str) -> impl Iterator<Item = (&'a str, &'a Answer)> {
    dns.answers.iter().filter_map(move |(question, answer)| {
        let (_, name) = question.split_once(' ')?;
        let inside = !name.contains('@') && crate::records::is_within(name, domain);
        inside.then_some(())?;
        Some((question.as_str(), answer.known()?))
    })
}

pub(super) static DNS_013: Check = Check {
    id: "DNS-013",
    title: "A domain's signatures are broken",
    severity: Severity::Critical,
    why: "Validating resolvers treat the domain as gone: their users can neither send to it nor be reached from it.",
    proof: "A question that fails (SERVFAIL) and succeeds with checking disabled.",
    fix: "Sign the zone again, or mend or remove DS in the parent at once.",
    references: &["RFC 4035 5", "RFC 8914"],
    judge: dns_013,
};

fn dns_013(server: &Server<'_>) -> Judged {
    let dns = &server.facts.dns;
    let names = domains(server)?;
    each(names, "no answer about the mail domains fails validation", |domain| {
        let broken: Vec<_> = about(dns, domain)
            .filter(|(_, answer)| {
                let unchecked = answer.unchecked.as_deref();
                answer.code == "SERVFAIL"
                    && unchecked.is_some_and(|code| code == "NOERROR" || code == "NXDOMAIN")
            })
            .collect();
        if broken.is_empty() {
            return sure(dns, domain).map(|()| None);
        }
        Ok(Some(
            Finding::new(Severity::Critical, domain, format!("answers about {domain} fail validation"))
                .all_seen(broken.iter().take(5).map(|(question, _)| Evidence {
                    place: format!("dig {question}"),
                    seen: "SERVFAIL; with +cd an answer".to_owned(),
                }))
                .remedy(
                    Remedy::new("Sign the zone again; until then remove DS from the parent.")
                        .prove(format!("delv SOA {domain}")),
                ),
        ))
    })
}

/// Only a resolver that validates can say that nothing is broken.
fn sure(dns: &Dns, domain: &str) -> Result<(), Untold> {
    dns.records("SOA", domain)?;
    match dns.validating {
        Known::Is(true) => Ok(()),
        _ => untold("the resolver does not validate"),
    }
}

pub(super) static DNS_014: Check = Check {
    id: "DNS-014",
    title: "A domain's signatures are about to end",
    severity: Severity::High,
    why: "Signers renew long before the end, so this one has stopped; when the signatures end the domain is gone.",
    proof: "The end of the signatures that came with the answers, against their whole life.",
    fix: "Repair the signer and have it sign anew.",
    references: &["RFC 6781 4.4.2"],
    judge: dns_014,
};

/// Signers that sign every answer anew give short lives and always end soon.
const LONG_LIFE: i64 = 5 * 86_400;

fn dns_014(server: &Server<'_>) -> Judged {
    let dns = &server.facts.dns;
    each(domains(server)?, "no signature ends soon", |domain| {
        dns.records("SOA", domain)?;
        let mut signed = about(dns, domain)
            .filter_map(|(question, answer)| Some((answer.signed_until?, answer.signed_from?, question)))
            .peekable();
        if signed.peek().is_none() {
            return crate::check::not_applicable(format!("{domain} is not signed"));
        }
        let now = taken(server)?;
        let ending = signed
            .filter(|(until, from, _)| until - from >= LONG_LIFE && until - now < (until - from) / 10)
            .min();
        let Some((until, from, question)) = ending else { return Ok(None) };
        let hours = (until - now) / 3600;
        let when = if hours < 0 { format!("ended {} h ago", -hours) } else { format!("end in {hours} h") };
        Ok(Some(
            Finding::new(Severity::High, domain, format!("signatures of {domain} are about to end and were not renewed"))
                .seen(
                    format!("dig +dnssec {question}"),
                    format!("RRSIG {when}, of a life of {} days", (until - from) / 86_400),
                )
                .remedy(Remedy::new("See why the signer stopped (BIND: rndc signing, Knot: knotc zone-status), and sign anew.")
                    .prove(format!("dig +dnssec SOA {domain}"))),
        ))
    })
}

/// When the facts were taken, seconds since 1970.
pub(crate) fn taken(server: &Server<'_>) -> Result<i64, Untold> {
    match server.facts.about.taken.parse::<jiff::Timestamp>() {
        Ok(time) => Ok(time.as_second()),
        Err(_) => untold("when the facts were taken is not known"),
    }
}
