//! ROBOT: does a server tell a right padding of the RSA key exchange from a wrong one? Each of five messages is answered with the
//! same alert by a server that follows RFC 5246 7.4.7.1.

use mailward_audit::facts::TlsVersion;

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
    let modulus = Number::read(&key.0);
    let length = modulus.bytes();
    let encrypted = Number::read(&padded(padding, length, version)).power(&key.1, &modulus).write(length);
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

/// A number below some modulus, the lowest 32 bits first.
#[derive(Clone, Debug)]
struct Number(Vec<u32>);

impl Number {
    fn read(bytes: &[u8]) -> Self {
        let digits =
            bytes.rchunks(4).map(|chunk| chunk.iter().fold(0, |digit, byte| digit << 8 | u32::from(*byte)));
        let mut number = Self(digits.collect());
        while number.0.last() == Some(&0) {
            number.0.pop();
        }
        number
    }

    fn write(&self, length: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.0.iter().flat_map(|digit| digit.to_le_bytes()).collect();
        bytes.resize(length, 0);
        bytes.reverse();
        bytes
    }

    /// How many bytes it takes to write it.
    fn bytes(&self) -> usize {
        let zeros = self.0.last().map_or(0, |digit| digit.leading_zeros() / 8);
        self.0.len() * 4 - usize::try_from(zeros).unwrap_or(0)
    }

    fn bits(&self) -> impl Iterator<Item = bool> {
        self.0.iter().rev().flat_map(|digit| (0..32).rev().map(move |bit| digit >> bit & 1 == 1))
    }

    /// To the power of an exponent, by squaring.
    fn power(&self, exponent: &[u8], modulus: &Self) -> Self {
        let mut out = Self(vec![1]);
        for bit in Self::read(exponent).bits() {
            out = out.times(&out, modulus);
            if bit {
                out = out.times(self, modulus);
            }
        }
        out
    }

    /// Doubles and adds: slow, and fast enough for a public exponent.
    fn times(&self, other: &Self, modulus: &Self) -> Self {
        let mut out = Self(Vec::new());
        for bit in self.bits() {
            out = out.plus(&out, modulus);
            if bit {
                out = out.plus(other, modulus);
            }
        }
        out
    }

    /// The sum of two numbers below the modulus.
    fn plus(&self, other: &Self, modulus: &Self) -> Self {
        let digit = |number: &Self, index: usize| u64::from(number.0.get(index).copied().unwrap_or(0));
        let width = modulus.0.len() + 1;
        let mut carry = 0;
        let mut sum = Vec::with_capacity(width);
        for index in 0..width {
            let total = digit(self, index) + digit(other, index) + carry;
            sum.push(low(total));
            carry = total >> 32;
        }
        let sum = Self(sum);
        sum.minus(modulus).unwrap_or(sum)
    }

    /// The difference, unless it would be negative.
    fn minus(&self, other: &Self) -> Option<Self> {
        let mut borrow = 0;
        let mut out = Vec::with_capacity(self.0.len());
        for (index, digit) in self.0.iter().enumerate() {
            let take = u64::from(other.0.get(index).copied().unwrap_or(0)) + borrow;
            let from = u64::from(*digit);
            borrow = u64::from(from < take);
            out.push(low((borrow << 32) + from - take));
        }
        (borrow == 0).then_some(Self(out))
    }
}

/// The lowest 32 bits.
fn low(number: u64) -> u32 {
    u32::try_from(number & u64::from(u32::MAX)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::Number;

    #[test]
    fn a_power_is_what_it_is() {
        let modulus = 0xffff_ffff_ffff_ffc5_u128;
        let mut expected = 1_u128;
        let base = 0x0123_4567_89ab_cdef_u128;
        for _ in 0..65537 {
            expected = expected * base % modulus;
        }
        let number = |number: u128| Number::read(&number.to_be_bytes());
        let power = number(base).power(&[1, 0, 1], &number(modulus));
        assert_eq!(power.write(16), expected.to_be_bytes());
    }
}
