//! Postfix: its version, and what of its settings matters here.

use std::net::IpAddr;

use mailward_model::Network;

use super::host::{Host, value};

/// A Postfix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Postfix {
    /// Empty where only its files are there.
    pub(crate) version: String,
    pub(crate) mynetworks: Vec<Network>,
    /// Where postlogd(8) writes; empty for syslog.
    pub(crate) maillog_file: String,
    /// What its log lines begin with.
    pub(crate) syslog_name: String,
}

/// Asks postconf(1), or reads main.cf where it cannot be run.
pub(super) fn find(host: &Host, notes: &mut Vec<String>) -> Option<Postfix> {
    // With -h a parameter that a version does not know would shift all others.
    let asked = ["-x", "mail_version", "mynetworks", "maillog_file", "syslog_name"];
    let text = match host.ask(&["/usr/sbin/postconf", "/usr/local/sbin/postconf"], &asked) {
        Some(text) => text,
        None => logical_lines(&host.read("/etc/postfix/main.cf")?),
    };
    let of = |name| value(&text, name).unwrap_or_default();
    Some(Postfix {
        version: of("mail_version").to_owned(),
        mynetworks: mynetworks(host, of("mynetworks"), 0, notes),
        maillog_file: of("maillog_file").to_owned(),
        syslog_name: of("syslog_name").to_owned(),
    })
}

/// A line that begins with white space continues the one before; a comment does not end that (postconf(5)).
fn logical_lines(text: &str) -> String {
    let mut lines = String::new();
    for line in text.lines() {
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        let continues = line.starts_with([' ', '\t']) && !lines.is_empty();
        lines.push_str(if continues { " " } else { "\n" });
        lines.push_str(line.trim());
    }
    lines
}

/// The networks of a `mynetworks`. An address in brackets, a file with more of them, exclusions and tables are possible.
fn mynetworks(host: &Host, text: &str, depth: u8, notes: &mut Vec<String>) -> Vec<Network> {
    let mut networks = Vec::new();
    for item in text.split([' ', '\t', ',', '\n']).filter(|item| !item.is_empty()) {
        if let Some(network) = network(item) {
            networks.push(network);
        } else if item.starts_with('/') && depth < 4 {
            let lines = host.read(item).unwrap_or_default();
            // In a file, everything behind the pattern is a comment or a table's result.
            let firsts: Vec<_> = lines.lines().filter_map(|line| line.split_whitespace().next()).collect();
            let patterns =
                firsts.into_iter().filter(|first| !first.starts_with('#')).collect::<Vec<_>>().join(" ");
            networks.extend(mynetworks(host, &patterns, depth + 1, notes));
        } else {
            notes.push(format!(
                "mynetworks has \"{item}\", which is not looked into: protect it with mailward allow"
            ));
        }
    }
    let (narrow, wide): (Vec<_>, Vec<_>) =
        networks.into_iter().partition(|network| network.prefix() >= narrowest(*network));
    notes.extend(wide.iter().map(|network| {
        format!("mynetworks has {network}, which trusts a large part of the Internet: it is not protected from bans")
    }));
    let mut once: Vec<Network> = Vec::new();
    for network in narrow {
        if !once.contains(&network) {
            once.push(network);
        }
    }
    once
}

/// `192.0.2.0/24`, `[2001:db8::]/32`, `[::ffff:127.0.0.0]/104`; host bits are no harm here.
fn network(item: &str) -> Option<Network> {
    let (address, prefix) = match item.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix.parse::<u8>().ok()?)),
        None => (item, None),
    };
    let address: IpAddr = address.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
    let prefix = prefix.unwrap_or(128);
    let mapped = address.is_ipv6() && address.to_canonical().is_ipv4();
    Some(Network::around(address, if mapped { prefix.saturating_sub(96) } else { prefix }))
}

/// Who trusts more has an open relay, and nobody could ever be banned.
const fn narrowest(network: Network) -> u8 {
    if network.address().is_ipv4() { 8 } else { 7 }
}
