//! The resolver that the server uses.

use std::net::IpAddr;

use super::{addresses, domains, untold};
use crate::check::{not_applicable, pass};
use crate::facts::Known;
use crate::records::address::pointer;
use crate::{Check, Evidence, Finding, Judged, Remedy, Server, Severity, Untold};

pub(super) static DNS_022: Check = Check {
    id: "DNS-022",
    title: "The server asks a public resolver, or one that does not validate",
    severity: Severity::Medium,
    why: "Block lists refuse questions from public resolvers, and DANE needs one that validates and is reached over a safe way.",
    proof: "`nameserver` of resolv.conf, Postfix's copy of it, and whether the resolver vouches for the signed root.",
    fix: "Run a validating resolver on the server (unbound) and name 127.0.0.1.",
    references: &["RFC 7672 2.1.1", "RFC 6698 A.3"],
    judge: dns_022,
};

/// Resolvers that serve everybody.
const PUBLIC: &[&str] = &[
    "8.8.8.8",
    "8.8.4.4",
    "1.1.1.1",
    "1.0.0.1",
    "9.9.9.9",
    "9.9.9.10",
    "149.112.112.112",
    "208.67.222.222",
    "208.67.220.220",
    "94.140.14.14",
    "94.140.15.15",
    "64.6.64.6",
    "77.88.8.8",
    "185.228.168.9",
    "76.76.2.0",
    "2001:4860:4860::8888",
    "2001:4860:4860::8844",
    "2606:4700:4700::1111",
    "2606:4700:4700::1001",
    "2620:fe::fe",
    "2620:fe::9",
];

const CONF: &str = "/etc/resolv.conf";
const COPY: &str = "/var/spool/postfix/etc/resolv.conf";

fn dns_022(server: &Server<'_>) -> Judged {
    let facts = server.facts;
    let Some(conf) = facts.text(CONF)? else { return not_applicable("there is no /etc/resolv.conf") };
    let copy = facts.text(COPY).ok().flatten().unwrap_or_default();
    let files = [(CONF, conf), (COPY, copy)];
    let named: Vec<(&str, IpAddr)> = files
        .iter()
        .flat_map(|(path, text)| nameservers(text).map(move |address| (*path, address)))
        .collect();
    let public = named.iter().filter(|(_, address)| is_public(*address));
    let mut seen: Vec<Evidence> = public
        .map(|(path, address)| Evidence {
            place: (*path).to_owned(),
            seen: format!("nameserver {address}, public"),
        })
        .collect();
    let asked = facts.dns.resolver.known().and_then(|address| address.parse::<std::net::SocketAddr>().ok());
    let own = asked.filter(|asked| named.iter().any(|(_, address)| *address == asked.ip()));
    if let (Some(asked), Known::Is(false)) = (own, &facts.dns.validating) {
        seen.push(Evidence {
            place: format!("dig +adflag @{} . NS", asked.ip()),
            seen: "AD is not set: it does not validate".to_owned(),
        });
    }
    if seen.is_empty() {
        let all: Vec<String> = named.iter().map(|(_, address)| address.to_string()).collect();
        return pass(format!("the server asks {}", all.join(", ")));
    }
    Ok(Finding::new(Severity::Medium, "", "the server asks a resolver that is public or does not validate")
        .cause(CONF)
        .all_seen(seen)
        .remedy(
            Remedy::new("Run a validating resolver on the server itself.")
                .add(CONF, &["nameserver 127.0.0.1", "options trust-ad"])
                .apply("apt-get install unbound && systemctl enable --now unbound && postfix reload")
                .prove("dig +adflag . NS | grep flags"),
        )
        .into())
}

fn nameservers(text: &str) -> impl Iterator<Item = IpAddr> {
    text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        (words.next()? == "nameserver").then(|| words.next()?.parse().ok()).flatten()
    })
}

fn is_public(address: IpAddr) -> bool {
    PUBLIC.iter().any(|known| known.parse() == Ok(address))
}

pub(super) static DNS_023: Check = Check {
    id: "DNS-023",
    title: "The server's resolver answers everybody",
    severity: Severity::High,
    why: "Attackers use open resolvers to multiply floods against others, and block lists refuse or list their address.",
    proof: "Listeners on port 53, and from outside a recursive question to each address.",
    fix: "Let the resolver listen on 127.0.0.1 only, or restrict who may ask.",
    references: &["RFC 5358"],
    judge: dns_023,
};

fn dns_023(server: &Server<'_>) -> Judged {
    let facts = server.facts;
    if facts.about.remote {
        return from_outside(server);
    }
    let listeners = facts.host.listeners.get()?;
    let open: Vec<_> = listeners
        .iter()
        .filter(|listener| {
            listener.port == 53 && listener.protocol != "unix" && !is_loopback(&listener.address)
        })
        .collect();
    if open.is_empty() {
        return pass("nothing listens on port 53 but for the machine itself");
    }
    let text = |path: &str| facts.text(path).ok().flatten().unwrap_or_default();
    let unbound: Vec<Evidence> = facts
        .below("/etc/unbound")
        .filter_map(|(path, file)| Some((path, file.text.known()?)))
        .flat_map(|(path, text)| text.lines().filter(|line| allows_all(line)).map(move |line| (path, line)))
        .map(|(path, line)| Evidence { place: path.to_owned(), seen: line.trim().to_owned() })
        .collect();
    let bind = text("/etc/bind/named.conf.options");
    let bind = bind.lines().filter(|line| line.contains("allow-recursion") && line.contains("any"));
    let evidence: Vec<Evidence> = unbound
        .into_iter()
        .chain(bind.map(|line| Evidence {
            place: "/etc/bind/named.conf.options".to_owned(),
            seen: line.trim().to_owned(),
        }))
        .collect();
    if evidence.is_empty() {
        let seen: Vec<String> =
            open.iter().map(|listener| format!("{} on {}", listener.program, listener.address)).collect();
        return untold(format!(
            "port 53 is open ({}); whether it answers strangers shows only from outside",
            seen.join(", ")
        ));
    }
    Ok(Finding::new(Severity::High, "", "the server's resolver answers everybody")
        .all_seen(evidence)
        .all_seen(open.iter().map(|listener| Evidence {
            place: format!("port 53 ({})", listener.program),
            seen: format!("listens on {}", listener.address),
        }))
        .remedy(closed())
        .into())
}

fn closed() -> Remedy {
    Remedy::new("Let it listen for the machine itself only.")
        .edit(
            "/etc/unbound/unbound.conf.d/mail.conf",
            &["access-control: 0.0.0.0/0 allow"],
            &["interface: 127.0.0.1"],
        )
        .apply("systemctl restart unbound")
        .prove("ss -lnup 'sport = :53'")
}

fn is_loopback(address: &str) -> bool {
    let address = address.split('%').next().unwrap_or(address).trim_matches(['[', ']']);
    address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn allows_all(line: &str) -> bool {
    let line = line.trim();
    line.strip_prefix("access-control:").is_some_and(|rest| {
        let mut words = rest.split_whitespace();
        matches!(words.next(), Some("0.0.0.0/0" | "::/0"))
            && words.next().is_some_and(|word| word.starts_with("allow"))
    })
}

fn from_outside(server: &Server<'_>) -> Judged {
    let dns = &server.facts.dns;
    super::each(addresses(server)?, "no address answers recursive questions", |address| {
        let question = format!("NS . @{address}");
        match dns.answers.get(&question) {
            Some(Known::Is(answer)) if answer.code == "NOERROR" && !answer.records.is_empty() => Ok(Some(
                Finding::new(
                    Severity::High,
                    address.to_string(),
                    format!("{address} answers questions of strangers"),
                )
                .seen(format!("dig @{address} . NS"), answer.records.join(", "))
                .remedy(closed()),
            )),
            Some(Known::Is(_) | Known::Unread(_)) => Ok(None),
            _ => untold(format!("{address} was not asked")),
        }
    })
}

pub(super) static DNS_026: Check = Check {
    id: "DNS-026",
    title: "The resolver takes over a second",
    severity: Severity::Medium,
    why: "Every connection waits for several answers, so mail is slow, and checks that time out let through or refuse at random.",
    proof: "How long the answers about the server's own MX and PTR took.",
    fix: "Run a resolver on the server, and take dead ones out of resolv.conf.",
    references: &["resolv.conf(5)"],
    judge: dns_026,
};

/// Milliseconds.
const SLOW: u32 = 1000;

fn dns_026(server: &Server<'_>) -> Judged {
    let slow = slow(server)?;
    if slow.is_empty() {
        return pass("the resolver answers within a second");
    }
    Ok(Finding::new(Severity::Medium, "", "the resolver takes over a second")
        .cause(CONF)
        .all_seen(slow)
        .remedy(
            Remedy::new("Run a resolver on the server and name it first.")
                .add(CONF, &["nameserver 127.0.0.1"])
                .apply("apt-get install unbound && systemctl enable --now unbound")
                .prove("time dig +short MX example.org"),
        )
        .into())
}

/// Answers about the server's own names that took over a second, if that is half of them or more.
pub(crate) fn slow(server: &Server<'_>) -> Result<Vec<Evidence>, Untold> {
    let dns = &server.facts.dns;
    let mut questions: Vec<(&str, String)> = Vec::new();
    questions.extend(domains(server)?.iter().take(3).map(|domain| ("MX", domain.clone())));
    questions
        .extend(addresses(server).unwrap_or_default().into_iter().map(|address| ("PTR", pointer(address))));
    let mut slow = Vec::new();
    for (kind, name) in &questions {
        let answer = dns.answer(kind, name)?;
        if answer.millis > SLOW {
            slow.push(Evidence {
                place: format!("dig {kind} {name}"),
                seen: format!("{} ms", answer.millis),
            });
        }
    }
    Ok(if slow.len() * 2 < questions.len() { Vec::new() } else { slow })
}
