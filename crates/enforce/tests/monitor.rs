//! Somebody else changes the firewall, and we hear of it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod namespace;

use std::process::Command;
use std::time::{Duration, Instant};

use mailward_decide::Cleared;
use mailward_enforce::{Firewall, Heard, Monitor, Options};
use mailward_model::Network;
use namespace::{Namespace, ban, ban_of, in_an_hour, listed, nft, now};

const SECOND: Duration = Duration::from_secs(1);

fn guarded(bans: &[Cleared]) -> (Firewall, Monitor) {
    let mut firewall = Firewall::open(Options::default()).unwrap();
    let monitor = Monitor::open(&firewall).unwrap();
    firewall.reconcile(&bans.iter().collect::<Vec<_>>(), now()).unwrap();
    (firewall, monitor)
}

#[test]
fn our_own_changes_and_those_of_other_tables_are_not_told() {
    let Some(_namespace) = Namespace::new("own") else { return };
    let (mut firewall, mut monitor) = guarded(&[ban("198.51.100.1", None)]);
    firewall.add(&[ban("198.51.100.2", None), ban("203.0.113.0/24", None)], now()).unwrap();
    firewall.remove(&["198.51.100.2".parse().unwrap()], now()).unwrap();
    nft("add table inet filter; add chain inet filter mailward; add table ip mailward");
    assert_eq!(monitor.hear().unwrap(), Heard::Nothing);
    let start = Instant::now();
    assert_eq!(monitor.wait(Duration::from_millis(50)).unwrap(), Heard::Nothing);
    assert!(start.elapsed() >= Duration::from_millis(50));
}

#[test]
fn what_others_do_to_our_table_is_told() {
    let Some(_namespace) = Namespace::new("told") else { return };
    let (mut firewall, mut monitor) = guarded(&[ban("198.51.100.1", None)]);
    for change in [
        "delete element inet mailward banned4 { 198.51.100.1 }",
        "add element inet mailward banned6 { 2001:db8::1 }",
        "flush set inet mailward banned4",
        "insert rule inet mailward prerouting accept",
        "flush chain inet mailward prerouting",
        "add table inet mailward { flags dormant; }",
        "delete table inet mailward",
        "flush ruleset",
    ] {
        firewall.reconcile(&[&ban("198.51.100.1", None)], now()).unwrap();
        assert_eq!(monitor.hear().unwrap(), Heard::Nothing);
        nft(change);
        assert_eq!(monitor.wait(SECOND).unwrap(), Heard::Change, "{change}");
        assert_eq!(monitor.hear().unwrap(), Heard::Nothing);
    }
}

/// Whoever listens only after reconciling learns whether he missed something.
#[test]
fn a_change_before_anybody_listens_is_known() {
    let Some(_namespace) = Namespace::new("before") else { return };
    let mut firewall = Firewall::open(Options::default()).unwrap();
    assert!(!firewall.stood_still().unwrap(), "before the first reconciling nothing is known");
    let bans = [ban("198.51.100.1", None), ban("203.0.113.0/24", None)];
    for change in
        ["", "flush set inet mailward banned4", "flush ruleset", "add chain inet mailward other", ""]
    {
        firewall.reconcile(&bans.iter().collect::<Vec<_>>(), now()).unwrap();
        firewall.add(&[ban("198.51.100.2", None)], now()).unwrap();
        if !change.is_empty() {
            nft(change);
        }
        assert_eq!(firewall.stood_still().unwrap(), change.is_empty(), "{change}");
    }
}

/// `nft flush ruleset` with 20,000 bans: heard and repaired, all within a second.
#[test]
fn a_flushed_ruleset_is_repaired_within_a_second() {
    let Some(_namespace) = Namespace::new("flush") else { return };
    let address = |index: u32| Network::host(std::net::Ipv4Addr::from_bits(0x5000_0000 + index).into());
    let bans: Vec<Cleared> = (0..20_000).map(|index| ban_of(address(index), in_an_hour())).collect();
    let wanted: Vec<&Cleared> = bans.iter().collect();
    let (mut firewall, mut monitor) = guarded(&bans);
    let (flushed, repaired) = std::thread::scope(|scope| {
        let repair = scope.spawn(|| {
            assert!(monitor.wait(10 * SECOND).unwrap().calls_for_reconciling());
            firewall.reconcile(&wanted, now()).unwrap();
            Instant::now()
        });
        let flush = Command::new("/usr/sbin/nft").args(["flush", "ruleset"]).status();
        let flushed = Instant::now();
        assert!(flush.unwrap().success());
        (flushed, repair.join().unwrap())
    });
    let took = repaired.saturating_duration_since(flushed);
    assert!(took < SECOND, "{took:?}");
    assert_eq!(listed("banned4").len(), bans.len());
}

#[test]
fn more_than_the_queue_holds_is_told_as_overflow_and_then_it_goes_on() {
    let Some(_namespace) = Namespace::new("queue") else { return };
    let (mut firewall, mut monitor) = guarded(&[]);
    let address = |index: u32| Network::host(std::net::Ipv4Addr::from_bits(0x5000_0000 + index).into());
    let bans: Vec<Cleared> = (0..150_000).map(|index| ban_of(address(index), in_an_hour())).collect();
    firewall.add(&bans, now()).unwrap();
    assert_eq!(monitor.wait(SECOND).unwrap(), Heard::Overflow);
    assert_eq!(monitor.hear().unwrap(), Heard::Nothing);
    nft("flush set inet mailward banned4");
    assert!(monitor.wait(SECOND).unwrap().calls_for_reconciling());
}
