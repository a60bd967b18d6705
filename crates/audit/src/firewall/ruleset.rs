//! A packet filter for a mail host, and how nft(8) writes it.

use core::fmt;
use core::str::FromStr;
use std::collections::BTreeSet;
use std::fmt::Write as _;

use mailward_model::Network;

/// The table `inet mailward_firewall`, which nobody else uses.
pub const TABLE: &str = "mailward_firewall";

/// A transport protocol with ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// A port of a transport protocol: `tcp/443`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port {
    /// The protocol.
    pub transport: Transport,
    /// The number.
    pub number: u16,
}

/// A port that is open, to everybody or to a network: `tcp/443`, `tcp/9100 from 192.0.2.7`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Opening {
    /// The port.
    pub port: Port,
    /// For whom; none is everybody.
    pub from: Option<Network>,
}

/// What a ruleset decides about connections to the host itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// All: what is not opened is closed.
    #[default]
    Whole,
    /// Another firewall closes; here the rates are held down, and published container ports are closed, which that one
    /// does not see.
    Beside,
}

/// A packet filter for a mail host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ruleset {
    /// What it decides.
    pub scope: Scope,
    /// TCP ports of mail.
    pub mail: BTreeSet<u16>,
    /// TCP ports of SSH.
    pub ssh: BTreeSet<u16>,
    /// What else is open.
    pub others: BTreeSet<Opening>,
    /// Interfaces whose traffic is not filtered, as nft(8) names them, perhaps with a `*` at the end.
    pub trusted: BTreeSet<String>,
    /// Who may open connections as fast as he likes.
    pub unmetered: Vec<Network>,
    /// Who may not reach any port at which people log in.
    pub blocked: Vec<Network>,
    /// New connections a minute to mail ports, of each source.
    pub mail_rate: u32,
    /// New connections a minute to SSH, of each source.
    pub ssh_rate: u32,
}

impl Ruleset {
    /// Its sets and chains, for the inside of a `table` block. Each name ends with the side, so that two rulesets can lie in
    /// one table; what hangs on the hooks leads to `input_` and `forward_` of one of them.
    #[must_use]
    pub fn definition(&self, side: &str) -> String {
        let text = [self.sets(), self.chains()].concat();
        text.replace('%', side)
    }

    fn sets(&self) -> String {
        let mut out = String::new();
        let login = self.login_ports();
        let of = |transport| {
            let open = self.others.iter().filter(move |o| o.from.is_none() && o.port.transport == transport);
            open.map(|opening| opening.port.number).collect()
        };
        set_of_ports(&mut out, "mail", &self.mail);
        set_of_ports(&mut out, "ssh", &self.ssh);
        set_of_ports(&mut out, "login", &login);
        set_of_ports(&mut out, "tcp", &of(Transport::Tcp));
        set_of_ports(&mut out, "udp", &of(Transport::Udp));
        set_of_networks(&mut out, "unmetered", &self.unmetered);
        set_of_networks(&mut out, "blocked", &self.blocked);
        // Connection tracking sees what was there before it from the middle on, as new. A segment with ACK alone opens
        // nothing, so for a while it may pass: by then whatever still talks is established.
        out.push_str(
            "  set unseen_% { typeof meta nfproto; flags timeout; elements = { ipv4 timeout 10m, ipv6 timeout 10m }; }\n",
        );
        for name in ["mail_rate", "ssh_rate", "ping_rate"] {
            for (family, kind) in [("4", "ipv4_addr"), ("6", "ipv6_addr")] {
                // A full set stops counting, and so stops refusing: a flood from forged sources does not lock others out.
                let _ = writeln!(
                    out,
                    "  set {name}{family}_% {{ type {kind}; size 65535; flags dynamic,timeout; timeout 2m; }}"
                );
            }
        }
        out
    }

    /// Where people log in. Mail from other servers comes to port 25, from wherever it likes.
    fn login_ports(&self) -> BTreeSet<u16> {
        self.mail.iter().chain(&self.ssh).copied().filter(|port| *port != 25).collect()
    }

    fn chains(&self) -> String {
        let mut out = String::new();
        for (name, rate) in [("mail", self.mail_rate), ("ssh", self.ssh_rate)] {
            let over = format!("limit rate over {rate}/minute burst {rate} packets");
            chain(
                &mut out,
                &format!("{name}_meter"),
                &[
                    "ip saddr @unmetered4_% return",
                    "ip6 saddr @unmetered6_% return",
                    &format!("add @{name}_rate4_% {{ ip saddr {over} }} counter drop"),
                    // One customer has a /64 at least (RFC 6177), so a /64 is one source.
                    &format!(
                        "add @{name}_rate6_% {{ ip6 saddr & ffff:ffff:ffff:ffff:: {over} }} counter drop"
                    ),
                ],
            );
        }
        chain(
            &mut out,
            "places",
            &["ip saddr @blocked4_% counter drop", "ip6 saddr @blocked6_% counter drop"],
        );
        let trusted: Vec<String> =
            self.trusted.iter().map(|name| format!("iifname \"{name}\" accept")).collect();
        let restricted = self.others.iter().filter_map(|opening| Some((opening.port, opening.from?)));
        let restricted: Vec<(Port, Network)> = restricted.collect();
        chain(&mut out, "published", &refs(&[trusted.clone(), published(&restricted)].concat()));
        chain(
            &mut out,
            "forward",
            &["ct state established,related accept", "ct status dnat goto published_%"],
        );
        let mut input = vec!["iifname \"lo\" accept".to_owned()];
        input.extend(trusted);
        input.extend(match self.scope {
            Scope::Whole => whole(&restricted),
            Scope::Beside => strings(&BESIDE),
        });
        chain(&mut out, "input", &refs(&input));
        out
    }
}

/// Connections to the host itself, where what is not opened is closed.
fn whole(restricted: &[(Port, Network)]) -> Vec<String> {
    let mut rules = strings(&WHOLE);
    rules.extend(restricted.iter().map(|(port, network)| {
        format!("{} saddr {network} {} dport {} accept", family(*network), port.transport, port.number)
    }));
    rules.push("counter drop".to_owned());
    rules
}

const WHOLE: [&str; 19] = [
    "tcp flags & (fin | syn | rst | ack) == ack meta nfproto @unseen_% accept",
    "ct state established,related accept",
    // Without these, large packets vanish (RFC 4890 section 4.4.1, RFC 2979).
    "icmp type { destination-unreachable, time-exceeded, parameter-problem } accept",
    "icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept",
    "icmp type echo-request add @ping_rate4_% { ip saddr limit rate 10/second burst 20 packets } accept",
    "icmpv6 type echo-request add @ping_rate6_% { ip6 saddr & ffff:ffff:ffff:ffff:: limit rate 10/second burst 20 packets } accept",
    // Neighbour discovery, also secured: from this very link, or its hop limit would be less (RFC 4861 section 6.1).
    "icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, 141, 142, 148, 149 } ip6 hoplimit 255 accept",
    // Listeners of multicast, on which neighbour discovery lives; RFC 3590 lets them ask before they have an address.
    "icmpv6 type { 130, 131, 132, 143 } ip6 saddr { ::, fe80::/10 } accept",
    "icmpv6 type { 151, 152, 153 } ip6 hoplimit 1 accept",
    // Answers of DHCP come to a client that has no address yet, so nothing is established (RFC 2131, RFC 8415).
    "udp sport 67 udp dport 68 accept",
    "ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept",
    "ct state invalid counter drop",
    "tcp dport @login_% jump places_%",
    "tcp dport @mail_% jump mail_meter_%",
    "tcp dport @ssh_% jump ssh_meter_%",
    "tcp dport @mail_% accept",
    "tcp dport @ssh_% accept",
    "tcp dport @tcp_% accept",
    "udp dport @udp_% accept",
];

const BESIDE: [&str; 4] = [
    "ct state established,related accept",
    "tcp dport @login_% jump places_%",
    "tcp dport @mail_% jump mail_meter_%",
    "tcp dport @ssh_% jump ssh_meter_%",
];

/// Connections to published ports of containers. Their destination is rewritten by now; connection tracking knows which port
/// the client dialled.
fn published(restricted: &[(Port, Network)]) -> Vec<String> {
    let mut rules = strings(&PUBLISHED);
    rules.extend(restricted.iter().map(|(port, network)| {
        let Port { transport, number } = port;
        let family = family(*network);
        format!("{family} saddr {network} meta l4proto {transport} ct original proto-dst {number} accept")
    }));
    rules.push("counter drop".to_owned());
    rules
}

const PUBLISHED: [&str; 5] = [
    "meta l4proto tcp ct original proto-dst @login_% jump places_%",
    "meta l4proto tcp ct original proto-dst @mail_% jump mail_meter_%",
    "meta l4proto tcp ct original proto-dst @mail_% accept",
    "meta l4proto tcp ct original proto-dst @tcp_% accept",
    "meta l4proto udp ct original proto-dst @udp_% accept",
];

const fn family(network: Network) -> &'static str {
    if network.address().is_ipv4() { "ip" } else { "ip6" }
}

fn chain(out: &mut String, name: &str, rules: &[&str]) {
    let _ = writeln!(out, "  chain {name}_% {{");
    for rule in rules {
        let _ = writeln!(out, "    {rule}");
    }
    out.push_str("  }\n");
}

fn set_of_ports(out: &mut String, name: &str, ports: &BTreeSet<u16>) {
    set(out, name, "type inet_service;", ports.iter().map(u16::to_string));
}

/// One set for each family; what overlaps is merged by nft(8).
fn set_of_networks(out: &mut String, name: &str, networks: &[Network]) {
    for (digit, is_ipv4) in [("4", true), ("6", false)] {
        let head = format!("type ipv{digit}_addr; flags interval; auto-merge;");
        let members = networks.iter().filter(|network| network.address().is_ipv4() == is_ipv4);
        set(out, &format!("{name}{digit}"), &head, members.map(Network::to_string));
    }
}

fn set(out: &mut String, name: &str, head: &str, elements: impl Iterator<Item = String>) {
    let elements: Vec<String> = elements.collect();
    let _ = match elements.as_slice() {
        [] => writeln!(out, "  set {name}_% {{ {head} }}"),
        some => writeln!(out, "  set {name}_% {{ {head} elements = {{ {} }}; }}", some.join(", ")),
    };
}

fn strings(rules: &[&str]) -> Vec<String> {
    rules.iter().map(|rule| (*rule).to_owned()).collect()
}

fn refs(rules: &[String]) -> Vec<&str> {
    rules.iter().map(String::as_str).collect()
}

/// Whether nft(8) can name an interface so: up to 15 characters that need no quoting, perhaps with a `*` at the end.
#[must_use]
pub fn is_interface(name: &str) -> bool {
    let stem = name.strip_suffix('*').unwrap_or(name);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=15).contains(&stem.len()) && stem.chars().all(plain)
}

impl Transport {
    /// `tcp`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }

    /// By its name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Tcp, Self::Udp].into_iter().find(|transport| transport.name() == name)
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.transport, self.number))
    }
}

impl fmt::Display for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.from {
            Some(network) => write!(f, "{} from {network}", self.port),
            None => write!(f, "{}", self.port),
        }
    }
}

/// A text that names no port, or no opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "write a protocol and a port such as tcp/443 or udp/51820, perhaps with a network: tcp/9100 from 192.0.2.0/24"
)]
pub struct OpeningError;

impl FromStr for Port {
    type Err = OpeningError;

    fn from_str(text: &str) -> Result<Self, OpeningError> {
        let (transport, number) = text.split_once('/').ok_or(OpeningError)?;
        let transport = Transport::named(transport).ok_or(OpeningError)?;
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        let number = number.parse().ok().filter(|number| *number != 0 && digits).ok_or(OpeningError)?;
        Ok(Self { transport, number })
    }
}

impl FromStr for Opening {
    type Err = OpeningError;

    fn from_str(text: &str) -> Result<Self, OpeningError> {
        let Some((port, network)) = text.split_once(" from ") else {
            return Ok(Self { port: text.parse()?, from: None });
        };
        Ok(Self { port: port.parse()?, from: Some(network.trim().parse().map_err(|_| OpeningError)?) })
    }
}
