//! What the daemon knew before it was restarted, brought back from the store.

use mailward_decide::{Bans, Protection};
use mailward_detect::{Detector, Login};
use mailward_engine::Engine;
use mailward_model::{Origin, Span, Timestamp};
use mailward_parse::Context;
use mailward_store::{BanFilter, StoreError};

use super::Setup;
use super::keeper::Keeper;

/// The longest window of a default rule; older offences fill no window.
const OFFENCES: Span = Span::from_days(28);

/// An engine that knows what the store knows.
pub(super) fn engine(setup: &Setup, keeper: &Keeper, now: Timestamp) -> Result<Engine, StoreError> {
    let mut never = setup.never.clone();
    for entry in keeper.store().allowlist()? {
        never.protect(entry.network, Protection::Allowed { comment: entry.comment.into() }, entry.until);
    }
    let mut bans = Bans::new(never, setup.ladder.clone(), setup.budget);
    restore_bans(setup, keeper, &mut bans, now)?;
    let detector = detector(setup, keeper, now)?;
    let context = Context { reference: now, zone: setup.zone.clone() };
    Ok(Engine::new(context, detector, bans))
}

/// Bans that hold, and what the ladder knew. A ban that the never-ban list forbids by now is left out: it is not in the
/// kernel any more after the first reconciling, and its record stays.
fn restore_bans(setup: &Setup, keeper: &Keeper, bans: &mut Bans, now: Timestamp) -> Result<(), StoreError> {
    let since = Some(now.minus(setup.ladder.memory));
    let filter = BanFilter { since, origin: Some(Origin::Rule), ..BanFilter::default() };
    keeper.store().each_ban(&filter, |past| {
        let until = past.lifted.as_ref().map_or(past.ban.until.unwrap_or(now), |lift| lift.time);
        bans.remember_rung(past.ban.target, past.ban.step, until);
    })?;
    for ban in keeper.store().active_bans(now)? {
        let _ = bans.restore(ban, now);
    }
    Ok(())
}

/// The windows, filled again; logins first, because they tell with how much patience an offence is judged.
fn detector(setup: &Setup, keeper: &Keeper, now: Timestamp) -> Result<Detector, StoreError> {
    let mut detector = Detector::new(setup.rules.clone(), setup.patience, setup.capacity);
    keeper.store().logins_since(now.minus(setup.patience.memory), |past| {
        let login = Login { time: past.last, account: past.account.clone(), address: past.address };
        detector.restore_login(&login);
    })?;
    let longest = setup.rules.0.iter().map(|rule| rule.window).max().unwrap_or(OFFENCES);
    keeper.store().offences_since(now.minus(longest.max(Span::from_days(7))), |offence| {
        detector.restore_offence(offence);
    })?;
    Ok(detector)
}
