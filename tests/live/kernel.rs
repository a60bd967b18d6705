//! What the kernel's table holds, by nft(8), which shares nothing with the daemon.

use std::net::IpAddr;
use std::process::Command;

use mailward_model::Network;
use serde_json::Value;

/// Addresses from a first to a last.
pub(crate) type Range = (IpAddr, IpAddr);

/// The ranges of the table `inet mailward`; none where there is no table.
pub(crate) fn banned() -> Option<Vec<Range>> {
    let output =
        Command::new("/usr/sbin/nft").args(["-j", "list", "table", "inet", "mailward"]).output().unwrap();
    if !output.status.success() {
        return None;
    }
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let sets = json["nftables"].as_array().unwrap().iter().filter_map(|object| object.get("set"));
    let elements = sets.filter_map(|set| set.get("elem")?.as_array()).flatten();
    let mut ranges: Vec<Range> = elements.filter_map(range).collect();
    ranges.sort_unstable();
    Some(ranges)
}

/// Whether an address is in one of the sorted ranges.
pub(crate) fn holds(ranges: &[Range], address: IpAddr) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= address);
    // Networks may lie around addresses, so that not only the range just before can hold it.
    ranges[..after].iter().rev().take(256).any(|(first, last)| *first <= address && address <= *last)
}

/// The same addresses in as few ranges as possible.
pub(crate) fn merged(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_unstable();
    let mut merged: Vec<Range> = Vec::new();
    for (first, last) in ranges {
        match merged.last_mut() {
            Some((_, end)) if first <= *end => *end = last.max(*end),
            _ => merged.push((first, last)),
        }
    }
    merged
}

/// The addresses of a network.
pub(crate) fn range_of(network: Network) -> Range {
    (network.address(), network.last())
}

/// An element that is an address, a prefix or a range; ports and interfaces are none.
fn range(json: &Value) -> Option<Range> {
    let inner = json.get("elem").unwrap_or(json);
    let value = inner.get("val").unwrap_or(inner);
    let address = |value: &Value| value.as_str()?.parse::<IpAddr>().ok();
    if let Some(prefix) = value.get("prefix") {
        let length = u8::try_from(prefix["len"].as_u64()?).ok()?;
        return Some(range_of(Network::around(address(&prefix["addr"])?, length)));
    }
    match value.get("range") {
        Some(ends) => Some((address(&ends[0])?, address(&ends[1])?)),
        None => address(value).map(|address| (address, address)),
    }
}
