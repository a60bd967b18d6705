//! Macros in names (RFC 7208 section 7).

use core::fmt::Write as _;
use core::net::IpAddr;

use super::Sending;

/// Names with macros expanded; nothing where they are wrong.
pub(super) fn expand(text: &str, sending: &Sending<'_>, local: &str, domain: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        rest = match after.split_at_checked(1)? {
            ("%", rest) => {
                out.push('%');
                rest
            }
            ("_", rest) => {
                out.push(' ');
                rest
            }
            ("-", rest) => {
                out.push_str("%20");
                rest
            }
            ("{", rest) => {
                let (inner, rest) = rest.split_once('}')?;
                out.push_str(&one(inner, sending, local, domain)?);
                rest
            }
            _ => return None,
        };
        if out.len() > 512 {
            return None;
        }
    }
    out.push_str(rest);
    Some(out)
}

/// What is between the braces: a letter, how many parts, whether they are reversed, what separates them.
fn one(inner: &str, sending: &Sending<'_>, local: &str, domain: &str) -> Option<String> {
    let mut chars = inner.chars();
    let letter = chars.next()?;
    let rest = chars.as_str();
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (digits, rest) = rest.split_at(digits);
    let (reversed, delimiters) = match rest.strip_prefix(['r', 'R']) {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let value = value(letter.to_ascii_lowercase(), sending, local, domain)?;
    if !delimiters.chars().all(|c| ".-+,/_=".contains(c)) {
        return None;
    }
    let separates = |c: char| if delimiters.is_empty() { c == '.' } else { delimiters.contains(c) };
    let mut parts: Vec<&str> = value.split(separates).collect();
    if reversed {
        parts.reverse();
    }
    if !digits.is_empty() {
        let wanted = digits.parse::<usize>().ok().filter(|wanted| *wanted > 0)?;
        parts.drain(..parts.len().saturating_sub(wanted));
    }
    Some(parts.join("."))
}

fn value(letter: char, sending: &Sending<'_>, local: &str, domain: &str) -> Option<String> {
    let sender_domain = sending.sender.rsplit_once('@').map_or(sending.helo, |(_, domain)| domain);
    Some(match letter {
        's' => format!("{local}@{sender_domain}"),
        'l' => local.to_owned(),
        'o' => sender_domain.to_owned(),
        'd' => domain.to_owned(),
        'i' => dotted(sending.client),
        'p' if !sending.name.is_empty() => sending.name.to_owned(),
        'p' => "unknown".to_owned(),
        'v' => if sending.client.is_ipv4() { "in-addr" } else { "ip6" }.to_owned(),
        'h' => sending.helo.to_owned(),
        _ => return None,
    })
}

/// Every nibble of an IPv6 address is a part.
fn dotted(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let mut out = String::with_capacity(64);
            for octet in v6.octets() {
                let _ = write!(out, "{:x}.{:x}.", octet >> 4, octet & 15);
            }
            out.pop();
            out
        }
    }
}
