//! An SPF record as text (RFC 7208 section 12).

use core::net::IpAddr;

use mailward_model::Network;

use crate::policy::Spf;

/// A record that is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) terms: Vec<Term>,
    pub(super) redirect: Option<String>,
}

/// A mechanism, and what follows when it matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) result: Spf,
    pub(super) mechanism: Mechanism,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mechanism {
    All,
    Network(Network),
    Address { domain: Option<String>, v4: u8, v6: u8 },
    MailServers { domain: Option<String>, v4: u8, v6: u8 },
    Include(String),
    Exists(String),
    Pointer(Option<String>),
}

/// Whether a text is an SPF record.
#[must_use]
pub fn is_spf(text: &str) -> bool {
    text.get(..6).is_some_and(|version| version.eq_ignore_ascii_case("v=spf1"))
        && text.as_bytes().get(6).is_none_or(|next| *next == b' ')
}

impl Record {
    /// Reads it; nothing where it is wrong anywhere (section 4.6).
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut record = Self { terms: Vec::new(), redirect: None };
        for word in text.get(6..)?.split(' ').filter(|word| !word.is_empty()) {
            match modifier(word) {
                Some((name, value)) if name.eq_ignore_ascii_case("redirect") => {
                    if record.redirect.replace(value.to_owned()).is_some() {
                        return None;
                    }
                }
                // `exp` and what is not known (section 6).
                Some(_) => {}
                None => record.terms.push(Term::read(word)?),
            }
        }
        Some(record)
    }
}

/// `name=value`; mechanisms have a colon or a slash before any equals sign.
fn modifier(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(is_name))
        .then_some((name, value))
}

impl Term {
    fn read(word: &str) -> Option<Self> {
        let (result, rest) = match word.split_at_checked(1)? {
            ("+", rest) => (Spf::Pass, rest),
            ("-", rest) => (Spf::Fail, rest),
            ("~", rest) => (Spf::SoftFail, rest),
            ("?", rest) => (Spf::None, rest),
            _ => (Spf::Pass, word),
        };
        Some(Self { result, mechanism: Mechanism::read(rest)? })
    }
}

impl Mechanism {
    fn read(text: &str) -> Option<Self> {
        let end = text.find([':', '/']).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let value = || rest.strip_prefix(':').filter(|value| !value.is_empty());
        match name.to_ascii_lowercase().as_str() {
            "all" => rest.is_empty().then_some(Self::All),
            "include" => value().map(|value| Self::Include(value.to_owned())),
            "exists" => value().map(|value| Self::Exists(value.to_owned())),
            "ptr" if rest.is_empty() => Some(Self::Pointer(None)),
            "ptr" => value().map(|value| Self::Pointer(Some(value.to_owned()))),
            "ip4" => network(value()?).filter(|network| network.address().is_ipv4()).map(Self::Network),
            "ip6" => network(value()?).map(Self::Network),
            "a" => domain_and_prefixes(rest).map(|(domain, v4, v6)| Self::Address { domain, v4, v6 }),
            "mx" => domain_and_prefixes(rest).map(|(domain, v4, v6)| Self::MailServers { domain, v4, v6 }),
            _ => None,
        }
    }
}

/// Unlike elsewhere, bits beyond the prefix may be set.
fn network(text: &str) -> Option<Network> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix.parse::<u8>().ok()?)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let prefix = prefix.unwrap_or(most);
    (prefix <= most).then(|| Network::around(address, prefix))
}

/// `:domain/24//64`, each of them optional.
fn domain_and_prefixes(rest: &str) -> Option<(Option<String>, u8, u8)> {
    let (name, prefixes) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let domain = match name.strip_prefix(':') {
        Some("") => return None,
        Some(domain) => Some(domain.to_owned()),
        None => None,
    };
    let (v4, v6) = match prefixes.split_once("//") {
        Some((v4, v6)) => (v4, Some(v6)),
        None => (prefixes, None),
    };
    let v4 =
        if v4.is_empty() { Some(32) } else { v4.strip_prefix('/')?.parse().ok().filter(|bits| *bits <= 32) };
    let v6 = v6.map_or(Some(128), |v6| v6.parse().ok().filter(|bits| *bits <= 128));
    Some((domain, v4?, v6?))
}
