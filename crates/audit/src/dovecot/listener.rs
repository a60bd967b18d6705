//! Sockets that Dovecot listens on: those it has by itself, and what the configuration makes of them.

use super::block::Block;
use super::names::is_yes;

/// A socket that a service listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The service: `imap-login`.
    pub service: String,
    /// Its name, or its path below the base directory.
    pub name: String,
    /// What it is.
    pub socket: Socket,
    /// Whether the configuration names it, or Dovecot has it by itself.
    pub explicit: bool,
}

/// What a listener is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Socket {
    /// A socket, or a named pipe, in the file system.
    Unix {
        /// Permission bits.
        mode: u32,
        /// The owner; empty for root.
        user: String,
        /// The group; empty for root's.
        group: String,
    },
    /// A TCP port.
    Inet {
        /// The port; never 0.
        port: u16,
        /// Addresses, `*` and `::` for all.
        addresses: Vec<String>,
        /// Whether TLS begins at once.
        tls: bool,
        /// Whether a proxy tells the client's address (PROXY protocol).
        haproxy: bool,
    },
}

/// Ports that Dovecot listens on by itself: service, name, port, TLS at once.
const PORTS: &[(&str, &str, u16, bool)] = &[
    ("imap-login", "imap", 143, false),
    ("imap-login", "imaps", 993, true),
    ("pop3-login", "pop3", 110, false),
    ("pop3-login", "pop3s", 995, true),
    ("managesieve-login", "sieve", 4190, false),
    ("submission-login", "submission", 587, false),
    ("submission-login", "submissions", 465, true),
];

/// Sockets that Dovecot has by itself: service, path, mode.
const SOCKETS: &[(&str, &str, u32)] = &[
    ("auth", "auth-client", 0o600),
    ("auth", "auth-login", 0o600),
    ("auth", "auth-master", 0o600),
    ("auth", "auth-userdb", 0o666),
    ("auth", "login/login", 0o666),
    ("auth", "token-login/tokenlogin", 0o666),
    ("dict", "dict", 0o600),
    ("doveadm", "doveadm-server", 0o600),
    ("lmtp", "lmtp", 0o666),
    ("stats", "stats-reader", 0o600),
    ("stats", "stats-writer", 0o660),
];

impl Listener {
    /// All that are open, by service; `protocols` are served, and `listen` are the addresses where nothing else is said.
    pub(crate) fn all(root: &Block, protocols: &[String], listen: &str) -> Vec<Self> {
        let mut all: Vec<Self> = builtin(listen);
        for service in root.of("service") {
            for block in &service.blocks {
                let explicit = Self::of(&service.name, block, &all, listen);
                all.retain(|known| (known.service != service.name) || known.name != block.name);
                all.extend(explicit);
            }
        }
        all.retain(|listener| serves(&listener.service, protocols) && !listener.is_closed());
        all.sort_by(|a, b| a.service.cmp(&b.service));
        all
    }

    fn is_closed(&self) -> bool {
        match self.socket {
            Socket::Inet { port, .. } => port == 0,
            Socket::Unix { mode, .. } => mode == 0,
        }
    }

    /// Whether it is a TCP port that others than this machine reach.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        match &self.socket {
            Socket::Inet { addresses, .. } => !addresses.iter().all(|address| is_loopback(address)),
            Socket::Unix { .. } => false,
        }
    }

    fn of(service: &str, block: &Block, known: &[Self], listen: &str) -> Option<Self> {
        let before = known.iter().find(|known| known.service == service && known.name == block.name);
        let socket = match block.kind.as_str() {
            "inet_listener" => inet(block, before, listen),
            "unix_listener" | "fifo_listener" => unix(block, before),
            _ => return None,
        };
        Some(Self { service: service.to_owned(), name: block.name.clone(), socket, explicit: true })
    }
}

fn builtin(listen: &str) -> Vec<Listener> {
    let named = |service: &str, name: &str, socket| Listener {
        service: service.to_owned(),
        name: name.to_owned(),
        socket,
        explicit: false,
    };
    let ports = PORTS.iter().map(|(service, name, port, tls)| {
        let addresses = addresses(listen);
        named(service, name, Socket::Inet { port: *port, addresses, tls: *tls, haproxy: false })
    });
    let sockets = SOCKETS.iter().map(|(service, name, mode)| {
        named(service, name, Socket::Unix { mode: *mode, user: String::new(), group: String::new() })
    });
    ports.chain(sockets).collect()
}

fn inet(block: &Block, before: Option<&Listener>, listen: &str) -> Socket {
    let (old_port, old_tls) = match before.map(|listener| &listener.socket) {
        Some(Socket::Inet { port, tls, .. }) => (*port, *tls),
        _ => (0, false),
    };
    // 2.4 calls the address `listen`.
    let own = block.get("address").or_else(|| block.get("listen")).filter(|own| !own.is_empty());
    Socket::Inet {
        port: block.get("port").map_or(old_port, |port| port.parse().unwrap_or(0)),
        addresses: addresses(own.unwrap_or(listen)),
        tls: block.get("ssl").map_or(old_tls, is_yes),
        haproxy: block.get("haproxy").is_some_and(is_yes),
    }
}

fn unix(block: &Block, before: Option<&Listener>) -> Socket {
    let old = match before.map(|listener| &listener.socket) {
        Some(Socket::Unix { mode, .. }) => *mode,
        _ => 0o600,
    };
    let text = |key: &str| block.get(key).unwrap_or_default().to_owned();
    let mode = block.get("mode").and_then(|mode| u32::from_str_radix(mode, 8).ok());
    Socket::Unix { mode: mode.unwrap_or(old), user: text("user"), group: text("group") }
}

fn addresses(list: &str) -> Vec<String> {
    list.split([',', ' ']).filter(|address| !address.is_empty()).map(str::to_owned).collect()
}

fn is_loopback(address: &str) -> bool {
    address == "localhost"
        || address.trim_matches(['[', ']']).parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

/// Whether a service runs: the login services and LMTP do when their protocol is served.
fn serves(service: &str, protocols: &[String]) -> bool {
    let protocol = match service {
        "managesieve-login" => "sieve",
        "lmtp" => "lmtp",
        _ => match service.strip_suffix("-login") {
            Some(protocol @ ("imap" | "pop3" | "submission")) => protocol,
            _ => return true,
        },
    };
    protocols.iter().any(|served| served == protocol)
}
