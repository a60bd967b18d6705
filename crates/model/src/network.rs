//! Addresses and networks.

use core::fmt;
use core::hash::{Hash, Hasher};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

/// The address as every part of Mailward knows it: an IPv4-mapped IPv6 address (`::ffff:192.0.2.1`) is its IPv4 address.
#[must_use]
pub const fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// An address block; a single address is a block of one. Host bits are always zero, IPv4-mapped blocks are IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// One number, where the parts of an address and the prefix would be six: networks are looked up at every line.
impl Hash for Network {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // No IPv6 block is IPv4-mapped, so these are different ones.
        let bits = match self.address {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
            IpAddr::V6(v6) => v6.to_bits(),
        };
        state.write_u128(bits ^ u128::from(self.prefix) << 120);
    }
}

impl Network {
    /// The block of `prefix` bits around `address`; a prefix longer than the address is cut to it.
    #[must_use]
    pub const fn around(address: IpAddr, prefix: u8) -> Self {
        match canonical(address) {
            IpAddr::V4(v4) => {
                let prefix = if prefix > 32 { 32 } else { prefix };
                let mask = if prefix == 0 { 0 } else { u32::MAX << (32 - prefix) };
                Self { address: IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask)), prefix }
            }
            IpAddr::V6(v6) => {
                let prefix = if prefix > 128 { 128 } else { prefix };
                let mask = if prefix == 0 { 0 } else { u128::MAX << (128 - prefix) };
                Self { address: IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask)), prefix }
            }
        }
    }

    /// The block of one address.
    #[must_use]
    pub const fn host(address: IpAddr) -> Self {
        Self::around(address, 128)
    }

    /// The first address.
    #[must_use]
    pub const fn address(self) -> IpAddr {
        self.address
    }

    /// The length of the prefix in bits.
    #[must_use]
    pub const fn prefix(self) -> u8 {
        self.prefix
    }

    /// Whether this is one single address.
    #[must_use]
    pub const fn is_host(self) -> bool {
        self.prefix == self.bits()
    }

    /// The last address.
    #[must_use]
    pub const fn last(self) -> IpAddr {
        match self.address {
            IpAddr::V4(v4) => {
                let hosts = if self.prefix == 32 { 0 } else { u32::MAX >> self.prefix };
                IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() | hosts))
            }
            IpAddr::V6(v6) => {
                let hosts = if self.prefix == 128 { 0 } else { u128::MAX >> self.prefix };
                IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() | hosts))
            }
        }
    }

    /// Whether the address lies in this block.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        let host_bits = u32::from(self.bits() - self.prefix);
        match (self.address, canonical(address)) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                (a.to_bits() ^ b.to_bits()).checked_shr(host_bits).unwrap_or(0) == 0
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => {
                (a.to_bits() ^ b.to_bits()).checked_shr(host_bits).unwrap_or(0) == 0
            }
            _ => false,
        }
    }

    /// Whether all of `other` lies in this block.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self.prefix <= other.prefix && self.contains(other.address)
    }

    /// Whether the two blocks share an address.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.covers(other) || other.covers(self)
    }

    const fn bits(self) -> u8 {
        if self.address.is_ipv4() { 32 } else { 128 }
    }
}

/// `192.0.2.1` for a single address, `192.0.2.0/24` for a block.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_host() {
            f.pad(&self.address.to_string())
        } else {
            f.pad(&format!("{}/{}", self.address, self.prefix))
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Address { text: text.to_owned() })?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match prefix {
            None => most,
            Some(digits) => digits
                .parse::<u8>()
                .ok()
                .filter(|bits| *bits <= most && digits.bytes().all(|b| b.is_ascii_digit()))
                .ok_or_else(|| NetworkError::Prefix { text: text.to_owned(), most })?,
        };
        let mapped = address.is_ipv6() && canonical(address).is_ipv4();
        let block = Self::around(address, if mapped { bits.saturating_sub(96) } else { bits });
        let full = Self::host(address);
        if full.address != block.address {
            return Err(NetworkError::HostBits { text: text.to_owned(), meant: block.to_string() });
        }
        Ok(block)
    }
}

/// Why a text is no network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkError {
    /// The part before the slash is no IPv4 or IPv6 address.
    Address {
        /// What was given.
        text: String,
    },
    /// The part after the slash is no prefix length.
    Prefix {
        /// What was given.
        text: String,
        /// The longest prefix of that family.
        most: u8,
    },
    /// Bits behind the prefix are set: it could mean the block or the address.
    HostBits {
        /// What was given.
        text: String,
        /// The block it lies in.
        meant: String,
    },
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { text } => {
                write!(
                    f,
                    "\"{text}\" is no address or network; write 192.0.2.1, 192.0.2.0/24 or 2001:db8::/48"
                )
            }
            Self::Prefix { text, most } => write!(f, "\"{text}\": the prefix must be 0 to {most}"),
            Self::HostBits { text, meant } => {
                write!(f, "\"{text}\" has bits set behind its prefix; for the whole block write {meant}")
            }
        }
    }
}

impl std::error::Error for NetworkError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Network {
        text.parse().unwrap()
    }

    #[test]
    fn networks_read_and_print() {
        for (text, printed) in [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1/32", "192.0.2.1"),
            ("192.0.2.0/24", "192.0.2.0/24"),
            ("2001:db8::/48", "2001:db8::/48"),
            ("2001:DB8::1/128", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
            ("0.0.0.0/0", "0.0.0.0/0"),
        ] {
            assert_eq!(net(text).to_string(), printed);
        }
        for bad in ["", "x", "192.0.2.1/33", "192.0.2.1/24", "192.0.2.0/+24", "2001:db8::/129", "192.0.2/24"]
        {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }

    #[test]
    fn networks_contain() {
        let block = net("203.0.113.0/24");
        assert!(block.contains("203.0.113.255".parse().unwrap()));
        assert!(block.contains("::ffff:203.0.113.7".parse().unwrap()));
        assert!(!block.contains("203.0.114.0".parse().unwrap()));
        assert!(!net("0.0.0.0/0").contains("2001:db8::1".parse().unwrap()));
        assert!(!net("::/0").contains("192.0.2.1".parse().unwrap()));
        assert!(block.covers(net("203.0.113.128/25")) && !net("203.0.113.128/25").covers(block));
        assert!(net("203.0.113.128/25").overlaps(block) && !block.overlaps(net("198.51.100.0/24")));
        assert_eq!(block.last().to_string(), "203.0.113.255");
        assert_eq!(net("2001:db8::/64").last().to_string(), "2001:db8::ffff:ffff:ffff:ffff");
    }
}
