//! Addresses: which the Internet can reach, and the names under which the DNS knows them.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Networks that no public name may lead to, with what they are (RFC 6890).
const SPECIAL: &[(&str, u8, &str)] = &[
    ("0.0.0.0", 8, "this network"),
    ("10.0.0.0", 8, "private"),
    ("100.64.0.0", 10, "shared by carriers"),
    ("127.0.0.0", 8, "loopback"),
    ("169.254.0.0", 16, "link-local"),
    ("172.16.0.0", 12, "private"),
    ("192.0.0.0", 24, "reserved"),
    ("192.168.0.0", 16, "private"),
    ("198.18.0.0", 15, "for benchmarks"),
    ("224.0.0.0", 4, "multicast"),
    ("240.0.0.0", 4, "reserved"),
    ("::", 128, "unspecified"),
    ("::1", 128, "loopback"),
    ("fc00::", 7, "private"),
    ("fe80::", 10, "link-local"),
    ("ff00::", 8, "multicast"),
];

/// Networks for examples (RFC 5737, RFC 3849).
const DOCUMENTATION: &[(&str, u8)] =
    &[("192.0.2.0", 24), ("198.51.100.0", 24), ("203.0.113.0", 24), ("2001:db8::", 32), ("3fff::", 20)];

/// Whether an address is in a network. An IPv4 address mapped into IPv6 counts as IPv4.
#[must_use]
pub fn contains(network: IpAddr, prefix: u8, address: IpAddr) -> bool {
    match (network.to_canonical(), address.to_canonical()) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let shift = 32 - u32::from(prefix.min(32));
            let bits = |address: Ipv4Addr| u32::from(address).checked_shr(shift).unwrap_or(0);
            bits(network) == bits(address)
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let shift = 128 - u32::from(prefix.min(128));
            let bits = |address: Ipv6Addr| u128::from(address).checked_shr(shift).unwrap_or(0);
            bits(network) == bits(address)
        }
        _ => false,
    }
}

/// What an address is that the Internet cannot reach, documentation not counted.
#[must_use]
pub fn special(address: IpAddr) -> Option<&'static str> {
    let inside = |network: &str, prefix| {
        network.parse().is_ok_and(|network: IpAddr| contains(network, prefix, address))
    };
    SPECIAL.iter().find(|(network, prefix, _)| inside(network, *prefix)).map(|(.., what)| *what)
}

/// Whether an address is for examples only.
#[must_use]
pub fn documentation(address: IpAddr) -> bool {
    DOCUMENTATION.iter().any(|(network, prefix)| {
        network.parse().is_ok_and(|network: IpAddr| contains(network, *prefix, address))
    })
}

/// The labels of an address in reverse order: `1.2.0.192`, nibbles for IPv6.
#[must_use]
pub fn reversed(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}")
        }
        IpAddr::V6(address) => {
            let mut name = String::with_capacity(64);
            for octet in address.octets().iter().rev() {
                let _ = write!(name, "{:x}.{:x}.", octet & 15, octet >> 4);
            }
            name.pop();
            name
        }
    }
}

/// The name whose PTR record names the address.
#[must_use]
pub fn pointer(address: IpAddr) -> String {
    let zone = if address.to_canonical().is_ipv4() { "in-addr.arpa" } else { "ip6.arpa" };
    format!("{}.{zone}", reversed(address))
}
