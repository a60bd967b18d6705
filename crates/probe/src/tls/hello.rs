//! ClientHello messages, byte by byte: a TLS library offers only what it can speak itself, and what is looked for here is what
//! good libraries have unlearnt.

use mailward_audit::facts::{Group, Suite, TlsVersion};

/// A ClientHello.
#[derive(Clone, Debug)]
pub(super) struct Hello {
    /// The newest version offered.
    pub(super) version: TlsVersion,
    /// Suites, in the order offered.
    pub(super) suites: Vec<Suite>,
    /// Groups, in the order offered.
    pub(super) groups: Vec<Group>,
    /// Signature algorithms by number.
    pub(super) signatures: &'static [u16],
    /// The name asked for.
    pub(super) name: Option<String>,
    /// Whether it says that it was driven to this version (RFC 7507).
    pub(super) fallback: bool,
    /// Whether it offers DEFLATE (RFC 3749); never together with TLS 1.3.
    pub(super) compression: bool,
}

/// Signature algorithms that clients of today and of ten years ago offer.
pub(super) const SIGNATURES: &[u16] = &[
    0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0809, 0x080a, 0x080b, 0x0401, 0x0501,
    0x0601, 0x0303, 0x0301, 0x0402, 0x0302, 0x0203, 0x0201, 0x0202,
];

/// Those that hash with SHA-1 or MD5.
pub(super) const OLD_SIGNATURES: &[u16] = &[0x0203, 0x0201, 0x0202, 0x0101];

const RENEGOTIATION_SCSV: u16 = 0x00ff;
const FALLBACK_SCSV: u16 = 0x5600;

impl Hello {
    /// The record that carries it.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let record_version: u16 = if self.version == TlsVersion::Ssl3 { 0x0300 } else { 0x0301 };
        let mut message = vec![1];
        put(&mut message, 3, &self.body());
        let mut record = vec![22];
        record.extend(record_version.to_be_bytes());
        put(&mut record, 2, &message);
        record
    }

    fn body(&self) -> Vec<u8> {
        let mut body = wire_version(self.version.min(TlsVersion::Tls12)).to_be_bytes().to_vec();
        // Nothing is kept secret with it.
        body.extend((0..32).map(|index: u8| index.wrapping_mul(37).wrapping_add(11)));
        put(&mut body, 1, &[]);
        put(&mut body, 2, &self.suite_bytes());
        put(&mut body, 1, if self.compression { &[1, 0] } else { &[0] });
        if self.version > TlsVersion::Ssl3 {
            put(&mut body, 2, &self.extensions());
        }
        body
    }

    fn suite_bytes(&self) -> Vec<u8> {
        let signals = [
            (self.version == TlsVersion::Ssl3).then_some(RENEGOTIATION_SCSV),
            self.fallback.then_some(FALLBACK_SCSV),
        ];
        numbers(self.suites.iter().map(|suite| suite.0).chain(signals.into_iter().flatten()))
    }

    fn extensions(&self) -> Vec<u8> {
        let mut all = Vec::new();
        let mut extension = |number: u16, body: &[u8]| {
            all.extend(number.to_be_bytes());
            put(&mut all, 2, body);
        };
        if let Some(name) = &self.name {
            extension(0, &server_name(name));
        }
        extension(10, &vector(2, &numbers(self.groups.iter().map(|group| group.0))));
        if self.version >= TlsVersion::Tls12 {
            extension(13, &vector(2, &numbers(self.signatures.iter().copied())));
        }
        if self.version == TlsVersion::Tls13 {
            extension(43, &vector(1, &0x0304_u16.to_be_bytes()));
            extension(45, &[1, 1]);
            // No key share: the server has to say in the clear which group it wants (RFC 8446 4.2.8).
            extension(51, &[0, 0]);
            return all;
        }
        extension(5, &[1, 0, 0, 0, 0]);
        extension(11, &[1, 0]);
        extension(15, &[1]);
        extension(23, &[]);
        extension(35, &[]);
        extension(0xff01, &[0]);
        all
    }
}

/// A ClientHello of SSL 2.0, in its own format (draft-hickman-netscape-ssl-00).
pub(super) fn ssl2() -> Vec<u8> {
    let suites: [u8; 21] = [1, 0, 128, 2, 0, 128, 3, 0, 128, 4, 0, 128, 5, 0, 128, 6, 0, 64, 7, 0, 192];
    let mut body = vec![1, 0, 2, 0, 21, 0, 0, 0, 16];
    body.extend(suites);
    body.extend((0..16).map(|index: u8| index.wrapping_mul(37).wrapping_add(11)));
    let mut record = vec![0x80, u8::try_from(body.len()).unwrap_or(0)];
    record.extend(body);
    record
}

/// The number of a version on the wire.
pub(super) const fn wire_version(version: TlsVersion) -> u16 {
    match version {
        TlsVersion::Ssl2 => 0x0002,
        TlsVersion::Ssl3 => 0x0300,
        TlsVersion::Tls10 => 0x0301,
        TlsVersion::Tls11 => 0x0302,
        TlsVersion::Tls12 => 0x0303,
        TlsVersion::Tls13 => 0x0304,
    }
}

fn server_name(name: &str) -> Vec<u8> {
    let mut entry = vec![0];
    put(&mut entry, 2, name.as_bytes());
    vector(2, &entry)
}

fn numbers(numbers: impl Iterator<Item = u16>) -> Vec<u8> {
    numbers.flat_map(u16::to_be_bytes).collect()
}

fn vector(length_bytes: usize, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, length_bytes, body);
    out
}

/// Appends a vector: its length as a number of `length_bytes` bytes, and itself.
pub(super) fn put(out: &mut Vec<u8>, length_bytes: usize, body: &[u8]) {
    let length = body.len().to_be_bytes();
    out.extend(length.iter().skip(length.len() - length_bytes));
    out.extend(body);
}
