//! What counts as one source.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mailward_model::Network;

/// One source: an IPv4 address, or an IPv6 /64, because a customer gets at least that much (RFC 6177). In 64 bits, as
/// memory is what look-ups wait for: the /64, or the IPv4 address in a block of multicast, where nobody sends from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source(u64);

/// ffff:0::/32.
const IPV4: u64 = 0xffff << 48;

impl Source {
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(IPV4 | u64::from(v4.to_bits())),
            IpAddr::V6(v6) => Self((v6.to_bits() >> 64) as u64),
        }
    }

    /// The source of a key that [`From`] made.
    pub(crate) const fn of_key(key: u64) -> Self {
        Self(key)
    }

    /// The whole source as a network.
    pub(crate) fn network(self) -> Network {
        let prefix = if self.is_ipv4() { 32 } else { 64 };
        Network::around(self.address(), prefix)
    }

    /// Its first address.
    pub(crate) fn address(self) -> IpAddr {
        if self.is_ipv4() {
            Ipv4Addr::from_bits(self.0 as u32).into()
        } else {
            Ipv6Addr::from_bits(u128::from(self.0) << 64).into()
        }
    }

    pub(crate) const fn is_ipv4(self) -> bool {
        self.0 >> 32 == IPV4 >> 32
    }

    /// The networks whose sources are neighbours: an IPv4 /24; an IPv6 /56, what a household gets, and /48, what a site
    /// gets.
    pub(crate) fn neighbourhoods(self) -> impl DoubleEndedIterator<Item = Neighbourhood> + Clone {
        let blocks: &[(u64, u64)] = if self.is_ipv4() { &[(0xff, 24)] } else { &[(0xff, 56), (0xffff, 48)] };
        blocks.iter().map(move |(within, prefix)| Neighbourhood(self.0 & !within | prefix))
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

impl From<Source> for u64 {
    fn from(source: Source) -> Self {
        source.0
    }
}

/// A network of neighbours: its first source, and in the last byte, which is 0 there, its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Neighbourhood(u64);

impl Neighbourhood {
    /// The key of a network; a longer one than a neighbourhood's gets a key that none has.
    pub(crate) fn of(network: Network) -> Self {
        Self(Source::of(network.address()).0 | u64::from(network.prefix()))
    }

    pub(crate) fn network(self) -> Network {
        Network::around(Source(self.0 & !0xff).address(), self.0 as u8)
    }
}

impl From<Neighbourhood> for u64 {
    fn from(neighbourhood: Neighbourhood) -> Self {
        neighbourhood.0
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
            let networks: Vec<_> = found.neighbourhoods().map(Neighbourhood::network).collect();
            assert_eq!(networks.iter().map(ToString::to_string).collect::<Vec<_>>(), neighbourhoods);
            assert!(networks.into_iter().map(Neighbourhood::of).eq(found.neighbourhoods()));
        }
    }
}
