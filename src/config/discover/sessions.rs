//! From where somebody is logged in to this host: the operator must never lock himself out.

use std::net::IpAddr;

use mailward_model::canonical;

use super::host::{Host, value};

/// A session of somebody who may administer this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) address: IpAddr,
    /// What told about it.
    pub(crate) told_by: &'static str,
}

/// Asks sshd's variable, utmp and logind; each knows sessions that the others do not.
pub(super) fn find(host: &Host, ssh: Option<&str>) -> Vec<Session> {
    let of_ssh = ssh.and_then(|text| text.split_whitespace().next()).and_then(address).into_iter();
    let who = host.ask(&["/usr/bin/who"], &["--ips"]).unwrap_or_default();
    // `root  pts/0  2025-10-10 01:33 203.0.113.7`: the address is the last word.
    let of_who: Vec<_> = who.lines().filter_map(|line| address(line.split_whitespace().last()?)).collect();
    let files = host.list("/run/systemd/sessions").into_iter().filter_map(|file| host.read(file));
    let of_logind: Vec<_> = files.filter_map(|text| address(value(&text, "REMOTE_HOST")?)).collect();
    let told_by = |told_by| move |address| Session { address, told_by };
    let mut found: Vec<_> = of_ssh.map(told_by("SSH_CONNECTION")).collect();
    found.extend(of_who.into_iter().map(told_by("who")));
    found.extend(of_logind.into_iter().map(told_by("logind")));
    found.retain(|session| !session.address.is_loopback());
    found.sort_by_key(|session| session.address);
    found.dedup_by_key(|session| session.address);
    found
}

/// An address, perhaps in brackets or with the name of an interface behind it.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim_matches(['(', ')']);
    text.split('%').next()?.parse().ok().map(canonical)
}
