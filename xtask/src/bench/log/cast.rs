//! Who takes part: addresses of documentation and benchmarking (RFC 5737, RFC 3849, RFC 2544), names of `.example`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::random::Random;

/// Somebody at the other end of a connection.
#[derive(Clone)]
pub(super) struct Peer {
    pub(super) address: IpAddr,
    /// Its confirmed name, or `unknown`.
    pub(super) name: String,
}

/// An account and where its owner logs in from.
pub(super) struct User {
    pub(super) login: String,
    pub(super) places: [Peer; 2],
}

pub(super) struct Cast {
    pub(super) users: Vec<User>,
    pub(super) servers: Vec<Peer>,
}

/// The mail server itself.
pub(super) const HOST: &str = "192.0.2.10";

const DOMAINS: &[&str] = &["example.com", "example.net", "example.org"];
const FIRST: &[&str] = &[
    "anna", "bruno", "carla", "david", "elena", "felix", "greta", "henri", "ines", "jonas", "klara", "luca",
    "mira", "noah", "olga", "paul", "rosa", "samuel", "tilda", "victor",
];
const LAST: &[&str] = &[
    "albers", "berg", "costa", "duval", "ekman", "fischer", "garcia", "holm", "ito", "jansen", "keller",
    "lind",
];
/// Names that guessers try besides those that exist.
const GUESSED: &[&str] =
    &["admin", "info", "test", "office", "postmaster", "scanner", "backup", "root", "sales"];

const SERVERS: u32 = 600;
const STRANGERS: usize = 100_000;
/// The first of them have IPv4 addresses.
const STRANGERS_V4: u32 = 60_000;
/// A few sources do half of the harm.
const BUSY_STRANGERS: usize = 400;

impl Cast {
    pub(super) fn new(random: &mut Random) -> Self {
        let names = FIRST.iter().flat_map(|first| LAST.iter().map(move |last| format!("{first}.{last}")));
        let users = names
            .zip(0_u32..)
            .map(|(name, n)| {
                let places = [home(n), if n % 3 == 0 { home6(n) } else { home(n + 4_000) }];
                User { login: format!("{name}@{}", random.pick(DOMAINS)), places }
            })
            .collect();
        Self { users, servers: (0..SERVERS).map(server).collect() }
    }
}

fn home(n: u32) -> Peer {
    let address = IpAddr::V4(Ipv4Addr::from(0xC613_0000 + n * 7));
    Peer { address, name: format!("p{n}.dsl.provider.example") }
}

fn home6(n: u32) -> Peer {
    let address = Ipv6Addr::from((0x2001_0db8_0c00_u128 << 80) | (u128::from(n) << 64) | 0x10);
    Peer { address: IpAddr::V6(address), name: "unknown".into() }
}

fn server(n: u32) -> Peer {
    let address = IpAddr::V4(Ipv4Addr::from(0xC613_8000 + n * 5));
    Peer { address, name: format!("mx{}.partner{}.example", n % 3 + 1, n / 3) }
}

/// Somebody who does harm: mostly IPv4, most without a name.
pub(super) fn stranger(random: &mut Random) -> Peer {
    let n = if random.below(2) == 0 { random.below(BUSY_STRANGERS) } else { random.below(STRANGERS) };
    let n = u32::try_from(n).unwrap_or(0);
    let address = match n.checked_sub(STRANGERS_V4) {
        // An odd factor spreads them over the whole /16, each once.
        None => IpAddr::V4(Ipv4Addr::from(0xC612_0000 + n * 40_503 % 65_536)),
        Some(n) => IpAddr::V6(Ipv6Addr::from((0x2001_0db8_0bad_u128 << 80) | (u128::from(n) << 64) | 1)),
    };
    let name = if n % 5 == 0 { format!("host-{n}.cloud.example") } else { "unknown".into() };
    Peer { address, name }
}

/// A login that is guessed at: often one that exists.
pub(super) fn guessed<'a>(random: &mut Random, cast: &'a Cast) -> std::borrow::Cow<'a, str> {
    if random.below(3) == 0 {
        format!("{}@{}", random.pick(GUESSED), random.pick(DOMAINS)).into()
    } else {
        random.pick(&cast.users).login.as_str().into()
    }
}

/// Dovecot's session id: base64 of 48 bits of microseconds, the client's port and address, the low bytes first.
pub(super) fn session_id(micros: i64, port: usize, address: IpAddr) -> String {
    let mut bytes = Vec::with_capacity(24);
    bytes.extend(micros.to_le_bytes().iter().take(6));
    bytes.extend(port.to_le_bytes().iter().take(2));
    match address {
        IpAddr::V4(v4) => bytes.extend(v4.octets()),
        IpAddr::V6(v6) => bytes.extend(v6.octets()),
    }
    base64(&bytes)
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64 of a multiple of three bytes.
fn base64(bytes: &[u8]) -> String {
    let threes =
        bytes.chunks(3).map(|three| three.iter().fold(0_usize, |bits, &byte| bits << 8 | usize::from(byte)));
    let digits = threes.flat_map(|bits| [18, 12, 6, 0].map(|shift| bits >> shift & 63));
    digits.filter_map(|digit| DIGITS.get(digit)).map(|&digit| char::from(digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_ids_are_as_dovecot_makes_them() {
        // Dovecot 2.4.1 wrote this id at 2026-11-20T18:34:02.4Z for 192.0.2.40, port 42343.
        let micros = 0x60b9_7cf8_4948;
        assert_eq!(session_id(micros, 42_343, "192.0.2.40".parse().unwrap()), "SEn4fLlgZ6XAAAIo");
    }
}
