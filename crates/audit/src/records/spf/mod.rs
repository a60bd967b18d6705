//! SPF (RFC 7208): the record, what a domain's record comes to with all that it includes, and what it says of an address.

mod check;
mod expand;
mod tree;

use core::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

pub use check::{Verdict, check};
pub use expand::{Subject, expand};
pub use tree::{LOOKUPS, Part, Tree, VOIDS, tree};

/// What a match means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qualifier {
    /// `+`, or nothing: may send.
    Pass,
    /// `-`: may not.
    Fail,
    /// `~`: may hardly.
    SoftFail,
    /// `?`: nothing is said.
    Neutral,
}

/// What is matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// Everything.
    All,
    /// What another domain's record passes.
    Include(String),
    /// Addresses of a name, the domain itself if none is given, with prefix lengths.
    A(Option<String>, u8, u8),
    /// Addresses of a domain's exchangers, likewise.
    Mx(Option<String>, u8, u8),
    /// Names that the address points to.
    Ptr(Option<String>),
    /// A network.
    Ip4(Ipv4Addr, u8),
    /// A network.
    Ip6(Ipv6Addr, u8),
    /// Whether a name exists.
    Exists(String),
}

/// A term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    /// A mechanism and what its match means.
    Directive(Qualifier, Mechanism),
    /// The record of another domain holds if nothing matched.
    Redirect(String),
    /// Where the explanation is.
    Explanation(String),
    /// A modifier that nobody knows, which is passed over.
    Other,
}

/// A term where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The term.
    pub term: Term,
    /// As it stands.
    pub text: String,
}

/// What is wrong with a record, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The octet at which the term begins, from 1.
    pub column: usize,
    /// The term.
    pub token: String,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` at octet {}: {}", self.token, self.column, self.what)
    }
}

/// A record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Its terms, in order.
    pub terms: Vec<Placed>,
    /// What is wrong with it; one problem makes the whole record void (permerror).
    pub problems: Vec<Problem>,
}

/// Whether a modifier that nobody knows has the name of a mechanism: `include=example.org` was meant to be `include:example.org`.
#[must_use]
pub fn is_mistaken(text: &str) -> bool {
    let name = text.split('=').next().unwrap_or_default().to_ascii_lowercase();
    matches!(name.as_str(), "all" | "include" | "a" | "mx" | "ptr" | "ip4" | "ip6" | "exists")
}

/// Whether a TXT record is an SPF record: `v=spf1` and then a blank or the end (RFC 7208 4.5).
#[must_use]
pub fn is_record(text: &str) -> bool {
    text.get(..6).is_some_and(|version| version.eq_ignore_ascii_case("v=spf1"))
        && text.get(6..).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// Whether a TXT record is meant as an SPF record, even if it is none.
#[must_use]
pub fn is_meant(text: &str) -> bool {
    let text = text.trim_start_matches(|c: char| !c.is_ascii_alphanumeric()).to_ascii_lowercase();
    text.starts_with("v=spf")
        || text.starts_with("spf1")
        || text.starts_with("v =spf")
        || text.starts_with("v= spf")
}

impl Record {
    /// Reads a record.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut record = Self::default();
        let mut column = 1;
        for token in text.split(' ') {
            if column > 1 && !token.is_empty() {
                match term(token) {
                    Ok(term) => record.terms.push(Placed { term, text: token.to_owned() }),
                    Err(what) => record.problems.push(Problem { column, token: token.to_owned(), what }),
                }
            }
            column += token.len() + 1;
        }
        for (name, twice) in [("redirect", record.redirects() > 1), ("exp", record.explanations() > 1)] {
            if twice {
                record.problems.push(Problem {
                    column: 1,
                    token: name.to_owned(),
                    what: "stands twice".to_owned(),
                });
            }
        }
        record
    }

    fn redirects(&self) -> usize {
        self.terms.iter().filter(|placed| matches!(placed.term, Term::Redirect(_))).count()
    }

    fn explanations(&self) -> usize {
        self.terms.iter().filter(|placed| matches!(placed.term, Term::Explanation(_))).count()
    }

    /// The `all` term, with its place.
    #[must_use]
    pub fn all(&self) -> Option<(usize, Qualifier)> {
        self.terms.iter().enumerate().find_map(|(place, placed)| match placed.term {
            Term::Directive(qualifier, Mechanism::All) => Some((place, qualifier)),
            _ => None,
        })
    }

    /// Where it redirects to; nowhere if it has an `all` (RFC 7208 6.1).
    #[must_use]
    pub fn redirect(&self) -> Option<&str> {
        if self.all().is_some() {
            return None;
        }
        self.terms.iter().find_map(|placed| match &placed.term {
            Term::Redirect(target) => Some(target.as_str()),
            _ => None,
        })
    }
}

fn term(token: &str) -> Result<Term, String> {
    let end = token.find([':', '/', '=']).unwrap_or(token.len());
    let (name, rest) = token.split_at(end);
    if let Some(value) = rest.strip_prefix('=') {
        return modifier(name, value);
    }
    let (qualifier, name) = match name.chars().next() {
        Some('+') => (Qualifier::Pass, name.get(1..)),
        Some('-') => (Qualifier::Fail, name.get(1..)),
        Some('~') => (Qualifier::SoftFail, name.get(1..)),
        Some('?') => (Qualifier::Neutral, name.get(1..)),
        _ => (Qualifier::Pass, Some(name)),
    };
    let name = name.unwrap_or_default().to_ascii_lowercase();
    Ok(Term::Directive(qualifier, mechanism(&name, rest)?))
}

fn modifier(name: &str, value: &str) -> Result<Term, String> {
    match name.to_ascii_lowercase().as_str() {
        "redirect" => Ok(Term::Redirect(target(value)?)),
        "exp" => Ok(Term::Explanation(target(value)?)),
        other if other.starts_with(|c: char| c.is_ascii_alphabetic()) => {
            expand::valid(value)?;
            Ok(Term::Other)
        }
        _ => Err("no such modifier".to_owned()),
    }
}

fn mechanism(name: &str, rest: &str) -> Result<Mechanism, String> {
    let value = rest.strip_prefix(':');
    match (name, value) {
        ("all", _) if rest.is_empty() => Ok(Mechanism::All),
        ("all", _) => Err("`all` takes nothing".to_owned()),
        ("include", Some(value)) => Ok(Mechanism::Include(target(value)?)),
        ("exists", Some(value)) => Ok(Mechanism::Exists(target(value)?)),
        ("include" | "exists" | "ip4" | "ip6", None) => Err(format!("`{name}` needs `:` and a value")),
        ("ptr", Some(value)) => Ok(Mechanism::Ptr(Some(target(value)?))),
        ("ptr", None) if rest.is_empty() => Ok(Mechanism::Ptr(None)),
        ("a" | "mx", _) => {
            let (spec, four, six) = with_prefixes(rest)?;
            let spec = spec.map(target).transpose()?;
            Ok(if name == "a" { Mechanism::A(spec, four, six) } else { Mechanism::Mx(spec, four, six) })
        }
        ("ip4", Some(value)) => network(value, 32).map(|(address, prefix)| Mechanism::Ip4(address, prefix)),
        ("ip6", Some(value)) => network(value, 128).map(|(address, prefix)| Mechanism::Ip6(address, prefix)),
        _ => Err("no such mechanism".to_owned()),
    }
}

fn network<A: core::str::FromStr>(text: &str, longest: u8) -> Result<(A, u8), String> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, number(prefix, longest)?),
        None => (text, longest),
    };
    let address = address.parse().map_err(|_| format!("`{address}` is no such address"))?;
    Ok((address, prefix))
}

fn number(text: &str, longest: u8) -> Result<u8, String> {
    let plain = text == "0" || !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|&number| plain && number <= longest)
        .ok_or_else(|| format!("`/{text}` is no prefix length up to {longest}"))
}

/// Splits `:name/24//64` into its parts.
fn with_prefixes(rest: &str) -> Result<(Option<&str>, u8, u8), String> {
    let (rest, six) = match rest.rsplit_once("//") {
        Some((rest, six)) => (rest, number(six, 128)?),
        None => (rest, 128),
    };
    let (rest, four) = match rest.rsplit_once('/') {
        Some((before, four)) if !four.contains('}') => (before, number(four, 32)?),
        _ => (rest, 32),
    };
    match rest {
        "" => Ok((None, four, six)),
        rest => Ok((Some(rest.strip_prefix(':').ok_or("a `:` is missing")?), four, six)),
    }
}

/// A domain-spec: macros, and at the end a top label or a macro (RFC 7208 7.1).
fn target(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("a name is missing".to_owned());
    }
    expand::valid(text)?;
    let name = text.trim_end_matches('.');
    let last = name.rsplit('.').next().unwrap_or_default();
    let top = last.len() > 1 || !last.bytes().all(|byte| byte.is_ascii_digit());
    let digits = last.bytes().all(|byte| byte.is_ascii_digit());
    if !text.ends_with('}') && (!name.contains('.') || digits || !top) {
        return Err(format!("`{text}` is no name of a domain"));
    }
    if !text.contains('%') && name.split('.').any(str::is_empty) {
        return Err(format!("`{text}` has an empty label"));
    }
    Ok(text.to_owned())
}
