//! Who did what: the answer key of the incident.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;

use super::script::{Micros, stamp};

/// The answer key.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Truth {
    about: &'static str,
    window: Window,
    /// By the attack's name.
    attacks: BTreeMap<&'static str, Campaign>,
    /// Who looks suspicious and is not.
    innocents: Vec<Innocent>,
    /// Every address that must not be banned, whatever its lines look like.
    never_ban: Vec<IpAddr>,
    /// Successful logins by account.
    logins: BTreeMap<String, u32>,
    /// Messages that were delivered or sent.
    messages: Messages,
}

#[derive(Clone, Debug, Default, Serialize)]
struct Window {
    first: String,
    last: String,
    lines: usize,
}

#[derive(Clone, Debug, Default, Serialize)]
struct Messages {
    inbound: u32,
    outbound: u32,
}

#[derive(Clone, Debug, Serialize)]
struct Campaign {
    /// The offence's kind.
    kind: &'static str,
    /// What the attacker does.
    what: &'static str,
    /// The network that the sources share, where it is one campaign.
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<&'static str>,
    /// Decisive lines.
    count: u32,
    /// Passwords tried, where that is what it does.
    #[serde(skip_serializing_if = "is_zero")]
    attempts: u32,
    first: String,
    last: String,
    /// Decisive lines by source.
    sources: BTreeMap<IpAddr, u32>,
    /// Decisive lines by account, where the attack is at accounts.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    accounts: BTreeMap<String, u32>,
}

#[derive(Clone, Debug, Serialize)]
struct Innocent {
    who: &'static str,
    addresses: Vec<IpAddr>,
    looks_like: &'static str,
    but: &'static str,
}

impl Truth {
    pub(super) fn window(&mut self, first: &str, last: &str, lines: usize) {
        self.about = "Who did what in mail.log. `count` counts decisive lines: the one line of each attempt that \
                      shows the offence, however many lines the attempt wrote.";
        self.window = Window { first: first.to_owned(), last: last.to_owned(), lines };
        self.never_ban.sort_unstable();
        self.never_ban.dedup();
    }

    /// Declares an attack.
    pub(super) fn attack(
        &mut self,
        name: &'static str,
        kind: &'static str,
        what: &'static str,
        network: Option<&'static str>,
    ) {
        let (first, last) = (String::new(), String::new());
        let campaign = Campaign {
            kind,
            what,
            network,
            count: 0,
            attempts: 0,
            first,
            last,
            sources: BTreeMap::new(),
            accounts: BTreeMap::new(),
        };
        self.attacks.insert(name, campaign);
    }

    /// Counts a decisive line.
    pub(super) fn offence(&mut self, name: &str, when: Micros, source: IpAddr, account: Option<&str>) {
        let Some(campaign) = self.attacks.get_mut(name) else { return };
        campaign.count += 1;
        *campaign.sources.entry(source).or_default() += 1;
        let moment = stamp(when);
        if campaign.first.is_empty() || moment < campaign.first {
            campaign.first.clone_from(&moment);
        }
        campaign.last = moment.max(std::mem::take(&mut campaign.last));
        if let Some(account) = account {
            *campaign.accounts.entry(account.to_owned()).or_default() += 1;
        }
    }

    /// Counts passwords tried.
    pub(super) fn tried(&mut self, name: &str, passwords: u32) {
        if let Some(campaign) = self.attacks.get_mut(name) {
            campaign.attempts += passwords;
        }
    }

    /// Declares somebody who looks suspicious and is not.
    pub(super) fn innocent(
        &mut self,
        who: &'static str,
        addresses: &[IpAddr],
        looks_like: &'static str,
        but: &'static str,
    ) {
        self.innocents.push(Innocent { who, addresses: addresses.to_vec(), looks_like, but });
        self.never_ban.extend(addresses);
    }

    pub(super) fn honest(&mut self, address: IpAddr) {
        self.never_ban.push(address);
    }

    pub(super) fn login(&mut self, account: &str) {
        *self.logins.entry(account.to_owned()).or_default() += 1;
    }

    pub(super) const fn received(&mut self) {
        self.messages.inbound += 1;
    }

    pub(super) const fn sent(&mut self) {
        self.messages.outbound += 1;
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(n: &u32) -> bool {
    *n == 0
}
