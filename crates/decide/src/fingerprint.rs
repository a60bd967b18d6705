//! Long keys that strangers choose, as 64 bits that they cannot foretell.

use sha2::{Digest, Sha256};

/// A secret that is kept in the store: with another one, what was kept is not found again.
#[derive(Clone)]
pub struct Secret([u8; 32]);

impl core::fmt::Debug for Secret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// From random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The fingerprint of these parts. It is written to the disk, so the hash is one that will never change; two of ten million
    /// keys are the same once in a hundred thousand servers.
    #[must_use]
    pub fn fingerprint(&self, parts: &[&[u8]]) -> Fingerprint {
        let mut hash = Sha256::new_with_prefix(self.0);
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        Fingerprint(digest.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)))
    }
}

/// 64 bits that stand for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// As a number, for storage.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// From storage.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}
