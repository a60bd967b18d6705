//! The packet filter that a host should have, from what listens there.

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

use mailward_model::{Network, canonical};

use super::Reach;
use super::found::{Found, Other, found};
use super::ruleset::{Opening, Port, Ruleset, Scope, TABLE, Transport};
use crate::checks::dms::container::INTERNAL;
use crate::facts::Listener;
use crate::{Facts, Untold};

/// What the operator said.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// Ports that are open beside mail and SSH.
    pub allow: Vec<Opening>,
    /// Ports that stay closed though somebody listens there.
    pub close: Vec<Port>,
    /// Whether all that nobody decided about is closed.
    pub close_others: bool,
    /// Interfaces whose traffic is not filtered.
    pub trusted: Vec<String>,
    /// Who may open connections as fast as he likes.
    pub unmetered: Vec<Network>,
    /// Who may not reach any port at which people log in.
    pub blocked: Vec<Network>,
    /// New connections a minute to mail ports, of each source.
    pub mail_rate: u32,
    /// New connections a minute to SSH, of each source.
    pub ssh_rate: u32,
    /// The port at which the operator's own SSH connection came in, if there is one.
    pub session: Option<u16>,
    /// Tables of ours beside [`TABLE`]: `inet mailward`.
    pub tables: Vec<String>,
}

/// What becomes of a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Open to everybody.
    Open(&'static str),
    /// Open to these.
    For(Vec<Network>),
    /// Reached from interfaces that are not filtered, and from nowhere else.
    Inside(&'static str),
    /// Another firewall decides.
    Left(&'static str),
    /// Closed.
    Closed(String),
    /// Nobody said.
    Undecided,
}

/// A port at which somebody listens, or that is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The port.
    pub port: Port,
    /// The programs that listen, as the kernel names them; none where a container does, or the kernel itself.
    pub programs: BTreeSet<String>,
    /// The addresses that they listen on.
    pub addresses: BTreeSet<String>,
    /// Whether its connections are sent on, to a container.
    pub published: bool,
    /// What becomes of it.
    pub fate: Fate,
}

/// The packet filter that a host should have, and why.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// The filter.
    pub ruleset: Ruleset,
    /// What listens beyond loopback, in the order of ports.
    pub services: Vec<Service>,
    /// What was found beside, and what follows from it.
    pub notes: Vec<String>,
    /// Why it must not be applied as it is: what is so, and what to do.
    pub obstacles: Vec<Obstacle>,
}

/// A reason against applying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// What is so.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

/// Why a port is open.
const MAIL: &str = "mail";
/// Why a port is open.
const SSH: &str = "SSH";

/// Ports of mail: what mail programs listen on for the world (RFC 8314, RFC 5804).
const MAIL_PORTS: [u16; 8] = [25, 110, 143, 465, 587, 993, 995, 4190];

/// Where the kernel takes ports for outgoing connections (`ip_local_port_range`).
const EPHEMERAL: u16 = 32_768;

/// Programs that ask other servers from UDP ports which look like listening ones.
const RESOLVERS: [&str; 8] =
    ["named", "unbound", "pdns_recursor", "kresd", "dnsmasq", "systemd-resolve", "chronyd", "ntpd"];

/// Ports on which servers of UDP are that are meant to be asked, among those that resolvers have open.
const ASKED: [u16; 5] = [53, 123, 853, 5353, 5355];

/// The filter for what listens.
///
/// # Errors
/// When the listening sockets or the loaded rules are not known: nothing is guessed.
pub fn propose(facts: &Facts, wishes: &Wishes) -> Result<Proposal, Untold> {
    let listeners = facts.host.listeners.get()?;
    let table = format!("inet {TABLE}");
    let ours: Vec<&str> = wishes.tables.iter().chain([&table]).map(String::as_str).collect();
    let found = found(facts, &ours)?;
    let trusted: BTreeSet<String> = wishes.trusted.iter().chain(&found.bridges).cloned().collect();
    let judge = Judge {
        wishes,
        ssh: ssh_ports(facts, listeners, wishes.session),
        inside: addresses_on(facts, &trusted),
        other: found.other,
        renews_by_http: renews_by_http(facts),
    };
    let services = judge.services(listeners, &found.published);
    let ruleset = Ruleset {
        scope: if found.other.is_some() { Scope::Beside } else { Scope::Whole },
        mail: services.iter().filter(|s| s.fate == Fate::Open(MAIL)).map(|s| s.port.number).collect(),
        ssh: judge
            .ssh
            .iter()
            .copied()
            .filter(|port| judge.fate(tcp(*port)) == Some(Fate::Open(SSH)))
            .collect(),
        others: wishes.allow.iter().copied().collect(),
        trusted,
        unmetered: wishes.unmetered.clone(),
        blocked: wishes.blocked.clone(),
        mail_rate: wishes.mail_rate,
        ssh_rate: wishes.ssh_rate,
    };
    let notes = notes(&ruleset, &found);
    let obstacles = obstacles(&ruleset, &services, wishes);
    Ok(Proposal { ruleset, services, notes, obstacles })
}

/// Decides about ports.
struct Judge<'a> {
    wishes: &'a Wishes,
    ssh: BTreeSet<u16>,
    /// Addresses on interfaces that are not filtered.
    inside: BTreeSet<IpAddr>,
    other: Option<Other>,
    renews_by_http: bool,
}

impl Judge<'_> {
    fn services(&self, listeners: &[Listener], published: &BTreeSet<Port>) -> Vec<Service> {
        let mut all: BTreeMap<Port, Service> = BTreeMap::new();
        for port in published {
            all.entry(*port).or_insert_with(|| Service::at(*port)).published = true;
        }
        for listener in listeners {
            let Some((port, _)) = reached(listener) else { continue };
            let service = all.entry(port).or_insert_with(|| Service::at(port));
            service.addresses.insert(listener.address.clone());
            service.programs.extend(Some(listener.program.clone()).filter(|name| !name.is_empty()));
        }
        if self.renews_by_http {
            let port = tcp(80);
            all.entry(port)
                .or_insert_with(|| Service::at(port))
                .programs
                .insert("certbot, when it renews".to_owned());
        }
        let mut all: Vec<Service> = all.into_values().collect();
        for service in &mut all {
            service.fate = self.fate(service.port).unwrap_or_else(|| self.fate_of_stranger(service));
        }
        all
    }

    /// What is decided by the port alone.
    fn fate(&self, port: Port) -> Option<Fate> {
        let openings = self.wishes.allow.iter().filter(|opening| opening.port == port);
        let openings: Vec<Option<Network>> = openings.map(|opening| opening.from).collect();
        let is_tcp = port.transport == Transport::Tcp;
        if self.wishes.close.contains(&port) {
            Some(Fate::Closed("as the configuration says".to_owned()))
        } else if openings.is_empty() {
            let ssh = is_tcp && self.ssh.contains(&port.number);
            let mail = is_tcp && MAIL_PORTS.contains(&port.number);
            if ssh { Some(Fate::Open(SSH)) } else { mail.then_some(Fate::Open(MAIL)) }
        } else {
            let networks: Option<Vec<Network>> = openings.into_iter().collect();
            Some(networks.map_or(Fate::Open("allowed"), Fate::For))
        }
    }

    /// What becomes of a port that is neither mail's nor SSH's, and that the configuration does not name.
    fn fate_of_stranger(&self, service: &Service) -> Fate {
        let port = service.port;
        let on_inside =
            |address: &String| address.parse().is_ok_and(|address| self.inside.contains(&address));
        if !service.published && !service.addresses.is_empty() && service.addresses.iter().all(on_inside) {
            return Fate::Inside("listens on an interface that is not filtered");
        }
        if port.transport == Transport::Udp && [68, 546].contains(&port.number) {
            return Fate::Open("answers of DHCP");
        }
        if is_client(service) {
            return Fate::Closed("a client's port: answers come through as established".to_owned());
        }
        if let (Some(other), false) = (self.other, service.published) {
            return Fate::Left(other.name());
        }
        if let Some((_, what)) = INTERNAL.iter().find(|(number, _)| tcp(*number) == port) {
            return Fate::Closed(format!("internal: {what}"));
        }
        if self.wishes.close_others { Fate::Closed("as asked".to_owned()) } else { Fate::Undecided }
    }
}

impl Service {
    fn at(port: Port) -> Self {
        let (programs, addresses) = Default::default();
        Self { port, programs, addresses, published: false, fate: Fate::Undecided }
    }

    /// The port and who listens, for people: `tcp/443 (nginx)`.
    #[must_use]
    pub fn name(&self) -> String {
        let programs: Vec<&str> = self.programs.iter().map(String::as_str).collect();
        match (programs.as_slice(), self.published) {
            ([], true) => format!("{} (published by a container)", self.port),
            ([], false) => self.port.to_string(),
            (some, _) => format!("{} ({})", self.port, some.join(", ")),
        }
    }
}

const fn tcp(number: u16) -> Port {
    Port { transport: Transport::Tcp, number }
}

/// The port and address of a socket that can be reached from beyond this machine.
fn reached(listener: &Listener) -> Option<(Port, IpAddr)> {
    let transport = Transport::named(&listener.protocol)?;
    let address = canonical(listener.address.parse().ok()?);
    (!address.is_loopback()).then_some((Port { transport, number: listener.port }, address))
}

/// What sshd's configuration says and somebody listens on; else what sshd listens on, which may include forwarded ports of
/// its users. And where the operator came in, whatever else.
fn ssh_ports(facts: &Facts, listeners: &[Listener], session: Option<u16>) -> BTreeSet<u16> {
    let listening: Vec<(u16, &str)> = listeners
        .iter()
        .filter_map(|listener| Some((reached(listener)?.0, listener.program.as_str())))
        .filter(|(port, _)| port.transport == Transport::Tcp)
        .map(|(port, program)| (port.number, program))
        .collect();
    let configuration = facts.output("sshd -T").unwrap_or_default();
    let configured = configuration.lines().filter_map(|line| line.strip_prefix("port ")?.trim().parse().ok());
    let mut ports: BTreeSet<u16> =
        configured.filter(|port| listening.iter().any(|(number, _)| number == port)).collect();
    if ports.is_empty() {
        let servers = listening.iter().filter(|(_, program)| ["sshd", "dropbear"].contains(program));
        ports.extend(servers.map(|(number, _)| *number));
    }
    ports.extend(session);
    ports
}

/// The addresses of interfaces.
fn addresses_on(facts: &Facts, names: &BTreeSet<String>) -> BTreeSet<IpAddr> {
    let matches = |name: &str| {
        names.iter().any(|known| match known.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => known == name,
        })
    };
    let interfaces = facts.host.addresses.known().map(Vec::as_slice).unwrap_or_default();
    let inside = interfaces.iter().filter(|interface| matches(&interface.name));
    inside.filter_map(|interface| interface.network.split('/').next()?.parse().ok()).collect()
}

/// Whether certbot starts a server of its own to renew a certificate (`--standalone`): nobody listens at other times, and a
/// closed port 80 would only be noticed when the certificate has run out.
fn renews_by_http(facts: &Facts) -> bool {
    let files = facts.files.iter().filter(|(path, _)| path.starts_with("/etc/letsencrypt/renewal/"));
    let mut texts = files.filter_map(|(_, file)| file.known()?.text.known());
    texts.any(|text| {
        let words = |line: &str| {
            line.split_once('=').map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
        };
        text.lines().filter_map(words).any(|(key, value)| key == "authenticator" && value == "standalone")
    })
}

/// Whether a UDP socket only looks as if it listened: it is where a program asks others from.
fn is_client(service: &Service) -> bool {
    // The kernel itself listens without a program: WireGuard.
    if service.port.transport == Transport::Tcp || service.published || service.programs.is_empty() {
        return false;
    }
    let asks = service.programs.iter().all(|program| RESOLVERS.contains(&program.as_str()));
    service.port.number >= EPHEMERAL || asks && !ASKED.contains(&service.port.number)
}

fn notes(ruleset: &Ruleset, found: &Found) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(other) = found.other {
        notes.push(format!(
            "{0} is active and decides about this host's own ports: they are left to it, because what one of two firewalls \
             closes the other cannot open. Here each source's new connections are counted, and published ports of \
             containers are closed, which {0} does not see. To hand over all: disable {0}, then apply again.",
            other.name()
        ));
    }
    if !found.engines.is_empty() {
        notes.push(format!(
            "{} publishes ports past what filters the host's own: they are filtered on their way to the container, by the \
             port that the client dialled. Its own rules are not touched.",
            found.engines.join(" and ")
        ));
    }
    if !found.bridges.is_empty() {
        let names: Vec<&str> = found.bridges.iter().map(String::as_str).collect();
        notes.push(format!("Containers reach this host as before: {} are not filtered.", names.join(", ")));
    }
    notes.extend(found.dropping.iter().filter(|_| found.other.is_none()).map(|table| {
        format!("Table {table} drops incoming packets, too. It is left alone: a packet has to pass both.")
    }));
    let listening = ruleset.mail.iter().chain(&ruleset.ssh);
    let closed: Vec<String> =
        listening.filter(|port| found.foreign.reach(**port) == Reach::Closed).map(u16::to_string).collect();
    if !closed.is_empty() {
        notes.push(format!("Rules of somebody else keep these ports closed: {}.", closed.join(", ")));
    }
    let idle: Vec<String> =
        MAIL_PORTS.iter().filter(|port| !ruleset.mail.contains(port)).map(u16::to_string).collect();
    if !idle.is_empty() {
        notes.push(format!(
            "Mail ports that nobody listens on, or that are closed, stay so: {}.",
            idle.join(", ")
        ));
    }
    if ruleset.ssh.is_empty() && !ruleset.others.iter().any(|opening| opening.from.is_some()) {
        notes.push("No SSH server was found, so none is kept reachable.".to_owned());
    }
    notes
}

fn obstacles(ruleset: &Ruleset, services: &[Service], wishes: &Wishes) -> Vec<Obstacle> {
    let mut obstacles = Vec::new();
    let undecided: Vec<&Service> = services.iter().filter(|s| s.fate == Fate::Undecided).collect();
    if !undecided.is_empty() {
        let names: Vec<String> = undecided.iter().map(|service| service.name()).collect();
        let list: Vec<String> = undecided.iter().map(|service| format!("\"{}\"", service.port)).collect();
        let list = list.join(", ");
        obstacles.push(Obstacle {
            what: format!("Nobody said what becomes of {}", names.join(", ")),
            remedy: format!(
                "below [host-firewall] of the configuration, allow = [{list}] opens them and close = [{list}] keeps \
                 them closed; or close them all: mailward firewall apply --close-others"
            ),
        });
    }
    if ruleset.mail.is_empty() {
        obstacles.push(Obstacle {
            what: "Nobody listens on any mail port beyond loopback, so that none would be opened".to_owned(),
            remedy: "start the mail server, then try again: ss -tln".to_owned(),
        });
    }
    if let Some(port) = wishes.session.filter(|port| wishes.close.contains(&tcp(*port))) {
        obstacles.push(Obstacle {
            what: format!(
                "Your own SSH connection came in through port {port}, which the configuration closes"
            ),
            remedy: format!("take \"tcp/{port}\" out of close, below [host-firewall] of the configuration"),
        });
    }
    obstacles
}
