//! What the network can reach.

use std::collections::BTreeMap;

use crate::check::{not_applicable, pass};
use crate::checks::avs::verdict::HELPERS;
use crate::checks::dms::container::INTERNAL;
use crate::facts::Deployment;
use crate::firewall::{Firewall, IptablesRule, Reach, TABLE, iptables_rules};
use crate::{Check, Evidence, Facts, Finding, Judged, Outcome, Remedy, Server, Severity};

pub(crate) static BAN_011: Check = Check {
    id: "BAN-011",
    title: "Internal ports can be reached from outside",
    severity: Severity::High,
    why: "Re-injection ports take mail without a filter and without a login, filter and database ports give away or change what they \
          hold; they trust whoever can connect.",
    proof: "Sockets that listen beyond loopback on ports of filters, LMTP and databases, and whether the loaded firewall lets a \
            stranger's connection through to them.",
    fix: "Bind the program to 127.0.0.1, and drop what is not meant for the world.",
    references: &["CIS Controls v8 4.4"],
    judge: ban_011,
};

fn ban_011(server: &Server<'_>) -> Judged {
    let facts = server.facts;
    if facts.about.deployment == Deployment::DockerMailserver {
        return not_applicable("what a container shows is what it publishes: see DMS-010");
    }
    let listeners = facts.host.listeners.get()?;
    let open = listeners.iter().filter(|listener| listener.protocol == "tcp" && is_wide(&listener.address));
    let mut found: BTreeMap<u16, (&str, Vec<&crate::facts::Listener>)> = BTreeMap::new();
    for listener in open {
        // The filter's helpers are told by the check of content filtering.
        let helper = HELPERS.iter().any(|(port, _)| *port == listener.port);
        if let Some((port, what)) = INTERNAL.iter().find(|(port, _)| *port == listener.port && !helper) {
            found.entry(*port).or_insert((what, Vec::new())).1.push(listener);
        }
    }
    if found.is_empty() {
        return pass("no internal port listens beyond loopback");
    }
    let firewall = Firewall::read(facts, "nft -j list ruleset")?;
    let findings: Vec<Finding> = found
        .into_iter()
        .filter(|(port, _)| firewall.reach(*port) == Reach::Open)
        .map(|(port, (what, listeners))| exposed(port, what, &listeners))
        .collect();
    Ok(Outcome::of(findings, "the loaded firewall keeps strangers from internal ports"))
}

fn is_wide(address: &str) -> bool {
    let loopback = address.starts_with("127.") || address == "::1" || address.starts_with("::ffff:127.");
    !loopback && !address.starts_with('/')
}

fn exposed(port: u16, what: &str, listeners: &[&crate::facts::Listener]) -> Finding {
    let program = listeners
        .iter()
        .find(|listener| !listener.program.is_empty())
        .map_or("", |listener| &listener.program);
    let name = if program.is_empty() { String::new() } else { format!(" ({program})") };
    Finding::new(
        Severity::High,
        format!("port {port}"),
        format!("Port {port}, {what}{name}, can be reached from outside"),
    )
    .cause(format!("port {port}"))
    .all_seen(listeners.iter().map(|listener| Evidence {
        place: format!("{}:{}", listener.address, listener.port),
        seen: format!("listens{name}"),
    }))
    .seen("nft -j list ruleset", format!("a stranger's connection to port {port} is accepted"))
    .remedy(
        Remedy::new("Bind the program to 127.0.0.1; where it must listen, drop strangers.")
            .add("/etc/nftables.conf", &[&format!("iifname != \"lo\" tcp dport {port} drop")])
            .apply("nft -c -f /etc/nftables.conf && systemctl reload nftables")
            .prove(format!("ss -tln sport = :{port}")),
    )
}

pub(crate) static BAN_012: Check = Check {
    id: "BAN-012",
    title: "Published container ports pass by the host's firewall",
    severity: Severity::High,
    why: "Docker forwards published ports before the rules of ufw or firewalld are asked: a port that they deny is open to the \
          world, and an address that they block still gets through.",
    proof: "The host's rules: Docker's destination translation for ports that ufw does not allow.",
    fix: "Publish on 127.0.0.1, or filter in DOCKER-USER or in prerouting.",
    references: &["https://docs.docker.com/engine/network/packet-filtering-firewalls/#docker-and-ufw"],
    judge: ban_012,
};

fn ban_012(server: &Server<'_>) -> Judged {
    let facts = server.facts;
    let on_host = facts.about.deployment == Deployment::Plain;
    let text = facts
        .output("host iptables-save")
        .or_else(|why| if on_host { facts.output("iptables-save") } else { Err(why) })?;
    let rules = iptables_rules(text);
    if !rules.iter().any(|rule| rule.chain.starts_with("ufw")) {
        return not_applicable("the host has no ufw");
    }
    let published: Vec<&IptablesRule> =
        rules.iter().filter(|rule| rule.table == "nat" && rule.target == "DNAT").collect();
    let filtered = rules.iter().any(|rule| {
        let refuses = matches!(rule.target.as_str(), "DROP" | "REJECT") || rule.target.starts_with("ufw");
        rule.chain == "DOCKER-USER" && refuses
    });
    let filtered = filtered || has_our_filter(facts);
    let allowed = |port: u16| {
        rules.iter().any(|rule| {
            rule.chain.starts_with("ufw")
                && rule.chain.contains("user")
                && rule.target == "ACCEPT"
                && rule.ports.contains(&port)
        })
    };
    let past: Vec<&&IptablesRule> = published
        .iter()
        .filter(|rule| !rule.text.contains("-d 127.") && rule.ports.iter().any(|port| !allowed(*port)))
        .collect();
    if past.is_empty() || filtered {
        return pass("ufw allows every port that Docker publishes, or DOCKER-USER filters");
    }
    let ports: Vec<String> = past.iter().flat_map(|rule| &rule.ports).map(u16::to_string).collect();
    let summary = format!("Docker publishes ports that ufw does not allow: {}", ports.join(", "));
    let seen =
        past.iter().map(|rule| Evidence { place: "iptables-save, nat".to_owned(), seen: rule.text.clone() });
    let remedy =
        Remedy::new("Publish on 127.0.0.1 what the world need not reach; filter the rest in DOCKER-USER.")
            .add("compose.yaml", &["    ports:", "      - \"127.0.0.1:HOST:CONTAINER\""])
            .apply("docker compose up -d")
            .prove("iptables -t nat -S DOCKER");
    Ok(Finding::new(Severity::High, "", summary).cause("Docker's DNAT").all_seen(seen).remedy(remedy).into())
}

/// Whether the packet filter of `mailward firewall` sees what is sent on to containers.
fn has_our_filter(facts: &Facts) -> bool {
    let table = format!("inet {TABLE}");
    ["host nft -j list ruleset", "nft -j list ruleset"].into_iter().any(|command| {
        let chains = Firewall::read(facts, command).map(|firewall| firewall.chains).unwrap_or_default();
        chains.iter().any(|chain| chain.table == table && chain.hook == "forward")
    })
}

pub(crate) static BAN_013: Check = Check {
    id: "BAN-013",
    title: "A rate limit holds back all clients together, or nobody",
    severity: Severity::Medium,
    why: "Without a key per source one attacker uses up the rate and everybody else waits; without a rule that drops what is over \
          the rate, the limit does nothing.",
    proof: "Rules of the firewall for mail ports that limit without a source, and whether a rule after them drops.",
    fix: "Limit per source: an nftables meter or set keyed by address, or hashlimit.",
    references: &["nft(8) meters", "iptables-extensions(8) hashlimit"],
    judge: ban_013,
};

const MAIL_PORTS: &[u16] = &[25, 465, 587, 143, 993, 110, 995, 4190];

fn ban_013(server: &Server<'_>) -> Judged {
    let facts = server.facts;
    let mut seen = by_iptables(facts);
    let nft = Firewall::read(facts, "nft -j list ruleset");
    if let Ok(firewall) = &nft {
        // The rules of iptables-nft are in both.
        if seen.is_empty() {
            seen = by_nft(firewall);
        }
    } else if seen.is_empty() && facts.output("iptables-save").is_err() {
        nft?;
    }
    if seen.is_empty() {
        return pass("no rule limits mail for all sources together");
    }
    let summary = "A rate limit on mail ports holds back all clients together".to_owned();
    let line = "tcp dport 25 ct state new add @smtp_rate { ip saddr limit rate over 30/minute } drop";
    let remedy = Remedy::new("Limit each source by itself, and drop what is over its rate.")
        .add(
            "/etc/nftables.conf",
            &["set smtp_rate { type ipv4_addr; flags dynamic,timeout; timeout 2m; }", line],
        )
        .apply("nft -c -f /etc/nftables.conf && systemctl reload nftables")
        .prove("nft list ruleset");
    Ok(Finding::new(Severity::Medium, "", summary)
        .cause("limit without a source")
        .all_seen(seen)
        .remedy(remedy)
        .into())
}

fn by_iptables(facts: &Facts) -> Vec<Evidence> {
    let rules = iptables_rules(facts.output("iptables-save").unwrap_or_default());
    let mail = |rule: &&IptablesRule| {
        rule.table == "filter" && rule.ports.iter().any(|port| MAIL_PORTS.contains(port))
    };
    let limited = rules.iter().filter(mail).filter(|rule| rule.limits_together() && rule.target == "ACCEPT");
    limited
        .map(|rule| {
            let drops = rules.iter().filter(|other| other.chain == rule.chain && other.ports == rule.ports);
            let drops = drops.into_iter().any(|other| matches!(other.target.as_str(), "DROP" | "REJECT"));
            let what = if drops {
                "one bucket for all clients"
            } else {
                "one bucket for all clients, and no rule drops what is over it"
            };
            Evidence { place: "iptables-save".to_owned(), seen: format!("{}: {what}", rule.text) }
        })
        .collect()
}

fn by_nft(firewall: &Firewall) -> Vec<Evidence> {
    firewall
        .rules
        .iter()
        .filter(|rule| {
            let has = |key: &str| rule.statements.iter().any(|statement| statement.get(key).is_some());
            // A limit of what is logged holds nobody back.
            has("limit") && (has("accept") || has("drop")) && !has("log")
        })
        .filter_map(|rule| {
            let ports =
                rule.statements.iter().filter(|statement| statement.to_string().contains("\"dport\""));
            let text = ports.map(ToString::to_string).collect::<String>();
            let port = MAIL_PORTS.iter().find(|port| has_number(&text, **port))?;
            Some(Evidence {
                place: format!("nft, table {}, chain {}", rule.table, rule.chain),
                seen: format!("port {port}: limit without a key per source"),
            })
        })
        .collect()
}

fn has_number(text: &str, number: u16) -> bool {
    text.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.parse() == Ok(number))
}
