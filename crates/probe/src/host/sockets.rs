//! Sockets that listen, from `/proc/net` (proc(5)).

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mailward_audit::Known;
use mailward_audit::facts::Listener;

use super::text;
use crate::place::Place;

/// Tables of sockets, and the state in which one of them waits for others: TCP_LISTEN, an UDP socket that is not connected.
const TABLES: [(&str, &str, &str); 4] =
    [("tcp", "tcp", "0A"), ("tcp", "tcp6", "0A"), ("udp", "udp", "07"), ("udp", "udp6", "07")];

/// `__SO_ACCEPTCON` of a unix socket.
const ACCEPTS: u32 = 0x10000;

/// Those of a place.
pub(crate) fn read(place: &Place) -> Known<Vec<Listener>> {
    let owners = owners(place);
    let mut all = Vec::new();
    for (protocol, table, state) in TABLES {
        match table_of(place, table) {
            Ok(text) => all.extend(text.lines().filter_map(|line| network(line, protocol, state, &owners))),
            // A kernel without IPv6 has no such table.
            Err(_) if table.ends_with('6') => {}
            Err(missing) => return missing,
        }
    }
    if let Ok(text) = table_of(place, "unix") {
        all.extend(text.lines().filter_map(|line| unix(line, &owners)));
    }
    all.sort_by(|a, b| (&a.protocol, a.port, &a.address).cmp(&(&b.protocol, b.port, &b.address)));
    all.dedup();
    Known::Is(all)
}

fn table_of(place: &Place, table: &str) -> Result<String, Known<Vec<Listener>>> {
    let path = format!("/proc/net/{table}");
    if !place.is_here() {
        return text(place, &["cat", &path]);
    }
    fs::read_to_string(&path).map_err(|error| Known::Unread(format!("cannot read {path}: {error}")))
}

/// `0: 0100007F:0019 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 12345 ...`
fn network(line: &str, protocol: &str, state: &str, owners: &BTreeMap<u64, String>) -> Option<Listener> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    if fields.get(3) != Some(&state) {
        return None;
    }
    let (address, port) = fields.get(1)?.split_once(':')?;
    let inode: u64 = fields.get(9)?.parse().ok()?;
    Some(Listener {
        protocol: protocol.to_owned(),
        address: address_of(address)?.to_string(),
        port: u16::from_str_radix(port, 16).ok()?,
        program: owners.get(&inode).cloned().unwrap_or_default(),
    })
}

/// Words of 32 bits in the byte order of the machine, each in hexadecimal.
fn address_of(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| u32::from_str_radix(hex.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    match hex.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let words: Option<Vec<[u8; 4]>> = [0, 8, 16, 24].into_iter().map(word).collect();
            let bytes: [u8; 16] = words?.concat().try_into().ok()?;
            Some(Ipv6Addr::from(bytes).into())
        }
        _ => None,
    }
}

/// `ffff: 00000002 00000000 00010000 0001 01 12345 /run/dovecot/auth`
fn unix(line: &str, owners: &BTreeMap<u64, String>) -> Option<Listener> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let flags = u32::from_str_radix(fields.get(3)?, 16).ok()?;
    let path = fields.get(7).filter(|path| path.starts_with('/'))?;
    let inode: u64 = fields.get(6)?.parse().ok()?;
    (flags & ACCEPTS != 0).then(|| Listener {
        protocol: "unix".to_owned(),
        address: (*path).to_owned(),
        port: 0,
        program: owners.get(&inode).cloned().unwrap_or_default(),
    })
}

/// The programs that have sockets open, by the socket's number. Not those of others, unless we are root.
fn owners(place: &Place) -> BTreeMap<u64, String> {
    if place.is_here() { owners_here() } else { owners_behind(place) }
}

fn owners_here() -> BTreeMap<u64, String> {
    let mut owners = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(descriptors) = fs::read_dir(path.join("fd")) else { continue };
        let name = fs::read_to_string(path.join("comm")).unwrap_or_default();
        let links = descriptors.flatten().filter_map(|descriptor| fs::read_link(descriptor.path()).ok());
        for inode in links.filter_map(|link| socket(link.to_str()?)) {
            owners.entry(inode).or_insert_with(|| name.trim_end().to_owned());
        }
    }
    owners
}

fn owners_behind(place: &Place) -> BTreeMap<u64, String> {
    let sockets = [
        "find",
        "/proc",
        "-mindepth",
        "3",
        "-maxdepth",
        "3",
        "-path",
        "/proc/[0-9]*/fd/*",
        "-lname",
        "socket:*",
    ];
    let links: Vec<&str> = sockets.into_iter().chain(["-printf", "%p %l\\n"]).collect();
    let links = text::<()>(place, &links).unwrap_or_default();
    let comm = ["find", "/proc", "-mindepth", "2", "-maxdepth", "2", "-path", "/proc/[0-9]*/comm"];
    let names: Vec<&str> = comm.into_iter().chain(["-exec", "grep", "-H", "", "{}", "+"]).collect();
    let names = text::<()>(place, &names).unwrap_or_default();
    let names: BTreeMap<&str, &str> =
        names.lines().filter_map(|line| line.strip_prefix("/proc/")?.split_once("/comm:")).collect();
    let owned = links.lines().filter_map(|line| {
        let (path, link) = line.split_once(' ')?;
        let pid = path.strip_prefix("/proc/")?.split('/').next()?;
        Some((socket(link)?, (*names.get(pid)?).to_owned()))
    });
    owned.collect()
}

fn socket(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_read() {
        let owners = BTreeMap::from([(77, "master".to_owned())]);
        let line = "   0: 0100007F:0019 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 77 1 0 100 0 0 10 0";
        let found =
            network(line, "tcp", "0A", &owners).map(|found| (found.address, found.port, found.program));
        assert_eq!(found, Some(("127.0.0.1".to_owned(), 25, "master".to_owned())));
        assert!(network(&line.replace(" 0A ", " 01 "), "tcp", "0A", &owners).is_none());
        assert_eq!(
            address_of("00000000000000000000000001000000").map(|ip| ip.to_string()).as_deref(),
            Some("::1")
        );
        let line = "0000: 00000002 00000000 00010000 0001 01 77 /run/dovecot/auth";
        assert_eq!(unix(line, &owners).map(|found| found.address).as_deref(), Some("/run/dovecot/auth"));
        assert!(unix(&line.replace("00010000", "00000000"), &owners).is_none());
    }
}
