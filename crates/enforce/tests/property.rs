//! Any sequence of operations, against an obvious list of what should be banned, read back with nft(8).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod namespace;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mailward_decide::Cleared;
use mailward_enforce::{Firewall, Options};
use mailward_model::{Network, Span, Timestamp};
use namespace::{Namespace, ban_of, listed, nft, now};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

#[derive(Clone, Debug)]
enum Step {
    Add(Vec<(Network, Option<u64>)>),
    Remove(Vec<Network>),
    Reconcile(Vec<(Network, Option<u64>)>),
    /// A new process takes over.
    Restart,
    /// Somebody else does something, and it is noticed.
    Tamper(&'static str),
}

/// Few addresses, so that they meet: 203.0.113.0/24 and 2001:db8:0:0::/56.
fn target() -> impl Strategy<Value = Network> {
    let v4 = (0_u32..256, prop_oneof![2 => Just(32_u8), 3 => 24_u8..33])
        .prop_map(|(low, prefix)| Network::around(Ipv4Addr::from_bits(0xcb00_7100 | low).into(), prefix));
    let v6 = (0_u128..64, prop_oneof![1 => Just(128_u8), 2 => 56_u8..65]).prop_map(|(low, prefix)| {
        Network::around(Ipv6Addr::from_bits(0x2001_0db8 << 96 | low << 64).into(), prefix)
    });
    prop_oneof![2 => v4, 1 => v6]
}

/// Minutes from now, far enough apart to be told from each other, or never.
fn bans() -> impl Strategy<Value = Vec<(Network, Option<u64>)>> {
    prop::collection::vec((target(), prop::option::of((1_u64..6).prop_map(|n| 10 * n))), 0..8)
}

fn step() -> impl Strategy<Value = Step> {
    let tampering = prop::sample::select(vec![
        "flush ruleset",
        "flush set inet mailward networks4",
        "flush set inet mailward banned4",
        "add element inet mailward banned4 { 203.0.113.9 timeout 5m }",
        "flush set inet mailward networks4; add element inet mailward networks4 { 203.0.113.5-203.0.113.77 }",
        "flush set inet mailward networks6; add element inet mailward networks6 { 2001:db8::/57 timeout 5m }",
        "flush chain inet mailward prerouting",
        "add chain inet mailward other",
    ]);
    prop_oneof![
        4 => bans().prop_map(Step::Add),
        3 => prop::collection::vec(target(), 0..4).prop_map(Step::Remove),
        2 => bans().prop_map(Step::Reconcile),
        1 => Just(Step::Restart),
        2 => tampering.prop_map(Step::Tamper),
    ]
}

/// What should be banned: minutes from the start, or never.
type Oracle = BTreeMap<Network, Option<u64>>;

struct World {
    firewall: Firewall,
    oracle: Oracle,
    start: Timestamp,
}

impl World {
    fn new() -> Self {
        let mut firewall = Firewall::open(Options::default()).unwrap();
        firewall.uninstall().unwrap();
        firewall.reconcile(&[], now()).unwrap();
        Self { firewall, oracle: Oracle::new(), start: now() }
    }

    fn cleared(&self, target: Network, minutes: Option<u64>) -> Cleared {
        ban_of(target, minutes.map(|minutes| self.start.plus(Span::from_mins(minutes))))
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Add(bans) => {
                let bans: Oracle = bans.iter().copied().collect();
                let cleared: Vec<Cleared> = bans.iter().map(|(t, m)| self.cleared(*t, *m)).collect();
                self.firewall.add(&cleared, now()).unwrap();
                self.oracle.extend(bans);
            }
            Step::Remove(targets) => {
                self.firewall.remove(targets, now()).unwrap();
                self.oracle.retain(|target, _| !targets.contains(target));
            }
            Step::Reconcile(bans) => {
                self.oracle = bans.iter().copied().collect();
                self.reconcile();
            }
            Step::Restart => {
                self.firewall = Firewall::open(Options::default()).unwrap();
                self.reconcile();
            }
            Step::Tamper(commands) => {
                nft(commands);
                self.reconcile();
            }
        }
    }

    fn reconcile(&mut self) {
        let bans: Vec<Cleared> = self.oracle.iter().map(|(t, m)| self.cleared(*t, *m)).collect();
        let bans: Vec<&Cleared> = bans.iter().collect();
        self.firewall.reconcile(&bans, now()).unwrap();
        assert!(self.firewall.reconcile(&bans, now()).unwrap().was_right());
    }

    /// Single addresses are exactly those wanted; of every network's first and last address and their neighbours, the
    /// kernel says what the longest of the networks around it says.
    fn check(&self) {
        for (hosts, networks, is_ipv4) in [("banned4", "networks4", true), ("banned6", "networks6", false)] {
            let of_family = || self.oracle.iter().filter(|(target, _)| target.address().is_ipv4() == is_ipv4);
            let wanted: BTreeMap<_, _> = of_family()
                .filter(|(target, _)| target.is_host())
                .map(|(target, minutes)| ((target.address(), target.address()), *minutes))
                .collect();
            assert_eq!(self.minutes(hosts), wanted, "{hosts} {:?}", self.oracle);
            let ranges = self.minutes(networks);
            let around: Vec<_> = of_family().filter(|(target, _)| !target.is_host()).collect();
            for place in around.iter().flat_map(|(target, _)| edges(**target)) {
                let covering = around.iter().filter(|(target, _)| target.contains(place)).map(|(_, m)| **m);
                let wanted = covering.max_by_key(|minutes| minutes.unwrap_or(u64::MAX));
                let found = ranges.iter().find(|((first, last), _)| *first <= place && place <= *last);
                assert_eq!(
                    found.map(|(_, minutes)| *minutes),
                    wanted,
                    "{place} {ranges:?} {:?}",
                    self.oracle
                );
            }
            assert!(!around.is_empty() || ranges.is_empty(), "{ranges:?}");
        }
    }

    /// A set as nft(8) lists it, ends rounded to the minutes since the start of which they were made.
    fn minutes(&self, set: &str) -> BTreeMap<(IpAddr, IpAddr), Option<u64>> {
        let passed = now().since(self.start).secs();
        let round = |left: u64| (left + passed).div_ceil(60).next_multiple_of(10);
        listed(set).into_iter().map(|(range, left)| (range, left.map(round))).collect()
    }
}

/// The first and last address of a network, and those just outside.
fn edges(network: Network) -> Vec<IpAddr> {
    let step = |address: IpAddr, by: i8| match address {
        IpAddr::V4(v4) => IpAddr::from(Ipv4Addr::from_bits(v4.to_bits().wrapping_add_signed(by.into()))),
        IpAddr::V6(v6) => IpAddr::from(Ipv6Addr::from_bits(v6.to_bits().wrapping_add_signed(by.into()))),
    };
    let (first, last) = (network.address(), network.last());
    vec![first, last, step(first, -1), step(last, 1)]
}

#[test]
fn the_kernel_holds_what_was_asked_for() {
    let Some(_namespace) = Namespace::new("any") else { return };
    let mut runner = TestRunner::new(Config { cases: 64, failure_persistence: None, ..Config::default() });
    let steps = prop::collection::vec(step(), 1..14);
    runner
        .run(&steps, |steps| {
            let mut world = World::new();
            for step in &steps {
                world.take(step);
                world.check();
            }
            Ok(())
        })
        .unwrap();
}
