//! Password schemes, by what a thief of the stored passwords has to do.

/// What a thief of a stored password has to do to use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// Read it, or log in with what is stored.
    Reversible,
    /// Look it up, or try billions a second: no salt, or an algorithm of the nineties.
    Weak,
    /// Try hundreds of millions a second: salted, but one round of a fast hash.
    Fast,
    /// Try thousands a second, depending on the work factor.
    Slow,
}

/// Schemes of `doveadm pw -l`, weakest first. CRAM-MD5, DIGEST-MD5, OTP and SCRAM-SHA-1 store what a login needs, or nearly so.
const SCHEMES: &[(Strength, &[&str])] = &[
    (
        Strength::Reversible,
        &[
            "PLAIN",
            "CLEAR",
            "CLEARTEXT",
            "PLAIN-TRUNC",
            "CRAM-MD5",
            "HMAC-MD5",
            "DIGEST-MD5",
            "RPA",
            "OTP",
            "SKEY",
            "BASE64",
        ],
    ),
    (
        Strength::Weak,
        &[
            "DES-CRYPT",
            "EXT-DES-CRYPT",
            "MD5",
            "MD5-CRYPT",
            "PLAIN-MD5",
            "LDAP-MD5",
            "SMD5",
            "SHA",
            "SHA1",
            "SSHA",
            "LANMAN",
            "NTLM",
        ],
    ),
    (Strength::Fast, &["SHA256", "SSHA256", "SHA512", "SSHA512", "SCRAM-SHA-1", "SCRAM-SHA-256"]),
    (
        Strength::Slow,
        &[
            "SHA256-CRYPT",
            "SHA512-CRYPT",
            "BLF-CRYPT",
            "PBKDF2",
            "ARGON2I",
            "ARGON2ID",
            "ARGON2D",
            "YESCRYPT",
            "SCRYPT",
        ],
    ),
];

/// How strong a scheme is; none for `CRYPT`, which leaves it to each hash, and for a name that nobody knows. `.b64` and `.hex` tell
/// how the hash is written.
#[must_use]
pub fn strength(scheme: &str) -> Option<Strength> {
    let scheme = scheme.split('.').next().unwrap_or(scheme).to_ascii_uppercase();
    SCHEMES.iter().find(|(_, names)| names.contains(&scheme.as_str())).map(|(strength, _)| *strength)
}
