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
#[inline(never)]
pub(crate) fn leading(bytes: &[u8]) -> Option<(IpAddr, &[u8])> {
    match ipv4(bytes) {
        Some((v4, rest)) => Some((IpAddr::V4(v4), rest)),
        None => zoned_ipv6(bytes),
    }
}

fn zoned_ipv6(bytes: &[u8]) -> Option<(IpAddr, &[u8])> {
    let (v6, rest) = ipv6(bytes)?;
    Some((canonical(IpAddr::V6(v6)), zone(rest)?))
}

/// Dotted quad without leading zeros, as every program here prints it.
#[inline(always)]
fn ipv4(bytes: &[u8]) -> Option<(Ipv4Addr, &[u8])> {
    let (a, rest) = octet(bytes)?;
    let (b, rest) = octet(rest.strip_prefix(b".")?)?;
    let (c, rest) = octet(rest.strip_prefix(b".")?)?;
    let (d, rest) = octet(rest.strip_prefix(b".")?)?;
    Some((Ipv4Addr::from_bits(a << 24 | b << 16 | c << 8 | d), rest))
}

/// One to three digits up to 255. Digit by digit: addresses come again and again, so that a processor foretells their
/// lengths, and this is twice as fast as arithmetic on all digits at once.
#[inline(always)]
fn octet(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (first, rest) = digit(bytes)?;
    let Some((second, rest)) = digit(rest) else { return Some((first, rest)) };
    if first == 0 {
        return None;
    }
    let two = first * 10 + second;
    let Some((third, rest)) = digit(rest) else { return Some((two, rest)) };
    Some((two * 10 + third, rest)).filter(|(value, _)| *value < 256)
}

#[inline(always)]
fn digit(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let digit = first.wrapping_sub(b'0');
    (digit < 10).then_some((u32::from(digit), rest))
}

/// Up to eight groups, one run of them as `::`, the last two perhaps as an IPv4 address (RFC 4291 section 2.2).
fn ipv6(bytes: &[u8]) -> Option<(Ipv6Addr, &[u8])> {
    let mut bits = 0_u128;
    let (mut count, mut gap) = (0, None);
    let mut rest = bytes;
    if let Some(after) = rest.strip_prefix(b"::") {
        (gap, rest) = (Some(0), after);
    }
    while count < 8 {
        let Some((group, after)) = group(rest) else { break };
        if after.first() == Some(&b'.') && count < 7 {
            let (v4, after) = ipv4(rest)?;
            (bits, count, rest) = (bits << 32 | u128::from(v4.to_bits()), count + 2, after);
            break;
        }
        (bits, count, rest) = (bits << 16 | u128::from(group), count + 1, after);
        match rest {
            [b':', b':', after @ ..] if gap.is_none() => (gap, rest) = (Some(count), after),
            [b':', next, ..] if count < 8 && is_hex(*next) => rest = rest.get(1..)?,
            _ => break,
        }
    }
    Some((Ipv6Addr::from_bits(widened(bits, count, gap)?), rest))
}

/// The groups with as many zeros in the gap as are missing from eight.
fn widened(bits: u128, count: u32, gap: Option<u32>) -> Option<u128> {
    let Some(gap) = gap else { return (count == 8).then_some(bits) };
    let after = count.checked_sub(gap)?;
    let missing = 8_u32.checked_sub(count).filter(|missing| *missing > 0)?;
    let low = bits & !(u128::MAX.checked_shl(16 * after).unwrap_or(0));
    let high = (bits ^ low).checked_shl(16 * missing).unwrap_or(0);
    Some(high | low)
}

/// One to four hexadecimal digits.
#[inline(always)]
fn group(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let mut value = 0;
    let mut length = 0;
    for &b in bytes.iter().take(4).take_while(|b| is_hex(**b)) {
        // '0' is 0x30, 'A' 0x41 and 'a' 0x61: bit 6 tells the letters.
        value = value << 4 | u16::from((b & 0xf) + 9 * (b >> 6));
        length += 1;
    }
    (length > 0).then_some((value, bytes.get(length..)?))
}

const fn is_hex(b: u8) -> bool {
    b.is_ascii_hexdigit()
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
#[inline(always)]
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
    // Most clients have no name, and need no search.
    let mut from = if bytes.starts_with(b"unknown[") { 7 } else { 0 };
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
