//! Reading bytes of a line from the left and from the right: splits, numbers, addresses and peers.
//!
//! Everything here looks at each byte a bounded number of times, allocates nothing, and says `None` instead of guessing.

mod address;
mod seek;

use memchr::memrchr;

pub(crate) use address::{address, bracketed, client_at, leading, peer};
pub(crate) use seek::{find, rfind, seek};

/// Before and after the first `byte`, which belongs to neither.
#[inline]
pub(crate) fn split(bytes: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = seek(bytes, [byte])?;
    Some((bytes.get(..at)?, bytes.get(at + 1..)?))
}

/// Before and after the last `byte`, which belongs to neither.
pub(crate) fn rsplit(bytes: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = memrchr(byte, bytes)?;
    Some((bytes.get(..at)?, bytes.get(at + 1..)?))
}

/// Before and after the first `needle`. Fast when the needle begins or ends with a byte that is rare in the text.
#[inline(always)]
pub(crate) fn split_str<'a>(bytes: &'a [u8], needle: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = find(bytes, needle)?;
    Some((bytes.get(..at)?, bytes.get(at + needle.len()..)?))
}

/// Before and after the last `needle`. Fast when the needle begins or ends with a byte that is rare in the text.
#[inline(always)]
pub(crate) fn rsplit_str<'a>(bytes: &'a [u8], needle: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = rfind(bytes, needle)?;
    Some((bytes.get(..at)?, bytes.get(at + needle.len()..)?))
}

/// Whether `needle` stands anywhere.
#[inline(always)]
pub(crate) fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    find(bytes, needle).is_some()
}

/// Whether the text begins with one of these.
pub(crate) fn starts_with_any(bytes: &[u8], beginnings: &[&[u8]]) -> bool {
    beginnings.iter().any(|beginning| bytes.starts_with(beginning))
}

/// Up to the first byte of which `stop` says so, and the rest that begins with it. Never fails; meant for short runs.
#[inline]
pub(crate) fn take_until(bytes: &[u8], stop: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|&b| stop(b)).unwrap_or(bytes.len());
    bytes.split_at(end)
}

/// Up to the first blank, and what follows it. The rest is empty where there is none.
#[inline]
pub(crate) fn word(bytes: &[u8]) -> (&[u8], &[u8]) {
    split(bytes, b' ').unwrap_or((bytes, b""))
}

/// Without blanks in front.
#[inline]
pub(crate) fn trim_start(bytes: &[u8]) -> &[u8] {
    take_until(bytes, |b| b != b' ').1
}

/// A decimal number in front and what follows it; too large a number is `None`.
#[inline(always)]
pub(crate) fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    if let Some(eight) = bytes.first_chunk::<8>()
        && let Some((value, length)) = short_number(u64::from_le_bytes(*eight))
    {
        return Some((value, bytes.get(length..)?));
    }
    any_number(bytes)
}

fn any_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (digits, rest) = take_until(bytes, |b| !b.is_ascii_digit());
    Some((decimal(digits)?, rest))
}

/// The value and length of one to seven digits in front of eight bytes, without a branch on how many they are.
#[inline(always)]
fn short_number(eight: u64) -> Option<(u64, usize)> {
    let digits = eight ^ 0x3030_3030_3030_3030;
    // The high bit of each byte that is no digit.
    let others = (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080;
    let length = others.trailing_zeros() / 8;
    if others == 0 || length == 0 {
        return None;
    }
    // The digits at the high end, so that the last is the ones.
    Some((added_up(digits << (64 - 8 * length)), length as usize))
}

/// The value of eight bytes that are 0 to 9, the ones at the high end: pairs, fours and all eight are added up.
#[inline(always)]
const fn added_up(digits: u64) -> u64 {
    let pairs = (digits & 0x0f0f_0f0f_0f0f_0f0f).wrapping_mul(2_561) >> 8;
    let fours = (pairs & 0x00ff_00ff_00ff_00ff).wrapping_mul(6_553_601) >> 16;
    (fours & 0x0000_ffff_0000_ffff).wrapping_mul(42_949_672_960_001) >> 32
}

/// The value of the last six of eight bytes, which are digits.
#[inline(always)]
pub(crate) fn six_digits(eight: [u8; 8]) -> Option<u64> {
    let digits = (u64::from_le_bytes(eight) ^ 0x3030_3030_3030_3030) & !0xffff;
    let others = (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080;
    (others == 0).then_some(added_up(digits))
}

/// The whole of `digits` as a decimal number.
#[inline]
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

/// Letters and digits in front, as of an id, and what follows them. By a table: in ids, letters and digits take turns at
/// random, and a branch for each would be foretold wrong half the time.
pub(crate) fn alphanumeric(bytes: &[u8]) -> (&[u8], &[u8]) {
    take_until(bytes, |b| !is_alphanumeric(b))
}

#[inline(always)]
pub(crate) fn is_alphanumeric(b: u8) -> bool {
    ALPHANUMERIC.get(usize::from(b)).is_some_and(|is| *is)
}

#[expect(clippy::indexing_slicing, reason = "computed while compiling")]
const ALPHANUMERIC: [bool; 256] = {
    let mut table = [false; 256];
    let mut b = 0_u8;
    while b < 128 {
        table[b as usize] = b.is_ascii_alphanumeric();
        b += 1;
    }
    table
};

/// Whether the text is hexadecimal digits and nothing else, at least one.
pub(crate) fn is_hex(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(u8::is_ascii_hexdigit)
}

/// Takes `<` and `>` off a text that has both.
pub(crate) fn unbracket(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"<").and_then(|rest| rest.strip_suffix(b">")).unwrap_or(bytes)
}

/// The value of the first `key` in a list that our own program wrote without client text before that place:
/// `value(b"dsn=2.0.0, status=sent", b"dsn=", b',')` is `2.0.0`. The value ends at `end` or with the text.
#[inline(always)]
pub(crate) fn value<'a>(bytes: &'a [u8], key: &[u8], end: u8) -> Option<&'a [u8]> {
    let (_, rest) = split_str(bytes, key)?;
    Some(split(rest, end).map_or(rest, |(value, _)| value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits() {
        assert_eq!(rsplit_str(b"a from=<b from=<c", b" from=<"), Some((&b"a from=<b"[..], &b"c"[..])));
        assert_eq!(split_str(b"a; b; c", b"; "), Some((&b"a"[..], &b"b; c"[..])));
        assert_eq!(rsplit_str(b"abc", b"abcd"), None);
        for digits in 1..19 {
            let text = &"1234567890123456789"[..digits];
            let line = format!("{text}]: more and more");
            let got = number(line.as_bytes()).unwrap();
            assert_eq!(got, (text.parse().unwrap(), &line.as_bytes()[digits..]));
        }
        assert_eq!(number(b"00000007x2345"), Some((7, &b"x2345"[..])));
        assert_eq!(number(b"12x"), Some((12, &b"x"[..])));
        assert_eq!(number(b"99999999999999999999"), None);
        assert_eq!(number(b"x"), None);
        assert_eq!(value(b"dsn=2.0.0, status=sent", b"dsn=", b','), Some(&b"2.0.0"[..]));
    }
}
