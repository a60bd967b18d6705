//! Which snapshots are kept, and how the space of the others comes free.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use rustic_core::PruneOptions;
use rustic_core::repofile::SnapshotFile;

use crate::capture::LABEL;
use crate::{BackupError, Repository, Snapshot};

/// As long as any run takes, and some more.
pub const GRACE: Duration = Duration::from_secs(23 * 3600);

/// How many snapshots are kept, the newest of each day, week, month and year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Days.
    pub daily: u32,
    /// Weeks.
    pub weekly: u32,
    /// Months.
    pub monthly: u32,
    /// Years.
    pub yearly: u32,
}

/// What would be, or was, forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Those that stay, each with what it is kept as.
    pub kept: Vec<(Snapshot, Vec<&'static str>)>,
    /// Those that go.
    pub forgotten: Vec<Snapshot>,
}

impl Keep {
    /// What stays of the snapshots of a host, the oldest first. Only those that are `proven` count; what is newer than the newest proven
    /// one stays in any case.
    ///
    /// # Errors
    /// When the newest is unproven: what is forgotten might be the last that is whole.
    pub fn choose(
        self,
        snapshots: &[Snapshot],
        proven: &BTreeSet<String>,
        zone: &TimeZone,
    ) -> Result<Kept, BackupError> {
        let Some(newest) = snapshots.last() else { return Ok(Kept::default()) };
        if !proven.contains(&newest.id) {
            let id: String = newest.id.chars().take(8).collect();
            return Err(BackupError::Unproven {
                why: format!("the newest snapshot, {id}, was never restored on trial"),
            });
        }
        let mut periods = self.periods();
        let mut chosen = Kept::default();
        for snapshot in snapshots.iter().rev() {
            let time = Timestamp::from_microsecond(snapshot.taken).unwrap_or_default().to_zoned(zone.clone());
            let counts = proven.contains(&snapshot.id);
            let kept: Vec<&'static str> = periods
                .iter_mut()
                .filter_map(|period| (counts && period.takes(&time)).then_some(period.name))
                .collect();
            if kept.is_empty() {
                chosen.forgotten.push(snapshot.clone());
            } else {
                chosen.kept.push((snapshot.clone(), kept));
            }
        }
        chosen.kept.reverse();
        chosen.forgotten.reverse();
        Ok(chosen)
    }

    fn periods(self) -> [Period; 5] {
        let period = |name, left, of| Period { name, left, of, last: None };
        [
            // Whatever the numbers are, the newest one stays.
            period("newest", 1, |_| (0, 0)),
            period("daily", self.daily, |time| (time.year(), time.day_of_year())),
            period("weekly", self.weekly, |time| {
                let week = time.date().iso_week_date();
                (week.year(), i16::from(week.week()))
            }),
            period("monthly", self.monthly, |time| (time.year(), i16::from(time.month()))),
            period("yearly", self.yearly, |time| (time.year(), 0)),
        ]
    }
}

/// Days, weeks, months or years that are counted from the newest back.
struct Period {
    name: &'static str,
    left: u32,
    of: fn(&jiff::Zoned) -> (i16, i16),
    last: Option<(i16, i16)>,
}

impl Period {
    /// Whether the snapshot of that time is the newest of its period, and one of those that are kept.
    fn takes(&mut self, time: &jiff::Zoned) -> bool {
        let of = (self.of)(time);
        if self.left == 0 || self.last == Some(of) {
            return false;
        }
        self.last = Some(of);
        self.left -= 1;
        true
    }
}

impl Repository {
    /// The snapshots that this product made of a host, the oldest first: others in the repository are somebody else's.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn snapshots_of(&self, host: &str) -> Result<Vec<Snapshot>, BackupError> {
        let is_ours = |file: &&SnapshotFile| file.label == LABEL && file.hostname == host;
        Ok(self.files()?.iter().filter(is_ours).map(Snapshot::of).collect())
    }

    /// Forgets snapshots, and removes what no other one needs: first it is marked, and what was marked for `grace` is removed, so that
    /// whoever saves into the repository at the same moment loses nothing.
    ///
    /// # Errors
    /// When restic is at work there, or it cannot be written.
    pub fn forget(&self, snapshots: &[Snapshot], grace: Duration) -> Result<(), BackupError> {
        if self.directory().is_locked_by_restic() {
            return Err(BackupError::Locked { place: self.place().to_path_buf() });
        }
        self.directory().sweep();
        let files = self.files()?;
        let goes = |file: &&SnapshotFile| snapshots.iter().any(|snapshot| snapshot.id == *file.id.to_hex());
        let ids: Vec<_> = files.iter().filter(goes).map(|file| file.id).collect();
        if !ids.is_empty() {
            self.remove(&ids)?;
        }
        self.mend_index()?;
        let seconds = i64::try_from(grace.as_secs()).unwrap_or(i64::MAX / 1000);
        let options = PruneOptions::default().keep_delete(Span::new().seconds(seconds));
        let plan = self.ask(|inner| inner.prune_plan(&options))?;
        self.ask(|inner| inner.prune(&options, plan))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(day: i64) -> Snapshot {
        let taken = (day * 86_400 + 3 * 3600) * 1_000_000;
        Snapshot {
            id: format!("{day:064}"),
            taken,
            host: String::new(),
            paths: Vec::new(),
            files: 0,
            bytes: 0,
            added: 0,
        }
    }

    fn check(keep: Keep, days: &[i64], proven: &[i64], kept: &[i64]) {
        let all: Vec<Snapshot> = days.iter().map(|day| snapshot(*day)).collect();
        let proven = proven.iter().map(|day| snapshot(*day).id).collect();
        let chosen = keep.choose(&all, &proven, &TimeZone::UTC).unwrap();
        let ids: Vec<Snapshot> = chosen.kept.into_iter().map(|(snapshot, _)| snapshot).collect();
        assert_eq!(ids, kept.iter().map(|day| snapshot(*day)).collect::<Vec<_>>());
        assert_eq!(chosen.forgotten.len() + kept.len(), days.len());
    }

    const DAYS: Keep = Keep { daily: 2, weekly: 0, monthly: 0, yearly: 0 };

    #[test]
    fn only_proven_snapshots_count() {
        check(DAYS, &[1, 2, 3, 4], &[1, 2, 3, 4], &[3, 4]);
        check(DAYS, &[1, 2, 3, 4], &[1, 2, 4], &[2, 4]);
        check(DAYS, &[1, 2, 3, 4], &[4], &[4]);
        check(Keep { daily: 0, ..DAYS }, &[1, 2], &[1, 2], &[2]);
        // 1970-01-01 was a Thursday: days 4 and 11 begin weeks.
        check(
            Keep { daily: 1, weekly: 3, ..DAYS },
            &[1, 2, 5, 6, 12, 13],
            &[1, 2, 5, 6, 12, 13],
            &[2, 6, 13],
        );
        check(
            Keep { daily: 0, monthly: 2, yearly: 2, ..DAYS },
            &[1, 40, 400, 401],
            &[1, 40, 400, 401],
            &[40, 401],
        );
    }

    #[test]
    fn nothing_goes_while_the_newest_is_unproven() {
        let all = [snapshot(1), snapshot(2)];
        let proven = BTreeSet::from([all[0].id.clone()]);
        assert!(matches!(DAYS.choose(&all, &proven, &TimeZone::UTC), Err(BackupError::Unproven { .. })));
        assert_eq!(DAYS.choose(&[], &proven, &TimeZone::UTC).unwrap(), Kept::default());
    }
}
