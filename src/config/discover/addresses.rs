//! The addresses of this host, and the networks of its containers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mailward_model::Network;

use super::host::Host;

/// The network of a container bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bridge {
    pub(crate) interface: String,
    pub(crate) network: Network,
}

/// The host's own addresses, without loopback and link-local ones.
pub(super) fn own(host: &Host) -> Vec<IpAddr> {
    let v4 = host.read("/proc/net/fib_trie").unwrap_or_default();
    let v6 = host.read("/proc/net/if_inet6").unwrap_or_default();
    let mut own: Vec<IpAddr> = local_v4(&v4).into_iter().map(IpAddr::V4).collect();
    own.extend(v6.lines().filter_map(|line| hex_v6(line.split_whitespace().next()?)).map(IpAddr::V6));
    own.retain(|address| match address {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local(),
        IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local(),
    });
    own.sort();
    own.dedup();
    own
}

/// The leaves of the routing trie that are `/32 host LOCAL`: the kernel lists every address of every interface there.
fn local_v4(trie: &str) -> Vec<Ipv4Addr> {
    let mut leaf: Option<Ipv4Addr> = None;
    let mut found = Vec::new();
    for line in trie.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse().ok();
        } else if line == "/32 host LOCAL" {
            found.extend(leaf);
        }
    }
    found
}

/// Networks behind the bridges of Docker, Podman and the like: their gateway may stand for all clients.
pub(super) fn bridges(host: &Host) -> Vec<Bridge> {
    let v4 = host.read("/proc/net/route").unwrap_or_default();
    let v6 = host.read("/proc/net/ipv6_route").unwrap_or_default();
    let mut bridges: Vec<_> =
        v4.lines().filter_map(route_v4).chain(v6.lines().filter_map(route_v6)).collect();
    bridges.retain(|bridge| BRIDGES.iter().any(|name| bridge.interface.starts_with(name)));
    bridges.dedup();
    bridges
}

/// How such interfaces are called: Docker's default and its networks, Podman, CNI, LXC, libvirt.
const BRIDGES: [&str; 6] = ["docker", "br-", "podman", "cni", "lxcbr", "virbr"];

/// `docker0 000011AC 00000000 0001 0 0 0 0000FFFF …`: destination and mask as the bytes lie in memory.
fn route_v4(line: &str) -> Option<Bridge> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let number = |place: usize| u32::from_str_radix(words.get(place)?, 16).ok();
    let (destination, mask) = (number(1)?, number(7)?);
    let address = Ipv4Addr::from(destination.to_ne_bytes());
    let prefix = u32::from_be_bytes(mask.to_ne_bytes()).leading_ones() as u8;
    let interface = (*words.first()?).to_owned();
    (prefix > 0).then(|| Bridge { interface, network: Network::around(address.into(), prefix) })
}

/// `fd00… 40 … docker0`: destination, prefix, and the interface at the end.
fn route_v6(line: &str) -> Option<Bridge> {
    let mut words = line.split_whitespace();
    let (address, prefix) = (hex_v6(words.next()?)?, u8::from_str_radix(words.next()?, 16).ok()?);
    let interface = words.next_back()?.to_owned();
    let real = prefix > 0 && prefix < 128 && !address.is_unicast_link_local() && !address.is_multicast();
    real.then(|| Bridge { interface, network: Network::around(address.into(), prefix) })
}

fn hex_v6(digits: &str) -> Option<Ipv6Addr> {
    (digits.len() == 32).then(|| u128::from_str_radix(digits, 16).ok().map(Ipv6Addr::from_bits))?
}
