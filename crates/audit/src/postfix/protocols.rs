//! TLS protocol parameters: `!SSLv2, !SSLv3`, `TLSv1.2`, `>=TLSv1.2`. See postconf(5), smtpd_tls_mandatory_protocols.

use core::fmt;

/// A version of SSL or TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// SSL 2.0; no library of this decade speaks it.
    Ssl2,
    /// SSL 3.0.
    Ssl3,
    /// TLS 1.0.
    Tls10,
    /// TLS 1.1.
    Tls11,
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// The versions that a protocol parameter lets through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protocols {
    allowed: Vec<Protocol>,
    /// Words of the parameter that are no protocol; Postfix then offers no TLS at all.
    pub unknown: Vec<String>,
}

impl Protocol {
    /// All, the oldest first.
    pub const ALL: [Self; 6] = [Self::Ssl2, Self::Ssl3, Self::Tls10, Self::Tls11, Self::Tls12, Self::Tls13];

    /// Its name in Postfix parameters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ssl2 => "SSLv2",
            Self::Ssl3 => "SSLv3",
            Self::Tls10 => "TLSv1",
            Self::Tls11 => "TLSv1.1",
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        }
    }

    /// The version with a name, in upper or lower case, or with a number (`0303`, `0x0303`).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        if let Some(known) = Self::ALL.into_iter().find(|known| known.name().eq_ignore_ascii_case(name)) {
            return Some(known);
        }
        let digits = name.strip_prefix("0x").unwrap_or(name);
        match (digits.len() >= 3).then(|| u16::from_str_radix(digits, 16).ok()).flatten()? {
            0x0300 => Some(Self::Ssl3),
            0x0301 => Some(Self::Tls10),
            0x0302 => Some(Self::Tls11),
            0x0303 => Some(Self::Tls12),
            0x0304 => Some(Self::Tls13),
            _ => None,
        }
    }
}

impl Protocols {
    /// What a parameter's value lets through. A name alone admits, and then only what is named; `!` excludes; `>=` and `<=` bound.
    #[must_use]
    pub fn read(value: &str) -> Self {
        let (mut named, mut excluded, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
        let (mut least, mut most) = (None, None);
        for word in value.split([',', ':', ' ', '\t']).filter(|word| !word.is_empty()) {
            let name = word.trim_start_matches(['!', '>', '<', '=']);
            let sign = word.strip_suffix(name).unwrap_or_default();
            match (sign, Protocol::named(name)) {
                ("", Some(protocol)) => named.push(protocol),
                ("!", Some(protocol)) => excluded.push(protocol),
                (">=", Some(protocol)) => least = Some(protocol),
                ("<=", Some(protocol)) => most = Some(protocol),
                _ => unknown.push(word.to_owned()),
            }
        }
        let allows = |protocol: &Protocol| {
            (named.is_empty() || named.contains(protocol))
                && !excluded.contains(protocol)
                && least.is_none_or(|least| *protocol >= least)
                && most.is_none_or(|most| *protocol <= most)
        };
        Self { allowed: Protocol::ALL.into_iter().filter(allows).collect(), unknown }
    }

    /// Whether a version is let through.
    #[must_use]
    pub fn allows(&self, protocol: Protocol) -> bool {
        self.allowed.contains(&protocol)
    }

    /// The versions let through, the oldest first.
    #[must_use]
    pub fn allowed(&self) -> &[Protocol] {
        &self.allowed
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
