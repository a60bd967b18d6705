//! Reading bytes of a line from the left and from the right: splits, numbers, addresses and peers.
//!
//! Everything here looks at each byte a bounded number of times, allocates nothing, and says `None` instead of guessing.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mailward_model::{Client, Text, canonical};
use memchr::{memchr, memchr_iter, memmem, memrchr};

/// Before and after the first `byte`, which belongs to neither.
pub(crate) fn split(bytes: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr(byte, bytes)?;
    Some((bytes.get(..at)?, bytes.get(at + 1..)?))
}

/// Before and after the last `byte`, which belongs to neither.
pub(crate) fn rsplit(bytes: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = memrchr(byte, bytes)?;
    Some((bytes.get(..at)?, bytes.get(at + 1..)?))
}

/// Before and after the first `needle`. Fast when the needle's first byte is rare in the text.
pub(crate) fn split_str<'a>(bytes: &'a [u8], needle: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = find(bytes, needle)?;
    Some((bytes.get(..at)?, bytes.get(at + needle.len()..)?))
}

/// Before and after the last `needle`. Fast when the needle's last byte is rare in the text.
pub(crate) fn rsplit_str<'a>(bytes: &'a [u8], needle: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = rfind(bytes, needle)?;
    Some((bytes.get(..at)?, bytes.get(at + needle.len()..)?))
}

/// Longer texts than this are nobody's ordinary line, and may hold a needle's rare byte thousands of times.
const ORDINARY: usize = 1024;

/// Where `needle` first stands.
pub(crate) fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    if bytes.len() > ORDINARY {
        return memmem::find(bytes, needle);
    }
    let first = *needle.first()?;
    memchr_iter(first, bytes).find(|&at| bytes.get(at..).is_some_and(|rest| rest.starts_with(needle)))
}

/// Where `needle` last stands.
fn rfind(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    if bytes.len() > ORDINARY {
        return memmem::rfind(bytes, needle);
    }
    let last = *needle.last()?;
    let mut end = bytes.len();
    while let Some(at) = memrchr(last, bytes.get(..end)?) {
        let head = bytes.get(..=at)?;
        if let Some(before) = head.strip_suffix(needle) {
            return Some(before.len());
        }
        end = at;
    }
    None
}

/// Whether `needle` stands anywhere.
pub(crate) fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    find(bytes, needle).is_some()
}

/// Whether the text begins with one of these.
pub(crate) fn starts_with_any(bytes: &[u8], beginnings: &[&[u8]]) -> bool {
    beginnings.iter().any(|beginning| bytes.starts_with(beginning))
}

/// Up to the first byte of which `stop` says so, and the rest that begins with it. Never fails; meant for short runs.
pub(crate) fn take_until(bytes: &[u8], stop: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|&b| stop(b)).unwrap_or(bytes.len());
    bytes.split_at(end)
}

/// Up to the first blank, and what follows it. The rest is empty where there is none.
pub(crate) fn word(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (word, rest) = take_until(bytes, |b| b == b' ');
    (word, rest.get(1..).unwrap_or_default())
}

/// Without blanks in front.
pub(crate) fn trim_start(bytes: &[u8]) -> &[u8] {
    take_until(bytes, |b| b != b' ').1
}

/// A decimal number in front and what follows it; too large a number is `None`.
pub(crate) fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (digits, rest) = take_until(bytes, |b| !b.is_ascii_digit());
    Some((decimal(digits)?, rest))
}

/// The whole of `digits` as a decimal number.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
    }
    (!digits.is_empty()).then_some(value)
}

/// The whole of `digits` as a decimal number that fits 32 bits.
pub(crate) fn decimal32(digits: &[u8]) -> Option<u32> {
    decimal(digits).and_then(|value| u32::try_from(value).ok())
}

/// Whether the text is hexadecimal digits and nothing else, at least one.
pub(crate) fn is_hex(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(u8::is_ascii_hexdigit)
}

/// The whole of `bytes` as an address: IPv4, IPv6 with or without a zone (`fe80::1%eth0`), IPv4-mapped as IPv4.
pub(crate) fn address(bytes: &[u8]) -> Option<IpAddr> {
    match ipv4(bytes) {
        Some(v4) => Some(IpAddr::V4(v4)),
        None => ipv6(bytes),
    }
}

/// Dotted quad without leading zeros, as every program here prints it.
fn ipv4(bytes: &[u8]) -> Option<Ipv4Addr> {
    if bytes.len() > 15 {
        return None;
    }
    let mut bits = 0_u32;
    let (mut dots, mut octet, mut digits) = (0_u32, 0_u32, 0_u32);
    for &b in bytes {
        match b {
            b'0'..=b'9' if digits == 0 || octet != 0 => {
                octet = octet * 10 + u32::from(b - b'0');
                digits += 1;
            }
            b'.' if digits != 0 && octet < 256 && dots < 3 => {
                bits = bits << 8 | octet;
                (dots, octet, digits) = (dots + 1, 0, 0);
            }
            _ => return None,
        }
        if octet > 255 {
            return None;
        }
    }
    (dots == 3 && digits != 0).then(|| Ipv4Addr::from_bits(bits << 8 | octet))
}

fn ipv6(bytes: &[u8]) -> Option<IpAddr> {
    // The longest is 45 characters and a zone of 15 (IFNAMSIZ - 1).
    if bytes.len() > 61 {
        return None;
    }
    let (plain, zone) = take_until(bytes, |b| b == b'%');
    if zone.len() == 1 {
        return None;
    }
    let text = core::str::from_utf8(plain).ok()?;
    Some(canonical(IpAddr::V6(text.parse::<Ipv6Addr>().ok()?)))
}

/// A client known by its address alone.
pub(crate) fn client_at<'a>(address: IpAddr) -> Client<'a> {
    Client { address, port: 0, name: Text::EMPTY }
}

/// `[address]` or `[address]:port` in front, and what follows it, as postscreen and proxies print it.
pub(crate) fn bracketed(bytes: &[u8]) -> Option<(IpAddr, u16, &[u8])> {
    let inner = bytes.strip_prefix(b"[")?;
    let (inside, rest) = take_until(inner.get(..62).unwrap_or(inner), |b| b == b']');
    if rest.is_empty() {
        return None;
    }
    let address = address(inside)?;
    let rest = inner.get(inside.len() + 1..)?;
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
    let (window, _) = take_until(window, |b| b == b' ');
    for at in memchr_iter(b'[', window) {
        let Some((address, port, rest)) = bracketed(bytes.get(at..)?) else { continue };
        if rest.first().is_none_or(|&b| !continues_name(b)) {
            let name = bytes.get(..at)?;
            let name = if name == b"unknown" { Text::EMPTY } else { Text::new(name) };
            return Some((Client { address, port, name }, rest));
        }
    }
    None
}

const fn continues_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'[' | b']')
}

/// Takes `<` and `>` off a text that has both.
pub(crate) fn unbracket(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"<").and_then(|rest| rest.strip_suffix(b">")).unwrap_or(bytes)
}

/// The value of the first `key` in a list that our own program wrote without client text before that place:
/// `value(b"dsn=2.0.0, status=sent", b"dsn=", b',')` is `2.0.0`. The value ends at `end` or with the text.
pub(crate) fn value<'a>(bytes: &'a [u8], key: &[u8], end: u8) -> Option<&'a [u8]> {
    let (_, rest) = split_str(bytes, key)?;
    Some(memchr(end, rest).and_then(|at| rest.get(..at)).unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn splits() {
        assert_eq!(rsplit_str(b"a from=<b from=<c", b" from=<"), Some((&b"a from=<b"[..], &b"c"[..])));
        assert_eq!(split_str(b"a; b; c", b"; "), Some((&b"a"[..], &b"b; c"[..])));
        assert_eq!(rsplit_str(b"abc", b"abcd"), None);
        assert_eq!(number(b"12x"), Some((12, &b"x"[..])));
        assert_eq!(number(b"99999999999999999999"), None);
        assert_eq!(number(b"x"), None);
        assert_eq!(value(b"dsn=2.0.0, status=sent", b"dsn=", b','), Some(&b"2.0.0"[..]));
    }
}
