//! Addresses, and clients by name and address.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mailward_model::{Client, Text, canonical};

use super::{number, seek};

/// The whole of `bytes` as an address: IPv4, IPv6 with or without a zone (`fe80::1%eth0`), IPv4-mapped as IPv4.
pub(crate) fn address(bytes: &[u8]) -> Option<IpAddr> {
    let (address, rest) = leading(bytes)?;
    rest.is_empty().then_some(address)
}

/// An address in front, and what follows it.
fn leading(bytes: &[u8]) -> Option<(IpAddr, &[u8])> {
    if let Some((v4, rest)) = ipv4(bytes) {
        return Some((IpAddr::V4(v4), rest));
    }
    let (v6, rest) = ipv6(bytes)?;
    Some((canonical(IpAddr::V6(v6)), zone(rest)?))
}

/// Dotted quad without leading zeros, as every program here prints it.
#[inline]
fn ipv4(bytes: &[u8]) -> Option<(Ipv4Addr, &[u8])> {
    let (a, rest) = octet(bytes)?;
    let (b, rest) = octet(rest.strip_prefix(b".")?)?;
    let (c, rest) = octet(rest.strip_prefix(b".")?)?;
    let (d, rest) = octet(rest.strip_prefix(b".")?)?;
    Some((Ipv4Addr::new(a, b, c, d), rest))
}

#[inline]
fn octet(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let digit = |b: &u8| Some(b.wrapping_sub(b'0')).filter(|digit| *digit < 10);
    let (first, rest) = bytes.split_first()?;
    let first = digit(first)?;
    let Some((second, after)) = rest.split_first().and_then(|(b, after)| Some((digit(b)?, after))) else {
        return Some((first, rest));
    };
    if first == 0 {
        return None;
    }
    let two = first * 10 + second;
    let Some((third, after)) = after.split_first().and_then(|(b, rest)| Some((digit(b)?, rest))).or(None)
    else {
        return Some((two, after));
    };
    Some((two.checked_mul(10)?.checked_add(third)?, after))
}

/// Up to eight groups, one run of them as `::`, the last two perhaps as an IPv4 address (RFC 4291 section 2.2).
fn ipv6(bytes: &[u8]) -> Option<(Ipv6Addr, &[u8])> {
    let mut groups = [0_u16; 8];
    let (mut count, mut gap) = (0_usize, None);
    let mut rest = bytes;
    if let Some(after) = rest.strip_prefix(b"::") {
        (gap, rest) = (Some(0), after);
    }
    while count < 8 {
        if count < 7
            && let Some((v4, after)) = ipv4(rest)
        {
            let [a, b, c, d] = v4.octets();
            *groups.get_mut(count)? = u16::from_be_bytes([a, b]);
            *groups.get_mut(count + 1)? = u16::from_be_bytes([c, d]);
            (count, rest) = (count + 2, after);
            break;
        }
        let Some((group, after)) = group(rest) else { break };
        *groups.get_mut(count)? = group;
        (count, rest) = (count + 1, after);
        let Some(after) = rest.strip_prefix(b":") else { break };
        if let Some(after) = after.strip_prefix(b":") {
            if gap.replace(count).is_some() {
                return None;
            }
            rest = after;
        } else if count < 8 && after.first().is_some_and(u8::is_ascii_hexdigit) {
            rest = after;
        } else {
            break;
        }
    }
    match gap {
        Some(gap) if count < 8 => {
            groups.get_mut(gap..)?.rotate_right(8 - count);
            Some((Ipv6Addr::from(groups), rest))
        }
        None if count == 8 => Some((Ipv6Addr::from(groups), rest)),
        _ => None,
    }
}

/// One to four hexadecimal digits.
fn group(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let mut value = 0;
    let mut rest = bytes;
    for _ in 0..4 {
        let Some((digit, after)) = rest.split_first() else { break };
        let Some(digit) = char::from(*digit).to_digit(16) else { break };
        value = value << 4 | digit as u16;
        rest = after;
    }
    (rest.len() < bytes.len()).then_some((value, rest))
}

/// Without a zone in front: `%eth0`, at most 15 bytes (`IFNAMSIZ`).
fn zone(bytes: &[u8]) -> Option<&[u8]> {
    let Some(inside) = bytes.strip_prefix(b"%") else { return Some(bytes) };
    let is_name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let length = inside.iter().take_while(|b| is_name(b)).count();
    ((1..=15).contains(&length)).then(|| inside.get(length..)).flatten()
}

/// A client known by its address alone.
pub(crate) fn client_at<'a>(address: IpAddr) -> Client<'a> {
    Client { address, port: 0, name: Text::EMPTY }
}

/// `[address]` or `[address]:port` in front, and what follows it, as postscreen and proxies print it.
pub(crate) fn bracketed(bytes: &[u8]) -> Option<(IpAddr, u16, &[u8])> {
    let (address, rest) = leading(bytes.strip_prefix(b"[")?)?;
    let rest = rest.strip_prefix(b"]")?;
    let Some((port, after)) = rest.strip_prefix(b":").and_then(number) else {
        return Some((address, 0, rest));
    };
    Some((address, u16::try_from(port).ok()?, after))
}

/// `name[address]` or `name[address]:port` in front, and what follows it, as Postfix prints a client.
///
/// Postfix accepts only a valid host name for `name`, so the first bracket is the address. Should a name hold a bracket
/// all the same (`unknown[192.0.2.1].evil.example[198.51.100.7]`), the address is the one in the bracket that is not
/// followed by more of a name. A name with a blank is none: what stands here is other text.
pub(crate) fn peer(bytes: &[u8]) -> Option<(Client<'_>, &[u8])> {
    // A host name has 255 bytes at the most (RFC 1035 section 2.3.4); a forged one with a few brackets is still within this.
    let window = bytes.get(..512).unwrap_or(bytes);
    let mut from = 0;
    loop {
        let at = from + seek(window.get(from..)?, [b'[', b' '])?;
        if bytes.get(at) == Some(&b' ') {
            return None;
        }
        from = at + 1;
        let Some((address, port, rest)) = bracketed(bytes.get(at..)?) else { continue };
        if rest.first().is_none_or(|&b| !continues_name(b)) {
            let name = bytes.get(..at)?;
            let name = if name == b"unknown" { Text::EMPTY } else { Text::new(name) };
            return Some((Client { address, port, name }, rest));
        }
    }
}

const fn continues_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'[' | b']')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn reads_what_the_library_reads(text in "[0-9a-f:.]{0,24}|([0-9a-f]{0,4}:){0,8}[0-9a-f]{0,4}|([0-9]{1,3}\\.){3}[0-9]{1,3}") {
            let want = text.parse::<IpAddr>().ok().map(canonical);
            prop_assert_eq!(address(text.as_bytes()), want, "{}", text);
        }

        #[test]
        fn reads_what_the_library_writes(bits in any::<u128>(), zeros in any::<u128>(), four in any::<u32>()) {
            let v6 = Ipv6Addr::from(bits & zeros & zeros.rotate_left(7));
            prop_assert_eq!(address(v6.to_string().as_bytes()), Some(canonical(IpAddr::V6(v6))));
            let v4 = Ipv4Addr::from(four);
            prop_assert_eq!(address(v4.to_string().as_bytes()), Some(IpAddr::V4(v4)));
        }
    }

    #[test]
    fn addresses() {
        for (text, want) in [
            ("192.0.2.1", Some("192.0.2.1")),
            ("255.255.255.255", Some("255.255.255.255")),
            ("0.0.0.0", Some("0.0.0.0")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("fe80::1%eth0", Some("fe80::1")),
            ("::ffff:192.0.2.1", Some("192.0.2.1")),
            ("192.0.2.256", None),
            ("192.0.2", None),
            ("192.0.2.", None),
            (".192.0.2", None),
            ("192.0.2.1.5", None),
            ("192.0.02.1", None),
            ("1920.0.2.1", None),
            ("192.0.2.1 ", None),
            ("", None),
            ("fe80::1%", None),
            ("4294967296.0.0.1", None),
        ] {
            assert_eq!(address(text.as_bytes()), want.map(|w| w.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn peers() {
        for (text, want) in [
            ("unknown[192.0.2.1]", Some(("192.0.2.1", 0, "", ""))),
            ("mail.example.org[192.0.2.1]:587 x", Some(("192.0.2.1", 587, "mail.example.org", " x"))),
            ("unknown[2001:db8::1]: SASL", Some(("2001:db8::1", 0, "", ": SASL"))),
            (
                "unknown[192.0.2.1].evil.example[198.51.100.7]",
                Some(("198.51.100.7", 0, "unknown[192.0.2.1].evil.example", "")),
            ),
            ("two words[192.0.2.1]", None),
            ("unknown[unknown]", None),
            ("unknown", None),
            ("x[192.0.2.1", None),
            ("x[192.0.2.1]:99999", None),
        ] {
            let got = peer(text.as_bytes());
            let got = got.map(|(c, rest)| {
                (c.address.to_string(), c.port, c.name.lossy(), String::from_utf8_lossy(rest))
            });
            let want = want
                .map(|(a, port, name, rest)| (a.to_owned(), port, name.into(), std::borrow::Cow::from(rest)));
            assert_eq!(got, want, "{text}");
        }
    }
}
