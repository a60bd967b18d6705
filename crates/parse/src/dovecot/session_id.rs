//! Dovecot's session ids: base64 of 48 bits of microseconds, the client's port and the client's address
//! (`client_get_session_id()` in login-common/client-common.c, unchanged from 2.1 to 2.4).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mailward_model::{Timestamp, canonical};

/// The microseconds that the id can hold before it starts again, about nine years.
const WRAP: i64 = 1 << 48;
/// A connection is logged soon after it began, but the log's zone may be guessed wrong.
const NEAR: i64 = 2 * 86_400 * 1_000_000;

/// The client for which Dovecot made this id at about `time`. An id of another shape or time, as a proxy may forward, says
/// nothing.
pub(super) fn made_for(id: &[u8], time: Timestamp) -> Option<IpAddr> {
    let (micros, whose) = decode(id)?;
    let age = (time.micros() - micros).rem_euclid(WRAP);
    let near = !(NEAR..=WRAP - NEAR).contains(&age);
    near.then_some(whose)
}

/// The time, modulo [`WRAP`], and the address in an id.
fn decode(id: &[u8]) -> Option<(i64, IpAddr)> {
    let mut bytes = [0_u8; 24];
    let bytes = bytes.get_mut(..if id.len() == 16 { 12 } else { 24 })?;
    (id.len() == 16 || id.len() == 32).then_some(())?;
    // The bits of all the values; only those of NO_DIGIT go beyond six.
    let mut seen = 0;
    for (four, three) in id.chunks_exact(4).zip(bytes.chunks_exact_mut(3)) {
        let mut bits = 0_u32;
        for &digit in four {
            let value = BASE64.get(usize::from(digit)).copied().unwrap_or(NO_DIGIT);
            seen |= value;
            bits = bits << 6 | u32::from(value);
        }
        three.copy_from_slice(bits.to_be_bytes().get(1..)?);
    }
    (seen < 64).then_some(())?;
    let micros = bytes.get(..6)?.iter().rev().fold(0_i64, |micros, &b| micros << 8 | i64::from(b));
    let address = match bytes.get(8..)? {
        v4 if v4.len() == 4 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(v4).ok()?)),
        v6 => canonical(IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(v6).ok()?))),
    };
    Some((micros, address))
}

const NO_DIGIT: u8 = 0xff;

/// The value of each byte as a digit (RFC 4648 section 4).
#[expect(
    clippy::indexing_slicing,
    reason = "computed while compiling: an index out of range does not compile"
)]
const BASE64: [u8; 256] = {
    let alphabet = *b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut table = [NO_DIGIT; 256];
    let mut value = 0;
    while value < alphabet.len() {
        table[alphabet[value] as usize] = value as u8;
        value += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-20T18:34:02Z, when Dovecot 2.4.1 made the first of these ids.
    const NOW: Timestamp = Timestamp::from_secs(1_795_199_642);

    #[test]
    fn an_id_knows_its_client() {
        let client: IpAddr = "192.0.2.40".parse().unwrap();
        for (id, want) in [
            (&b"SEn4fLlgZ6XAAAIo"[..], Some(client)),
            (b"AAAA", None),
            (b"SEn4fLlgZ6XAAAI", None),
            (b"SEn4fLlgZ6XAAAI:", None),
            (b"AAAAAAAAAAAAAAAA", None),
            (b"", None),
            (&[b'A'; 4096], None),
        ] {
            assert_eq!(made_for(id, NOW), want, "{}", String::from_utf8_lossy(id));
        }
        let another_time = Timestamp::from_secs(NOW.secs() + 86_400 * 30);
        assert_eq!(made_for(b"SEn4fLlgZ6XAAAIo", another_time), None, "an id of another time was forwarded");
    }
}
