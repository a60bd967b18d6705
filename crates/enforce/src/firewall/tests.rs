//! What only shows on hosts that are small or busy.

#[path = "../../tests/namespace/mod.rs"]
mod namespace;

use super::*;
use core::net::{Ipv4Addr, Ipv6Addr};
use namespace::{Namespace, ban_of, in_an_hour, nft, now};

fn bans(count: u32) -> Vec<Cleared> {
    let v4 = |index: u32| Network::host(Ipv4Addr::from_bits(0x5000_0000 + index).into());
    let v6 = |index: u32| Network::host(Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(index)).into());
    let block = |index: u32| Network::around(Ipv4Addr::from_bits(0x6000_0000 + (index << 9)).into(), 24);
    let targets = (0..count).flat_map(|index| [v4(index), v6(index), block(index % 500)]);
    targets.map(|target| ban_of(target, in_an_hour())).collect()
}

/// Without CAP_NET_ADMIN outside of its user name space, as in a rootless container, a process may send some 300 kB
/// at once.
#[test]
fn a_small_send_buffer_takes_more_transactions() {
    let Some(_namespace) = Namespace::new("small") else { return };
    let mut firewall = Firewall::open(Options::default()).unwrap();
    firewall.channel.limit(100_000);
    let bans = bans(5_000);
    let wanted: Vec<&Cleared> = bans.iter().collect();
    let targets: Vec<Network> = bans.iter().map(|ban| ban.ban().target).collect();
    assert_eq!(firewall.reconcile(&wanted, now()).unwrap().structure, Structure::Created);
    nft("add chain inet mailward other");
    assert_eq!(firewall.reconcile(&wanted, now()).unwrap().structure, Structure::TableReplaced);
    firewall.add(&bans, now()).unwrap();
    assert!(firewall.reconcile(&wanted, now()).unwrap().was_right());
    assert_eq!(firewall.elements().unwrap().len(), 10_500);
    firewall.remove(&targets, now()).unwrap();
    assert!(firewall.elements().unwrap().is_empty());
}

/// Others work on their tables all the while: dumps are disturbed, nothing fails.
#[test]
fn a_ruleset_that_never_stands_still_is_no_hindrance() {
    let Some(namespace) = Namespace::new("still") else { return };
    let stop = core::sync::atomic::AtomicBool::new(false);
    let bans = bans(5_000);
    let wanted: Vec<&Cleared> = bans.iter().collect();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            namespace.enter();
            while !stop.load(core::sync::atomic::Ordering::Relaxed) {
                nft("add table ip filter; add chain ip filter input; delete table ip filter");
            }
        });
        let mut firewall = Firewall::open(Options::default()).unwrap();
        for _ in 0..5 {
            firewall.reconcile(&wanted, now()).unwrap();
            firewall.reconcile(&[], now()).unwrap();
            firewall.add(&bans, now()).unwrap();
        }
        stop.store(true, core::sync::atomic::Ordering::Relaxed);
        assert!(firewall.reconcile(&wanted, now()).unwrap().was_right());
    });
}
