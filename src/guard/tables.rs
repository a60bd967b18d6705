//! Files that the gate judges by and others write: the database of places, tables of who owns which address. They are read again when
//! they change. One that cannot be read refuses nobody, and `mailward status` says so.

use std::path::PathBuf;
use std::time::{Instant, SystemTime};

use anyhow::Context as _;
use mailward_decide::policy::Owners;
use mailward_gate::{Geo, GeoError, State};
use mailward_model::{Span, Timestamp};

use crate::config::Settings;

/// How often it is looked whether they changed, in seconds.
const OFTEN: u64 = 60;

/// Where they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tables {
    geo: Option<PathBuf>,
    owners: Vec<PathBuf>,
}

impl Tables {
    pub(crate) fn of(settings: &Settings) -> Self {
        Self { geo: settings.geoip.database.clone(), owners: settings.policy.owners.clone() }
    }

    /// Where addresses are; nothing is known where there is no database.
    pub(crate) fn geo(&self, now: Timestamp) -> Result<Geo, GeoError> {
        self.geo.as_ref().map_or_else(|| Ok(Geo::default()), |path| Geo::open(path, now))
    }

    /// Who owns which address. A table that is missing would make strangers of owners: then nobody knows.
    pub(crate) fn owners(&self) -> anyhow::Result<Owners> {
        let mut owners = Owners::default();
        for path in &self.owners {
            let table = std::fs::read_to_string(path).with_context(|| {
                let path = path.display();
                format!("cannot read {path} ([policy] owners); senders do not count until it is there")
            })?;
            owners.add(&table);
        }
        Ok(owners)
    }

    /// Changes when one of them does, and once a day, because a database grows old.
    fn stamp(&self, now: Timestamp) -> Stamp {
        let of = |path: &PathBuf| {
            let known = std::fs::metadata(path).ok()?;
            Some((known.modified().ok()?, known.len()))
        };
        let day = now.since(Timestamp::from_secs(0)).micros() / Span::from_days(1).micros();
        Stamp { files: self.geo.iter().chain(&self.owners).map(of).collect(), day }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    files: Vec<Option<(SystemTime, u64)>>,
    day: u64,
}

/// What was read of them last.
#[derive(Debug, Default)]
pub(super) struct Reading {
    stamp: Option<(Tables, Stamp)>,
    looked: Option<Instant>,
    troubles: Vec<String>,
}

impl Reading {
    /// Reads what changed; gives what is to be done to the gate's state then.
    pub(super) fn renewed(
        &mut self,
        tables: &Tables,
        now: Timestamp,
    ) -> Option<impl FnOnce(&mut State) + use<>> {
        let is_other = self.stamp.as_ref().is_none_or(|(known, _)| known != tables);
        if !is_other && self.looked.is_some_and(|looked| looked.elapsed().as_secs() < OFTEN) {
            return None;
        }
        self.looked = Some(Instant::now());
        let stamp = Some((tables.clone(), tables.stamp(now)));
        if self.stamp == stamp {
            return None;
        }
        self.stamp = stamp;
        self.troubles.clear();
        let geo = tables.geo(now).unwrap_or_else(|error| self.note(&error));
        let owners = tables.owners().unwrap_or_else(|error| self.note(&error));
        Some(move |state: &mut State| {
            state.geo = geo;
            state.policy.set_owners(owners);
        })
    }

    /// What could not be read.
    pub(super) fn troubles(&self) -> &[String] {
        &self.troubles
    }

    fn note<T: Default>(&mut self, error: &impl ToString) -> T {
        self.troubles.push(error.to_string());
        T::default()
    }
}
