//! What belongs into each kernel set, and how to get there from what is in it.

use core::net::IpAddr;

use mailward_model::{Network, Timestamp};

use crate::layout::Set;

/// Addresses (or ports) from first to last, as numbers, and until when. A ban without end has [`FOREVER`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) first: u128,
    pub(crate) last: u128,
    pub(crate) until: Timestamp,
}

/// The end of time.
pub(crate) const FOREVER: Timestamp = Timestamp::from_micros(i64::MAX);

/// What belongs into the sets of addresses, each sorted and without overlap.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contents {
    hosts4: Vec<Entry>,
    hosts6: Vec<Entry>,
    networks4: Vec<Entry>,
    networks6: Vec<Entry>,
}

impl Contents {
    /// Sorts bans that have not ended yet into their sets. Single addresses stay even where a network covers them,
    /// for they may outlive it.
    pub(crate) fn of(bans: impl IntoIterator<Item = (Network, Timestamp)>, now: Timestamp) -> Self {
        let mut contents = Self::default();
        let mut networks = Vec::new();
        for (target, until) in bans.into_iter().filter(|(_, until)| *until > now) {
            let entry = Entry { first: number(target.address()), last: number(target.last()), until };
            match (target.is_host(), target.address()) {
                (false, _) => networks.push((target, until)),
                (true, IpAddr::V4(_)) => contents.hosts4.push(entry),
                (true, IpAddr::V6(_)) => contents.hosts6.push(entry),
            }
        }
        longest(&mut contents.hosts4);
        longest(&mut contents.hosts6);
        networks.sort_unstable();
        let (v4, v6) = networks.split_at(networks.partition_point(|(target, _)| target.address().is_ipv4()));
        contents.networks4 = flatten(v4);
        contents.networks6 = flatten(v6);
        contents
    }

    /// The entries of one set; of the ports none.
    pub(crate) fn entries(&self, set: Set) -> &[Entry] {
        match set {
            Set::Banned4 => &self.hosts4,
            Set::Banned6 => &self.hosts6,
            Set::Networks4 => &self.networks4,
            Set::Networks6 => &self.networks6,
            Set::Ports => &[],
        }
    }
}

/// What to do to a set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    pub(crate) add: Vec<Entry>,
    /// There, but with another end.
    pub(crate) refresh: Vec<Entry>,
    pub(crate) remove: Vec<Entry>,
}

impl Changes {
    /// From what there is to what there should be, both sorted. Ends that differ by no more than `tolerance`
    /// microseconds are the same: kernel ticks, and the time a dump takes, blur them.
    pub(crate) fn between(present: &[Entry], wanted: &[Entry], tolerance: u64) -> Self {
        let mut changes = Self::default();
        let mut present = present.iter().copied().peekable();
        for want in wanted {
            while let Some(gone) = present.next_if(|have| (have.first, have.last) < (want.first, want.last)) {
                changes.remove.push(gone);
            }
            match present.next_if(|have| (have.first, have.last) == (want.first, want.last)) {
                None => changes.add.push(*want),
                Some(have) if have.until.micros().abs_diff(want.until.micros()) > tolerance => {
                    changes.refresh.push(*want);
                }
                Some(_) => {}
            }
        }
        changes.remove.extend(present);
        changes
    }
}

/// An address as a number.
pub(crate) const fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_bits() as u128,
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// Sorts single addresses, of each the ban that lasts longest.
fn longest(entries: &mut Vec<Entry>) {
    entries.sort_unstable_by_key(|entry| (entry.first, core::cmp::Reverse(entry.until)));
    entries.dedup_by_key(|entry| entry.first);
}

/// Networks that may lie within each other, sorted, of one family, as ranges that do not overlap, each address until
/// the latest end of all networks that cover it: so a network that ends earlier than one within it leaves that behind.
fn flatten(networks: &[(Network, Timestamp)]) -> Vec<Entry> {
    let mut flat = Flat::default();
    for (network, until) in networks {
        let (first, last) = (number(network.address()), number(network.last()));
        flat.close_before(first);
        flat.open(Entry { first, last, until: *until });
    }
    flat.close_all();
    flat.done
}

/// Networks open at the place reached, the inner ones last, each lasting longer than the one around it.
#[derive(Default)]
struct Flat {
    open: Vec<Entry>,
    done: Vec<Entry>,
}

impl Flat {
    fn open(&mut self, inner: Entry) {
        if let Some(outer) = self.open.last() {
            if inner.until <= outer.until {
                return;
            }
            if outer.first < inner.first {
                self.done.push(Entry { last: inner.first - 1, ..*outer });
            }
        }
        self.open.push(inner);
    }

    fn close_before(&mut self, place: u128) {
        while self.open.last().is_some_and(|entry| entry.last < place) {
            self.close();
        }
    }

    fn close_all(&mut self) {
        while !self.open.is_empty() {
            self.close();
        }
    }

    /// Ends the innermost network; those around it go on behind it, unless they end there, too.
    fn close(&mut self) {
        let Some(inner) = self.open.pop() else { return };
        self.done.push(inner);
        while self.open.pop_if(|outer| outer.last == inner.last).is_some() {}
        if let Some(outer) = self.open.last_mut() {
            outer.first = inner.last + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn flat(networks: &[(&str, i64)]) -> Vec<(String, String, i64)> {
        let bans = networks.iter().map(|(text, until)| (text.parse().unwrap(), Timestamp::from_secs(*until)));
        let contents = Contents::of(bans, Timestamp::default());
        let v4 =
            contents.networks4.iter().map(|e| (core::net::Ipv4Addr::from_bits(e.first as u32).into(), e));
        let v6 = contents.networks6.iter().map(|e| (core::net::Ipv6Addr::from_bits(e.first).into(), e));
        let last = |first: IpAddr, last: u128| match first {
            IpAddr::V4(_) => IpAddr::from(core::net::Ipv4Addr::from_bits(last as u32)),
            IpAddr::V6(_) => IpAddr::from(core::net::Ipv6Addr::from_bits(last)),
        };
        v4.chain(v6)
            .map(|(first, e): (IpAddr, _)| {
                (first.to_string(), last(first, e.last).to_string(), e.until.secs())
            })
            .collect()
    }

    fn check(networks: &[(&str, i64)], expected: &[(&str, &str, i64)]) {
        let expected: Vec<_> = expected.iter().map(|(a, b, t)| (a.to_string(), b.to_string(), *t)).collect();
        assert_eq!(flat(networks), expected, "{networks:?}");
    }

    #[test]
    fn networks_within_networks_keep_the_latest_end() {
        check(&[("192.0.2.0/24", 9)], &[("192.0.2.0", "192.0.2.255", 9)]);
        check(&[("192.0.2.0/24", 9), ("192.0.2.64/26", 9)], &[("192.0.2.0", "192.0.2.255", 9)]);
        check(
            &[("192.0.2.64/26", 20), ("192.0.2.0/24", 9)],
            &[
                ("192.0.2.0", "192.0.2.63", 9),
                ("192.0.2.64", "192.0.2.127", 20),
                ("192.0.2.128", "192.0.2.255", 9),
            ],
        );
        check(
            &[("192.0.2.192/26", 20), ("192.0.2.0/24", 9), ("192.0.2.128/25", 15)],
            &[
                ("192.0.2.0", "192.0.2.127", 9),
                ("192.0.2.128", "192.0.2.191", 15),
                ("192.0.2.192", "192.0.2.255", 20),
            ],
        );
        check(
            &[("2001:db8::/32", 5), ("2001:db8::/64", 6), ("198.51.100.0/25", 0)],
            &[
                ("2001:db8::", "2001:db8::ffff:ffff:ffff:ffff", 6),
                ("2001:db8:0:1::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 5),
            ],
        );
        check(
            &[("::/0", 5), ("ffff::/16", 6)],
            &[
                ("::", "fffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 5),
                ("ffff::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 6),
            ],
        );
    }

    proptest! {
        /// Against the obvious: of every address, the latest end of the networks that cover it.
        #[test]
        fn flat_ranges_say_what_the_networks_say(
            networks in prop::collection::vec((0_u32..256, 24_u8..32, 1_i64..6), 0..12),
        ) {
            let networks: Vec<(Network, Timestamp)> = networks
                .into_iter()
                .map(|(low, prefix, until)| {
                    let address = core::net::Ipv4Addr::from_bits(0xc000_0200 | low);
                    (Network::around(address.into(), prefix), Timestamp::from_secs(until))
                })
                .collect();
            let contents = Contents::of(networks.iter().copied(), Timestamp::default());
            prop_assert!(contents.networks4.is_sorted_by(|a, b| a.last < b.first));
            for low in 0..256_u32 {
                let address = IpAddr::from(core::net::Ipv4Addr::from_bits(0xc000_0200 | low));
                let wanted = networks.iter().filter(|(n, _)| n.contains(address)).map(|(_, until)| *until).max();
                let n = number(address);
                let got = contents.networks4.iter().find(|e| e.first <= n && n <= e.last).map(|e| e.until);
                prop_assert_eq!(got, wanted, "{}", address);
            }
        }

        #[test]
        fn changes_lead_from_present_to_wanted(
            present in prop::collection::btree_map(0_u128..40, 0_i64..9, 0..20),
            wanted in prop::collection::btree_map(0_u128..40, 0_i64..9, 0..20),
        ) {
            let entries = |map: &std::collections::BTreeMap<u128, i64>| -> Vec<Entry> {
                map.iter().map(|(k, t)| Entry { first: *k, last: *k, until: Timestamp::from_micros(*t) }).collect()
            };
            let changes = Changes::between(&entries(&present), &entries(&wanted), 1);
            let mut result = present.clone();
            for gone in &changes.remove {
                prop_assert!(result.remove(&gone.first).is_some());
            }
            for entry in &changes.refresh {
                prop_assert!(result.insert(entry.first, entry.until.micros()).is_some());
            }
            for entry in &changes.add {
                prop_assert!(result.insert(entry.first, entry.until.micros()).is_none());
            }
            prop_assert!(result.keys().eq(wanted.keys()));
            prop_assert!(result.iter().all(|(k, t)| t.abs_diff(wanted[k]) <= 1));
        }
    }
}
