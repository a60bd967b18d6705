//! Groups of the key exchange: the numbers and names of IANA's registry.

use core::fmt;

use serde::{Deserialize, Serialize};

/// A group of the key exchange, by its number in IANA's registry "TLS Supported Groups".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Group(pub u16);

/// What a group is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupKind {
    /// An elliptic curve, with the bits of its order.
    Curve(u16),
    /// Finite-field DH, with the bits of its prime.
    FiniteField(u16),
    /// A curve together with a lattice, which a quantum computer does not break.
    Hybrid,
}

impl Group {
    /// X25519.
    pub const X25519: Self = Self(29);
    /// X25519 together with ML-KEM-768.
    pub const X25519_MLKEM768: Self = Self(4588);

    /// All that a probe asks for.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(number, ..)| Self(*number))
    }

    /// Its name in IANA's registry.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        NAMES.iter().find(|row| row.0 == self.0).map(|row| row.1)
    }

    /// What it is made of.
    #[must_use]
    pub fn kind(self) -> Option<GroupKind> {
        NAMES.iter().find(|row| row.0 == self.0).map(|row| row.2)
    }

    /// Whether it is a curve of fewer than 250 bits: P-224 and below.
    #[must_use]
    pub fn is_weak_curve(self) -> bool {
        matches!(self.kind(), Some(GroupKind::Curve(bits)) if bits < 250)
    }

    /// Whether a quantum computer does not break it.
    #[must_use]
    pub fn is_hybrid(self) -> bool {
        self.kind() == Some(GroupKind::Hybrid)
    }

    /// Whether TLS 1.3 knows it (RFC 8446 4.2.7, RFC 8734, and the hybrids).
    #[must_use]
    pub fn is_for_tls13(self) -> bool {
        matches!(self.0, 23..=25 | 29..=33 | 256..=260 | 4587..=4589 | 25497)
    }

    /// Whether TLS 1.2 and before know it as a curve (RFC 8422, RFC 4492, RFC 7027).
    #[must_use]
    pub fn is_for_tls12(self) -> bool {
        matches!(self.0, 1..=30)
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "0x{:04X}", self.0),
        }
    }
}

impl From<Group> for String {
    fn from(group: Group) -> Self {
        group.to_string()
    }
}

impl From<String> for Group {
    fn from(text: String) -> Self {
        let named = || NAMES.iter().find(|row| row.1 == text).map(|row| row.0);
        let number = || u16::from_str_radix(text.strip_prefix("0x")?, 16).ok();
        Self(named().or_else(number).unwrap_or(0))
    }
}

/// From the registry "TLS Supported Groups" of IANA, strongest use first.
#[rustfmt::skip]
const NAMES: &[(u16, &str, GroupKind)] = &[
    (4588, "X25519MLKEM768", GroupKind::Hybrid),
    (4587, "SecP256r1MLKEM768", GroupKind::Hybrid),
    (4589, "SecP384r1MLKEM1024", GroupKind::Hybrid),
    (25497, "X25519Kyber768Draft00", GroupKind::Hybrid),
    (29, "x25519", GroupKind::Curve(255)),
    (23, "secp256r1", GroupKind::Curve(256)),
    (30, "x448", GroupKind::Curve(448)),
    (25, "secp521r1", GroupKind::Curve(521)),
    (24, "secp384r1", GroupKind::Curve(384)),
    (31, "brainpoolP256r1tls13", GroupKind::Curve(256)),
    (32, "brainpoolP384r1tls13", GroupKind::Curve(384)),
    (33, "brainpoolP512r1tls13", GroupKind::Curve(512)),
    (26, "brainpoolP256r1", GroupKind::Curve(256)),
    (27, "brainpoolP384r1", GroupKind::Curve(384)),
    (28, "brainpoolP512r1", GroupKind::Curve(512)),
    (22, "secp256k1", GroupKind::Curve(256)),
    (14, "sect571r1", GroupKind::Curve(570)),
    (13, "sect571k1", GroupKind::Curve(570)),
    (12, "sect409r1", GroupKind::Curve(409)),
    (11, "sect409k1", GroupKind::Curve(407)),
    (10, "sect283r1", GroupKind::Curve(282)),
    (9, "sect283k1", GroupKind::Curve(281)),
    (21, "secp224r1", GroupKind::Curve(224)),
    (20, "secp224k1", GroupKind::Curve(225)),
    (8, "sect239k1", GroupKind::Curve(238)),
    (7, "sect233r1", GroupKind::Curve(233)),
    (6, "sect233k1", GroupKind::Curve(232)),
    (19, "secp192r1", GroupKind::Curve(192)),
    (18, "secp192k1", GroupKind::Curve(192)),
    (5, "sect193r2", GroupKind::Curve(193)),
    (4, "sect193r1", GroupKind::Curve(193)),
    (17, "secp160r2", GroupKind::Curve(161)),
    (16, "secp160r1", GroupKind::Curve(161)),
    (15, "secp160k1", GroupKind::Curve(161)),
    (3, "sect163r2", GroupKind::Curve(163)),
    (2, "sect163r1", GroupKind::Curve(162)),
    (1, "sect163k1", GroupKind::Curve(163)),
    (256, "ffdhe2048", GroupKind::FiniteField(2048)),
    (257, "ffdhe3072", GroupKind::FiniteField(3072)),
    (258, "ffdhe4096", GroupKind::FiniteField(4096)),
    (259, "ffdhe6144", GroupKind::FiniteField(6144)),
    (260, "ffdhe8192", GroupKind::FiniteField(8192)),
];
