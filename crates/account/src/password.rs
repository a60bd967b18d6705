//! A password on its way into a hash.

use core::fmt;

/// crypt(3) of libxcrypt takes at most 512 bytes; nobody types half of it.
const LONGEST: usize = 256;

/// A password. It is never printed, and never part of a command line.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

/// Random bytes for a password that is made up.
pub type Entropy = [u8; 20];

/// Something that cannot be a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// There is nothing.
    #[error("the password is empty; type one, or let --generate make one")]
    Empty,
    /// Longer than hashes take.
    #[error("the password has {length} bytes, which is more than 256; a shorter one is as good")]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// A control character, which mail programs cannot send, or which ends the password for crypt(3).
    #[error(
        "the password has a control character in it, which many mail programs cannot send; type it without"
    )]
    Control,
    /// A blank at an end, which comes from pasting.
    #[error("the password begins or ends with a blank, which mail programs may drop; type it without")]
    Blank,
    /// No text.
    #[error("the password is no UTF-8 text; type it on a terminal, or send it in UTF-8")]
    NotText,
}

impl Password {
    /// Takes what was typed or sent, without its line end.
    ///
    /// # Errors
    /// When it cannot be a password.
    pub fn new(typed: &[u8]) -> Result<Self, PasswordError> {
        let text = core::str::from_utf8(typed).map_err(|_| PasswordError::NotText)?;
        match text {
            "" => Err(PasswordError::Empty),
            _ if text.len() > LONGEST => Err(PasswordError::TooLong { length: text.len() }),
            _ if text.chars().any(char::is_control) => Err(PasswordError::Control),
            _ if text.trim() != text => Err(PasswordError::Blank),
            _ => Ok(Self(text.to_owned())),
        }
    }

    /// Made of random bytes: five groups of four letters and digits, a hundred bits. None of them looks like another, and all are on
    /// every keyboard.
    #[must_use]
    pub fn generate(entropy: Entropy) -> Self {
        const SYMBOLS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        let mut text = String::with_capacity(24);
        for (number, byte) in entropy.iter().enumerate() {
            if number > 0 && number % 4 == 0 {
                text.push('-');
            }
            // 256 is a multiple of 32: every symbol is as likely.
            text.push(SYMBOLS.get(usize::from(byte % 32)).map_or('x', |symbol| char::from(*symbol)));
        }
        Self(text)
    }

    /// The password itself: for a hash, for the policy, and for whom it was made.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_cannot_be_a_password_is_refused() {
        let error = |typed: &[u8]| Password::new(typed).unwrap_err();
        assert_eq!(error(b""), PasswordError::Empty);
        assert_eq!(error(b"a\nb"), PasswordError::Control);
        assert_eq!(error(b"a\0b"), PasswordError::Control);
        assert_eq!(error(b" abc"), PasswordError::Blank);
        assert_eq!(error(b"\xff\xfe"), PasswordError::NotText);
        assert_eq!(error(&[b'a'; 65_536]), PasswordError::TooLong { length: 65_536 });
        assert!(Password::new("Käse | : {PLAIN} $6$".as_bytes()).is_ok());
    }

    #[test]
    fn a_password_is_never_printed() {
        assert!(!format!("{:?}", Password::new(b"hunter2").unwrap()).contains("hunter2"));
    }

    proptest! {
        #[test]
        fn generated_ones_are_passwords_and_differ(one: Entropy, other: Entropy) {
            let password = Password::generate(one);
            prop_assert_eq!(password.reveal().len(), 24);
            prop_assert_eq!(Password::new(password.reveal().as_bytes()).unwrap(), password.clone());
            let same = one.iter().zip(other).all(|(one, other)| one % 32 == other % 32);
            prop_assert_eq!(same, password == Password::generate(other));
        }
    }
}
