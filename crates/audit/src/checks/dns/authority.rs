//! Name servers of the mail domains.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{each_domain, untold};
use crate::check::not_applicable;
use crate::facts::{Dns, Known};
use crate::records::{address, spf};
use crate::{Check, Evidence, Finding, Judged, Remedy, Server, Severity, Untold};

pub(super) static DNS_015: Check = Check {
    id: "DNS-015",
    title: "A domain hangs on one name server or one network",
    severity: Severity::Medium,
    why: "When it is away, mail to the domain waits and then bounces, and its SPF, DKIM and DMARC are gone with it.",
    proof: "The NS records and the addresses of the name servers.",
    fix: "Add a name server in another network.",
    references: &["RFC 2182 3.1", "RFC 1034 4.1"],
    judge: dns_015,
};

fn dns_015(server: &Server<'_>) -> Judged {
    each_domain(server, "every mail domain has name servers in several networks", |dns, domain| {
        let servers = servers(dns, domain)?;
        if servers.len() == 1 {
            let seen = servers.join(", ");
            return Ok(Some(alone(domain, format!("{domain} has one name server"), &seen)));
        }
        let mut found = Vec::new();
        for server in servers {
            found.extend(dns.addresses_of(server)?);
        }
        let networks: BTreeSet<IpAddr> = found.iter().map(|address| network(*address)).collect();
        if networks.len() != 1 {
            return Ok(None);
        }
        let seen: Vec<String> = found.iter().map(ToString::to_string).collect();
        Ok(Some(alone(domain, format!("all name servers of {domain} are in one network"), &seen.join(", "))))
    })
}

fn servers<'a>(dns: &'a Dns, domain: &str) -> Result<&'a [String], Untold> {
    let servers = dns.records("NS", domain)?;
    if servers.is_empty() {
        return not_applicable(format!("{domain} is no zone of its own"));
    }
    Ok(servers)
}

fn alone(domain: &str, summary: String, seen: &str) -> Finding {
    Finding::new(Severity::Medium, domain, summary).seen(format!("dig NS {domain}"), seen).remedy(
        Remedy::new("Add a secondary name server somewhere else; many DNS hosts offer one.")
            .add("DNS", &[&format!("{domain}. IN NS <second name server>.")])
            .prove(format!("dig +short NS {domain}")),
    )
}

/// The network that an address is in: /24, or /48.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            IpAddr::from([a, b, c, 0])
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            IpAddr::from([a, b, c, 0, 0, 0, 0, 0])
        }
    }
}

pub(super) static DNS_016: Check = Check {
    id: "DNS-016",
    title: "Name servers disagree, or one does not know the domain",
    severity: Severity::Medium,
    why: "Which MX and SPF a sender sees is then chance, and so is what happens to the mail.",
    proof: "SOA, MX and SPF asked of each name server itself.",
    fix: "Repair the transfer to the secondary, or take the server out of NS.",
    references: &["RFC 1912 2.8", "RFC 1996"],
    judge: dns_016,
};

/// What a name server itself says.
struct Told<'a> {
    server: &'a str,
    address: IpAddr,
    serial: String,
    content: Vec<String>,
    lame: Option<String>,
}

fn dns_016(server: &Server<'_>) -> Judged {
    each_domain(server, "all name servers say the same", |dns, domain| {
        let mut told = Vec::new();
        for name in servers(dns, domain)? {
            for record in dns.records("A", name)?.iter().take(1) {
                let Ok(address) = record.parse::<IpAddr>() else { continue };
                if address::special(address).is_none()
                    || dns.answers.contains_key(&format!("SOA {domain} @{address}"))
                {
                    told.push(ask(dns, domain, name, address)?);
                }
            }
        }
        let sound: Vec<&Told<'_>> = told.iter().filter(|told| told.lame.is_none()).collect();
        let Some(first) = sound.first() else {
            return untold(format!(
                "no name server of {domain} answered itself; is port 53 open to the outside?"
            ));
        };
        let agree = sound.iter().all(|told| told.content == first.content);
        if agree && sound.len() == told.len() {
            return Ok(None);
        }
        let what = if agree { "does not know the domain or does not answer" } else { "do not say the same" };
        Ok(Some(
            Finding::new(Severity::Medium, domain, format!("name servers of {domain}: {what}"))
                .all_seen(told.iter().map(Told::evidence))
                .remedy(Remedy::new("Compare the serials and look at the secondary's log; take a server that is gone out of NS.")
                    .prove(format!("dig +nssearch {domain}"))),
        ))
    })
}

impl Told<'_> {
    fn evidence(&self) -> Evidence {
        let said = self
            .lame
            .clone()
            .unwrap_or_else(|| format!("serial {}; {}", self.serial, self.content.join("; ")));
        Evidence { place: format!("{} ({})", self.server, self.address), seen: said }
    }
}

fn ask<'a>(dns: &Dns, domain: &str, server: &'a str, address: IpAddr) -> Result<Told<'a>, Untold> {
    let direct = |kind: &str| dns.answers.get(&format!("{kind} {domain} @{address}"));
    let mut told = Told { server, address, serial: String::new(), content: Vec::new(), lame: None };
    match direct("SOA") {
        None | Some(Known::Unasked) => return untold(format!("{server} was not asked itself")),
        Some(Known::Is(answer)) if answer.records.is_empty() => {
            told.lame = Some(format!("{}, no SOA", answer.code));
        }
        Some(Known::Is(answer)) => {
            let soa = answer.records.first().map(String::as_str).unwrap_or_default();
            soa.split(' ').nth(2).unwrap_or_default().clone_into(&mut told.serial);
        }
        Some(Known::Unread(why)) => told.lame = Some(why.clone()),
        Some(Known::Absent) => told.lame = Some("no answer".to_owned()),
    }
    for kind in ["MX", "TXT"] {
        let records =
            direct(kind).and_then(Known::known).map(|answer| answer.records.clone()).unwrap_or_default();
        let matters = |text: &String| kind == "MX" || spf::is_meant(text);
        let mut records: Vec<String> = records.into_iter().filter(matters).collect();
        records.sort();
        told.content.extend(records);
    }
    Ok(told)
}
