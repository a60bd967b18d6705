//! Who is never banned, and the proof that a ban was checked against it.

use core::fmt;
use core::net::IpAddr;

use mailward_model::{Ban, Network, Timestamp};

/// A ban that was held against the never-ban list. Only [`NeverBan::clear`] makes one; `enforce` takes nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cleared(Ban);

impl Cleared {
    /// The ban.
    #[must_use]
    pub const fn ban(&self) -> &Ban {
        &self.0
    }

    /// The ban, giving up the proof.
    #[must_use]
    pub fn into_ban(self) -> Ban {
        self.0
    }
}

/// Why an address or network is never banned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Loopback, unspecified, multicast, link-local: never a client on the Internet.
    Special,
    /// Private or container networks (RFC 1918, RFC 4193, RFC 6598): one such address may stand for everybody.
    Private,
    /// An address of this host.
    Own,
    /// Listed in Postfix's `mynetworks`.
    MyNetworks,
    /// Where the operator's own session comes from.
    OperatorSession,
    /// Listed in the configuration, `[never-ban] networks`.
    Configured {
        /// The entry's name or comment.
        comment: String,
    },
    /// On the allowlist.
    Allowed {
        /// The entry's name or comment.
        comment: String,
    },
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Special => f.write_str("loopback, link-local or another special address"),
            Self::Private => f.write_str("a private or container address, which may stand for many clients"),
            Self::Own => f.write_str("an address of this host"),
            Self::MyNetworks => f.write_str("in Postfix's mynetworks"),
            Self::OperatorSession => f.write_str("where the operator is logged in from"),
            Self::Configured { comment } if comment.is_empty() => f.write_str("in [never-ban] networks"),
            Self::Configured { comment } => write!(f, "in [never-ban] networks ({comment})"),
            Self::Allowed { comment } if comment.is_empty() => f.write_str("on the allowlist"),
            Self::Allowed { comment } => write!(f, "on the allowlist ({comment})"),
        }
    }
}

/// A ban that touches somebody who is never banned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protected {
    /// What was to be banned.
    pub target: Network,
    /// The protected network that it touches.
    pub network: Network,
    /// Why that is protected.
    pub protection: Protection,
}

impl fmt::Display for Protected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not banned: {} is {}", self.target, self.network, self.protection)
    }
}

impl std::error::Error for Protected {}

/// The never-ban list. A few hundred entries at the most, so it is searched in order.
#[derive(Clone, Debug)]
pub struct NeverBan {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    network: Network,
    protection: Protection,
    until: Option<Timestamp>,
}

impl Default for NeverBan {
    fn default() -> Self {
        Self::built_in()
    }
}

impl NeverBan {
    /// The special and private networks that no configuration removes.
    #[must_use]
    pub fn built_in() -> Self {
        let special = SPECIAL.iter().map(|text| (text, Protection::Special));
        let private = PRIVATE.iter().map(|text| (text, Protection::Private));
        let entries = special
            .chain(private)
            .filter_map(|(text, protection)| {
                Some(Entry { network: text.parse().ok()?, protection, until: None })
            })
            .collect();
        Self { entries }
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none, which never happens: some networks are built in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Protects a network, until a time where one is given.
    pub fn protect(&mut self, network: Network, protection: Protection, until: Option<Timestamp>) {
        self.entries.push(Entry { network, protection, until });
    }

    /// Takes back every protection of this kind that names exactly this network; tells how many there were.
    pub fn unprotect(&mut self, network: Network, mut which: impl FnMut(&Protection) -> bool) -> usize {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.network != network || !which(&entry.protection));
        before - self.entries.len()
    }

    /// Why this address is protected, if it is.
    #[must_use]
    pub fn protection(&self, address: IpAddr, now: Timestamp) -> Option<&Protection> {
        self.touching(Network::host(address), now).map(|entry| &entry.protection)
    }

    /// Holds a ban against the list: a ban of a network that merely touches a protected address is refused, too.
    ///
    /// # Errors
    /// [`Protected`] names the entry that the ban touches.
    pub fn clear(&self, ban: Ban, now: Timestamp) -> Result<Cleared, Protected> {
        match self.touching(ban.target, now) {
            None => Ok(Cleared(ban)),
            Some(entry) => Err(Protected {
                target: ban.target,
                network: entry.network,
                protection: entry.protection.clone(),
            }),
        }
    }

    fn touching(&self, target: Network, now: Timestamp) -> Option<&Entry> {
        self.entries
            .iter()
            .find(|entry| entry.until.is_none_or(|until| now < until) && entry.network.overlaps(target))
    }
}

/// RFC 6890 blocks that are no client: this network, loopback, link-local, multicast, reserved.
const SPECIAL: [&str; 9] = [
    "0.0.0.0/8",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/128",
    "::1/128",
    "fe80::/10",
    "ff00::/8",
];

/// RFC 1918, RFC 6598 (carrier-grade NAT) and RFC 4193.
const PRIVATE: [&str; 5] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"];

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_model::Origin;

    fn ban(target: &str) -> Ban {
        let from = Timestamp::from_secs(0);
        let (by, reason) = ("test".into(), "".into());
        Ban {
            target: target.parse().unwrap(),
            from,
            until: None,
            origin: Origin::Operator,
            by,
            step: 0,
            reason,
        }
    }

    #[test]
    fn built_in_networks_are_never_banned() {
        let list = NeverBan::built_in();
        assert_eq!(list.entries.len(), SPECIAL.len() + PRIVATE.len());
        for text in
            ["127.0.0.1", "::1", "10.1.2.3", "172.20.0.1", "192.168.0.0/24", "fd00::1", "0.0.0.0/0", "::/0"]
        {
            assert!(list.clear(ban(text), Timestamp::default()).is_err(), "{text}");
        }
        for text in ["198.51.100.1", "203.0.113.0/24", "2001:db8::/64"] {
            assert!(list.clear(ban(text), Timestamp::default()).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_network_that_touches_a_protected_address_is_refused_until_that_ends() {
        let mut list = NeverBan::built_in();
        let home = "203.0.113.10".parse().unwrap();
        let allowed = Protection::Allowed { comment: "home".into() };
        list.protect(home, allowed.clone(), Some(Timestamp::from_secs(100)));
        let refused = list.clear(ban("203.0.113.0/24"), Timestamp::from_secs(99)).unwrap_err();
        assert_eq!((refused.network, refused.protection), (home, allowed));
        assert!(list.clear(ban("203.0.113.0/24"), Timestamp::from_secs(100)).is_ok());
        assert!(list.clear(ban("203.0.113.11"), Timestamp::from_secs(99)).is_ok());
        assert_eq!(list.unprotect(home, |p| matches!(p, Protection::Allowed { .. })), 1);
        assert!(list.clear(ban("203.0.113.10"), Timestamp::from_secs(99)).is_ok());
    }
}
