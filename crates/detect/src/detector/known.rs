//! What the detector knows of a login that is just tried, for the login guard to judge.

use std::net::IpAddr;

use mailward_model::{Account, OffenceKind, Timestamp};

use super::{Detector, Response, Rule, Scope, counts_offences, seconds, start};
use crate::source::Source;

/// What is known of a place and an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The account logged in from that network lately.
    pub is_own_place: bool,
    /// Somebody logged in from that source lately.
    pub is_precious: bool,
    /// Somebody logged in with that account lately.
    pub is_used: bool,
    /// The rules about failed logins that something counted for, over source, network and account: how much is in the
    /// window, and how much fills it.
    pub windows: Vec<(Rule, u32, u32)>,
}

impl Detector {
    /// What is known of a login from this address with this account.
    #[must_use]
    pub fn known(&self, address: IpAddr, account: Option<&Account>, time: Timestamp) -> Known {
        let source = Source::of(address);
        let mut known = Known { windows: self.windows(address, time), ..Known::default() };
        known.windows.retain(|(rule, ..)| rule.kind == OffenceKind::AuthFailure);
        known.is_precious = self.places.is_precious(source, time);
        self.add_networks(source, time, &mut known);
        if let Some(account) = account {
            self.add_account(source, account, time, &mut known);
        }
        known
    }

    fn add_networks(&self, source: Source, time: Timestamp, known: &mut Known) {
        for network in source.neighbourhoods() {
            let is_precious = self.places.is_precious_network(network.network(), time);
            for rule in self.login_rules(Scope::Network) {
                // Who logs in from there is judged by what he does himself.
                if is_precious && rule.response == Response::BanNetwork {
                    continue;
                }
                let guilty = self.networks.guilty(network, rule.kind, start(time, rule.window));
                known.add(rule, guilty.count());
            }
        }
    }

    fn add_account(&self, source: Source, account: &Account, time: Timestamp, known: &mut Known) {
        let Some(record) = self.accounts.get(self.hash(account)) else { return };
        known.is_used = record.logged_in_since(seconds(time.minus(self.patience.memory)));
        known.is_own_place = known.is_used && record.knows(source);
        for rule in self.login_rules(Scope::Account) {
            known.add(rule, record.strangers_since(start(time, rule.window)).count());
        }
    }

    fn login_rules(&self, scope: Scope) -> impl Iterator<Item = &Rule> {
        let rules = self.by_kind.get(OffenceKind::AuthFailure as usize).map_or(&[][..], |rules| rules);
        rules.iter().filter(move |rule| rule.scope == scope && counts_offences(rule))
    }
}

impl Known {
    fn add(&mut self, rule: &Rule, count: usize) {
        if count > 0 {
            self.windows.push((*rule, u32::try_from(count).unwrap_or(u32::MAX), rule.threshold));
        }
    }
}
