//! Searching for bytes.
//!
//! Most fields of a line are shorter than a vector, and calling a vector search for each costs more than the search. So the
//! first bytes are looked at eight at a time in an ordinary register, and only a long rest is searched with vectors.

use memchr::{memchr, memchr2, memchr3, memmem, memrchr};

/// So many bytes are searched in registers.
const NEAR: usize = 48;

/// Where the first of these bytes stands; there are one to three of them.
#[inline(always)]
pub(crate) fn seek<const N: usize>(bytes: &[u8], set: [u8; N]) -> Option<usize> {
    let Some(last) = bytes.last_chunk::<8>() else { return bytes.iter().position(|b| set.contains(b)) };
    let mut rest = bytes;
    let mut at = 0;
    while let Some((chunk, after)) = rest.split_first_chunk::<8>() {
        let found = places(*chunk, set);
        if found != 0 {
            return Some(at + (found.trailing_zeros() / 8) as usize);
        }
        (rest, at) = (after, at + 8);
        if at == NEAR {
            return Some(at + far(rest, &set)?);
        }
    }
    // Less than eight are left: the last eight, without those that were looked at.
    let found = places(*last, set).checked_shr(64 - 8 * rest.len() as u32)?;
    (found != 0).then(|| at + (found.trailing_zeros() / 8) as usize)
}

/// A high bit for each of the eight bytes that is one of these, from the lowest up; those above the first may be wrong.
#[inline(always)]
fn places<const N: usize>(eight: [u8; 8], set: [u8; N]) -> u64 {
    let eight = u64::from_le_bytes(eight);
    set.iter().fold(0, |found, &byte| found | places_of(eight, byte))
}

#[inline(always)]
const fn places_of(eight: u64, byte: u8) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let zero = eight ^ (ONES * byte as u64);
    zero.wrapping_sub(ONES) & !zero & (ONES << 7)
}

#[inline(never)]
fn far(bytes: &[u8], set: &[u8]) -> Option<usize> {
    match *set {
        [a] => memchr(a, bytes),
        [a, b] => memchr2(a, b, bytes),
        [a, b, c] => memchr3(a, b, c, bytes),
        _ => bytes.iter().position(|b| set.contains(b)),
    }
}

/// Longer texts than this are nobody's ordinary line, and may hold a needle's first byte thousands of times.
const ORDINARY: usize = 1024;

/// Where `needle` first stands.
#[inline(always)]
pub(crate) fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    find_by(bytes, needle, if is_worse(needle.first()?, needle.last()?) { needle.len() - 1 } else { 0 })
}

/// Where `needle` last stands.
#[inline(always)]
pub(crate) fn rfind(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    rfind_by(bytes, needle, if is_worse(needle.last()?, needle.first()?) { 0 } else { needle.len() - 1 })
}

/// Whether a byte is the more frequent of two, so that the other is the one to look for: a mark is rarer than a letter.
#[inline(always)]
const fn is_worse(this: &u8, other: &u8) -> bool {
    is_frequent(*this) && !is_frequent(*other)
}

#[inline(always)]
const fn is_frequent(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b' ' | b'.' | b'-')
}

/// By the byte of the needle at `mark`.
#[inline(never)]
fn find_by(bytes: &[u8], needle: &[u8], mark: usize) -> Option<usize> {
    if bytes.len() > ORDINARY {
        return memmem::find(bytes, needle);
    }
    let byte = *needle.get(mark)?;
    let mut from = mark;
    loop {
        let at = from + seek(bytes.get(from..)?, [byte])?;
        if begins(bytes.get(at - mark..)?, needle) {
            return Some(at - mark);
        }
        from = at + 1;
    }
}

/// `starts_with`, for needles that are too short for a call of `memcmp`.
#[inline(always)]
fn begins(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.len() >= needle.len() && bytes.iter().zip(needle).all(|(a, b)| a == b)
}

#[inline(never)]
fn rfind_by(bytes: &[u8], needle: &[u8], mark: usize) -> Option<usize> {
    if bytes.len() > ORDINARY {
        return memmem::rfind(bytes, needle);
    }
    let byte = *needle.get(mark)?;
    let mut end = bytes.len();
    while let Some(at) = memrchr(byte, bytes.get(mark..end)?) {
        if begins(bytes.get(at..)?, needle) {
            return Some(at);
        }
        end = mark + at;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn seeks_what_a_loop_finds(bytes in prop::collection::vec(0_u8..6, 0..120), high in any::<bool>()) {
            let bytes: Vec<u8> = bytes.iter().map(|b| if high { b | 0x80 } else { *b }).collect();
            let set = if high { [0x80, 0x81, 0x82] } else { [0, 1, 2] };
            let [a, b, c] = set;
            prop_assert_eq!(seek(&bytes, [a]), bytes.iter().position(|x| *x == a));
            prop_assert_eq!(seek(&bytes, [a, b]), bytes.iter().position(|x| [a, b].contains(x)));
            prop_assert_eq!(seek(&bytes, set), bytes.iter().position(|x| [a, b, c].contains(x)));
        }

        #[test]
        fn finds_what_a_loop_finds(
            bytes in prop::collection::vec(0_u8..3, 0..1200),
            needle in prop::collection::vec(0_u8..3, 1..6),
        ) {
            let first = bytes.windows(needle.len()).position(|w| w == needle);
            prop_assert_eq!(find(&bytes, &needle), first);
            prop_assert_eq!(rfind(&bytes, &needle), bytes.windows(needle.len()).rposition(|w| w == needle));
        }
    }
}
