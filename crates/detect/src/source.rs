//! What counts as one source.

use core::net::{IpAddr, Ipv6Addr};

use mailward_model::Network;

/// One source: an IPv4 address, or an IPv6 /64, because a customer gets at least that much (RFC 6177).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Source(u128);

impl Source {
    pub(crate) fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self(v4.to_ipv6_mapped().to_bits()),
            IpAddr::V6(v6) => Self(v6.to_bits() & (u128::MAX << 64)),
        }
    }

    /// The whole source as a network.
    pub(crate) fn network(self) -> Network {
        let prefix = if self.is_ipv4() { 32 } else { 64 };
        Network::around(self.address(), prefix)
    }

    /// Its first address.
    pub(crate) fn address(self) -> IpAddr {
        IpAddr::V6(Ipv6Addr::from_bits(self.0)).to_canonical()
    }

    pub(crate) const fn is_ipv4(self) -> bool {
        self.0 >> 32 == 0xffff
    }

    /// The networks whose sources are neighbours: an IPv4 /24; an IPv6 /56, what a household gets, and /48, what a site
    /// gets.
    pub(crate) fn neighbourhoods(self) -> impl Iterator<Item = Network> {
        let prefixes: &[u8] = if self.is_ipv4() { &[24] } else { &[56, 48] };
        prefixes.iter().map(move |prefix| Network::around(self.address(), *prefix))
    }

    /// A tag of an address within its source, of 6 bits; 0 for IPv4.
    pub(crate) fn tag(address: IpAddr) -> u8 {
        match address {
            IpAddr::V4(_) => 0,
            IpAddr::V6(v6) => {
                let folded = v6.to_bits() as u64 ^ ((v6.to_bits() as u64) >> 32);
                (folded ^ (folded >> 16) ^ (folded >> 8) ^ (folded >> 6)) as u8 & 0x3f
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_and_their_neighbourhoods() {
        for (address, source, neighbourhoods) in [
            ("203.0.113.7", "203.0.113.7", vec!["203.0.113.0/24"]),
            ("2001:db8:1:2:3::4", "2001:db8:1:2::/64", vec!["2001:db8:1::/56", "2001:db8:1::/48"]),
        ] {
            let found = Source::of(address.parse().unwrap());
            assert_eq!(found.network().to_string(), source);
            assert_eq!(found.neighbourhoods().map(|n| n.to_string()).collect::<Vec<_>>(), neighbourhoods);
        }
    }
}
