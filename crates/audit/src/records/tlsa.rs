//! TLSA records (RFC 6698 2, RFC 7672 3.1).

use core::fmt;

/// A TLSA record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tlsa {
    /// Certificate usage: 2 names a CA, 3 the server's own certificate; 0 and 1 are not for SMTP.
    pub usage: u8,
    /// What is matched: 0 the certificate, 1 its public key.
    pub selector: u8,
    /// How: 0 as it is, 1 SHA-256, 2 SHA-512.
    pub matching: u8,
    /// The data, in lower-case hexadecimal.
    pub data: String,
}

impl Tlsa {
    /// Reads presentation format: `3 1 1 0123abcd`.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let mut fields = text.split_whitespace();
        let mut number = || fields.next()?.parse().ok();
        let (usage, selector, matching) = (number()?, number()?, number()?);
        let data = fields.collect::<String>().to_ascii_lowercase();
        let hex = !data.is_empty() && data.bytes().all(|byte| byte.is_ascii_hexdigit());
        hex.then_some(Self { usage, selector, matching, data })
    }

    /// What keeps it from being used for SMTP, if anything.
    #[must_use]
    pub fn unusable(&self) -> Option<&'static str> {
        match (self.usage, self.selector, self.matching, self.data.len()) {
            (0 | 1, ..) => Some("usage 0 and 1 are not for SMTP (RFC 7672 3.1.3)"),
            (4.., ..) => Some("no such usage"),
            (_, 2.., ..) => Some("no such selector"),
            (_, _, 0, _) => Some("matching type 0 puts the whole certificate into the DNS"),
            (_, _, 1, 64) | (_, _, 2, 128) => None,
            (_, _, 1 | 2, _) => Some("the digest has a wrong length"),
            _ => Some("no such matching type"),
        }
    }
}

impl fmt::Display for Tlsa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.usage, self.selector, self.matching, self.data)
    }
}
