//! The query of a path, in `application/x-www-form-urlencoded`.

use core::fmt::Write;

/// A path with a query, encoded.
#[must_use]
pub fn with_query(path: &str, query: &[(&str, &str)]) -> String {
    let mut whole = path.to_owned();
    for (place, (name, value)) in query.iter().enumerate() {
        whole.push(if place == 0 { '?' } else { '&' });
        encode(&mut whole, name);
        whole.push('=');
        encode(&mut whole, value);
    }
    whole
}

pub(crate) fn pairs(query: &str) -> Vec<(String, String)> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(n, v)| (decode(n), decode(v)))
        .collect()
}

fn encode(to: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            to.push(byte.into());
        } else {
            // Writing to a String cannot fail.
            let _ = write!(to, "%{byte:02X}");
        }
    }
}

/// What is no proper escape stays as it is.
fn decode(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'+' => decoded.push(b' '),
            b'%' => {
                match after.split_at_checked(2).and_then(|(digits, after)| Some((byte(digits)?, after))) {
                    Some((byte, after)) => {
                        decoded.push(byte);
                        rest = after;
                    }
                    None => decoded.push(b'%'),
                }
            }
            _ => decoded.push(*first),
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn byte(digits: &[u8]) -> Option<u8> {
    let digits =
        core::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u8::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_come_back() {
        let query = [("address", "2001:db8::/48"), ("user", "a&b=c +%ä"), ("", "")];
        let path = with_query("/v1/explain", &query);
        assert_eq!(path, "/v1/explain?address=2001%3Adb8%3A%3A%2F48&user=a%26b%3Dc%20%2B%25%C3%A4&=");
        let (_, encoded) = path.split_once('?').unwrap();
        assert_eq!(pairs(encoded), query.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn odd_queries_are_read_as_they_are() {
        for (text, name, value) in [
            ("a=b+c", "a", "b c"),
            ("a", "a", ""),
            ("a=%", "a", "%"),
            ("a=%4", "a", "%4"),
            ("a=%zz", "a", "%zz"),
            ("a=%+1", "a", "% 1"),
            ("a=b=c", "a", "b=c"),
            ("a=%ff", "a", "\u{fffd}"),
        ] {
            assert_eq!(pairs(text), [(name.to_owned(), value.to_owned())], "{text}");
        }
        assert_eq!(pairs(""), []);
        assert_eq!(pairs("&&"), []);
    }
}
