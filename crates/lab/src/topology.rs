//! Who lives where: every address, name, account and password of the lab.
//!
//! Addresses come from the documentation ranges (RFC 5737, RFC 3849) and, because three /24 are too few for a botnet,
//! from the benchmarking range 198.18.0.0/15 (RFC 2544). Names end in `.example` or are `example.org` and `example.net`.
//!
//! ```text
//!   mail  198.51.100.25        2001:db8:25::25           the mail host
//!   net   198.51.100.1 and .53 2001:db8:25::1            the router, which is also the DNS
//!   good  203.0.113.0/24       2001:db8:600d::/48        honest users; also 192.0.2.200
//!   bad   192.0.2.0/24         2001:db8:bad::/48         attackers; also 198.18.0.0/16, 2001:db8:bad1::/48
//! ```

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The mail host, IPv4.
pub const MAIL4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 25);
/// The mail host, IPv6.
pub const MAIL6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x25, 0, 0, 0, 0, 0x25);
/// The router's address in the mail host's network.
pub const ROUTER4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
/// The router's IPv6 address in the mail host's network.
pub const ROUTER6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x25, 0, 0, 0, 0, 1);
/// The lab's DNS, on the router.
pub const DNS4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 53);

/// The mail host's name.
pub const HOSTNAME: &str = "mail.example.org";
/// The domains whose mail it takes.
pub const DOMAINS: [&str; 2] = ["example.org", "example.net"];
/// The DNS blocklist that postscreen asks.
pub const SCREEN_LIST: &str = "zen.lists.example";
/// The DNS blocklist that smtpd asks at RCPT.
pub const RCPT_LIST: &str = "bl.lists.example";
/// The honest mail server that takes every other domain's mail.
pub const PARTNER: &str = "mx.partner.example";

/// A mailbox and its password.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    /// Login name and mail address.
    pub name: &'static str,
    /// Its password.
    pub password: &'static str,
}

impl Account {
    /// The part before the `@`.
    #[must_use]
    pub fn local(&self) -> &'static str {
        self.name.split_once('@').map_or(self.name, |(local, _)| local)
    }

    /// The part after the `@`.
    #[must_use]
    pub fn domain(&self) -> &'static str {
        self.name.split_once('@').map_or("", |(_, domain)| domain)
    }
}

const fn account(name: &'static str, password: &'static str) -> Account {
    Account { name, password }
}

/// Whom most guessers try.
pub const NORA: Account = account("nora@example.org", "Lighthouse-19-fern");
/// Whom the distributed guessers try.
pub const OTTO: Account = account("otto@example.org", "Kettle-84-marble");
/// Lives in the attackers' network.
pub const PIA: Account = account("pia@example.org", "Sparrow-27-copper");
/// Whose password the lucky guesser finds.
pub const QUINN: Account = account("quinn@example.org", "Harvest-63-violet");
/// Whose password is stolen.
pub const ROSA: Account = account("rosa@example.org", "Tunnel-45-saffron");
/// Works in the office.
pub const SAM: Account = account("sam@example.net", "Anchor-38-tulip");
/// Works in the office and writes its newsletter.
pub const TESS: Account = account("tess@example.net", "Pebble-92-cobalt");
/// Her phone has an old password.
pub const UMA: Account = account("uma@example.net", "Willow-56-ember");

/// Accounts that nobody uses and that one attack each is after: guesses of one attack must not put an account under a
/// siege that stops another.
pub const TARGETS: [Account; 9] = [
    account("vera@example.org", "Candle-31-quill"),
    account("walt@example.org", "Ribbon-38-quill"),
    account("xenia@example.org", "Meadow-45-quill"),
    account("yann@example.org", "Granite-52-quill"),
    account("zoe@example.org", "Feather-59-quill"),
    account("adam@example.org", "Harbor-66-quill"),
    account("berta@example.org", "Thistle-73-quill"),
    account("carlo@example.org", "Lantern-80-quill"),
    account("dora@example.org", "Walnut-87-quill"),
];

const USED: [Account; 8] = [NORA, OTTO, PIA, QUINN, ROSA, SAM, TESS, UMA];

/// All mailboxes.
pub fn accounts() -> impl Iterator<Item = Account> + Clone {
    USED.into_iter().chain(TARGETS)
}

/// Addresses that only forward.
pub const ALIASES: [(&str, &str); 2] =
    [("postmaster@example.org", "nora@example.org"), ("info@example.net", "tess@example.net")];

/// An honest client. None of these may ever be banned, delayed for long or refused.
#[derive(Clone, Copy, Debug)]
pub struct Innocent {
    /// What the commands call it.
    pub name: &'static str,
    /// Where it connects from.
    pub address: IpAddr,
    /// Its reverse name.
    pub host: &'static str,
}

const fn innocent4(name: &'static str, octets: [u8; 4], host: &'static str) -> Innocent {
    Innocent { name, address: IpAddr::V4(Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3])), host }
}

const fn innocent6(name: &'static str, last: u16, host: &'static str) -> Innocent {
    let address = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0x600d, 0, 0, 0, 0, last));
    Innocent { name, address, host }
}

/// Nora, Otto and Quinn at home.
pub const HOME: Innocent = innocent4("home", [203, 0, 113, 21], "line21.dsl.provider.example");
/// Several users, a phone and a printer behind one NAT.
pub const OFFICE: Innocent = innocent4("office", [203, 0, 113, 34], "gw.office.example");
/// An uptime monitor: connects and leaves.
pub const MONITOR: Innocent = innocent4("monitor", [203, 0, 113, 47], "check1.uptime.example");
/// Another mail server.
pub const MTA: Innocent = innocent4("mta", [203, 0, 113, 52], PARTNER);
/// Does nothing at all; log injection tries to get it banned.
pub const BYSTANDER: Innocent = innocent4("bystander", [203, 0, 113, 66], "line66.dsl.provider.example");
/// Pia, whose provider also sells to the attackers.
pub const NEIGHBOUR: Innocent = innocent4("neighbour", [192, 0, 2, 200], "line200.cheap.example");
/// Nora over IPv6.
pub const HOME6: Innocent = innocent6("home6", 0x21, "line21.v6.provider.example");
/// The other mail server over IPv6.
pub const MTA6: Innocent = innocent6("mta6", 0x52, PARTNER);

/// Everybody honest.
pub const INNOCENTS: [Innocent; 8] = [HOME, OFFICE, MONITOR, MTA, BYSTANDER, NEIGHBOUR, HOME6, MTA6];

/// Attackers listed in [`SCREEN_LIST`].
pub const SCREEN_LISTED: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 2, 241), Ipv4Addr::new(192, 0, 2, 242)];
/// Attackers listed in [`RCPT_LIST`].
pub const RCPT_LISTED: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 2, 251), Ipv4Addr::new(192, 0, 2, 252)];
/// Attackers whose reverse names are written to look like log text; see [`hostile_names`].
pub const HOSTILE_NAMED: [Ipv4Addr; 6] = [
    Ipv4Addr::new(192, 0, 2, 231),
    Ipv4Addr::new(192, 0, 2, 232),
    Ipv4Addr::new(192, 0, 2, 233),
    Ipv4Addr::new(192, 0, 2, 234),
    Ipv4Addr::new(192, 0, 2, 235),
    Ipv4Addr::new(192, 0, 2, 236),
];
/// `mx.rogue.example`, a mail server whose replies are written to look like log text.
pub const ROGUE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 66);

/// The labels of each hostile reverse name, in [`HOSTILE_NAMED`]'s order. A DNS label may hold any byte (RFC 2181, 11).
#[must_use]
pub fn hostile_names() -> [Vec<String>; 6] {
    let dotted = BYSTANDER.address.to_string();
    let labels = |name: &str| name.split('.').map(str::to_owned).collect::<Vec<_>>();
    let rogue = |first: String| vec![first, "rogue".into(), "example".into()];
    [
        rogue(format!("unknown[{dotted}]")),
        rogue(format!("x from unknown[{dotted}]: SASL LOGIN failed")),
        rogue(format!("rip={dotted},")),
        labels(&format!("{dotted}.rogue.example")),
        labels(&dotted),
        labels(HOSTNAME),
    ]
}

/// Which namespace an address lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The mail host.
    Mail,
    /// The router and DNS.
    Net,
    /// Honest users.
    Good,
    /// Attackers.
    Bad,
}

impl Place {
    /// All four, in the order in which they are made.
    pub const ALL: [Self; 4] = [Self::Net, Self::Mail, Self::Good, Self::Bad];

    /// What the commands call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Net => "net",
            Self::Good => "good",
            Self::Bad => "bad",
        }
    }

    /// Where this address is at home, if anywhere.
    #[must_use]
    pub fn of(address: IpAddr) -> Option<Self> {
        if INNOCENTS.iter().any(|innocent| innocent.address == address) {
            return Some(Self::Good);
        }
        match address {
            IpAddr::V4(MAIL4) | IpAddr::V6(MAIL6) => Some(Self::Mail),
            IpAddr::V4(ROUTER4 | DNS4) | IpAddr::V6(ROUTER6) => Some(Self::Net),
            IpAddr::V4(v4) => match v4.octets() {
                [203, 0, 113, _] => Some(Self::Good),
                [192, 0, 2, _] | [198, 18, ..] => Some(Self::Bad),
                _ => None,
            },
            IpAddr::V6(v6) => match v6.segments() {
                [0x2001, 0xdb8, 0x600d, ..] => Some(Self::Good),
                [0x2001, 0xdb8, 0xbad | 0xbad1, ..] => Some(Self::Bad),
                _ => None,
            },
        }
    }
}

impl core::str::FromStr for Place {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let known = Self::ALL.into_iter().find(|place| place.name() == text);
        let by_address = || text.parse().ok().and_then(Self::of);
        known.or_else(by_address).ok_or_else(|| {
            anyhow::anyhow!("no machine is called {text}: say mail, net, good, bad or one of their addresses")
        })
    }
}

/// The mail host's address of the same family as `source`.
#[must_use]
pub const fn mail_for(source: IpAddr) -> IpAddr {
    match source {
        IpAddr::V4(_) => IpAddr::V4(MAIL4),
        IpAddr::V6(_) => IpAddr::V6(MAIL6),
    }
}

/// The ports on which the mail host must listen.
pub const PORTS: [u16; 8] = [25, 110, 143, 465, 587, 993, 995, 4190];

/// The `n`th attacker of the botnet, far from the others: each in a /24 of its own.
#[must_use]
pub fn scattered(n: usize) -> IpAddr {
    // 73 and 250 have no common divisor, so 250 in a row differ in the third octet.
    let [third, fourth] = [n * 73 % 250, 1 + n * 7 % 199].map(|octet| u8::try_from(octet).unwrap_or(1));
    IpAddr::V4(Ipv4Addr::new(198, 18, third, fourth))
}

/// The `n`th address of one IPv6 /64.
#[must_use]
pub fn rotating(n: usize) -> IpAddr {
    let n = u16::try_from(n).unwrap_or(u16::MAX);
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xbad, 0x64, n.wrapping_mul(2654), 0x11, 0x22, n))
}

/// An address in the `n`th /64 of one IPv6 /48.
#[must_use]
pub fn hopping(n: usize) -> IpAddr {
    let n = u16::try_from(n).unwrap_or(u16::MAX);
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xbad1, n.wrapping_mul(977), 0, 0, 0, 9))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_address_has_one_home() {
        for innocent in INNOCENTS {
            assert_eq!(Place::of(innocent.address), Some(Place::Good), "{}", innocent.name);
        }
        for n in 0..250 {
            assert_eq!(Place::of(scattered(n)), Some(Place::Bad));
            assert_eq!(Place::of(rotating(n)), Some(Place::Bad));
            assert_eq!(Place::of(hopping(n)), Some(Place::Bad));
        }
        assert_eq!(Place::of("8.8.8.8".parse().unwrap()), None);
        assert_eq!("192.0.2.9".parse::<Place>().unwrap(), Place::Bad);
        assert!("nowhere".parse::<Place>().is_err());
    }

    #[test]
    fn botnets_are_as_wide_as_they_say() {
        let nets: BTreeSet<_> = (0..250).map(|n| scattered(n).to_string()).collect();
        assert_eq!(nets.len(), 250);
        let thirds: BTreeSet<_> =
            nets.iter().map(|text| text.split('.').nth(2).unwrap().to_owned()).collect();
        assert_eq!(thirds.len(), 250);
        let hops: BTreeSet<_> = (0..1000).map(hopping).collect();
        assert_eq!(hops.len(), 1000);
        let rotation: BTreeSet<_> = (0..1000).map(rotating).collect();
        assert_eq!(rotation.len(), 1000);
    }
}
