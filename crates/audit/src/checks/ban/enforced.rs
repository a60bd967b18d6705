//! Whether bans reach the packets, and whom they reach.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::Value;

use crate::check::{could_not_tell, not_applicable, pass};
use crate::firewall::{Firewall, Set};
use crate::plan::Change;
use crate::{Check, Evidence, Facts, Finding, Judged, Outcome, Remedy, Server, Severity};

/// The addresses that fail2ban says it has banned.
pub(super) fn banned_now(facts: &Facts) -> BTreeSet<String> {
    let lists = facts.said.iter().filter(|(line, _)| {
        line.starts_with("fail2ban-client get ") && line.ends_with(" banip")
            || line.starts_with("fail2ban-client status ")
            || *line == "fail2ban-client banned"
    });
    lists
        .filter_map(|(_, said)| said.known())
        .flat_map(|said| said.stdout.split([' ', '\n', '\t', '\'', ',', '[', ']']))
        .filter(|word| word.parse::<IpAddr>().is_ok())
        .map(str::to_owned)
        .collect()
}

/// The jails that have banned somebody, and how many.
fn jails_with_bans(facts: &Facts) -> Vec<(String, usize)> {
    let statuses = facts
        .said
        .iter()
        .filter_map(|(line, said)| Some((line.strip_prefix("fail2ban-client status ")?, said.known()?)));
    statuses
        .filter_map(|(jail, said)| {
            let (_, list) = said.stdout.split_once("Banned IP list:")?;
            let banned = list.split_whitespace().filter(|word| word.parse::<IpAddr>().is_ok()).count();
            (banned > 0).then(|| (jail.to_owned(), banned))
        })
        .collect()
}

pub(crate) static BAN_005: Check = Check {
    id: "BAN-005",
    title: "A ban does not reach the packets",
    severity: Severity::High,
    why: "fail2ban reports addresses as banned, and they go on connecting: the rule is missing, hangs in a place that the packets do \
          not pass, or could not be made for lack of rights.",
    proof: "For every jail that has banned somebody: its set or chain in the loaded firewall, what is in it, whether a rule drops by \
            it, and on which hook; on a machine with containers the input hook does not see published ports.",
    fix: "Give the container NET_ADMIN, install nftables, and on a host with containers ban in prerouting or DOCKER-USER.",
    references: &["https://docs.docker.com/engine/network/packet-filtering-firewalls/", "nft(8)"],
    judge: ban_005,
};

fn ban_005(server: &Server<'_>) -> Judged {
    server.fail2ban()?;
    let facts = server.facts;
    let jails = jails_with_bans(facts);
    if jails.is_empty() {
        return not_applicable("no jail has banned anybody, so nothing has to be in the firewall");
    }
    let nft = Firewall::read(facts, "nft -j list ruleset");
    let iptables = facts.output("iptables-save").unwrap_or_default();
    let mut findings = Vec::new();
    for (jail, banned) in &jails {
        // iptables' chains are called f2b-<jail>.
        if iptables.contains(&format!("f2b-{jail}")) {
            continue;
        }
        let firewall = nft.as_ref().map_err(Clone::clone)?;
        if let Some(what) = idle(firewall, jail, *banned) {
            findings.push(unreached(jail, *banned, &what));
        }
    }
    Ok(Outcome::of(findings, format!("the bans of {} jails are in the loaded firewall", jails.len())))
}

/// Why a jail's bans have no effect, if they have none.
fn idle(firewall: &Firewall, jail: &str, banned: usize) -> Option<String> {
    let of_jail = |set: &&Set| {
        ["addr-set-", "addr6-set-"].iter().any(|prefix| set.name.strip_prefix(prefix) == Some(jail))
            || set.name.ends_with(&format!("f2b-{jail}"))
    };
    let sets: Vec<&Set> = firewall.sets.iter().filter(of_jail).collect();
    if sets.is_empty() {
        return Some("the loaded firewall has no set of this jail".to_owned());
    }
    let held: usize = sets.iter().map(|set| set.elements.len()).sum();
    if held == 0 {
        return Some(format!("its sets are empty, though {banned} addresses are banned"));
    }
    let rules: Vec<_> = sets.iter().flat_map(|set| firewall.rules_with_set(set)).collect();
    if !rules.iter().any(|(rule, _)| rule.refuses()) {
        return Some("no rule drops what is in its sets".to_owned());
    }
    let published =
        firewall.chains.iter().any(|chain| chain.name == "DOCKER" && chain.table.ends_with(" nat"));
    let only_input = rules.iter().all(|(_, hook)| *hook == "input");
    (published && only_input).then(|| {
        "its rules hang on the input hook, which published ports of containers do not pass".to_owned()
    })
}

fn unreached(jail: &str, banned: usize, what: &str) -> Finding {
    Finding::new(Severity::High, jail, format!("The bans of the jail {jail} have no effect: {what}"))
        .cause(format!("banaction of {jail}"))
        .seen(format!("fail2ban-client status {jail}"), format!("{banned} addresses banned"))
        .seen("nft -j list ruleset", what)
        .remedy(
            Remedy::new("See why the action failed in fail2ban's log; it needs nft and the right to use it.")
                .apply("fail2ban-client restart")
                .prove("nft list table inet f2b-table"),
        )
}

pub(crate) static BAN_006: Check = Check {
    id: "BAN-006",
    title: "Bans do not hold IPv6 clients",
    severity: Severity::Medium,
    why: "Whoever has IPv6 has at least 2^64 addresses: a ban of one of them is left by taking the next.",
    proof: "fail2ban's allowipv6, the jails' sets for IPv6 in the loaded firewall, and whether single addresses or networks are in \
            them.",
    fix: "Ban the /64: Mailward does; fail2ban does where its action names a prefix.",
    references: &["RFC 6177", "https://github.com/fail2ban/fail2ban/issues/927"],
    judge: ban_006,
};

fn ban_006(server: &Server<'_>) -> Judged {
    let fail2ban = server.fail2ban()?;
    let facts = server.facts;
    if fail2ban.ipv6.as_deref().is_some_and(|value| matches!(value, "no" | "false" | "0")) {
        let finding = Finding::new(Severity::Medium, "off", "fail2ban is told to leave IPv6 alone")
            .cause("allowipv6")
            .seen(fail2ban.source.clone(), "allowipv6 = no")
            .remedy(
                Remedy::new("Let it detect IPv6 by itself.")
                    .change(Change::setting("/etc/fail2ban/fail2ban.local", "DEFAULT", "allowipv6", "auto"))
                    .prove("fail2ban-client -d"),
            );
        return Ok(finding.into());
    }
    let Ok(firewall) = Firewall::read(facts, "nft -j list ruleset") else {
        return could_not_tell("the loaded firewall could not be read");
    };
    let of_six = |set: &&Set| {
        set.kind == "ipv6_addr" && (set.name.starts_with("addr6-set-") || set.name.contains("f2b"))
    };
    let single: Vec<(String, String)> = firewall
        .sets
        .iter()
        .filter(of_six)
        .flat_map(|set| set.elements.iter().filter_map(|element| Some((set.name.clone(), address(element)?))))
        .collect();
    let Some((_, first)) = single.first() else {
        return pass("no single IPv6 address is banned, and fail2ban sees IPv6");
    };
    let summary = "IPv6 clients are banned by single addresses, of which each has 2^64".to_owned();
    let seen = single
        .iter()
        .take(5)
        .map(|(set, address)| Evidence { place: format!("set {set}"), seen: address.clone() });
    let advice =
        format!("Ban the /64 of {first} instead of the one address; Mailward's guard does so by itself.");
    let remedy =
        Remedy::new(advice).apply("systemctl enable --now mailward").prove("nft list table inet mailward");
    Ok(Finding::new(Severity::Low, "single addresses", summary)
        .cause("banaction")
        .all_seen(seen)
        .remedy(remedy)
        .into())
}

/// A single address among a set's elements; networks and ranges are none.
fn address(element: &Value) -> Option<String> {
    let value = element.pointer("/elem/val").unwrap_or(element);
    value.as_str().filter(|text| text.parse::<IpAddr>().is_ok()).map(str::to_owned)
}

pub(crate) static BAN_008: Check = Check {
    id: "BAN-008",
    title: "Clients appear under one address: a ban would cut off everybody",
    severity: Severity::Critical,
    why: "Behind Docker's proxy, address translation or a load balancer every client has the gateway's address; one guesser then \
          bans all users, and rate limits are one bucket for the world.",
    proof: "The share of logins and attacks that come from one private address, and whether the container's network has IPv6 of its \
            own.",
    fix: "Hand on the real address: PROXY protocol, `enable_ipv6` with ip6tables, `userland-proxy: false`, or host networking; until \
          then ban nobody.",
    references: &[
        "https://docker-mailserver.github.io/docker-mailserver/latest/config/advanced/ipv6/",
        "https://github.com/docker-mailserver/docker-mailserver/issues/523",
    ],
    judge: ban_008,
};

/// This many logins tell something.
const ENOUGH: u64 = 20;

fn ban_008(server: &Server<'_>) -> Judged {
    let log = &server.facts.log;
    let logins: u64 = log.logins.iter().map(|source| source.count).sum();
    let attacks = log.attacks.iter().flat_map(|attack| &attack.sources);
    let all: u64 = logins + attacks.clone().map(|source| source.count).sum::<u64>();
    let mut findings = Vec::new();
    let is_private = |address: &str| address.parse::<IpAddr>().is_ok_and(private);
    let candidates = log.logins.iter().chain(attacks).filter(|source| is_private(&source.address));
    let addresses: BTreeSet<&str> = candidates.map(|source| source.address.as_str()).collect();
    for address in addresses {
        let of = |sources: &mut dyn Iterator<Item = &crate::facts::LoggedSource>| {
            sources.filter(|source| source.address == address).map(|source| source.count).sum::<u64>()
        };
        let own = of(&mut log.logins.iter()) + of(&mut log.attacks.iter().flat_map(|attack| &attack.sources));
        if all >= ENOUGH && own * 10 >= all * 9 {
            findings.push(one_for_all(address, own, all));
        }
    }
    findings.extend(translated(server));
    if findings.is_empty() && all < ENOUGH {
        return could_not_tell("the log has too few logins and attacks to tell");
    }
    Ok(Outcome::of(findings, format!("{all} logins and attacks come from many addresses")))
}

fn private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_loopback(),
        IpAddr::V6(address) => {
            address.is_unique_local() || address.is_unicast_link_local() || address.is_loopback()
        }
    }
}

fn one_for_all(address: &str, own: u64, all: u64) -> Finding {
    Finding::new(Severity::Critical, address, format!("Nearly all clients appear as {address}: a ban of it cuts off everybody"))
        .cause("address translation before the mail server")
        .seen("log", format!("{own} of {all} logins and attacks come from {address}, a private address"))
        .remedy(
            Remedy::new("Switch bans off until the mail server sees real addresses; then hand them on by PROXY protocol, or let \
                         Docker route instead of translate.")
                .edit("/etc/docker/daemon.json", &[], &["\"userland-proxy\": false", "\"ip6tables\": true"])
                .apply("systemctl restart docker")
                .prove("grep rip= /var/log/mail/mail.log"),
        )
}

/// A container whose network has no IPv6, while its ports are published on all of the host's addresses.
fn translated(server: &Server<'_>) -> Option<Finding> {
    let compose = server.dms().ok()?.compose().ok()?;
    let host = compose.text("network_mode").is_some_and(|(mode, _)| mode == "host");
    let everywhere = compose.ports().into_iter().find(|port| matches!(port.address.as_str(), "" | "::"));
    let port = everywhere.filter(|_| !compose.ipv6 && !host)?;
    let lines = ["networks:", "  default:", "    enable_ipv6: true"];
    Some(
        Finding::new(
            Severity::Info,
            "ipv6",
            "If the host has IPv6, its IPv6 clients appear under the gateway's address",
        )
        .cause("networks")
        .seen(port.place, format!("{} is published on all addresses", port.text))
        .seen(compose.file.clone(), "no network with enable_ipv6 is declared")
        .remedy(
            Remedy::new(
                "Give the network IPv6, or publish on IPv4 addresses only; never ban the gateway's address.",
            )
            .add(compose.file.clone(), &lines)
            .apply("docker compose up -d --force-recreate")
            .prove("docker network inspect --format '{{.EnableIPv6}}' mailserver_default"),
        ),
    )
}

pub(crate) static BAN_010: Check = Check {
    id: "BAN-010",
    title: "A sender or user of ours is banned",
    severity: Severity::High,
    why: "Mail from that server waits and then bounces, or a person cannot reach the own mailbox, and the log of the mail server \
          says nothing about it since the packets never arrive.",
    proof: "The addresses that are banned now against those that delivered accepted mail or logged in, in the log.",
    fix: "Lift the ban, and add the address to those that are never banned.",
    references: &["fail2ban-client(1)"],
    judge: ban_010,
};

fn ban_010(server: &Server<'_>) -> Judged {
    let facts = server.facts;
    server.fail2ban()?;
    if facts.log.path.is_empty() {
        return could_not_tell("no log was read, so nobody knows who delivers and logs in");
    }
    let banned = banned_now(facts);
    let known = |sources: &[crate::facts::LoggedSource], what: &'static str| {
        let found = sources.iter().filter(|source| banned.contains(&source.address));
        found
            .map(|source| (source.address.clone(), format!("{what} {} times", source.count)))
            .collect::<Vec<_>>()
    };
    let mut wrong = known(&facts.log.logins, "logged in");
    wrong.extend(known(&facts.log.mailers, "delivered mail"));
    let findings = wrong.into_iter().map(|(address, what)| {
        Finding::new(Severity::High, address.clone(), format!("{address} is banned, and {what} in this log"))
            .cause("ban")
            .seen("fail2ban-client banned", address.clone())
            .seen(facts.log.path.clone(), format!("{address} {what}"))
            .remedy(
                Remedy::new("Lift the ban and never ban this address.")
                    .add("jail.local", &[&format!("ignoreip = {address}")])
                    .apply(format!("fail2ban-client unban {address}"))
                    .prove("fail2ban-client banned"),
            )
    });
    Ok(Outcome::of(
        findings.collect(),
        format!("none of {} banned addresses delivered mail or logged in", banned.len()),
    ))
}
