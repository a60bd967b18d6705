//! Bytes that somebody else wrote.

use core::fmt;

/// A piece of a log line, as its bytes stand there: not always UTF-8, never trusted, empty where the line has none.
///
/// It displays with control bytes escaped, so that a field written by an attacker cannot steer a terminal.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    /// No text.
    pub const EMPTY: Self = Self(b"");

    /// Wraps bytes.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// Whether the line had none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The text where there is one.
    #[must_use]
    pub fn some(self) -> Option<Self> {
        (!self.is_empty()).then_some(self)
    }

    /// As a string; invalid UTF-8 becomes U+FFFD.
    #[must_use]
    pub fn lossy(self) -> std::borrow::Cow<'a, str> {
        // Checks several bytes at a time, and nearly all texts are whole.
        core::str::from_utf8(self.0).map_or_else(|_| String::from_utf8_lossy(self.0), Into::into)
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(text.as_bytes())
    }
}

impl<'a> From<&'a [u8]> for Text<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.lossy();
        if text.bytes().all(|byte| (b' '..0x7F).contains(&byte)) {
            return f.write_str(&text);
        }
        for c in text.chars() {
            if c.is_control() {
                write!(f, "{}", c.escape_default())?;
            } else {
                fmt::Write::write_char(f, c)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.lossy())
    }
}
