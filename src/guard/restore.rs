//! What the daemon knew before it was restarted, brought back from the store.
//!
//! What led to a ban that a person lifted is not brought back: the pardon holds.

use std::collections::HashMap;

use mailward_decide::{Bans, Protection};
use mailward_detect::{Detector, Login};
use mailward_engine::Engine;
use mailward_model::{Network, Offence, OffenceKind, Origin, Span, Timestamp};
use mailward_parse::Context;
use mailward_store::{BanFilter, Store, StoreError};

use super::Setup;
use super::control::PARDONED;

/// The longest window of a default rule; older offences fill no window.
const OFFENCES: Span = Span::from_days(28);

/// An engine that knows what the store knows.
pub(super) fn engine(setup: &Setup, store: &Store, now: Timestamp) -> Result<Engine, StoreError> {
    Ok(assembled(setup, detector(setup, store, now)?, bans(setup, store, now)?, now))
}

/// The engine of two parts that were brought back.
pub(super) fn assembled(setup: &Setup, detector: Detector, bans: Bans, now: Timestamp) -> Engine {
    Engine::new(Context { reference: now, zone: setup.zone.clone() }, detector, bans)
}

/// Bans that hold, and what the ladder knows of those that are over. A ban that the never-ban list forbids by now is left
/// out: it is not in the kernel any more after the first reconciling, and its record stays.
pub(super) fn bans(setup: &Setup, store: &Store, now: Timestamp) -> Result<Bans, StoreError> {
    let mut never = setup.never.clone();
    for entry in store.allowlist()? {
        never.protect(entry.network, Protection::Allowed { comment: entry.comment.into() }, entry.until);
    }
    let mut bans = Bans::new(never, setup.ladder.clone(), setup.budget);
    let since = now.minus(setup.ladder.memory);
    let pardons = Pardons::since(store, since, now)?;
    let filter = BanFilter { ended: Some((since, now)), origin: Some(Origin::Rule), ..BanFilter::default() };
    store.each_ban(&filter, |past| {
        let until = past.lifted.as_ref().map_or(past.ban.until.unwrap_or(now), |lift| lift.time);
        if !pardons.cover(past.ban.target, past.ban.from) {
            bans.remember_rung(past.ban.target, past.ban.step, until);
        }
    })?;
    store.each_ban(&BanFilter { active_at: Some(now), ..BanFilter::default() }, |past| {
        let _ = bans.restore(past.ban, now);
    })?;
    Ok(bans)
}

/// What the store knows of logins, for the login guard.
pub(super) fn logins(setup: &Setup, store: &Store, now: Timestamp) -> Result<Detector, StoreError> {
    restored(setup, store, now, |offence| offence.kind == OffenceKind::AuthFailure)
}

/// The windows, filled again; logins first, because they tell with how much patience an offence is judged.
pub(super) fn detector(setup: &Setup, store: &Store, now: Timestamp) -> Result<Detector, StoreError> {
    restored(setup, store, now, |_| true)
}

fn restored(
    setup: &Setup,
    store: &Store,
    now: Timestamp,
    counts: impl Fn(&Offence) -> bool,
) -> Result<Detector, StoreError> {
    let mut detector = Detector::new(setup.rules.clone(), setup.patience, setup.capacity);
    store.logins_since(now.minus(setup.patience.memory), |past| {
        let login = Login { time: past.last, account: past.account.clone(), address: past.address };
        detector.restore_login(&login);
    })?;
    let longest = setup.rules.0.iter().map(|rule| rule.window).max().unwrap_or(OFFENCES);
    let since = now.minus(longest.max(Span::from_days(7)));
    let pardons = Pardons::since(store, since, now)?;
    store.offences_since(since, |offence| {
        if counts(offence) && !pardons.cover(Network::host(offence.address), offence.time) {
            detector.restore_offence(offence);
        }
    })?;
    Ok(detector)
}

/// Who was pardoned, and when last.
struct Pardons(HashMap<Network, Timestamp>);

impl Pardons {
    fn since(store: &Store, since: Timestamp, now: Timestamp) -> Result<Self, StoreError> {
        let mut pardons = HashMap::new();
        store.each_ban(&BanFilter { ended: Some((since, now)), ..BanFilter::default() }, |past| {
            if let Some(lift) = past.lifted.filter(|lift| &*lift.why == PARDONED) {
                let last = pardons.entry(source(past.ban.target)).or_insert(lift.time);
                *last = lift.time.max(*last);
            }
        })?;
        Ok(Self(pardons))
    }

    /// Whether what a target did at a time was forgiven later.
    fn cover(&self, target: Network, time: Timestamp) -> bool {
        let target = source(target);
        let mut around = (0..=target.prefix()).map(|prefix| Network::around(target.address(), prefix));
        !self.0.is_empty() && around.any(|network| self.0.get(&network).is_some_and(|pardon| time <= *pardon))
    }
}

/// An IPv6 address counts as its /64.
fn source(target: Network) -> Network {
    let is_part = target.address().is_ipv6() && target.prefix() > 64;
    if is_part { Network::around(target.address(), 64) } else { target }
}
