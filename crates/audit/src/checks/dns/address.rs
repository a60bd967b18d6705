//! The server's own addresses and names.

use std::net::IpAddr;

use super::{addresses, each, exchangers, helo, publish};
use crate::check::pass;
use crate::facts::Dns;
use crate::records::address::{pointer, special};
use crate::{Check, Evidence, Finding, Judged, Outcome, Remedy, Server, Severity, Untold};

pub(super) static DNS_007: Check = Check {
    id: "DNS-007",
    title: "A sending address has no name",
    severity: Severity::High,
    why: "Large providers refuse mail from an address without a PTR record.",
    proof: "The PTR record of every public address, of both families.",
    fix: "Have the provider of the address set its name to the server's.",
    references: &["RFC 1912 2.1", "M3AAWG Sender Best Common Practices"],
    judge: dns_007,
};

fn dns_007(server: &Server<'_>) -> Judged {
    let dns = &server.facts.dns;
    each(addresses(server)?, "every address has a name", |address| {
        if !dns.records("PTR", &pointer(address))?.is_empty() {
            return Ok(None);
        }
        Ok(Some(
            Finding::new(Severity::High, address.to_string(), format!("{address} has no PTR record"))
                .seen(format!("dig -x {address}"), "no record")
                .remedy(named(address, &helo(server).unwrap_or_else(|_| "mail.example.org".to_owned()))),
        ))
    })
}

fn named(address: IpAddr, name: &str) -> Remedy {
    Remedy::new("Set it in the provider's console: the zone belongs to who owns the address.")
        .add("DNS", &[&format!("{}. IN PTR {name}.", pointer(address))])
        .prove(format!("dig +short -x {address}"))
}

pub(super) static DNS_008: Check = Check {
    id: "DNS-008",
    title: "An address's name does not lead back to it",
    severity: Severity::High,
    why: "A name that does not resolve to the address proves nothing, so receivers count it as none (forward-confirmed reverse DNS).",
    proof: "The address records of the names that the PTR record gives.",
    fix: "Give the PTR's name an address record with this address, or change the PTR.",
    references: &["RFC 1912 2.1", "RFC 8601 2.7.3"],
    judge: dns_008,
};

fn dns_008(server: &Server<'_>) -> Judged {
    let dns = &server.facts.dns;
    each(addresses(server)?, "every address's name leads back to it", |address| {
        let names = dns.records("PTR", &pointer(address))?;
        if names.is_empty() {
            return crate::check::not_applicable(format!("{address} has no name"));
        }
        let mut found = Vec::new();
        for name in names.iter().take(5) {
            let led = forward(dns, name, address)?;
            if unreachable_exchanger(server, name) {
                return crate::check::not_applicable(format!(
                    "the exchanger {name} has no address that can be reached"
                ));
            }
            if led.contains(&address) {
                return Ok(None);
            }
            found.push((name, led));
        }
        let seen = found.iter().map(|(name, led)| Evidence {
            place: format!("dig {name}"),
            seen: if led.is_empty() { "no address".to_owned() } else { format!("{led:?}") },
        });
        let name = names.first().map_or("", String::as_str);
        Ok(Some(
            Finding::new(
                Severity::High,
                address.to_string(),
                format!("{address} is named {name}, which does not lead back"),
            )
            .seen(format!("dig -x {address}"), names.join(", "))
            .all_seen(seen)
            .remedy(publish(
                "Let the name lead back to the address.",
                &format!("{name}. IN {} {address}", kind(address)),
            )),
        ))
    })
}

/// An exchanger without an address, or with one that nobody can reach, is DNS-003 or DNS-004.
fn unreachable_exchanger(server: &Server<'_>, name: &str) -> bool {
    let is_exchanger =
        exchangers(server).is_ok_and(|hosts| hosts.iter().any(|host| host.eq_ignore_ascii_case(name)));
    let led = server.facts.dns.addresses_of(name);
    is_exchanger && led.is_ok_and(|led| led.iter().all(|address| special(*address).is_some()))
}

const fn kind(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "A" } else { "AAAA" }
}

fn forward(dns: &Dns, name: &str, address: IpAddr) -> Result<Vec<IpAddr>, Untold> {
    Ok(dns.records(kind(address), name)?.iter().filter_map(|record| record.parse().ok()).collect())
}

pub(super) static DNS_009: Check = Check {
    id: "DNS-009",
    title: "An address's name looks like one that a provider gives to everybody",
    severity: Severity::Medium,
    why: "Filters take names with the address inside, or with words like `dyn` and `pool`, for home connections.",
    proof: "The PTR record against the address's own digits and such words.",
    fix: "Have the provider set the server's own name.",
    references: &["M3AAWG Sender Best Common Practices"],
    judge: dns_009,
};

fn dns_009(server: &Server<'_>) -> Judged {
    let dns = &server.facts.dns;
    each(addresses(server)?, "the addresses' names are the server's own", |address| {
        let names = dns.records("PTR", &pointer(address))?;
        if names.is_empty() {
            return crate::check::not_applicable(format!("{address} has no name"));
        }
        let Some(name) = names.iter().find(|name| generic(name, address)) else { return Ok(None) };
        Ok(Some(
            Finding::new(
                Severity::Medium,
                address.to_string(),
                format!("{address} is named {name}, a provider's name"),
            )
            .seen(format!("dig -x {address}"), name)
            .remedy(named(address, &helo(server).unwrap_or_else(|_| "mail.example.org".to_owned()))),
        ))
    })
}

/// Words that stand for connections of homes, as whole parts of a label.
const WORDS: &[&str] =
    &["dyn", "dynamic", "dhcp", "pool", "dsl", "adsl", "vdsl", "ppp", "cable", "dialup", "dip"];

fn generic(name: &str, address: IpAddr) -> bool {
    let parts: Vec<&str> = name.split(['.', '-', '_']).collect();
    let inside = match address {
        IpAddr::V4(address) => {
            let octets: Vec<String> = address.octets().iter().map(ToString::to_string).collect();
            let backwards: Vec<String> = octets.iter().rev().cloned().collect();
            let plain: String = address.octets().iter().map(|octet| format!("{octet:02x}")).collect();
            let padded: String = address.octets().iter().map(|octet| format!("{octet:03}")).collect();
            let run = |octets: &[String]| {
                parts.windows(4).any(|window| window.iter().zip(octets).all(|(a, b)| a == b))
            };
            run(&octets) || run(&backwards) || name.contains(&plain) || name.contains(&padded)
        }
        IpAddr::V6(address) => {
            let hex: String = address.octets().iter().map(|octet| format!("{octet:02x}")).collect();
            let groups = address.to_string().replace(':', "-");
            name.contains(&hex) || name.contains(&groups)
        }
    };
    inside || parts.iter().any(|part| WORDS.contains(part))
}

pub(super) static DNS_010: Check = Check {
    id: "DNS-010",
    title: "The name in HELO does not lead to this server",
    severity: Severity::Medium,
    why: "Receivers look the name up; one that has no address, or another server's, costs points or is refused.",
    proof: "The address records of `smtp_helo_name` against the server's own addresses.",
    fix: "Give the name the server's address, or change `myhostname`.",
    references: &["RFC 5321 4.1.1.1", "RFC 5321 2.3.5"],
    judge: dns_010,
};

fn dns_010(server: &Server<'_>) -> Judged {
    let dns = &server.facts.dns;
    let name = helo(server)?;
    let led = dns.addresses_of(&name)?;
    let own = addresses(server).unwrap_or_default();
    let points_here =
        |address: &IpAddr| dns.records("PTR", &pointer(*address)).is_ok_and(|names| names.contains(&name));
    let astray = !led.iter().any(|address| own.contains(address));
    if unreachable_exchanger(server, &name) || astray && own.iter().any(points_here) {
        return crate::check::not_applicable(format!(
            "that {name} does not lead to the server is a finding of its exchanger or its PTR"
        ));
    }
    let finding = |what: String, seen: String| {
        let address = own.first().map_or_else(|| "<address>".to_owned(), ToString::to_string);
        let record = format!("{name}. IN {} {address}", own.first().map_or("A", |address| kind(*address)));
        Outcome::from(
            Finding::new(Severity::Medium, &*name, format!("the server says HELO {name}, which {what}"))
                .cause("smtp_helo_name")
                .seen(format!("dig {name}"), seen)
                .remedy(publish("Let the name lead to the server.", &record)),
        )
    };
    if led.is_empty() {
        return Ok(finding("has no address".to_owned(), "no address".to_owned()));
    }
    if !own.is_empty() && !led.iter().any(|address| own.contains(address)) {
        return Ok(finding(format!("leads elsewhere than to {own:?}"), format!("{led:?}")));
    }
    pass(format!("{name} leads to {led:?}"))
}

pub(super) static DNS_011: Check = Check {
    id: "DNS-011",
    title: "IPv6 is in use for sending and missing for receiving",
    severity: Severity::Low,
    why: "Half of an address family draws all its trouble: mail leaves by IPv6 and is judged there, while none can come in.",
    proof: "The server's public IPv6 addresses, `inet_protocols`, and AAAA records of the exchangers.",
    fix: "Publish AAAA for the exchangers, with a PTR and SPF, or set `inet_protocols = ipv4`.",
    references: &["RFC 6890", "RFC 7208"],
    judge: dns_011,
};

fn dns_011(server: &Server<'_>) -> Judged {
    let six: Vec<IpAddr> = addresses(server)?.into_iter().filter(IpAddr::is_ipv6).collect();
    let Some(own) = six.first() else { return pass("the server has no public IPv6 address") };
    if server.postfix().ok().and_then(|postfix| postfix.value("inet_protocols")).as_deref() == Some("ipv4") {
        return pass("inet_protocols = ipv4");
    }
    let dns = &server.facts.dns;
    let hosts = exchangers(server)?;
    let mut without = Vec::new();
    for host in &hosts {
        if dns.records("AAAA", host)?.is_empty() {
            without.push(host.as_str());
        }
    }
    if without.len() < hosts.len() {
        return pass("an exchanger has an IPv6 address");
    }
    Ok(Finding::new(
        Severity::Low,
        "",
        format!("the server sends from {own}, and no exchanger has an IPv6 address"),
    )
    .cause("inet_protocols")
    .all_seen(
        without
            .iter()
            .map(|host| Evidence { place: format!("dig AAAA {host}"), seen: "no record".to_owned() }),
    )
    .remedy(
        Remedy::new("Publish AAAA for the exchangers, or send by IPv4 only.")
            .add("main.cf", &["inet_protocols = ipv4"])
            .apply("postfix stop && postfix start")
            .prove("postconf -h inet_protocols"),
    )
    .into())
}
