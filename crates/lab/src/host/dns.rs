//! The lab's DNS: answers for every name of the lab, authoritative and without recursion.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::topology::{
    DNS4, DOMAINS, HOSTILE_NAMED, HOSTNAME, INNOCENTS, MAIL4, MAIL6, MTA, PARTNER, RCPT_LIST, RCPT_LISTED,
    ROGUE, SCREEN_LIST, SCREEN_LISTED, hostile_names,
};

/// A resource record's data (RFC 1035, RFC 3596).
#[derive(Clone, Debug, PartialEq, Eq)]
enum Record {
    A(Ipv4Addr),
    Aaaa(Ipv6Addr),
    Mx(Vec<String>),
    Ptr(Vec<String>),
    Txt(String),
}

impl Record {
    const fn kind(&self) -> u16 {
        match self {
            Self::A(_) => 1,
            Self::Ptr(_) => 12,
            Self::Mx(_) => 15,
            Self::Txt(_) => 16,
            Self::Aaaa(_) => 28,
        }
    }

    fn data(&self) -> Vec<u8> {
        match self {
            Self::A(address) => address.octets().to_vec(),
            Self::Aaaa(address) => address.octets().to_vec(),
            Self::Ptr(name) => encode_name(name),
            Self::Mx(name) => [vec![0, 10], encode_name(name)].concat(),
            Self::Txt(text) => character_string(text),
        }
    }
}

/// One length octet, then at most 255 octets (RFC 1035, 3.3).
fn character_string(text: &str) -> Vec<u8> {
    let bytes: Vec<u8> = text.bytes().take(255).collect();
    let mut out = vec![u8::try_from(bytes.len()).unwrap_or(u8::MAX)];
    out.extend(bytes);
    out
}

fn encode_name(labels: &[String]) -> Vec<u8> {
    let mut out: Vec<u8> = labels
        .iter()
        .flat_map(|label| {
            let bytes: Vec<u8> = label.bytes().take(63).collect();
            [vec![u8::try_from(bytes.len()).unwrap_or(63)], bytes].concat()
        })
        .collect();
    out.push(0);
    out
}

fn labels(name: &str) -> Vec<String> {
    name.split('.').map(str::to_owned).collect()
}

/// The name under which an address is looked up in `zone`, such as `in-addr.arpa` or a blocklist.
fn reversed(address: IpAddr, zone: Option<&str>) -> String {
    let (mut parts, arpa): (Vec<String>, _) = match address {
        IpAddr::V4(v4) => (v4.octets().iter().map(ToString::to_string).collect(), "in-addr.arpa"),
        IpAddr::V6(v6) => {
            let nibbles = v6.octets().into_iter().flat_map(|octet| [octet >> 4, octet & 15]);
            (nibbles.map(|nibble| format!("{nibble:x}")).collect(), "ip6.arpa")
        }
    };
    parts.reverse();
    format!("{}.{}", parts.join("."), zone.unwrap_or(arpa))
}

/// Everything that the lab's DNS knows.
pub(crate) struct Zone(BTreeMap<String, Vec<Record>>);

impl Zone {
    pub(crate) fn of_the_lab() -> Self {
        let mut zone = Self(BTreeMap::new());
        zone.machine(HOSTNAME, &[MAIL4.into(), MAIL6.into()]);
        for domain in DOMAINS {
            zone.add(domain, Record::Mx(labels(HOSTNAME)));
            zone.add(domain, Record::Txt("v=spf1 mx -all".to_owned()));
        }
        for innocent in INNOCENTS {
            zone.machine(innocent.host, &[innocent.address]);
        }
        zone.add("rogue.example", Record::Mx(labels("mx.rogue.example")));
        zone.machine("mx.rogue.example", &[ROGUE.into()]);
        for (address, name) in HOSTILE_NAMED.into_iter().zip(hostile_names()) {
            zone.add(&reversed(address.into(), None), Record::Ptr(name));
        }
        zone.list(SCREEN_LIST, &SCREEN_LISTED);
        zone.list(RCPT_LIST, &RCPT_LISTED);
        zone
    }

    fn add(&mut self, name: &str, record: Record) {
        self.0.entry(name.to_ascii_lowercase()).or_default().push(record);
    }

    /// A machine whose name and addresses confirm each other.
    fn machine(&mut self, name: &str, addresses: &[IpAddr]) {
        for address in addresses {
            self.add(
                name,
                match *address {
                    IpAddr::V4(v4) => Record::A(v4),
                    IpAddr::V6(v6) => Record::Aaaa(v6),
                },
            );
            self.add(&reversed(*address, None), Record::Ptr(labels(name)));
        }
    }

    /// A blocklist (RFC 5782) with its test entry 127.0.0.2.
    fn list(&mut self, zone: &str, listed: &[Ipv4Addr]) {
        for address in listed.iter().copied().chain([Ipv4Addr::new(127, 0, 0, 2)]) {
            let name = reversed(address.into(), Some(zone));
            self.add(&name, Record::A(Ipv4Addr::new(127, 0, 0, 2)));
            self.add(&name, Record::Txt(format!("Listed by {zone}: {address}")));
        }
    }

    /// The records of a name, or `None` where it does not exist. Any other name in `.example` is somebody whose mail
    /// the partner takes, so that outgoing mail finds a way.
    fn lookup(&self, name: &str) -> Option<Vec<Record>> {
        let known = self.0.get(name).cloned();
        known.or_else(|| {
            let anybody = name.ends_with(".example") && !name.contains(".lists.") && !name.starts_with('_');
            let IpAddr::V4(address) = MTA.address else { return None };
            anybody.then(|| vec![Record::Mx(labels(PARTNER)), Record::A(address)])
        })
    }

    /// The answer to a query, or `None` for what is no query.
    fn answer(&self, query: &[u8]) -> Option<Vec<u8>> {
        let (header, rest) = query.split_at_checked(12)?;
        if header.get(4..6)? != [0, 1] {
            return None;
        }
        let (name, end) = decode_name(rest)?;
        let question = rest.get(..end + 4)?;
        let kind = u16::from_be_bytes(question.get(end..end + 2)?.try_into().ok()?);
        let records = self.lookup(&name);
        let code = if records.is_some() { 0 } else { 3 };
        let found: Vec<_> = records.into_iter().flatten().filter(|record| record.kind() == kind).collect();
        let count = u8::try_from(found.len()).ok()?;
        let recursion_desired = header.get(2)? & 1;
        // Authoritative answer, one question, no authority and additional sections (RFC 1035, 4.1.1).
        let mut out = header.get(..2)?.to_vec();
        out.extend([0x84 | recursion_desired, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0]);
        out.extend(question);
        for record in found {
            let data = record.data();
            // The owner is the question's name, at offset 12; class IN; time to live 60 s.
            out.extend([0xc0, 12]);
            out.extend(record.kind().to_be_bytes());
            out.extend([0, 1, 0, 0, 0, 60]);
            out.extend(u16::try_from(data.len()).ok()?.to_be_bytes());
            out.extend(data);
        }
        Some(out)
    }
}

/// The question's name in lower case, and where it ends.
fn decode_name(bytes: &[u8]) -> Option<(String, usize)> {
    let mut names = Vec::new();
    let mut at = 0;
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1;
        if length == 0 {
            return Some((names.join("."), at));
        }
        let label = bytes.get(at..at + length)?;
        names.push(String::from_utf8_lossy(label).to_ascii_lowercase());
        at += length;
    }
}

/// Serves on the router; returns once the ports are bound.
pub(crate) fn serve() -> Result<()> {
    let zone = Arc::new(Zone::of_the_lab());
    let udp = UdpSocket::bind((DNS4, 53)).context("DNS over UDP")?;
    let tcp = TcpListener::bind((DNS4, 53)).context("DNS over TCP")?;
    let for_udp = Arc::clone(&zone);
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((length, peer)) = udp.recv_from(&mut buffer) {
            let answer = buffer.get(..length).and_then(|query| for_udp.answer(query));
            if let Some(answer) = answer {
                let _ = udp.send_to(&answer, peer);
            }
        }
    });
    thread::spawn(move || {
        for stream in tcp.incoming().flatten() {
            let _ = over_tcp(&zone, stream);
        }
    });
    Ok(())
}

fn over_tcp(zone: &Zone, mut stream: TcpStream) -> Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut query)?;
    if let Some(answer) = zone.answer(&query) {
        stream.write_all(&u16::try_from(answer.len())?.to_be_bytes())?;
        stream.write_all(&answer)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(name: &str, kind: u16) -> (u8, Vec<u8>) {
        let mut query = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        query.extend(encode_name(&labels(name)));
        query.extend(kind.to_be_bytes());
        query.extend([0, 1]);
        let answer = Zone::of_the_lab().answer(&query).unwrap();
        assert_eq!(&answer[..2], &[0xab, 0xcd]);
        assert_eq!(&answer[12..query.len()], &query[12..]);
        (answer[3] & 15, answer[query.len()..].to_vec())
    }

    #[test]
    fn names_addresses_and_lists() {
        let (code, answer) = ask(HOSTNAME, 1);
        assert_eq!((code, &answer[12..]), (0, &MAIL4.octets()[..]));
        assert_eq!(ask("2.2.0.127.zen.lists.example", 1).0, 3);
        assert_eq!(&ask("2.0.0.127.zen.lists.example", 1).1[12..], &[127, 0, 0, 2]);
        assert_eq!(&ask("241.2.0.192.zen.lists.example", 1).1[12..], &[127, 0, 0, 2]);
        assert_eq!(ask("1.2.0.192.bl.lists.example", 1).0, 3);
        assert_eq!(ask("whoever.example", 15).0, 0);
        assert_eq!(ask("whoever.test", 15).0, 3);
    }

    #[test]
    fn reverse_names_may_hold_anything() {
        let (code, answer) = ask("231.2.0.192.in-addr.arpa", 12);
        assert_eq!(code, 0);
        assert!(String::from_utf8_lossy(&answer).contains("unknown[203.0.113.66]"));
        let (_, answer) = ask(&reversed(MAIL6.into(), None), 12);
        assert!(String::from_utf8_lossy(&answer).contains("mail"));
    }

    #[test]
    fn strange_queries_get_no_answer() {
        let zone = Zone::of_the_lab();
        for query in [&b""[..], &[0; 12], &[0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 63, 1]] {
            assert_eq!(zone.answer(query), None);
        }
    }
}
