//! Base64 as SASL wants it (RFC 4648, 4).

/// Encodes bytes.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    bytes.chunks(3).flat_map(quartet).collect()
}

fn quartet(chunk: &[u8]) -> [char; 4] {
    let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
    let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
    core::array::from_fn(|at| {
        let sextet = bits >> (18 - 6 * at) & 63;
        if at > chunk.len() { '=' } else { letter(sextet) }
    })
}

fn letter(sextet: u32) -> char {
    let byte = match u8::try_from(sextet).unwrap_or(0) {
        n @ 0..26 => b'A' + n,
        n @ 26..52 => b'a' + (n - 26),
        n @ 52..62 => b'0' + (n - 52),
        62 => b'+',
        _ => b'/',
    };
    char::from(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_rfc_4648() {
        for (plain, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xbf]), "+/+/");
    }
}
