//! Who is in `mynetworks`. See postconf(5), mynetworks and mynetworks_style.

use std::net::IpAddr;

use mailward_model::Network;

use super::{Origin, Postfix, Service, elements};
use crate::Untold;
use crate::check::could_not_tell;

/// The clients that a list of addresses and networks names, in its order; the first that matches decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    /// Its entries.
    pub entries: Vec<Entry>,
    /// Elements whose networks are not known: names of hosts, tables that could not be read.
    pub unread: Vec<String>,
    /// Where the list stands, or what implies it.
    pub place: String,
}

/// A network in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The network.
    pub network: Network,
    /// Whether it is taken out (`!192.0.2.1`).
    pub not: bool,
    /// As it is written, or the interface that implies it.
    pub written: String,
}

impl Networks {
    /// Whether a client is in the list; none if that hangs on an element that is not known.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> Option<bool> {
        let decisive = self.entries.iter().find(|entry| entry.network.contains(address));
        match decisive {
            Some(entry) => Some(!entry.not),
            None if self.unread.is_empty() => Some(false),
            None => None,
        }
    }

    fn read(&mut self, postfix: &Postfix<'_>, list: &str, depth: usize) {
        for element in elements(list) {
            let (not, pattern) = match element.strip_prefix('!') {
                Some(pattern) => (true, pattern),
                None => (false, element),
            };
            if pattern.starts_with('/') && depth > 0 {
                match postfix.list_file(pattern) {
                    Ok(text) => self.read(postfix, &text, depth - 1),
                    Err(_) => self.unread.push(element.to_owned()),
                }
            } else if let Some(network) = network(pattern) {
                self.entries.push(Entry { network, not, written: element.to_owned() });
            } else if let Ok(entries) = postfix.table(pattern).and_then(|table| table.networks()) {
                let of_table = |network| Entry { network, not, written: element.to_owned() };
                self.entries.extend(entries.into_iter().map(of_table));
            } else {
                self.unread.push(element.to_owned());
            }
        }
    }
}

/// An element of the list: `192.0.2.0/24`, `[2001:db8::]/32`, `[::1]`, and the forms without brackets.
fn network(pattern: &str) -> Option<Network> {
    let plain = pattern.replace(['[', ']'], "");
    let (address, bits) = match plain.split_once('/') {
        Some((address, bits)) => (address, bits.parse::<u8>().ok()?),
        None => (plain.as_str(), 128),
    };
    let address: IpAddr = address.parse().ok()?;
    let mapped = address.is_ipv6() && address.to_canonical().is_ipv4();
    Some(Network::around(address, if mapped { bits.saturating_sub(96) } else { bits }))
}

impl Postfix<'_> {
    /// Who is in `mynetworks`, for a service or where no service overrides it.
    ///
    /// # Errors
    /// When it is implied by `mynetworks_style` and the interfaces are not known.
    pub fn networks(&self, service: Option<&Service>) -> Result<Networks, Untold> {
        let explicit = match service {
            Some(service) => self.in_service(service, "mynetworks"),
            None => self.in_main("mynetworks"),
        };
        match explicit {
            Ok(effective) if effective.origin != Origin::Default => {
                let mut networks = Networks { place: effective.place, ..Networks::default() };
                networks.read(self, &effective.value, 10);
                Ok(networks)
            }
            _ => self.implied_networks(),
        }
    }

    /// What another list of clients names: `smtpd_authorized_xclient_hosts`, `smtpd_client_event_limit_exceptions`.
    ///
    /// # Errors
    /// When its value is not known.
    pub fn clients(&self, service: &Service, parameter: &str) -> Result<Networks, Untold> {
        let effective = self.in_service(service, parameter)?;
        let mut networks = Networks { place: effective.place, ..Networks::default() };
        networks.read(self, &effective.value, 10);
        Ok(networks)
    }

    fn implied_networks(&self) -> Result<Networks, Untold> {
        let style = self.in_main("mynetworks_style")?;
        let place = format!("{}: mynetworks_style = {}", style.place, style.value);
        let loopback_only =
            self.value("inet_interfaces").is_some_and(|on| on == "loopback-only" || on == "localhost");
        let mut entries = Vec::new();
        for interface in self.facts.host.addresses.get()? {
            let Some((address, prefix)) = interface.network.split_once('/') else { continue };
            let (Ok(address), Ok(prefix)) = (address.parse::<IpAddr>(), prefix.parse::<u8>()) else {
                continue;
            };
            if loopback_only && !address.is_loopback() {
                continue;
            }
            let network = match style.value.as_str() {
                "host" => Network::host(address),
                "subnet" => Network::around(address, prefix),
                "class" => Network::around(address, class_prefix(address, prefix)),
                other => {
                    return could_not_tell(format!("mynetworks_style is none that Postfix knows: {other}"));
                }
            };
            entries.push(Entry { network, not: false, written: format!("{network} of {}", interface.name) });
        }
        Ok(Networks { entries, unread: Vec::new(), place })
    }
}

/// The prefix of an address's class (RFC 791); of an IPv6 address that of its interface.
const fn class_prefix(address: IpAddr, prefix: u8) -> u8 {
    match address {
        IpAddr::V4(v4) => match v4.octets() {
            [0..=127, ..] => 8,
            [128..=191, ..] => 16,
            [192..=223, ..] => 24,
            _ => 32,
        },
        IpAddr::V6(_) => prefix,
    }
}
