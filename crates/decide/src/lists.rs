//! DNS blocklists and allowlists (RFC 5782): what is asked, and what an answer means.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr};
use core::str::FromStr;

/// A list of the DNS, in the words of Postfix's `postscreen_dnsbl_sites`: `zen.dnsbl.example=127.0.0.[2..11]*8`. A weight
/// below zero makes it an allowlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsList {
    zone: String,
    /// Which answers count, by octet; none are all of 127.0.0.0/8.
    filter: Option<[Octet; 4]>,
    weight: i32,
}

/// What an octet of an answer may be: some of these, each from and to.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Octet(Vec<(u8, u8)>);

/// What a list answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listing {
    /// It lists the address, with that weight.
    Listed(i32),
    /// It does not.
    Unlisted,
    /// It refuses to answer us: too many questions, or through a public resolver.
    Refused(Ipv4Addr),
}

impl DnsList {
    /// Its zone.
    #[must_use]
    pub fn zone(&self) -> &str {
        &self.zone
    }

    /// What it weighs that it lists an address; below zero it speaks for it.
    #[must_use]
    pub const fn weight(&self) -> i32 {
        self.weight
    }

    /// What its answers mean. Only 127.0.0.0/8 is one: a domain that was sold answers everything with the address of a parking page.
    #[must_use]
    pub fn listing(&self, answers: &[Ipv4Addr]) -> Listing {
        if let Some(code) = answers.iter().find(|answer| is_refusal(**answer)) {
            return Listing::Refused(*code);
        }
        let counts =
            |answer: &Ipv4Addr| answer.is_loopback() && *answer != Ipv4Addr::LOCALHOST && self.fits(*answer);
        if answers.iter().any(counts) { Listing::Listed(self.weight) } else { Listing::Unlisted }
    }

    fn fits(&self, answer: Ipv4Addr) -> bool {
        let Some(filter) = &self.filter else { return true };
        filter
            .iter()
            .zip(answer.octets())
            .all(|(octet, found)| octet.0.iter().any(|(from, to)| (*from..=*to).contains(&found)))
    }
}

/// Codes by which lists say that they do not answer: Spamhaus and others 127.255.255.0/24, DNSWL 127.0.0.255.
fn is_refusal(answer: Ipv4Addr) -> bool {
    let [a, b, c, d] = answer.octets();
    (a, b, c) == (127, 255, 255) || (a, b, c, d) == (127, 0, 0, 255)
}

/// The name under which a list has an address (RFC 5782 section 2.1 and 2.4).
#[must_use]
pub fn question(address: IpAddr, zone: &str) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}.{zone}.")
        }
        IpAddr::V6(v6) => {
            let nibbles =
                v6.octets().into_iter().rev().map(|octet| format!("{:x}.{:x}.", octet & 15, octet >> 4));
            nibbles.collect::<String>() + zone + "."
        }
    }
}

impl fmt::Display for DnsList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.zone)?;
        if let Some(filter) = &self.filter {
            let octets: Vec<_> = filter.iter().map(ToString::to_string).collect();
            write!(f, "={}", octets.join("."))?;
        }
        write!(f, "*{}", self.weight)
    }
}

impl fmt::Display for Octet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [(from, to)] if from == to => from.fmt(f),
            some => {
                let some: Vec<_> = some
                    .iter()
                    .map(|(from, to)| if from == to { from.to_string() } else { format!("{from}..{to}") })
                    .collect();
                write!(f, "[{}]", some.join(";"))
            }
        }
    }
}

impl FromStr for DnsList {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is no list; write: zone*weight, or zone=127.0.0.[2..11]*weight");
        let (rest, weight) = match text.rsplit_once('*') {
            Some((rest, weight)) => {
                (rest, weight.parse().ok().filter(|weight: &i32| weight.abs() <= 1_000).ok_or_else(wrong)?)
            }
            None => (text, 1),
        };
        let (zone, filter) = match rest.split_once('=') {
            Some((zone, filter)) => (zone, Some(octets(filter).ok_or_else(wrong)?)),
            None => (rest, None),
        };
        let is_label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        };
        let fits = zone.len() <= 180 && zone.contains('.') && zone.split('.').all(is_label) && weight != 0;
        fits.then(|| Self { zone: zone.to_ascii_lowercase(), filter, weight }).ok_or_else(wrong)
    }
}

/// `127.0.0.[2..11]`; dots within brackets are ranges.
fn octets(text: &str) -> Option<[Octet; 4]> {
    let (mut octets, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let (octet, after) = match rest.strip_prefix('[') {
            Some(inner) => inner.split_once(']')?,
            None => rest.split_at(rest.find('.').unwrap_or(rest.len())),
        };
        octets.push(Octet(octet.split(';').map(range).collect::<Option<_>>()?));
        rest = match after.strip_prefix('.') {
            Some(more) if !more.is_empty() => more,
            None if after.is_empty() => "",
            _ => return None,
        };
    }
    octets.try_into().ok()
}

fn range(text: &str) -> Option<(u8, u8)> {
    let (from, to) = text.split_once("..").unwrap_or((text, text));
    let (from, to) = (from.parse().ok()?, to.parse().ok()?);
    (from <= to).then_some((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_read_what_they_write_and_weigh_what_they_say() {
        let check = |text: &str, answers: &[[u8; 4]], expected: Listing| {
            let list: DnsList = text.parse().unwrap();
            assert_eq!(list.to_string().parse(), Ok(list.clone()), "{text}");
            let answers: Vec<_> = answers.iter().map(|octets| Ipv4Addr::from(*octets)).collect();
            assert_eq!(list.listing(&answers), expected, "{text} {answers:?}");
        };
        check("zen.dnsbl.example*8", &[[127, 0, 0, 4]], Listing::Listed(8));
        check("zen.dnsbl.example", &[[127, 0, 0, 4]], Listing::Listed(1));
        check("zen.dnsbl.example", &[], Listing::Unlisted);
        check("zen.dnsbl.example=127.0.0.[10;11]*4", &[[127, 0, 0, 4], [127, 0, 0, 11]], Listing::Listed(4));
        check("zen.dnsbl.example=127.0.0.[10;11]*4", &[[127, 0, 0, 4]], Listing::Unlisted);
        check("list.dnswl.example=127.0.[0..255].[1..3]*-4", &[[127, 0, 9, 2]], Listing::Listed(-4));
        check("zen.dnsbl.example*8", &[[127, 255, 255, 254]], Listing::Refused([127, 255, 255, 254].into()));
        check("list.dnswl.example*-4", &[[127, 0, 0, 255]], Listing::Refused([127, 0, 0, 255].into()));
        // The page of whoever bought the domain.
        check("zen.dnsbl.example*8", &[[203, 0, 113, 80]], Listing::Unlisted);
        check("zen.dnsbl.example*8", &[[127, 0, 0, 1]], Listing::Unlisted);
    }

    #[test]
    fn what_is_no_list_is_told() {
        for text in [
            "",
            "zen",
            "zen.example*",
            "zen.example*0",
            "zen.example*x",
            "zen.example=127.0.0*1",
            "zen.example=127.0.0.[2..*1",
            "zen.example=127.0.0.[5..2]*1",
            "zen.example=127.0.0.2.3*1",
            "zen example.org",
            "zen..example",
        ] {
            assert!(text.parse::<DnsList>().is_err(), "{text}");
        }
    }

    #[test]
    fn questions_are_reversed() {
        assert_eq!(question("192.0.2.99".parse().unwrap(), "bl.example"), "99.2.0.192.bl.example.");
        let v6 = question("2001:db8:1:2:3:4:567:89ab".parse().unwrap(), "bl.example");
        assert_eq!(v6, "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.bl.example.");
    }
}
