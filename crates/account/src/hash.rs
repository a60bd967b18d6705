//! Hashes as Dovecot stores them.

use argon2::{Algorithm, Argon2, Params, Version};
use sha_crypt::{CustomizedPasswordHasher, ShaCrypt};

use crate::Password;

/// Random bytes for a hash.
pub type Salt = [u8; 16];

/// How a password is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Argon2id: what OWASP puts first. Dovecot has it where it was built with libsodium.
    Argon2id,
    /// SHA-512-crypt: what every libc knows.
    Sha512Crypt,
}

/// A hash that could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot hash the password: {0}; trying again helps if memory was short (19 MiB are needed, `free -m`)"
)]
pub struct HashError(String);

/// OWASP's smallest parameters for Argon2id: 19 MiB, two passes, one lane. One login takes them at a time, for Dovecot compares passwords
/// of a passwd-file in its one auth process, whose memory ends at default_vsz_limit (256 MiB).
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;

/// As long as Argon2id takes, or a little longer; Dovecot's own default of 5000 rounds is of the year 2007.
const ROUNDS: u32 = 100_000;

impl Scheme {
    /// The best of those that `doveadm pw -l` lists.
    #[must_use]
    pub fn best(supported: &str) -> Self {
        let has = |name: &str| supported.split_whitespace().any(|scheme| scheme == name);
        if has("ARGON2ID") { Self::Argon2id } else { Self::Sha512Crypt }
    }

    /// Its name between Dovecot's braces.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Argon2id => "ARGON2ID",
            Self::Sha512Crypt => "SHA512-CRYPT",
        }
    }

    /// The field of a password as a file of accounts has it: scheme and hash.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn field(self, password: &Password, salt: Salt) -> Result<String, HashError> {
        let hash = match self {
            Self::Argon2id => argon2id(password, salt),
            Self::Sha512Crypt => sha512_crypt(password, salt),
        };
        Ok(format!("{{{}}}{}", self.name(), hash?))
    }
}

fn argon2id(password: &Password, salt: Salt) -> Result<String, HashError> {
    let failed = |error: argon2::Error| HashError(error.to_string());
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(failed)?;
    let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(password.reveal().as_bytes(), &salt, &mut output).map_err(failed)?;
    Ok(format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p=1${}${}", base64(&salt), base64(&output)))
}

fn sha512_crypt(password: &Password, salt: Salt) -> Result<String, HashError> {
    let failed = |error: &dyn core::fmt::Display| HashError(error.to_string());
    let rounds = sha_crypt::Params::new(ROUNDS).map_err(|error| failed(&error))?;
    // Twelve bytes are sixteen characters, which is as long as this salt can be.
    let salt = salt.get(..12).unwrap_or(&salt);
    let hash = ShaCrypt::SHA512
        .hash_password_customized(password.reveal().as_bytes(), salt, None, None, rounds)
        .map_err(|error| failed(&error))?;
    Ok(hash.as_str().to_owned())
}

/// Base64 without padding, as the PHC string format has it.
fn base64(bytes: &[u8]) -> String {
    const SYMBOLS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let symbol = |bits: u32| SYMBOLS.get((bits & 63) as usize).map_or('A', |symbol| char::from(*symbol));
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        text.extend([18, 12, 6, 0].iter().take(group.len() + 1).map(|shift| symbol(bits >> shift)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648_without_padding() {
        for (bytes, text) in [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xff, 0xfe, 0xfd]), "//79");
    }

    #[test]
    fn fields_say_scheme_cost_and_salt() {
        let password = Password::new(b"correct horse").unwrap();
        let argon = Scheme::Argon2id.field(&password, [1; 16]).unwrap();
        assert!(
            argon.starts_with("{ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$AQEBAQEBAQEBAQEBAQEBAQ$"),
            "{argon}"
        );
        let crypt = Scheme::Sha512Crypt.field(&password, [1; 16]).unwrap();
        assert!(crypt.starts_with("{SHA512-CRYPT}$6$rounds=100000$"), "{crypt}");
        assert_eq!(crypt.split('$').nth(3).unwrap().len(), 16, "{crypt}");
        for field in [argon, crypt] {
            assert!(!field.contains([':', '|', '\n', ' ']), "{field}");
        }
    }

    #[test]
    fn the_server_decides_which_scheme() {
        assert_eq!(Scheme::best("SHA1 SSHA512 ARGON2I ARGON2ID SHA512-CRYPT"), Scheme::Argon2id);
        assert_eq!(Scheme::best("SHA1 ARGON2I SHA512-CRYPT"), Scheme::Sha512Crypt);
        assert_eq!(Scheme::best(""), Scheme::Sha512Crypt);
    }
}
