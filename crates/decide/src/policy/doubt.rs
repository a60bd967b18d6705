//! What speaks against a client that nobody knows, and what speaks for it.

use core::fmt;
use core::net::IpAddr;

use mailward_model::Text;

use crate::policy::settings::DoubtSettings;
use crate::policy::{Evidence, Question, Spf};

/// A reason for doubt with its weight; below zero it speaks for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    reason: String,
    detail: String,
    weight: i32,
}

impl Doubt {
    /// What it weighs.
    #[must_use]
    pub const fn weight(&self) -> i32 {
        self.weight
    }

    /// In a few words, for the client.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:+} {}", self.weight, self.reason)?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, " ({})", Text::from(self.detail.as_str())) }
    }
}

/// All that there are.
pub(super) fn doubts(question: &Question<'_>, evidence: &Evidence, settings: &DoubtSettings) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    let mut add = |weight: i32, reason: &str, detail: &str| {
        if weight != 0 {
            doubts.push(Doubt { reason: reason.to_owned(), detail: detail.to_owned(), weight });
        }
    };
    if question.name.is_empty() {
        add(settings.no_name, "its address has no confirmed name", "");
    } else if is_generic(question.name, question.client) {
        add(settings.generic_name, "its name is one of a provider's customers", question.name);
    }
    if !is_server_name(question.helo, question.client) {
        add(settings.helo, "its HELO is no name of a mail server", question.helo);
    }
    match evidence.spf {
        Spf::Fail => add(settings.spf_fail, "the sender's SPF record forbids it", question.sender),
        Spf::SoftFail => {
            add(settings.spf_softfail, "the sender's SPF record does not name it", question.sender);
        }
        Spf::Pass | Spf::None => {}
    }
    for (list, weight) in &evidence.listed {
        let reason = if *weight > 0 { format!("listed by {list}") } else { format!("{list} vouches for it") };
        add(*weight, &reason, "");
    }
    doubts
}

/// Words with which providers name what they give to homes.
const HOMES: [&str; 16] = [
    "adsl",
    "broadband",
    "cable",
    "customer",
    "dhcp",
    "dial",
    "dialup",
    "dsl",
    "dyn",
    "dynamic",
    "home",
    "pool",
    "ppp",
    "pppoe",
    "vdsl",
    "wifi",
];
/// Words with which mail servers are named: a server in a provider's network often has its address in its name, too.
const SERVERS: [&str; 10] =
    ["mail", "mailer", "mta", "mx", "out", "outbound", "relay", "send", "sender", "smtp"];

/// Whether a name is made of the address, as providers name their customers: `p54ab1234.dip.example`, `1-2-3-4.dyn.example`.
pub(super) fn is_generic(name: &str, address: IpAddr) -> bool {
    let lower = name.to_ascii_lowercase();
    let words = || {
        lower
            .split(|c: char| !c.is_ascii_alphanumeric())
            .map(|word| word.trim_matches(|c: char| c.is_ascii_digit()))
    };
    if words().any(|word| SERVERS.contains(&word)) {
        return false;
    }
    let of_homes = words().any(|word| HOMES.contains(&word));
    match address {
        IpAddr::V4(v4) => {
            let octets = v4.octets();
            let numbers = numbers(&lower);
            let found = octets.iter().filter(|octet| numbers.contains(octet)).count();
            let hex = octets.map(|octet| format!("{octet:02x}")).concat();
            // All four, or the same octet twice in the address and once in the name, or the whole in hexadecimal.
            lower.contains(&hex)
                || found >= 3 && numbers.len() >= 3
                || of_homes && (found >= 1 || !numbers.is_empty())
        }
        // Nobody confirms a name for each of so many addresses.
        IpAddr::V6(_) => of_homes,
    }
}

/// The numbers in a name that could be octets.
fn numbers(name: &str) -> Vec<u8> {
    name.split(|c: char| !c.is_ascii_digit())
        .filter(|digits| !digits.is_empty())
        .filter_map(|digits| digits.parse().ok())
        .collect()
}

/// Whether a HELO could be a mail server's (RFC 5321 section 4.1.1.1): a name with a dot, or the client's own address in brackets.
pub(super) fn is_server_name(helo: &str, client: IpAddr) -> bool {
    if let Some(literal) = helo.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let text = literal.strip_prefix("IPv6:").unwrap_or(literal);
        return text.parse().is_ok_and(|address: IpAddr| mailward_model::canonical(address) == client);
    }
    let name = helo.strip_suffix('.').unwrap_or(helo);
    let labels = || name.split('.');
    let is_label = |label: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = labels().next_back().unwrap_or_default();
    let is_top = last.chars().any(|c| c.is_ascii_alphabetic()) && last.len() >= 2;
    labels().count() >= 2
        && labels().all(is_label)
        && is_top
        && !matches!(last, "localdomain" | "local" | "lan")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_customers_are_told_from_mail_servers() {
        for (name, address, generic) in [
            ("p54ab1234.dip0.isp.example", "84.171.18.52", true),
            ("203-0-113-7.dyn.isp.example", "203.0.113.7", true),
            ("7.113.0.203.in-addr.isp.example", "203.0.113.7", true),
            ("dsl-203-0-113-7.isp.example", "203.0.113.7", true),
            ("host7.pool3.isp.example", "203.0.113.7", true),
            ("cpe-74.cable.isp.example", "203.0.113.7", true),
            // As Amazon, Google and Microsoft name theirs.
            ("a8-55.smtp-out.ses.example", "54.240.8.55", false),
            ("mail-wr1-f41.google.example", "209.85.221.41", false),
            ("mail-am6eur05on2077.outbound.protection.outlook.example", "40.107.22.77", false),
            ("mail.partner.example", "198.51.100.7", false),
            ("static.7.113.0.203.clients.host.example", "203.0.113.7", true),
            ("mx1.dynamics.example", "203.0.113.7", false),
            ("web5.example.org", "203.0.113.5", false),
            ("homestead.example", "203.0.113.7", false),
            ("2001-db8-1.dyn.isp.example", "2001:db8::1", true),
            ("mx.example.org", "2001:db8::1", false),
        ] {
            assert_eq!(is_generic(name, address.parse().unwrap()), generic, "{name}");
        }
    }

    #[test]
    fn names_of_servers_are_told_from_others() {
        for (helo, fits) in [
            ("mail.partner.example", true),
            ("mail.partner.example.", true),
            ("[203.0.113.7]", true),
            ("[203.0.113.8]", false),
            ("[IPv6:::ffff:203.0.113.7]", true),
            ("203.0.113.7", false),
            ("localhost", false),
            ("localhost.localdomain", false),
            ("ylmf-pc", false),
            ("User", false),
            ("", false),
            ("win_pc!.test", false),
            ("-bad-.test", false),
            ("xn--mx-9ka.example", true),
        ] {
            assert_eq!(is_server_name(helo, "203.0.113.7".parse().unwrap()), fits, "{helo}");
        }
    }
}
