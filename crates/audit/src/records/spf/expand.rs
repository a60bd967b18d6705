//! Macros of SPF (RFC 7208 7).

use std::fmt::Write as _;
use std::net::IpAddr;

use super::super::address::reversed;

/// Of whom a record is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The sending address; none when the record is only read.
    pub address: Option<IpAddr>,
    /// The sender: `postmaster@example.org`.
    pub sender: String,
    /// What the client calls itself.
    pub helo: String,
}

/// Whether a text's macros are well formed.
///
/// # Errors
/// What is wrong.
pub(super) fn valid(text: &str) -> Result<(), String> {
    if let Some(wrong) = text.chars().find(|c| !c.is_ascii_graphic()) {
        return Err(format!("{wrong:?} does not belong here"));
    }
    for piece in pieces(text) {
        if let Piece::Wrong(wrong) = piece {
            return Err(format!("`{wrong}` is no macro"));
        }
    }
    Ok(())
}

/// A text with its macros expanded for a domain; none if one depends on what is not known.
#[must_use]
pub fn expand(text: &str, domain: &str, subject: &Subject) -> Option<String> {
    let mut expanded = String::new();
    for piece in pieces(text) {
        match piece {
            Piece::Literal(literal) => expanded.push_str(literal),
            Piece::Macro(body) => expanded.push_str(&value(body, domain, subject)?),
            Piece::Wrong(_) => return None,
        }
    }
    Some(shorten(&expanded).to_ascii_lowercase())
}

/// Names over 253 octets lose labels on the left (RFC 7208 7.3).
fn shorten(mut name: &str) -> &str {
    while name.len() > 253 {
        let Some((_, rest)) = name.split_once('.') else { break };
        name = rest;
    }
    name
}

enum Piece<'a> {
    Literal(&'a str),
    Macro(&'a str),
    Wrong(&'a str),
}

fn pieces(mut text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    while let Some(start) = text.find('%') {
        let (before, from) = text.split_at(start);
        found.push(Piece::Literal(before));
        let (piece, length) = match from.get(..2) {
            Some("%%") => (Piece::Literal("%"), 2),
            Some("%_") => (Piece::Literal(" "), 2),
            Some("%-") => (Piece::Literal("%20"), 2),
            Some("%{") => match from.find('}') {
                Some(end) => {
                    let body = from.get(2..end).unwrap_or_default();
                    let whole = from.get(..=end).unwrap_or_default();
                    (if well_formed(body) { Piece::Macro(body) } else { Piece::Wrong(whole) }, end + 1)
                }
                None => (Piece::Wrong(from), from.len()),
            },
            _ => (Piece::Wrong(from), from.len()),
        };
        found.push(piece);
        text = from.get(length..).unwrap_or_default();
    }
    found.push(Piece::Literal(text));
    found
}

fn well_formed(body: &str) -> bool {
    let mut rest = body.chars();
    let letter = rest.next().is_some_and(|c| "slodiphcrtv".contains(c.to_ascii_lowercase()));
    let (digits, _, delimiters) = transformers(rest.as_str());
    letter && digits != Some(0) && delimiters.is_some()
}

/// How many labels on the right are kept, whether they are reversed first, and what separates them.
fn transformers(text: &str) -> (Option<usize>, bool, Option<&str>) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let (reverse, rest) = match rest.strip_prefix(['r', 'R']) {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let delimiters = rest.chars().all(|c| ".-+,/_=".contains(c)).then_some(rest);
    (digits.parse().ok(), reverse, delimiters)
}

fn value(body: &str, domain: &str, subject: &Subject) -> Option<String> {
    let mut rest = body.chars();
    let letter = rest.next()?.to_ascii_lowercase();
    let (local, sender_domain) = subject.sender.split_once('@').unwrap_or(("postmaster", &subject.sender));
    let plain = match letter {
        's' => subject.sender.clone(),
        'l' => local.to_owned(),
        'o' => sender_domain.to_owned(),
        'd' => domain.to_owned(),
        'h' => subject.helo.clone(),
        'i' | 'c' => dotted(subject.address?),
        'v' => if subject.address?.to_canonical().is_ipv4() { "in-addr" } else { "ip6" }.to_owned(),
        // The validated name costs more than it is worth, and RFC 7208 7.2 says not to use it.
        'p' => "unknown".to_owned(),
        _ => return None,
    };
    let (keep, reverse, delimiters) = transformers(rest.as_str());
    let delimiters = delimiters.filter(|text| !text.is_empty()).unwrap_or(".");
    let mut labels: Vec<&str> = plain.split(|c| delimiters.contains(c)).collect();
    if reverse {
        labels.reverse();
    }
    let from = labels.len().saturating_sub(keep.unwrap_or(labels.len()));
    Some(labels.get(from..)?.join("."))
}

fn dotted(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        six @ IpAddr::V6(_) => {
            let mut text = String::new();
            for nibble in reversed(six).split('.').rev() {
                let _ = write!(text, "{nibble}.");
            }
            text.pop();
            text
        }
    }
}
