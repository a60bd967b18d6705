//! As much of DER (X.690) as public and private RSA and Ed25519 keys take.

/// What a key is made of; numbers are big-endian without leading zeros.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// An RSA key's modulus and exponent.
    Rsa {
        /// The modulus.
        modulus: Vec<u8>,
        /// The public exponent.
        exponent: Vec<u8>,
    },
    /// An Ed25519 key: its 32 public octets, or its private seed.
    Ed25519(Vec<u8>),
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT: u8 = 0x06;
/// 1.2.840.113549.1.1.1, rsaEncryption.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// 1.3.101.112 (RFC 8410).
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

impl Key {
    /// Bits of an RSA modulus; 256 for Ed25519.
    #[must_use]
    pub fn bits(&self) -> u32 {
        match self {
            Self::Rsa { modulus, .. } => {
                let first = modulus.first().map_or(0, |octet| octet.leading_zeros());
                u32::try_from(modulus.len() * 8).unwrap_or(u32::MAX).saturating_sub(first)
            }
            Self::Ed25519(_) => 256,
        }
    }

    /// Reads a public key: SubjectPublicKeyInfo, or the bare RSAPublicKey that RFC 6376 names.
    #[must_use]
    pub fn public(der: &[u8]) -> Option<Self> {
        let body = Reader(der).take(SEQUENCE)?;
        let mut inner = Reader(body);
        if body.first() == Some(&INTEGER) {
            return inner.rsa();
        }
        let object = Reader(inner.take(SEQUENCE)?).take(OBJECT)?;
        let bits = inner.take(BIT_STRING)?.get(1..)?;
        match object {
            RSA => Reader(Reader(bits).take(SEQUENCE)?).rsa(),
            ED25519 => Some(Self::Ed25519(bits.to_vec())),
            _ => None,
        }
    }

    /// Reads a private key, PKCS #1 or PKCS #8; of an RSA key only the public numbers are kept.
    #[must_use]
    pub fn private(der: &[u8]) -> Option<Self> {
        let mut inner = Reader(Reader(der).take(SEQUENCE)?);
        inner.take(INTEGER)?;
        if inner.0.first() == Some(&INTEGER) {
            return inner.rsa();
        }
        let object = Reader(inner.take(SEQUENCE)?).take(OBJECT)?;
        let key = inner.take(OCTET_STRING)?;
        match object {
            RSA => Self::private(key),
            ED25519 => Some(Self::Ed25519(Reader(key).take(OCTET_STRING)?.to_vec())),
            _ => None,
        }
    }

    /// The octets that a DKIM record publishes: SubjectPublicKeyInfo of an RSA key, the bare octets of an Ed25519 key (RFC 8463 4).
    #[must_use]
    pub fn published(&self) -> Vec<u8> {
        match self {
            Self::Ed25519(octets) => octets.clone(),
            Self::Rsa { modulus, exponent } => {
                let numbers = [number(modulus), number(exponent)].concat();
                let bits = [vec![0], value(SEQUENCE, &numbers)].concat();
                let algorithm = [value(OBJECT, RSA), vec![0x05, 0x00]].concat();
                value(SEQUENCE, &[value(SEQUENCE, &algorithm), value(BIT_STRING, &bits)].concat())
            }
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (&found, rest) = self.0.split_first()?;
        let (&short, rest) = rest.split_first()?;
        let (length, rest) = if short < 0x80 {
            (usize::from(short), rest)
        } else {
            let (octets, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
            if octets.len() > 4 {
                return None;
            }
            (octets.iter().fold(0, |length, &octet| length << 8 | usize::from(octet)), rest)
        };
        let (body, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        (found == tag).then_some(body)
    }

    fn integer(&mut self) -> Option<Vec<u8>> {
        Some(self.take(INTEGER)?.iter().copied().skip_while(|&octet| octet == 0).collect())
    }

    fn rsa(&mut self) -> Option<Key> {
        Some(Key::Rsa { modulus: self.integer()?, exponent: self.integer()? })
    }
}

fn value(tag: u8, body: &[u8]) -> Vec<u8> {
    let length: Vec<u8> = if body.len() < 0x80 {
        vec![u8::try_from(body.len()).unwrap_or(0)]
    } else {
        let octets: Vec<u8> = body.len().to_be_bytes().into_iter().skip_while(|&octet| octet == 0).collect();
        [vec![0x80 | u8::try_from(octets.len()).unwrap_or(0)], octets].concat()
    };
    [vec![tag], length, body.to_vec()].concat()
}

fn number(octets: &[u8]) -> Vec<u8> {
    let sign: &[u8] = if octets.first().is_some_and(|&first| first >= 0x80) { &[0] } else { &[] };
    value(INTEGER, &[sign, octets].concat())
}
