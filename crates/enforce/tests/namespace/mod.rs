//! Network namespaces of a test's own, what nft(8) says is in them, and bans to fill them with.
#![allow(dead_code, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use mailward_decide::{Cleared, NeverBan};
use mailward_model::{Ban, Network, Origin, Span, Timestamp};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde_json::Value;

/// A network namespace that ends with this value.
pub(crate) struct Namespace {
    pub(crate) name: String,
}

impl Namespace {
    /// A new one, and the calling thread in it: every test has a thread, so every test has a network of its own.
    /// None, with a loud word, where namespaces cannot be made.
    pub(crate) fn new(role: &str) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("enf-{}-{}-{role}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        match Command::new("/usr/sbin/ip").args(["netns", "add", &name]).output() {
            Ok(output) if output.status.success() => {}
            other => {
                // Not through a macro: what those write is kept back from tests that pass.
                let said = format!(
                    "SKIPPED: cannot make a network namespace (root and iproute2 needed): {other:?}\n"
                );
                std::io::stderr().write_all(said.as_bytes()).unwrap();
                return None;
            }
        }
        let namespace = Self { name };
        namespace.enter();
        run("ip link set lo up");
        Some(namespace)
    }

    /// Moves the calling thread into it.
    pub(crate) fn enter(&self) {
        let link = File::open(format!("/run/netns/{}", self.name)).unwrap();
        move_into_link_name_space(link.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
    }

    /// Does something in it, in a thread of its own; sockets made there stay there.
    pub(crate) fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let there = || {
            self.enter();
            work()
        };
        std::thread::scope(|scope| scope.spawn(there).join().unwrap())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("/usr/sbin/ip").args(["netns", "del", &self.name]).status();
    }
}

/// Runs a command, of words without blanks, in the calling thread's namespace; it has to succeed.
pub(crate) fn run(command: &str) -> String {
    let (program, words) = command.split_once(' ').unwrap();
    let output = Command::new(format!("/usr/sbin/{program}")).args(words.split(' ')).output().unwrap();
    let Output { status, stdout, stderr } = output;
    assert!(status.success(), "{command}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

/// Gives nft(8) commands, one transaction; they have to succeed.
pub(crate) fn nft(commands: &str) {
    let output = Command::new("/usr/sbin/nft").arg(commands).output().unwrap();
    assert!(output.status.success(), "{commands}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The table as nft(8) prints it, without its elements and counts.
pub(crate) fn listed_rules() -> String {
    let listing = run("nft -s list table inet mailward");
    let mut lines = Vec::new();
    let mut within = false;
    for line in listing.lines().map(str::trim).filter(|line| !line.is_empty()) {
        within |= line.starts_with("elements = {");
        if !within {
            lines.push(line);
        }
        within &= !line.ends_with('}');
    }
    lines.join("\n")
}

/// What is in a set, by nft(8): first and last address, and the seconds left.
pub(crate) fn listed(set: &str) -> BTreeMap<(IpAddr, IpAddr), Option<u64>> {
    let json: Value = serde_json::from_str(&run(&format!("nft -j list set inet mailward {set}"))).unwrap();
    let found = json["nftables"].as_array().unwrap().iter().find_map(|object| object.get("set")).unwrap();
    let elements = found.get("elem").and_then(Value::as_array).cloned().unwrap_or_default();
    elements.iter().map(element).collect()
}

fn element(json: &Value) -> ((IpAddr, IpAddr), Option<u64>) {
    let inner = json.get("elem").unwrap_or(json);
    let value = inner.get("val").unwrap_or(inner);
    (range(value), inner.get("expires").and_then(Value::as_u64))
}

fn range(value: &Value) -> (IpAddr, IpAddr) {
    let address = |value: &Value| value.as_str().unwrap().parse::<IpAddr>().unwrap();
    if let Some(prefix) = value.get("prefix") {
        let length = prefix["len"].as_u64().unwrap() as u8;
        let network = Network::around(address(&prefix["addr"]), length);
        return (network.address(), network.last());
    }
    match value.get("range") {
        Some(ends) => (address(&ends[0]), address(&ends[1])),
        None => (address(value), address(value)),
    }
}

/// Now, by the clock.
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_micros(since.as_micros() as i64)
}

/// In an hour.
pub(crate) fn in_an_hour() -> Option<Timestamp> {
    Some(now().plus(Span::from_hours(1)))
}

/// A ban of an address or network, which ends at a time or never.
pub(crate) fn ban(target: &str, until: Option<Timestamp>) -> Cleared {
    ban_of(target.parse().unwrap(), until)
}

pub(crate) fn ban_of(target: Network, until: Option<Timestamp>) -> Cleared {
    let from = Timestamp::from_secs(0);
    let (origin, by, reason) = (Origin::Rule, "test".into(), "test".into());
    let ban = Ban { target, from, until, origin, by, step: 1, reason };
    NeverBan::built_in().clear(ban, from).unwrap()
}
