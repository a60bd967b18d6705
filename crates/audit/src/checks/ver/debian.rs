//! Versions of Debian packages, in the order of deb-version(7).

use core::cmp::Ordering;

/// Whether one is older than another.
pub(super) fn older(one: &str, other: &str) -> bool {
    compare(one, other) == Ordering::Less
}

fn compare(one: &str, other: &str) -> Ordering {
    let (a, b) = (split(one), split(other));
    a.0.cmp(&b.0).then_with(|| part(a.1, b.1)).then_with(|| part(a.2, b.2))
}

/// Epoch, upstream version, revision.
fn split(version: &str) -> (u64, &str, &str) {
    let (epoch, rest) = version.split_once(':').unwrap_or(("0", version));
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, "0"));
    (epoch.parse().unwrap_or(0), upstream, revision)
}

/// Parts that are no digits and parts that are, in turn. A tilde is before the end of a part, letters are before all else.
fn part(one: &str, other: &str) -> Ordering {
    let (mut a, mut b) = (one.as_bytes(), other.as_bytes());
    loop {
        if a.is_empty() && b.is_empty() {
            return Ordering::Equal;
        }
        let (words, rest_a, rest_b) = take(a, b, |byte| !byte.is_ascii_digit());
        let order = words.0.iter().map(|byte| rank(*byte)).chain([0]);
        let order = order.cmp(words.1.iter().map(|byte| rank(*byte)).chain([0]));
        let (digits, next_a, next_b) = take(rest_a, rest_b, u8::is_ascii_digit);
        let order = order.then_with(|| number(digits.0).cmp(&number(digits.1)));
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (next_a, next_b);
    }
}

type Taken<'a> = ((&'a [u8], &'a [u8]), &'a [u8], &'a [u8]);

fn take<'a>(a: &'a [u8], b: &'a [u8], wanted: impl Fn(&u8) -> bool) -> Taken<'a> {
    let end = |bytes: &[u8]| bytes.iter().position(|byte| !wanted(byte)).unwrap_or(bytes.len());
    let ((a, rest_a), (b, rest_b)) = (a.split_at(end(a)), b.split_at(end(b)));
    ((a, b), rest_a, rest_b)
}

fn rank(byte: u8) -> i32 {
    match byte {
        b'~' => -1,
        byte if byte.is_ascii_alphabetic() => i32::from(byte),
        byte => i32::from(byte) + 256,
    }
}

/// Without leading zeroes, longer numbers are larger.
fn number(digits: &[u8]) -> (usize, &[u8]) {
    let from = digits.iter().position(|byte| *byte != b'0').unwrap_or(digits.len());
    let digits = digits.get(from..).unwrap_or_default();
    (digits.len(), digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `dpkg --compare-versions` says.
    #[test]
    fn order_of_versions() {
        let rows = [
            ("3.7.6-0+deb12u2", "3.7.9-0+deb12u1"),
            ("1:2.3.19.1+dfsg1-2.1", "1:2.3.19.1+dfsg1-2.1+deb12u1"),
            ("1:2.3.19.1+dfsg1-2.1+deb12u6", "1:2.3.19.1+dfsg1-2.1+deb12u7"),
            ("2.11.0~beta2-8", "2.11.0~beta2-8+deb12u1"),
            ("2.11.0~beta2-8", "2.11.0-1"),
            ("3.6.4-1ubuntu1.3", "3.6.4-1ubuntu1.4"),
            ("3.0.9-1", "3.0.20-1~deb12u2"),
            ("2.9", "1:1.0"),
            ("1.0~rc1-1", "1.0-1"),
            ("1.0-1", "1.0+x-1"),
            ("1.0a", "1.0+"),
        ];
        for (less, more) in rows {
            assert!(older(less, more) && !older(more, less), "{less} {more}");
        }
        assert!(!older("1.02-1", "1.2-1") && !older("1.2-1", "1.02-1"));
    }
}
