//! The digest: read from what is recorded anyway, and posted as a letter.

use std::collections::BTreeMap;

use mailward_model::{Network, Span, Timestamp};
use mailward_notify::Letter;
use mailward_report::digest::{Change, Count, Digest, Need};
use mailward_report::{At, Look, Severity, View};
use mailward_store::{BanFilter, Counter, Store, Tasks};

use super::{Done, FAILED, FINE, Ground, TASKS};
use crate::alerts::Plan;

/// What a digest is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Period {
    Day,
    Week,
    Month,
}

impl Period {
    const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    const fn length(self) -> Span {
        match self {
            Self::Day => Span::from_days(1),
            Self::Week => Span::from_days(7),
            Self::Month => Span::from_days(30),
        }
    }

    /// The steps of its chart, in hours.
    const fn step(self) -> i64 {
        match self {
            Self::Day => 1,
            Self::Week => 6,
            Self::Month => 24,
        }
    }
}

/// Runs of tasks that are looked through.
const RUNS: usize = 20_000;
/// Tasks that only look at this moment: their alerts tell all.
const MOMENTS: [&str; 3] = ["services", "queue", "disk"];

pub(super) fn run(ground: &Ground<'_>, _: &str, period: Period) -> anyhow::Result<Done> {
    let digest = digest(ground, period)?;
    let zone = jiff::tz::TimeZone::system();
    let letter = Letter {
        subject: digest.subject(),
        text: digest.text(&Look::plain(zone.clone())),
        html: digest.mail(&zone),
    };
    Ok(Done { text: letter.subject.clone(), letter: Some(letter), ..Done::default() })
}

fn digest(ground: &Ground<'_>, period: Period) -> anyhow::Result<Digest> {
    let plan = Plan::of(ground.settings, ground.state());
    let (to, from) = (ground.now, ground.now.minus(period.length()));
    let need = |alert: &&mailward_notify::Alert| Need {
        severity: alert.severity,
        title: alert.title.clone(),
        text: alert.text.clone(),
        next: alert.next.clone(),
        since: alert.since,
    };
    let desk = plan.desk()?;
    let open = desk.open();
    let mut digest = Digest {
        host: plan.host().to_owned(),
        period: period.name().into(),
        from: At(from),
        to: At(to),
        needs: open.iter().filter(|alert| alert.severity > Severity::Low).map(need).collect(),
        ..Digest::default()
    };
    add_tasks(ground, from, &mut digest)?;
    // Where the daemon has never run there is nothing to tell of attacks.
    if let Ok(store) = Store::open_read_only(&ground.state().join("mailward.db")) {
        add_attacks(&store, period, (from, to), &mut digest)?;
    }
    Ok(digest)
}

/// What tasks saw for the first time, and which of them could not do what they do.
fn add_tasks(ground: &Ground<'_>, from: Timestamp, digest: &mut Digest) -> anyhow::Result<()> {
    let runs = Tasks::open(&super::record(ground.state()))?.runs(None, RUNS)?;
    for task in TASKS {
        let mut runs = runs.iter().filter(|run| run.task == task.name).peekable();
        if let Some(last) = runs.peek().filter(|last| last.outcome == FAILED) {
            digest.failed.push(change(last));
        }
        if MOMENTS.contains(&task.name) || task.name.starts_with("digest") {
            continue;
        }
        let all: Vec<_> = runs.collect();
        for (place, run) in all.iter().enumerate().take_while(|(_, run)| run.begun >= from) {
            // What is as it was the last time is no news, and neither is a first look.
            let before = all.get(place + 1);
            if before.is_some_and(|before| before.text != run.text && before.outcome != FAILED)
                && run.outcome != FAILED
                && !(run.outcome == FINE && before.is_some_and(|before| before.outcome == FINE))
            {
                digest.changes.push(change(run));
            }
        }
    }
    digest.changes.sort_by_key(|change| std::cmp::Reverse(change.at));
    Ok(())
}

fn change(run: &mailward_store::Run) -> Change {
    Change { at: At(run.begun), by: run.task.clone(), text: run.text.clone() }
}

fn add_attacks(
    store: &Store,
    period: Period,
    (from, to): (Timestamp, Timestamp),
    digest: &mut Digest,
) -> anyhow::Result<()> {
    let step = period.step() * 3_600;
    let begin = from.secs().div_euclid(3_600) * 3_600;
    let steps = (to.secs() - begin).div_euclid(step) + 1;
    digest.timeline = (0..steps)
        .map(|place| Count { at: At(Timestamp::from_secs(begin + place * step)), count: 0 })
        .collect();
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    for tally in store.hourly(from, to.plus(Span::from_hours(1)))? {
        let Counter::Offences(kind) = tally.counter else { continue };
        *kinds.entry(kind.name()).or_default() += tally.count;
        let place = usize::try_from((tally.hour.secs() - begin).div_euclid(step)).unwrap_or(usize::MAX);
        if let Some(count) = digest.timeline.get_mut(place) {
            count.count += tally.count;
        }
    }
    digest.offences = kinds.into_iter().collect();
    let mut networks: BTreeMap<String, u64> = BTreeMap::new();
    let mut bans = 0;
    store.each_ban(&BanFilter { since: Some(from), ..BanFilter::default() }, |past| {
        bans += 1;
        *networks.entry(wider(past.ban.target)).or_default() += 1;
    })?;
    digest.bans = bans;
    digest.networks = networks.into_iter().filter(|(_, bans)| *bans > 1).collect();
    digest.holding = store.active_bans(to)?.len() as u64;
    Ok(())
}

/// The network of a target that stands for its neighbours.
fn wider(target: Network) -> String {
    let prefix = if target.address().is_ipv4() { 24 } else { 48 };
    Network::around(target.address(), target.prefix().min(prefix)).to_string()
}
