//! Entries that decide whatever is counted: weakforced's block and allow list.

use std::collections::HashMap;

use foldhash::quality::RandomState;
use mailward_model::{Account, Network, Timestamp};

/// Which list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum List {
    /// Refused.
    Block,
    /// Let in.
    Allow,
}

/// Whom an entry is about: a network, an account, or one from the other.
type Whom = (Option<Network>, Option<Account>);

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The network.
    pub network: Option<Network>,
    /// The account.
    pub account: Option<Account>,
    /// When it ends.
    pub until: Option<Timestamp>,
    /// Why it is there.
    pub reason: Box<str>,
}

impl Entry {
    fn holds(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// Both lists.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    entries: HashMap<(List, Whom), Entry, RandomState>,
    /// The lengths of prefixes that entries have: an address is looked up once for each.
    prefixes: Vec<(bool, u8)>,
}

impl Lists {
    /// The most entries: a script that runs away shall not fill the memory.
    pub const MOST: usize = 100_000;

    /// Puts an entry on a list, in the place of one about the same. Tells whether there was room.
    pub fn add(&mut self, list: List, entry: Entry, now: Timestamp) -> bool {
        let key = (list, (entry.network, entry.account.clone()));
        if self.entries.len() >= Self::MOST && !self.entries.contains_key(&key) {
            self.entries.retain(|_, old| old.holds(now));
            if self.entries.len() >= Self::MOST {
                return false;
            }
        }
        if let Some(network) = entry.network {
            let prefix = (network.address().is_ipv4(), network.prefix());
            if !self.prefixes.contains(&prefix) {
                self.prefixes.push(prefix);
            }
        }
        // Nobody is no entry for everybody.
        if entry.network.is_some() || entry.account.is_some() {
            self.entries.insert(key, entry);
        }
        true
    }

    /// Takes the entry about exactly this from a list.
    pub fn remove(
        &mut self,
        list: List,
        network: Option<Network>,
        account: Option<&Account>,
    ) -> Option<Entry> {
        self.entries.remove(&(list, (network, account.cloned())))
    }

    /// The entries of a list that hold.
    pub fn all(&self, list: List, now: Timestamp) -> impl Iterator<Item = &Entry> {
        self.entries
            .iter()
            .filter(move |((on, _), entry)| *on == list && entry.holds(now))
            .map(|(_, entry)| entry)
    }

    /// An entry of a list about this network or address, this account, or both.
    #[must_use]
    pub fn find(
        &self,
        list: List,
        network: Option<Network>,
        account: Option<&Account>,
        now: Timestamp,
    ) -> Option<&Entry> {
        if self.entries.is_empty() {
            return None;
        }
        let around = network.into_iter().flat_map(|network| {
            let mine = self.prefixes.iter().filter(move |(ipv4, prefix)| {
                *ipv4 == network.address().is_ipv4() && *prefix <= network.prefix()
            });
            mine.map(move |(_, prefix)| Some(Network::around(network.address(), *prefix)))
        });
        let accounts = [None, account.cloned()];
        around.chain([None]).find_map(|network| {
            let entry = |account: &Option<Account>| self.entries.get(&(list, (network, account.clone())));
            accounts.iter().filter_map(entry).find(|entry| entry.holds(now))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry() -> impl Strategy<Value = Entry> {
        let network = proptest::option::of((0..4_u8, prop_oneof![Just(8_u8), Just(24), Just(32)]));
        let account = proptest::option::of(0..3_usize);
        (network, account, proptest::option::of(0..20_i64)).prop_map(|(network, account, until)| Entry {
            network: network.map(|(last, prefix)| Network::around([192, 0, 2, last].into(), prefix)),
            account: account.and_then(|at| Account::of(["a", "b", "c"][at].into())),
            until: until.map(Timestamp::from_secs),
            reason: "test".into(),
        })
    }

    proptest! {
        /// The oracle looks through all entries.
        #[test]
        fn a_look_up_agrees_with_looking_through_all(
            entries in proptest::collection::vec((entry(), any::<bool>()), 0..20),
            address in 0..5_u8, account in 0..4_usize, now in 0..20_i64,
        ) {
            let mut lists = Lists::default();
            let now = Timestamp::from_secs(now);
            for (entry, removes) in entries {
                if removes {
                    lists.remove(List::Block, entry.network, entry.account.as_ref());
                } else {
                    prop_assert!(lists.add(List::Block, entry, Timestamp::default()));
                }
            }
            let network = Network::host([192, 0, 2, address].into());
            let account = Account::of(["a", "b", "c", "d"][account].into());
            let is_about = |entry: &&Entry| {
                entry.network.is_none_or(|known| known.covers(network))
                    && (entry.account.is_none() || entry.account == account)
                    && (entry.network.is_some() || entry.account.is_some())
            };
            let known = lists.all(List::Block, now).any(|entry| is_about(&entry));
            let found = lists.find(List::Block, Some(network), account.as_ref(), now);
            prop_assert_eq!(found.is_some_and(|entry| is_about(&entry)), known);
            prop_assert!(lists.find(List::Allow, Some(network), account.as_ref(), now).is_none());
        }
    }
}
