//! Bans: what holds now, what was, how often, and why.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use mailward_model::{Ban, Network, Origin, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, ToSql};

use crate::column::{Address, count, network, range, text, time, time_or_none};
use crate::signals::{evidence, signal};
use crate::{PastOffence, PastSignal, Store, StoreError};

/// A ban as it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastBan {
    /// Its number in the store; a later ban has a higher one.
    pub id: i64,
    /// The ban.
    pub ban: Ban,
    /// How it ended before its time, if it did.
    pub lifted: Option<Lift>,
    /// The number of the signal that it answered.
    pub signal: Option<i64>,
}

impl PastBan {
    /// Whether it holds at `now`.
    #[must_use]
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.ban.is_active(now) && self.lifted.as_ref().is_none_or(|lift| now < lift.time)
    }
}

/// How a ban ended before its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lift {
    /// When.
    pub time: Timestamp,
    /// Who did it.
    pub by: Box<str>,
    /// Why.
    pub why: Box<str>,
}

/// Which bans to list; the default is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BanFilter {
    /// Those that hold at this time.
    pub active_at: Option<Timestamp>,
    /// Those that ended, by themselves or lifted, from the first to the second of these times.
    pub ended: Option<(Timestamp, Timestamp)>,
    /// Those that began at this time or later.
    pub since: Option<Timestamp>,
    /// Those that somebody of this kind asked for.
    pub origin: Option<Origin>,
    /// Those of this rule, tool or operator.
    pub by: Option<Box<str>>,
    /// Those stored before the one of this number: the next page of a list.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: Option<usize>,
}

/// How often rules banned a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// How often.
    pub times: u32,
    /// When the last of these bans began.
    pub last: Option<Timestamp>,
}

/// A ban with its reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The ban.
    pub ban: PastBan,
    /// The signal that it answered.
    pub signal: Option<PastSignal>,
    /// The latest offences that filled the signal's window, latest first, at most 32.
    pub offences: Vec<PastOffence>,
}

impl Store {
    /// What has to be in the firewall: for each target the ban that holds longest, in the order they were stored.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn active_bans(&self, now: Timestamp) -> Result<Vec<Ban>, StoreError> {
        let mut bans: Vec<Ban> = Vec::new();
        let mut places: HashMap<Network, usize> = HashMap::new();
        self.each_ban(&BanFilter { active_at: Some(now), ..BanFilter::default() }, |past| {
            match places.entry(past.ban.target) {
                Entry::Vacant(place) => {
                    place.insert(bans.len());
                    bans.push(past.ban);
                }
                Entry::Occupied(place) => {
                    let known = bans.get_mut(*place.get());
                    // Newest first, so an equal one is older.
                    if let Some(known) = known.filter(|known| end(known) < end(&past.ban)) {
                        *known = past.ban;
                    }
                }
            }
        })?;
        bans.reverse();
        Ok(bans)
    }

    /// Gives `f` the bans of a filter, the newest first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn each_ban(&self, filter: &BanFilter, mut f: impl FnMut(PastBan)) -> Result<(), StoreError> {
        let (sql, values) = filter.query();
        self.read("read the bans", |connection, _| {
            let mut find = connection.prepare_cached(&sql)?;
            let mut rows = find.query(rusqlite::params_from_iter(values))?;
            while let Some(row) = rows.next()? {
                f(past(row)?);
            }
            Ok(())
        })
    }

    /// The bans of a filter, the newest first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn bans(&self, filter: &BanFilter) -> Result<Vec<PastBan>, StoreError> {
        let mut bans = Vec::new();
        self.each_ban(filter, |ban| bans.push(ban))?;
        Ok(bans)
    }

    /// Every ban, old or new, that shares an address with `target`, the newest first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn bans_of(&self, target: Network) -> Result<Vec<PastBan>, StoreError> {
        self.read("read the bans", |connection, _| {
            let mut bans = covering(connection, target)?;
            let (first, last) = range(target);
            let within = format!("SELECT {COLUMNS} FROM ban WHERE address BETWEEN ?1 AND ?2 AND prefix > ?3");
            let mut find = connection.prepare_cached(&within)?;
            for ban in find.query_map((first, last, target.prefix()), past)? {
                bans.push(ban?);
            }
            bans.sort_by_key(|ban| core::cmp::Reverse(ban.id));
            Ok(bans)
        })
    }

    /// How often rules banned `target`, or a network that covers it, since a time.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn standing(&self, target: Network, since: Timestamp) -> Result<Standing, StoreError> {
        let bans = self.read("read the bans", |connection, _| covering(connection, target))?;
        let by_rule =
            bans.iter().map(|past| &past.ban).filter(|ban| ban.origin == Origin::Rule && ban.from >= since);
        Ok(by_rule.fold(Standing::default(), |standing, ban| Standing {
            times: standing.times.saturating_add(1),
            last: standing.last.max(Some(ban.from)),
        }))
    }

    /// A ban with its signal and offences, by its number.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn chain(&self, id: i64) -> Result<Option<Chain>, StoreError> {
        self.read("read a ban's reasons", |connection, codes| {
            let sql = format!("SELECT {COLUMNS} FROM ban WHERE id = ?1");
            let Some(ban) = connection.prepare_cached(&sql)?.query_row([id], past).optional()? else {
                return Ok(None);
            };
            let signal = ban.signal.map_or(Ok(None), |id| signal(connection, id))?;
            let offences = signal
                .as_ref()
                .map_or(Ok(Vec::new()), |signal| evidence(connection, codes, signal, EVIDENCE))?;
            Ok(Some(Chain { ban, signal, offences }))
        })
    }
}

impl BanFilter {
    /// The question and its values. The end of a ban has an index, so what holds is found without what was.
    fn query(&self) -> (String, Vec<Box<dyn ToSql>>) {
        let mut sql = format!("SELECT {COLUMNS} FROM ban WHERE TRUE");
        let mut values: Vec<Box<dyn ToSql>> = Vec::new();
        let mut add = |condition: &str, value: Option<Box<dyn ToSql>>| {
            if let Some(value) = value {
                sql.push_str(condition);
                values.push(value);
            }
        };
        add(
            " AND coalesce(lifted, until, 9223372036854775807) > ?",
            self.active_at.map(|now| Box::new(now.micros()) as _),
        );
        let (after, before) = self.ended.unzip();
        add(
            " AND coalesce(lifted, until, 9223372036854775807) >= ?",
            after.map(|after| Box::new(after.micros()) as _),
        );
        add(
            " AND coalesce(lifted, until, 9223372036854775807) <= ?",
            before.map(|before| Box::new(before.micros()) as _),
        );
        add(" AND since >= ?", self.since.map(|since| Box::new(since.micros()) as _));
        add(" AND origin = ?", self.origin.map(|origin| Box::new(origin.name()) as _));
        add(" AND by = ?", self.by.as_ref().map(|by| Box::new(by.to_string()) as _));
        add(" AND id < ?", self.before.map(|before| Box::new(before) as _));
        let limit = self.limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(-1));
        add(" ORDER BY id DESC LIMIT ?", Some(Box::new(limit)));
        (sql, values)
    }
}

/// Bans of every network that covers `target`, itself included: one look-up for each prefix.
fn covering(connection: &Connection, target: Network) -> rusqlite::Result<Vec<PastBan>> {
    let mut find = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM ban WHERE address = ?1 AND prefix = ?2"))?;
    let mut bans = Vec::new();
    for prefix in 0..=target.prefix() {
        let network = Network::around(target.address(), prefix);
        for ban in find.query_map((Address::of(network.address()), prefix), past)? {
            bans.push(ban?);
        }
    }
    Ok(bans)
}

fn past(row: &Row<'_>) -> rusqlite::Result<PastBan> {
    let lifted = match time_or_none(row, 9)? {
        Some(time) => Some(Lift { time, by: text(row, 10)?, why: text(row, 11)? }),
        None => None,
    };
    let ban = Ban {
        target: network(row, 1)?,
        from: time(row, 3)?,
        until: time_or_none(row, 4)?,
        // A kind that only another version knows is no person.
        origin: Origin::from_name(row.get_ref(5)?.as_str()?).unwrap_or(Origin::Rule),
        by: text(row, 6)?,
        step: count(row, 7)?,
        reason: text(row, 8)?,
    };
    Ok(PastBan { id: row.get(0)?, ban, lifted, signal: row.get(12)? })
}

/// A ban without an end is the longest.
fn end(ban: &Ban) -> i64 {
    ban.until.map_or(i64::MAX, Timestamp::micros)
}

/// How many offences explain a ban.
const EVIDENCE: usize = 32;

const COLUMNS: &str =
    "id, address, prefix, since, until, origin, by, step, reason, lifted, lifted_by, lifted_why, signal";
