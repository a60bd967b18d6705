//! Who else filters packets on a host, and which ports of containers are published.

use std::collections::BTreeSet;

use serde_json::Value;

use super::ruleset::{Port, Transport};
use super::{Firewall, Rule, iptables_rules};
use crate::{Facts, Untold};

/// Another program that decides what comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other {
    /// ufw is enabled.
    Ufw,
    /// firewalld is running.
    Firewalld,
}

impl Other {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ufw => "ufw",
            Self::Firewalld => "firewalld",
        }
    }
}

/// What filters or redirects on this host beside us.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// A program that has the say over the host's own ports.
    pub other: Option<Other>,
    /// Tables of somebody else that drop what comes in.
    pub dropping: Vec<String>,
    /// What publishes ports of containers: `Docker`, `Podman`.
    pub engines: Vec<&'static str>,
    /// Interfaces on which containers are, as nft(8) names them.
    pub bridges: BTreeSet<String>,
    /// Ports whose connections are sent on elsewhere, unless on loopback alone.
    pub published: BTreeSet<Port>,
    /// The rules of others.
    pub foreign: Firewall,
}

/// Looks at the loaded rules, without tables of our own (`inet mailward`).
///
/// # Errors
/// When the loaded rules could not be read.
pub(super) fn found(facts: &Facts, ours: &[&str]) -> Result<Found, Untold> {
    let mut foreign = Firewall::read(facts, "nft -j list ruleset")?;
    foreign.chains.retain(|chain| !ours.contains(&chain.table.as_str()));
    foreign.rules.retain(|rule| !ours.contains(&rule.table.as_str()));
    let saved = ["iptables-save", "ip6tables-save"].map(|command| facts.output(command).unwrap_or_default());
    let chains: BTreeSet<String> = foreign
        .chains
        .iter()
        .map(|chain| chain.name.clone())
        .chain(saved.iter().flat_map(|text| text.lines()).filter_map(chain_of_save))
        .collect();
    let tables: BTreeSet<&str> = foreign.chains.iter().map(|chain| chain.table.as_str()).collect();
    let engines = engines(&chains, &tables);
    let published = saved.iter().flat_map(|text| published_by_iptables(text));
    Ok(Found {
        other: other(facts, &chains, &tables),
        dropping: dropping(&foreign),
        bridges: bridges(facts, engines.contains(&"Docker")),
        published: published
            .chain(foreign.rules.iter().flat_map(|rule| published_by_nft(&foreign, rule)))
            .collect(),
        engines,
        foreign,
    })
}

/// `:DOCKER - [0:0]`
fn chain_of_save(line: &str) -> Option<String> {
    Some(line.strip_prefix(':')?.split(' ').next()?.to_owned())
}

/// ufw leaves its chains behind when it is disabled; its own file says whether it is.
fn other(facts: &Facts, chains: &BTreeSet<String>, tables: &BTreeSet<&str>) -> Option<Other> {
    let enabled = match facts.text("/etc/ufw/ufw.conf") {
        Ok(Some(text)) => text.lines().any(|line| line.trim().eq_ignore_ascii_case("ENABLED=yes")),
        _ => true,
    };
    let firewalld = tables.contains("inet firewalld") || chains.contains("INPUT_ZONES");
    let ufw = enabled && chains.contains("ufw-user-input");
    if firewalld { Some(Other::Firewalld) } else { ufw.then_some(Other::Ufw) }
}

/// Chains of the input hook that drop what no rule of theirs decides; `f2b-table` and the like only drop the banned.
fn dropping(foreign: &Firewall) -> Vec<String> {
    let drops = |chain: &&super::Chain| {
        let ends = foreign.rules.iter().rfind(|rule| rule.table == chain.table && rule.chain == chain.name);
        let refuses_rest = ends.is_some_and(|rule| rule.refuses() && !rule.has_condition());
        chain.hook == "input" && (chain.drops || refuses_rest)
    };
    let tables: BTreeSet<String> =
        foreign.chains.iter().filter(drops).map(|chain| chain.table.clone()).collect();
    tables.into_iter().collect()
}

fn engines(chains: &BTreeSet<String>, tables: &BTreeSet<&str>) -> Vec<&'static str> {
    let has = |start: &str| chains.iter().any(|chain| chain.starts_with(start));
    let docker = chains.contains("DOCKER") || tables.iter().any(|table| table.ends_with(" docker-bridges"));
    let podman = has("NETAVARK") || has("CNI-") || tables.contains("inet netavark");
    [("Docker", docker), ("Podman", podman)]
        .into_iter()
        .filter(|(_, found)| *found)
        .map(|(name, _)| name)
        .collect()
}

/// Docker names the bridge of a network by its number, which a new network of the same name does not keep: where all
/// bridges that are called `br-…` are Docker's, all that ever will be count.
fn bridges(facts: &Facts, docker: bool) -> BTreeSet<String> {
    let interfaces = facts.host.addresses.known().map(Vec::as_slice).unwrap_or_default();
    let names: BTreeSet<&str> = interfaces.iter().map(|interface| interface.name.as_str()).collect();
    let mut bridges: BTreeSet<String> =
        names.iter().filter(|name| is_of_containers(name)).map(|name| (*name).to_owned()).collect();
    let starts_so = |name: &&str| name.starts_with("br-");
    if docker && names.iter().copied().filter(starts_so).all(is_network_of_docker) {
        bridges.retain(|name| !name.starts_with("br-"));
        bridges.extend(["docker0".to_owned(), "br-*".to_owned()]);
    }
    bridges
}

/// Whether an interface is one that container engines make.
fn is_of_containers(name: &str) -> bool {
    let numbered = |start: &str| {
        name.strip_prefix(start).is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
    };
    name == "docker_gwbridge"
        || is_network_of_docker(name)
        || ["docker", "podman", "cni-podman", "lxcbr", "lxdbr", "incusbr", "virbr"].into_iter().any(numbered)
}

fn is_network_of_docker(name: &str) -> bool {
    name.strip_prefix("br-")
        .is_some_and(|rest| rest.len() == 12 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// `-A DOCKER ! -i br-1a2b3c4d5e6f -p tcp -m tcp --dport 25 -j DNAT --to-destination 172.18.0.2:25`
fn published_by_iptables(text: &str) -> Vec<Port> {
    let translates = |text: &str| text.contains("-j DNAT") && !on_loopback(text);
    let rules = iptables_rules(text);
    let rules = rules.iter().filter(|rule| rule.table == "nat" && translates(&rule.text));
    let ports = rules.flat_map(|rule| {
        let words: Vec<&str> = rule.text.split(' ').collect();
        let after = |option: &str| words.iter().skip_while(|word| **word != option).nth(1).copied();
        let transport = after("-p").and_then(Transport::named);
        let list = after("--dport").or_else(|| after("--dports")).unwrap_or_default();
        let numbers: Vec<u16> = list.split(',').filter_map(range).flatten().collect();
        transport.into_iter().flat_map(move |transport| {
            numbers.clone().into_iter().map(move |number| Port { transport, number })
        })
    });
    ports.collect()
}

fn on_loopback(text: &str) -> bool {
    ["-d 127.", "-d ::1"].iter().any(|destination| text.contains(destination))
}

/// `25`, `8000:8010`.
fn range(text: &str) -> Option<core::ops::RangeInclusive<u16>> {
    let (first, last) = text.split_once([':', '-']).unwrap_or((text, text));
    Some(first.parse().ok()?..=last.parse().ok()?)
}

/// A rule of nft(8) that sends connections to a port elsewhere.
fn published_by_nft(firewall: &Firewall, rule: &Rule) -> Vec<Port> {
    if !rule.statements.iter().any(|statement| statement.get("dnat").is_some()) || rule.is_for_loopback() {
        return Vec::new();
    }
    let ports = rule.statements.iter().filter_map(|statement| {
        let condition = statement.get("match")?;
        let payload = condition.pointer("/left/payload")?;
        let of = |key: &str| payload.get(key).and_then(Value::as_str);
        let transport = Transport::named(of("protocol")?)?;
        (of("field") == Some("dport")).then_some((transport, condition.get("right")?))
    });
    ports
        .flat_map(|(transport, right)| {
            (1..=u16::MAX)
                .filter(move |number| firewall.has_port(rule, right, *number) == Some(true))
                .map(move |number| Port { transport, number })
        })
        .collect()
}

impl Rule {
    /// Whether it is about some packets only.
    fn has_condition(&self) -> bool {
        self.statements.iter().any(|statement| statement.get("match").is_some())
    }

    fn is_for_loopback(&self) -> bool {
        self.statements.iter().any(|statement| {
            let field = statement.pointer("/match/left/payload/field").and_then(Value::as_str);
            let text = statement.pointer("/match/right").map(ToString::to_string).unwrap_or_default();
            field == Some("daddr") && (text.contains("\"127.") || text.contains("\"::1\""))
        })
    }
}
