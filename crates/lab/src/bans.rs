//! The bans that Mailward announces, as the lab reads them: JSON lines of `guard` and `replay`.

use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::Value;

/// An announced ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// The address or network, as it was written.
    pub target: String,
    /// Why.
    pub reason: String,
    /// Until when; none holds until it is lifted.
    pub until: Option<String>,
    /// When it was decided.
    pub time: Option<Timestamp>,
    network: IpAddr,
    prefix: u8,
}

impl Ban {
    /// Reads a line; anything that is not a ban is `None`.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(line).ok()?;
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        if text("event")? != "ban" {
            return None;
        }
        let target = text("target")?;
        let (network, prefix) = match target.split_once('/') {
            Some((address, prefix)) => (address.parse().ok()?, prefix.parse().ok()?),
            None => (target.parse().ok()?, 128),
        };
        let time = text("time").and_then(|time| time.parse().ok());
        Some(Self {
            reason: text("reason").unwrap_or_default(),
            until: text("until"),
            target,
            time,
            network,
            prefix,
        })
    }

    /// Whether it shuts this address out.
    #[must_use]
    pub fn covers(&self, address: IpAddr) -> bool {
        match (self.network, address) {
            (IpAddr::V4(net), IpAddr::V4(host)) => {
                same(net.to_bits().into(), host.to_bits().into(), 32, self.prefix)
            }
            (IpAddr::V6(net), IpAddr::V6(host)) => same(net.to_bits(), host.to_bits(), 128, self.prefix),
            _ => false,
        }
    }
}

/// Whether two addresses of so many bits agree in the first `prefix`.
fn same(a: u128, b: u128, bits: u8, prefix: u8) -> bool {
    let rest = u32::from(bits - prefix.min(bits));
    a.checked_shr(rest) == b.checked_shr(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(target: &str, address: &str, covered: bool) {
        let line =
            format!(r#"{{"event":"ban","time":"2026-02-17T21:41:00Z","target":"{target}","reason":"x"}}"#);
        let ban = Ban::parse(&line).unwrap();
        assert_eq!(ban.covers(address.parse().unwrap()), covered, "{target} and {address}");
    }

    #[test]
    fn a_ban_covers_its_network_and_nothing_else() {
        check("192.0.2.1", "192.0.2.1", true);
        check("192.0.2.1", "192.0.2.2", false);
        check("192.0.2.0/24", "192.0.2.200", true);
        check("192.0.2.0/24", "192.0.3.200", false);
        check("2001:db8::/32", "2001:db8:ffff::1", true);
        check("2001:db8:1::/48", "2001:db8:2::1", false);
        check("0.0.0.0/0", "203.0.113.1", true);
        check("::/0", "2001:db8::1", true);
        check("::/0", "203.0.113.1", false);
    }

    #[test]
    fn other_lines_are_no_bans() {
        for line in
            ["", "text", "{}", r#"{"event":"unban","target":"192.0.2.1"}"#, r#"{"event":"ban","target":"x"}"#]
        {
            assert_eq!(Ban::parse(line), None, "{line}");
        }
    }
}
