//! Writes small databases in MaxMind's format (maxmind.github.io/MaxMind-DB).
#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use std::collections::HashMap;
use std::net::IpAddr;

/// A network with its country, and its position where that is known.
pub type Row = (&'static str, &'static str, Option<(f64, f64)>);

#[derive(Clone, Copy)]
enum Record {
    Empty,
    Node(u32),
    Data(u32),
}

/// A database that was built at a time, in seconds since 1970.
pub fn database(rows: &[Row], built: u64) -> Vec<u8> {
    let (mut nodes, mut data, mut places) = (vec![[Record::Empty; 2]], Vec::new(), HashMap::new());
    for (network, country, position) in rows {
        let place = format!("{country} {position:?}");
        let at = *places.entry(place).or_insert_with(|| {
            let at = u32::try_from(data.len()).unwrap();
            describe(country, *position, &mut data);
            at
        });
        insert(&mut nodes, network, at);
    }
    let count = u32::try_from(nodes.len()).unwrap();
    let mut out = Vec::new();
    for record in nodes.iter().flatten() {
        let number = match record {
            Record::Empty => count,
            Record::Node(at) => *at,
            Record::Data(at) => count + 16 + at,
        };
        out.extend_from_slice(&number.to_be_bytes()[1..]);
    }
    out.extend([0; 16]);
    out.extend(data);
    out.extend(b"\xab\xcd\xefMaxMind.com");
    metadata(count, built, &mut out);
    out
}

fn insert(nodes: &mut Vec<[Record; 2]>, network: &str, data: u32) {
    let (address, length) = network.split_once('/').unwrap();
    let length: usize = length.parse().unwrap();
    // IPv4 lies below ::/96.
    let (bits, length) = match address.parse().unwrap() {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)), length + 96),
        IpAddr::V6(v6) => (u128::from(v6), length),
    };
    let mut at = 0;
    for depth in 0..length {
        let side = usize::from(bits >> (127 - depth) & 1 == 1);
        if depth + 1 == length {
            nodes[at][side] = Record::Data(data);
            return;
        }
        at = match nodes[at][side] {
            Record::Node(next) => next as usize,
            _ => {
                nodes.push([Record::Empty; 2]);
                nodes[at][side] = Record::Node(u32::try_from(nodes.len() - 1).unwrap());
                nodes.len() - 1
            }
        };
    }
}

fn describe(country: &str, position: Option<(f64, f64)>, out: &mut Vec<u8>) {
    map(if position.is_some() { 2 } else { 1 }, out);
    text("country", out);
    map(1, out);
    text("iso_code", out);
    text(country, out);
    if let Some((latitude, longitude)) = position {
        text("location", out);
        map(2, out);
        text("latitude", out);
        double(latitude, out);
        text("longitude", out);
        double(longitude, out);
    }
}

fn metadata(nodes: u32, built: u64, out: &mut Vec<u8>) {
    map(9, out);
    text("description", out);
    map(0, out);
    // An array without members.
    text("languages", out);
    number(11, &[], out);
    text("node_count", out);
    number(6, &nodes.to_be_bytes(), out);
    for (name, value) in [
        ("record_size", 24_u16),
        ("ip_version", 6),
        ("binary_format_major_version", 2),
        ("binary_format_minor_version", 0),
    ] {
        text(name, out);
        number(5, &value.to_be_bytes(), out);
    }
    text("database_type", out);
    text("Test-City", out);
    text("build_epoch", out);
    number(9, &built.to_be_bytes(), out);
}

fn map(pairs: u8, out: &mut Vec<u8>) {
    out.push(7 << 5 | pairs);
}

fn text(text: &str, out: &mut Vec<u8>) {
    out.push(2 << 5 | u8::try_from(text.len()).unwrap());
    out.extend(text.bytes());
}

fn double(value: f64, out: &mut Vec<u8>) {
    out.push(3 << 5 | 8);
    out.extend(value.to_be_bytes());
}

/// Types from 8 on stand in a byte of their own.
fn number(kind: u8, bytes: &[u8], out: &mut Vec<u8>) {
    let length = u8::try_from(bytes.len()).unwrap();
    if kind < 8 {
        out.push(kind << 5 | length);
    } else {
        out.extend([length, kind - 7]);
    }
    out.extend(bytes);
}
