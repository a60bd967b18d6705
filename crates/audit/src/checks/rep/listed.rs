//! Whether the server or its domains are listed.

use std::net::IpAddr;

use crate::check::not_applicable;
use crate::checks::dns::{addresses, domains, each, untold};
use crate::facts::Dns;
use crate::records::dnsbl::{DOMAIN_LISTS, Meaning, clean_test, listed_test, meaning, name_of};
use crate::{Check, Finding, Judged, Remedy, Server, Severity, Untold};

pub(super) static REP_001: Check = Check {
    id: "REP-001",
    title: "The server's address is on a block list",
    severity: Severity::High,
    why: "Receivers that ask the list refuse or junk the server's mail.",
    proof: "Lists that were seen to list their test point and nothing else, asked about every public address.",
    fix: "Find what was sent (queue, log, accounts), stop it, then ask for removal.",
    references: &["RFC 5782", "RFC 6471"],
    judge: rep_001,
};

/// Whether a list works here: it lists what it must, and not what it must not.
fn works(dns: &Dns, zone: &str) -> Result<(), Untold> {
    let domain_test = DOMAIN_LISTS.iter().find(|(list, _)| *list == zone);
    let must = domain_test.map_or_else(|| listed_test(zone), |(_, name)| format!("{name}.{zone}"));
    match meaning(zone, dns.records("A", &must)?) {
        Meaning::Listed(_) => {}
        Meaning::Refused(code) => return untold(format!("{zone} does not answer this resolver ({code})")),
        Meaning::Clean => return untold(format!("{zone} does not list its test point: it is dead")),
        Meaning::Strange(code) => return untold(format!("{zone} answers with {code}: it is parked")),
    }
    if domain_test.is_none() && meaning(zone, dns.records("A", &clean_test(zone))?) != Meaning::Clean {
        return untold(format!("{zone} lists everything"));
    }
    Ok(())
}

fn zones<'a>(server: &Server<'a>, of_domains: bool) -> Result<Vec<&'a str>, Untold> {
    let dns = &server.facts.dns;
    let is_of_domains = |zone: &str| DOMAIN_LISTS.iter().any(|(list, _)| *list == zone);
    let zones: Vec<&str> = dns
        .lists
        .iter()
        .map(String::as_str)
        .filter(|zone| is_of_domains(zone) == of_domains && !zone.ends_with("dnswl.org"))
        .collect();
    if zones.is_empty() {
        dns.resolver.get()?;
        return not_applicable("no list was asked");
    }
    Ok(zones)
}

fn listing(dns: &Dns, what: &str, zone: &str, name: &str) -> Result<Option<Finding>, Untold> {
    works(dns, zone)?;
    let Meaning::Listed(codes) = meaning(zone, dns.records("A", name)?) else { return Ok(None) };
    let codes: Vec<String> = codes.iter().map(ToString::to_string).collect();
    let texts = dns.records("TXT", name).map(|texts| texts.join("; ")).unwrap_or_default();
    Ok(Some(
        Finding::new(Severity::High, format!("{what} at {zone}"), format!("{what} is listed by {zone}"))
            .seen(format!("dig A {name}"), codes.join(", "))
            .seen(format!("dig TXT {name}"), texts)
            .remedy(
                Remedy::new(format!("Stop what sent spam, then ask {zone} for removal."))
                    .apply("postqueue -j | head; mailward top")
                    .prove(format!("dig +short A {name}")),
            ),
    ))
}

/// One working list is enough to say "not listed"; the others are then named by their own checks.
fn ask<T: Copy>(
    server: &Server<'_>,
    of_domains: bool,
    all: &[T],
    shown: &str,
    name: impl Fn(T, &str) -> (String, String),
) -> Judged {
    let dns = &server.facts.dns;
    let zones = zones(server, of_domains)?;
    let working: Vec<&str> = zones.iter().copied().filter(|zone| works(dns, zone).is_ok()).collect();
    let asked = if working.is_empty() { zones } else { working };
    let pairs = asked.iter().flat_map(|zone| all.iter().map(move |one| (*one, *zone)));
    each(pairs, &format!("{shown} by {}", asked.join(", ")), |(one, zone)| {
        let (what, name) = name(one, zone);
        listing(dns, &what, zone, &name)
    })
}

fn rep_001(server: &Server<'_>) -> Judged {
    let all = addresses(server)?;
    ask(server, false, &all, "not listed", |address: IpAddr, zone| {
        (address.to_string(), name_of(address, zone))
    })
}

pub(super) static REP_002: Check = Check {
    id: "REP-002",
    title: "A mail domain is on a block list",
    severity: Severity::High,
    why: "Receivers that ask the list refuse or junk all mail that names the domain, whoever sends it.",
    proof: "Lists of domains that were seen to list their test point, asked about every mail domain.",
    fix: "Find the cause (a hacked web site, a stolen account), then ask for removal.",
    references: &["RFC 5782", "RFC 6471"],
    judge: rep_002,
};

fn rep_002(server: &Server<'_>) -> Judged {
    let all: Vec<&str> = domains(server)?.iter().map(String::as_str).collect();
    ask(server, true, &all, "not listed", |domain, zone| (domain.to_owned(), format!("{domain}.{zone}")))
}
