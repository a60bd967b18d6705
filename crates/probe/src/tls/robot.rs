//! ROBOT: does a server tell a right padding of the RSA key exchange from a wrong one? Each of five messages is answered with the
//! same alert by a server that follows RFC 5246 7.4.7.1.

use mailward_audit::facts::TlsVersion;
use x509_parser::num_bigint::BigUint;

use super::hello::{put, wire_version};

/// How the message to encrypt is padded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Padding {
    /// As PKCS #1 v1.5 wants it.
    Right,
    /// Its first two bytes are wrong.
    WrongStart,
    /// The zero that ends the padding is too early.
    EarlyZero,
    /// The zero that ends the padding is missing.
    NoZero,
    /// Right, but the version in the secret is wrong.
    WrongVersion,
}

impl Padding {
    pub(super) const ALL: [Self; 5] =
        [Self::Right, Self::WrongStart, Self::EarlyZero, Self::NoZero, Self::WrongVersion];
}

/// ClientKeyExchange, ChangeCipherSpec, and a Finished that nobody can decrypt, as records.
pub(super) fn finish(key: &(Vec<u8>, Vec<u8>), padding: Padding, version: TlsVersion) -> Vec<u8> {
    let [modulus, exponent] = [&key.0, &key.1].map(|bytes| BigUint::from_bytes_be(bytes));
    let length = usize::try_from(modulus.bits().div_ceil(8)).unwrap_or(0);
    // A key of nothing encrypts nothing.
    let modulus = modulus.max(BigUint::from(1_u8));
    let encrypted =
        BigUint::from_bytes_be(&padded(padding, length, version)).modpow(&exponent, &modulus).to_bytes_be();
    let encrypted = [vec![0; length.saturating_sub(encrypted.len())], encrypted].concat();
    let mut exchange = vec![16];
    let mut body = Vec::new();
    put(&mut body, 2, &encrypted);
    put(&mut exchange, 3, &body);
    [record(22, version, &exchange), record(20, version, &[1]), record(22, version, &[0x17; 64])].concat()
}

/// A record of TLS.
pub(super) fn record(kind: u8, version: TlsVersion, body: &[u8]) -> Vec<u8> {
    let mut record = vec![kind];
    record.extend(wire_version(version.min(TlsVersion::Tls12)).to_be_bytes());
    put(&mut record, 2, body);
    record
}

fn padded(padding: Padding, length: usize, version: TlsVersion) -> Vec<u8> {
    let secret = 48;
    let filled = length.saturating_sub(3 + secret);
    let start: [u8; 2] = if padding == Padding::WrongStart { [0x41, 0x17] } else { [0, 2] };
    let mut out = start.to_vec();
    out.extend((0..filled).map(|index| if padding == Padding::EarlyZero && index == 20 { 0 } else { 0xab }));
    out.push(if padding == Padding::NoZero { 0xab } else { 0 });
    let stated = if padding == Padding::WrongVersion { 0x0202 } else { wire_version(version) };
    out.extend(stated.to_be_bytes());
    out.extend([0x3c; 46]);
    out
}
