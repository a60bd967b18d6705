//! The bans that hold, the ladder of those that were, and the budget.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use foldhash::quality::RandomState;

use mailward_model::{Ban, Network, Origin, Signal, Span, Subject, Timestamp, canonical};

use crate::{Budget, Cleared, Ladder, NeverBan, Protected};

/// What is decided about a signal that asks for a ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A ban, held against the never-ban list.
    Ban(Cleared),
    /// The target is banned already, and for long enough.
    Known,
    /// The target is never banned.
    Refused(Protected),
    /// The signal names an account; nobody is banned for that.
    NoTarget,
    /// A rule runs away: nothing is banned until the budget allows it again.
    OverBudget(Limit),
}

/// Which limit of the [`Budget`] was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Bans in this minute.
    BansPerMinute,
    /// Bans at once.
    ActiveBans,
    /// Addresses at once.
    Addresses,
}

impl Limit {
    /// The name of its setting in `[budget]`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BansPerMinute => "bans-per-minute",
            Self::ActiveBans => "active-bans",
            Self::Addresses => "addresses",
        }
    }
}

/// Decides, and remembers what was decided.
#[derive(Debug)]
pub struct Bans {
    never: NeverBan,
    ladder: Ladder,
    budget: Budget,
    active: HashMap<Network, Ban, RandomState>,
    ends: BTreeSet<(Timestamp, Network)>,
    /// Prefix lengths of active bans and how many have each, for IPv4 and IPv6: all that may cover an address.
    prefixes: Vec<((bool, u8), u32)>,
    rungs: HashMap<Network, Rung, RandomState>,
    minute: (Timestamp, u32),
    spent: Spent,
}

/// How much of the [`Budget`] is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bans by rules in the minute that runs.
    pub bans_this_minute: u32,
    /// Bans by rules that hold.
    pub active_bans: u32,
    /// IPv4 addresses that they cover.
    pub ipv4_addresses: u64,
    /// IPv6 /64 networks that they cover.
    pub ipv6_networks: u64,
}

/// How often a target was banned by rules, and when the last such ban ends.
#[derive(Clone, Copy, Debug)]
struct Rung {
    times: u32,
    until: Timestamp,
}

/// What the active bans of rules cover.
#[derive(Clone, Copy, Debug, Default)]
struct Spent {
    bans: u32,
    ipv4: u64,
    ipv6: u64,
}

impl Bans {
    /// No bans yet.
    #[must_use]
    pub fn new(never: NeverBan, ladder: Ladder, budget: Budget) -> Self {
        Self {
            never,
            ladder,
            budget,
            active: HashMap::default(),
            ends: BTreeSet::new(),
            prefixes: Vec::new(),
            rungs: HashMap::default(),
            minute: (Timestamp::default(), 0),
            spent: Spent::default(),
        }
    }

    /// The never-ban list.
    #[must_use]
    pub const fn never_ban(&self) -> &NeverBan {
        &self.never
    }

    /// The never-ban list, to change it. Bans that it now forbids are found by [`Bans::forbidden`].
    pub const fn never_ban_mut(&mut self) -> &mut NeverBan {
        &mut self.never
    }

    /// The bans that hold, in no order.
    pub fn active(&self) -> impl Iterator<Item = &Ban> {
        self.active.values()
    }

    /// How many hold.
    #[must_use]
    pub fn len(&self) -> usize {
        self.active.len()
    }

    /// Whether none holds.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.active.is_empty()
    }

    /// Whether a ban on this address, or around it, holds at `now`.
    #[must_use]
    pub fn is_banned(&self, address: IpAddr, now: Timestamp) -> bool {
        let v4 = canonical(address).is_ipv4();
        let mut around = self.prefixes.iter().filter(|((family, _), _)| *family == v4);
        around.any(|((_, prefix), _)| {
            self.active.get(&Network::around(address, *prefix)).is_some_and(|ban| ban.is_active(now))
        })
    }

    /// The active ban that covers all of this target; of several the one that holds longest.
    #[must_use]
    pub fn covering(&self, target: Network) -> Option<&Ban> {
        let v4 = target.address().is_ipv4();
        self.prefixes
            .iter()
            .filter(|((family, prefix), _)| *family == v4 && *prefix <= target.prefix())
            .filter_map(|((_, prefix), _)| self.active.get(&Network::around(target.address(), *prefix)))
            .max_by_key(|ban| (ban.end(), ban.target))
    }

    /// The active bans that lie within a network, itself included.
    pub fn within(&self, network: Network) -> impl Iterator<Item = &Ban> {
        self.active.values().filter(move |ban| network.covers(ban.target))
    }

    /// Decides about a signal; a ban counts from `now`.
    pub fn decide(&mut self, signal: &Signal, now: Timestamp) -> Decision {
        let target = match &signal.subject {
            Subject::Address(address) => Network::host(*address),
            Subject::Network(network) => *network,
            Subject::Account(_) => return Decision::NoTarget,
        };
        if !signal.asks_for_ban() {
            return Decision::NoTarget;
        }
        // One that is over is only not taken out yet.
        let held = self.covering(target).filter(|ban| ban.is_active(now));
        let held = held.map(|ban| (ban.step, ban.until.map(|until| until.since(ban.from))));
        let step = match held {
            // A stronger rule lengthens a ban; that is no new step on the ladder.
            Some((step, Some(length))) if signal.ban > length => step.max(1),
            Some(_) => return Decision::Known,
            None => self.next_step(target, now),
        };
        if let Some(limit) = self.limit(target, now) {
            return Decision::OverBudget(limit);
        }
        match self.never.clear(self.ban(target, signal, step, now), now) {
            Err(protected) => Decision::Refused(protected),
            Ok(cleared) => {
                self.minute.1 += 1;
                self.hold(cleared.ban().clone());
                Decision::Ban(cleared)
            }
        }
    }

    /// Bans for a person or from another tool: the never-ban list holds, ladder and budget do not.
    ///
    /// # Errors
    /// [`Protected`] names the entry of the never-ban list that the ban touches.
    pub fn impose(&mut self, ban: Ban, now: Timestamp) -> Result<Cleared, Protected> {
        let cleared = self.never.clear(ban, now)?;
        self.hold(cleared.ban().clone());
        Ok(cleared)
    }

    /// Brings back a ban of before a restart; of several of one target that which holds longest is held, and none that the
    /// never-ban list forbids by now.
    ///
    /// # Errors
    /// [`Protected`] names the entry of the never-ban list that the ban touches.
    pub fn restore(&mut self, ban: Ban, now: Timestamp) -> Result<(), Protected> {
        if ban.origin == Origin::Rule {
            self.remember_rung(ban.target, ban.step, ban.until.unwrap_or(now));
        }
        if self.active.get(&ban.target).is_none_or(|held| held.end() < ban.end()) {
            self.hold(self.never.clear(ban, now)?.into_ban());
        }
        Ok(())
    }

    /// Brings back what the ladder knew of a target that is not banned any more.
    pub fn remember_rung(&mut self, target: Network, times: u32, until: Timestamp) {
        let rung = self.rungs.entry(rung_of(target)).or_insert(Rung { times: 0, until });
        (rung.times, rung.until) = (rung.times.max(times), rung.until.max(until));
    }

    /// Lifts the ban of exactly this target.
    pub fn lift(&mut self, target: Network) -> Option<Ban> {
        let ban = self.active.remove(&target)?;
        if let Some(until) = ban.until {
            self.ends.remove(&(until, target));
        }
        let key = (target.address().is_ipv4(), target.prefix());
        if let Some((_, number)) = self.prefixes.iter_mut().find(|(known, _)| *known == key) {
            *number -= 1;
        }
        self.prefixes.retain(|(_, number)| *number > 0);
        self.spend(&ban, false);
        Some(ban)
    }

    /// How much of the budget is used.
    #[must_use]
    pub fn usage(&self, now: Timestamp) -> Usage {
        let this_minute = now.since(self.minute.0) < Span::from_mins(1);
        Usage {
            bans_this_minute: if this_minute { self.minute.1 } else { 0 },
            active_bans: self.spent.bans,
            ipv4_addresses: self.spent.ipv4,
            ipv6_networks: self.spent.ipv6,
        }
    }

    /// When the next ban ends.
    #[must_use]
    pub fn next_end(&self) -> Option<Timestamp> {
        self.ends.first().map(|(until, _)| *until)
    }

    /// Forgets that a target, or what lies in it, was ever banned, so that the ladder starts anew: for a ban that was a
    /// mistake.
    pub fn pardon(&mut self, target: Network) {
        let pardoned = rung_of(target);
        self.rungs.retain(|known, _| !pardoned.covers(*known));
    }

    /// Lifts the bans that have ended, and forgets rungs that are older than the ladder's memory.
    pub fn expire(&mut self, now: Timestamp) -> Vec<Ban> {
        let mut ended = Vec::new();
        while let Some((until, target)) = self.ends.first().copied()
            && until <= now
        {
            self.ends.remove(&(until, target));
            ended.extend(self.lift(target));
        }
        // Seldom, because it looks at every rung.
        if self.rungs.len() > 2 * self.active.len() + 1_024 {
            let oldest = now.minus(self.ladder.memory);
            self.rungs.retain(|_, rung| rung.until >= oldest);
        }
        ended
    }

    /// Active bans that the never-ban list forbids by now.
    #[must_use]
    pub fn forbidden(&self, now: Timestamp) -> Vec<Protected> {
        self.active.values().filter_map(|ban| self.never.clear(ban.clone(), now).err()).collect()
    }

    /// Every ban that holds at `now` with its proof, for the enforcers.
    #[must_use]
    pub fn cleared(&self, now: Timestamp) -> Vec<Cleared> {
        let active = self.active.values().filter(|ban| ban.is_active(now));
        active.filter_map(|ban| self.never.clear(ban.clone(), now).ok()).collect()
    }

    fn ban(&self, target: Network, signal: &Signal, step: u32, now: Timestamp) -> Ban {
        let rung = (step.max(1) as usize - 1).min(self.ladder.steps.len().saturating_sub(1));
        let least = self.ladder.steps.get(rung).copied().unwrap_or(Span::ZERO);
        let length = signal.ban.max(least).min(self.ladder.most);
        Ban {
            target,
            from: now,
            until: Some(now.plus(length)),
            origin: Origin::Rule,
            by: signal.rule.0.into(),
            step,
            reason: reason(signal),
        }
    }

    fn next_step(&self, target: Network, now: Timestamp) -> u32 {
        self.rungs
            .get(&rung_of(target))
            .filter(|rung| rung.until.plus(self.ladder.memory) >= now)
            .map_or(1, |rung| rung.times.saturating_add(1))
    }

    fn limit(&mut self, target: Network, now: Timestamp) -> Option<Limit> {
        if now.since(self.minute.0) >= Span::from_mins(1) || now < self.minute.0 {
            self.minute = (now, 0);
        }
        let (ipv4, ipv6) = size(target);
        if self.minute.1 >= self.budget.bans_per_minute {
            Some(Limit::BansPerMinute)
        } else if self.spent.bans >= self.budget.active_bans {
            Some(Limit::ActiveBans)
        } else if self.spent.ipv4 + ipv4 > self.budget.ipv4_addresses
            || self.spent.ipv6 + ipv6 > self.budget.ipv6_networks
        {
            Some(Limit::Addresses)
        } else {
            None
        }
    }

    fn hold(&mut self, ban: Ban) {
        self.lift(ban.target);
        if let Some(until) = ban.until {
            self.ends.insert((until, ban.target));
        }
        if ban.origin == Origin::Rule {
            self.remember_rung(ban.target, ban.step, ban.until.unwrap_or(ban.from));
        }
        let key = (ban.target.address().is_ipv4(), ban.target.prefix());
        match self.prefixes.iter_mut().find(|(known, _)| *known == key) {
            Some((_, number)) => *number += 1,
            None => self.prefixes.push((key, 1)),
        }
        self.spend(&ban, true);
        self.active.insert(ban.target, ban);
    }

    fn spend(&mut self, ban: &Ban, more: bool) {
        if ban.origin != Origin::Rule {
            return;
        }
        let (ipv4, ipv6) = size(ban.target);
        let Spent { bans, ipv4: all4, ipv6: all6 } = &mut self.spent;
        if more {
            (*bans, *all4, *all6) = (*bans + 1, *all4 + ipv4, *all6 + ipv6);
        } else {
            (*bans, *all4, *all6) =
                (bans.saturating_sub(1), all4.saturating_sub(ipv4), all6.saturating_sub(ipv6));
        }
    }
}

/// `3 × auth-failure in 10m`.
fn reason(signal: &Signal) -> Box<str> {
    let (count, window) = (signal.count.to_string(), signal.window.to_string());
    [&count, " × ", signal.kind.name(), " in ", &window].concat().into()
}

/// A source that hops within its IPv6 /64 stays on its rung.
fn rung_of(target: Network) -> Network {
    if target.address().is_ipv6() && target.prefix() > 64 {
        Network::around(target.address(), 64)
    } else {
        target
    }
}

/// How many IPv4 addresses, and IPv6 /64 networks, a target covers; a single IPv6 address counts as its /64.
fn size(target: Network) -> (u64, u64) {
    let prefix = u32::from(target.prefix());
    if target.address().is_ipv4() {
        (1 << (32 - prefix), 0)
    } else {
        (0, 1_u64.checked_shl(64_u32.saturating_sub(prefix)).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use mailward_model::{OffenceKind, RuleId};

    use super::*;
    use crate::Protection;

    fn bans() -> Bans {
        Bans::new(NeverBan::built_in(), Ladder::default(), Budget::default())
    }

    fn signal(target: &str, ban: Span) -> Signal {
        let network: Network = target.parse().unwrap();
        let subject =
            if network.is_host() { Subject::Address(network.address()) } else { Subject::Network(network) };
        let (rule, kind) = (RuleId("auth-failure-fast"), OffenceKind::AuthFailure);
        let window = Span::from_mins(10);
        Signal { time: Timestamp::default(), rule, subject, kind, count: 3, threshold: 3, window, ban }
    }

    fn length(decision: &Decision) -> Span {
        let Decision::Ban(cleared) = decision else { panic!("{decision:?}") };
        cleared.ban().until.unwrap().since(cleared.ban().from)
    }

    const HOUR: Span = Span::from_hours(1);

    #[test]
    fn bans_grow_with_each_repeat_up_to_four_weeks_and_are_forgotten_in_time() {
        let (mut bans, mut now) = (bans(), Timestamp::from_secs(1_000_000));
        let mut lengths = Vec::new();
        for _ in 0..6 {
            let decision = bans.decide(&signal("192.0.2.7", HOUR), now);
            lengths.push(length(&decision).to_string());
            now = now.plus(length(&decision));
            assert_eq!(bans.expire(now).len(), 1);
        }
        assert_eq!(lengths, ["1h", "6h", "1d", "1w", "4w", "4w"]);
        let later = now.plus(Span::from_days(91));
        assert_eq!(length(&bans.decide(&signal("192.0.2.7", HOUR), later)), HOUR);
    }

    #[test]
    fn a_banned_source_is_not_banned_again_but_for_longer() {
        let (mut bans, now) = (bans(), Timestamp::from_secs(0));
        bans.decide(&signal("192.0.2.7", HOUR), now);
        assert_eq!(bans.decide(&signal("192.0.2.7", HOUR), now.plus(Span::from_secs(5))), Decision::Known);
        let longer = bans.decide(&signal("192.0.2.7", Span::from_days(1)), now.plus(Span::from_secs(9)));
        assert_eq!(length(&longer), Span::from_days(1));
        let Decision::Ban(cleared) = longer else { panic!() };
        assert_eq!((cleared.ban().step, bans.len(), bans.ends.len()), (1, 1, 1));
        bans.decide(&signal("198.51.100.0/24", HOUR), now);
        assert_eq!(bans.decide(&signal("198.51.100.9", HOUR), now), Decision::Known);
    }

    #[test]
    fn a_ban_that_is_over_holds_nobody_though_it_is_not_taken_out_yet() {
        let (mut bans, now) = (bans(), Timestamp::from_secs(0));
        bans.decide(&signal("192.0.2.7", HOUR), now);
        let again = bans.decide(&signal("192.0.2.7", HOUR), now.plus(HOUR));
        assert_eq!((length(&again), bans.len(), bans.ends.len()), (Span::from_hours(6), 1, 1));
        assert!(bans.cleared(now.plus(Span::from_hours(7))).is_empty());
    }

    #[test]
    fn a_pardon_of_a_network_is_one_of_all_in_it() {
        let (mut bans, now) = (bans(), Timestamp::from_secs(0));
        for target in ["192.0.2.7", "198.51.100.7"] {
            bans.decide(&signal(target, HOUR), now);
        }
        bans.pardon("192.0.2.0/24".parse().unwrap());
        let mut again = |target| length(&bans.decide(&signal(target, HOUR), now.plus(HOUR)));
        assert_eq!((again("192.0.2.7"), again("198.51.100.7")), (HOUR, Span::from_hours(6)));
    }

    #[test]
    fn an_address_is_banned_as_long_as_its_own_ban_or_one_around_it_holds() {
        let (mut bans, now) = (bans(), Timestamp::from_secs(0));
        bans.decide(&signal("192.0.2.0/24", Span::from_days(1)), now);
        bans.impose(
            Ban { target: Network::host("192.0.2.7".parse().unwrap()), ..network_ban(&bans, HOUR) },
            now,
        )
        .unwrap();
        for (address, hours, is_banned) in [
            ("192.0.2.7", 0, true),
            ("192.0.2.7", 2, true),
            ("192.0.2.8", 23, true),
            ("::ffff:192.0.2.8", 23, true),
            ("192.0.2.7", 24, false),
            ("198.51.100.7", 0, false),
            ("2001:db8::1", 0, false),
        ] {
            let then = now.plus(Span::from_hours(hours));
            assert_eq!(
                bans.is_banned(address.parse().unwrap(), then),
                is_banned,
                "{address} after {hours} h"
            );
        }
    }

    /// The first ban, with another length.
    fn network_ban(bans: &Bans, length: Span) -> Ban {
        let ban = bans.active().next().unwrap().clone();
        Ban { until: Some(ban.from.plus(length)), ..ban }
    }

    #[test]
    fn a_hop_within_a_64_stays_on_its_rung() {
        let (mut bans, now) = (bans(), Timestamp::from_secs(0));
        bans.decide(&signal("2001:db8:1:2::1", HOUR), now);
        bans.expire(now.plus(HOUR));
        assert_eq!(
            length(&bans.decide(&signal("2001:db8:1:2::2", HOUR), now.plus(HOUR))),
            Span::from_hours(6)
        );
    }

    #[test]
    fn a_runaway_rule_is_stopped_and_goes_on_later() {
        let budget = Budget { bans_per_minute: 2, active_bans: 3, ipv4_addresses: 300, ipv6_networks: 10 };
        let mut bans = Bans::new(NeverBan::built_in(), Ladder::default(), budget);
        let mut at = |target: &str, secs| bans.decide(&signal(target, HOUR), Timestamp::from_secs(secs));
        assert!(matches!(at("192.0.2.1", 0), Decision::Ban(_)));
        assert!(matches!(at("192.0.2.2", 1), Decision::Ban(_)));
        assert_eq!(at("192.0.2.3", 59), Decision::OverBudget(Limit::BansPerMinute));
        assert_eq!(at("198.51.0.0/16", 60), Decision::OverBudget(Limit::Addresses));
        assert_eq!(at("2001:db8::/56", 60), Decision::OverBudget(Limit::Addresses));
        assert!(matches!(at("203.0.113.0/24", 60), Decision::Ban(_)));
        assert_eq!(at("192.0.2.4", 120), Decision::OverBudget(Limit::ActiveBans));
        assert_eq!(bans.expire(Timestamp::from_secs(3_600)).len(), 1);
        assert!(matches!(
            bans.decide(&signal("192.0.2.4", HOUR), Timestamp::from_secs(3_600)),
            Decision::Ban(_)
        ));
    }

    #[test]
    fn the_never_ban_list_holds_for_rules_people_and_restarts() {
        let (mut bans, now) = (bans(), Timestamp::from_secs(0));
        let home: Network = "203.0.113.10".parse().unwrap();
        let Decision::Ban(before) = bans.decide(&signal("203.0.113.10", HOUR), now) else { panic!() };
        bans.never_ban_mut().protect(home, Protection::Own, None);
        assert_eq!(bans.forbidden(now).len(), 1);
        assert!(bans.cleared(now).is_empty());
        bans.lift(home);
        assert!(matches!(bans.decide(&signal("203.0.113.10", HOUR), now), Decision::Refused(_)));
        assert!(matches!(bans.decide(&signal("203.0.113.0/24", HOUR), now), Decision::Refused(_)));
        assert!(bans.restore(before.into_ban(), now).is_err());
        assert!(bans.is_empty());
    }

    #[test]
    fn of_several_bans_of_a_target_the_longest_comes_back() {
        let (now, target) = (Timestamp::from_secs(10), "192.0.2.7");
        let ban = |until: Option<i64>| Ban {
            target: target.parse().unwrap(),
            from: Timestamp::from_secs(0),
            until: until.map(Timestamp::from_secs),
            origin: Origin::Rule,
            by: "auth-failure-fast".into(),
            step: 1,
            reason: "test".into(),
        };
        let orders = [[Some(20), Some(30), None], [None, Some(30), Some(20)], [Some(30), None, Some(20)]];
        for order in orders {
            let mut bans = bans();
            order.into_iter().for_each(|until| bans.restore(ban(until), now).unwrap());
            assert_eq!(bans.active().collect::<Vec<_>>(), [&ban(None)]);
            assert_eq!((bans.usage(now).active_bans, bans.next_end()), (1, None));
        }
    }
}
