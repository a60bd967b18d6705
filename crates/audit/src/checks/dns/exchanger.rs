//! Mail exchangers.

use std::net::IpAddr;

use super::{each, each_domain, each_exchanger, exchangers, publish, untold};
use crate::check::not_applicable;
use crate::facts::Dns;
use crate::records::address::{documentation, special};
use crate::records::{is_host_name, is_within};
use crate::{Check, Finding, Judged, Remedy, Server, Severity, Untold};

pub(super) static DNS_001: Check = Check {
    id: "DNS-001",
    title: "A mail domain has no MX record",
    severity: Severity::Medium,
    why: "Senders then try the domain's own address, which is often a web server; some refuse to send at all.",
    proof: "The MX records of every mail domain.",
    fix: "Publish an MX record that names the mail server.",
    references: &["RFC 5321 5.1"],
    judge: dns_001,
};

fn dns_001(server: &Server<'_>) -> Judged {
    let host = server.facts.dns.hosts.first().map_or("mail.example.org", String::as_str);
    each_domain(server, "every mail domain has MX records", |dns, domain| {
        if !dns.records("MX", domain)?.is_empty() {
            return Ok(None);
        }
        let code = &dns.answer("MX", domain)?.code;
        Ok(Some(
            Finding::new(Severity::Medium, domain, format!("{domain} has no MX record"))
                .seen(format!("dig MX {domain}"), format!("{code}, no record"))
                .remedy(publish(
                    "Name the server that takes the domain's mail.",
                    &format!("{domain}. IN MX 10 {host}."),
                )),
        ))
    })
}

pub(super) static DNS_002: Check = Check {
    id: "DNS-002",
    title: "An MX record names an alias",
    severity: Severity::Medium,
    why: "An exchanger has to be a name with addresses; servers that follow the standard refuse an alias or look it up wrongly.",
    proof: "Each exchanger's address records: an alias on the way shows in the answer.",
    fix: "Name the alias's target in the MX record, or give the name addresses of its own.",
    references: &["RFC 2181 10.3", "RFC 5321 5.1"],
    judge: dns_002,
};

fn dns_002(server: &Server<'_>) -> Judged {
    each_exchanger(server, "no exchanger is an alias", |dns, host| {
        dns.records("A", host)?;
        let Some(target) = dns.answer("A", host)?.aliases.first() else { return Ok(None) };
        Ok(Some(
            Finding::new(Severity::Medium, host, format!("MX names {host}, which is an alias of {target}"))
                .seen(format!("dig A {host}"), format!("CNAME {target}"))
                .remedy(
                    Remedy::new(format!(
                        "Let MX name {target}, or give {host} A and AAAA records of its own."
                    ))
                    .prove(format!("dig +short CNAME {host}")),
                ),
        ))
    })
}

pub(super) static DNS_003: Check = Check {
    id: "DNS-003",
    title: "An exchanger has no address",
    severity: Severity::High,
    why: "Mail to the domain cannot be delivered there; where it is the only exchanger, all mail is lost.",
    proof: "A and AAAA records of every exchanger.",
    fix: "Give the name an address, or take the MX record away.",
    references: &["RFC 5321 5.1"],
    judge: dns_003,
};

fn dns_003(server: &Server<'_>) -> Judged {
    let own = &server.facts.dns.domains;
    each_exchanger(server, "every exchanger has an address", |dns, host| {
        // A foreign name that does not exist can be taken over, which is worse: DNS-021. What is no name is DNS-005.
        let foreign = !own.iter().any(|domain| is_within(host, domain));
        if !is_host_name(host) || foreign && dns.answer("A", host)?.no_such_name() {
            return Ok(None);
        }
        if !dns.addresses_of(host)?.is_empty() {
            return Ok(None);
        }
        Ok(Some(
            Finding::new(Severity::High, host, format!("{host} is an exchanger and has no address"))
                .seen(format!("dig A {host}; dig AAAA {host}"), "no record")
                .remedy(publish(
                    "Give it an address, or take it out of MX.",
                    &format!("{host}. IN A <address>"),
                )),
        ))
    })
}

pub(super) static DNS_004: Check = Check {
    id: "DNS-004",
    title: "An exchanger's address cannot be reached from the Internet",
    severity: Severity::High,
    why: "Private, loopback and example addresses lead nowhere from outside, so senders wait and then bounce.",
    proof: "The addresses of every exchanger against the registry of special networks.",
    fix: "Publish the public address.",
    references: &["RFC 1918", "RFC 6890", "RFC 5737"],
    judge: dns_004,
};

fn dns_004(server: &Server<'_>) -> Judged {
    each_exchanger(server, "every exchanger's addresses are public", |dns, host| {
        let unreachable: Vec<_> = dns.addresses_of(host)?.into_iter().filter_map(unreachable).collect();
        let Some((address, what)) = unreachable.first() else { return Ok(None) };
        Ok(Some(
            Finding::new(
                Severity::High,
                host,
                format!("the exchanger {host} is at {address}, which is {what}"),
            )
            .all_seen(unreachable.iter().map(|(address, what)| crate::Evidence {
                place: format!("dig {host}"),
                seen: format!("{address} ({what})"),
            }))
            .remedy(publish(
                "Publish the address under which the Internet reaches it.",
                &format!("{host}. IN A <public address>"),
            )),
        ))
    })
}

fn unreachable(address: IpAddr) -> Option<(IpAddr, &'static str)> {
    let what = special(address).or_else(|| documentation(address).then_some("for examples"))?;
    Some((address, what))
}

pub(super) static DNS_005: Check = Check {
    id: "DNS-005",
    title: "An MX record names an address or what is no host name",
    severity: Severity::High,
    why: "An exchanger has to be a host's name; senders cannot look up anything else.",
    proof: "The names in the MX records of every mail domain.",
    fix: "Let MX name a host that has the address.",
    references: &["RFC 5321 5.1", "RFC 1123 2.1"],
    judge: dns_005,
};

fn dns_005(server: &Server<'_>) -> Judged {
    each_domain(server, "every MX record names a host", |dns, domain| {
        let all = some_exchangers(dns, domain)?;
        let Some((preference, host)) = all.iter().find(|(_, host)| host != "." && !is_host_name(host)) else {
            return Ok(None);
        };
        Ok(Some(
            Finding::new(
                Severity::High,
                domain,
                format!("MX of {domain} names `{host}`, which is no host name"),
            )
            .seen(format!("dig MX {domain}"), format!("{preference} {host}"))
            .remedy(publish("Let MX name a host.", &format!("{domain}. IN MX {preference} <host name>."))),
        ))
    })
}

fn some_exchangers(dns: &Dns, domain: &str) -> Result<Vec<(u16, String)>, Untold> {
    let all = dns.exchangers(domain)?;
    if all.is_empty() { not_applicable(format!("{domain} has no MX record")) } else { Ok(all) }
}

pub(super) static DNS_006: Check = Check {
    id: "DNS-006",
    title: "A domain that takes mail says that it takes none",
    severity: Severity::Medium,
    why: "A null MX tells senders to give up at once; beside other MX records it is undefined which they believe.",
    proof: "A `.` among the MX records of a domain that this server takes mail for.",
    fix: "Remove the null MX, or stop serving the domain.",
    references: &["RFC 7505 3"],
    judge: dns_006,
};

fn dns_006(server: &Server<'_>) -> Judged {
    each_domain(server, "no served domain has a null MX", |dns, domain| {
        let all = some_exchangers(dns, domain)?;
        if !all.iter().any(|(_, host)| host == ".") {
            return Ok(None);
        }
        let seen: Vec<_> = all.iter().map(|(preference, host)| format!("{preference} {host}")).collect();
        let mixed = all.iter().any(|(_, host)| host != ".");
        let has_accounts = server.facts.accounts.known().is_some_and(|accounts| {
            accounts.iter().any(|account| account.name.rsplit_once('@').is_some_and(|(_, of)| of == domain))
        });
        if !mixed && !has_accounts {
            return Ok(None);
        }
        let summary = if mixed { "has a null MX beside others" } else { "has accounts here and a null MX" };
        Ok(Some(
            Finding::new(Severity::Medium, domain, format!("{domain} {summary}"))
                .seen(format!("dig MX {domain}"), seen.join("; "))
                .remedy(
                    Remedy::new("Remove the null MX, or the accounts.")
                        .edit("DNS", &[&format!("{domain}. IN MX 0 .")], &[])
                        .prove(format!("dig +short MX {domain}")),
                ),
        ))
    })
}

pub(super) static DNS_024: Check = Check {
    id: "DNS-024",
    title: "Another exchanger is weaker than this server",
    severity: Severity::Medium,
    why: "Senders of spam, and whoever listens, choose the weakest exchanger on purpose.",
    proof: "The same look at TLS on port 25 of every exchanger.",
    fix: "Give every exchanger the same TLS, filters and recipients, or drop the one that differs.",
    references: &["M3AAWG Sender Best Common Practices"],
    judge: dns_024,
};

fn dns_024(server: &Server<'_>) -> Judged {
    let hosts = exchangers(server)?;
    if hosts.len() < 2 {
        return not_applicable("there is one exchanger only");
    }
    let offers = |host: &str| {
        let port =
            server.facts.tls.iter().find(|port| port.port == 25 && port.host.eq_ignore_ascii_case(host));
        port.and_then(|port| port.offered.known().copied())
    };
    let best = hosts.iter().any(|host| offers(host) == Some(true));
    each(&hosts, "every exchanger offers TLS", |host| match offers(host) {
        None => untold(format!("port 25 of {host} was not looked at")),
        Some(false) if best => Ok(Some(
            Finding::new(Severity::Medium, host, format!("{host} offers no TLS, other exchangers do"))
                .seen(format!("port 25 of {host}"), "no STARTTLS")
                .remedy(
                    Remedy::new("Give it a certificate and STARTTLS, or take it out of MX.")
                        .prove(format!("openssl s_client -starttls smtp -connect {host}:25")),
                ),
        )),
        Some(_) => Ok(None),
    })
}
