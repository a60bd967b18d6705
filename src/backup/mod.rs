//! Backups of this server: what is saved, where, and which snapshots are proven. The commands are in `src/cli/backup.rs`.

pub(crate) mod bring;
mod drill;
mod plan;
pub(crate) mod sheet;
pub(crate) mod view;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use mailward_backup::{BackupError, Keep, Key, Meter, Repository, Snapshot};
use mailward_host::lock::Lock;
use mailward_model::Timestamp;
use mailward_store::{Proof, Proofs};

use crate::cli::Usage;
use crate::config::Settings;

pub(crate) use drill::{Trial, drill};
pub(crate) use plan::{Plan, dumps, plan};

/// The backups of this server, as configured.
pub(crate) struct Backups<'a> {
    settings: &'a Settings,
    place: PathBuf,
}

impl<'a> Backups<'a> {
    /// As configured; an error where nothing is.
    pub(crate) fn of(settings: &'a Settings) -> anyhow::Result<Self> {
        match &settings.backup.repository {
            Some(place) => Ok(Self { settings, place: place.clone() }),
            None => Err(Usage(
                "no place for backups is configured: write, in [backup] of mailward.toml, repository = \"/mnt/backup/mailward\", a \
                 directory on another disk or a mounted share; then: mailward backup run"
                    .to_owned(),
            )
            .into()),
        }
    }

    /// The repository, which has to be there.
    pub(crate) fn open(&self, meter: &Meter) -> anyhow::Result<Repository> {
        let key = Key::read(self.key_file())?;
        let limit =
            (self.settings.backup.bandwidth > 0).then(|| self.settings.backup.bandwidth.saturating_mul(1024));
        Ok(Repository::open(&self.place, &key, limit, meter)?)
    }

    /// The repository, made with its key where there is neither. Where there is a key, a repository was there, and what is missing is
    /// its disk: a new one is made if somebody says so. Tells whether it was.
    pub(crate) fn open_or_make(&self, anew: bool, meter: &Meter) -> anyhow::Result<(Repository, bool)> {
        if self.place.join("config").exists() {
            return Ok((self.open(meter)?, false));
        }
        let known = self.key_file().exists();
        // A run that was killed while it made one left this.
        let begun = self.place.join("data").exists();
        if known && !anew && !begun {
            return Err(BackupError::Missing { place: self.place.clone() }.into());
        }
        let key = if known { Key::read(self.key_file())? } else { Key::make(self.key_file())? };
        drop(Repository::create(&self.place, &key, meter)?);
        Ok((self.open(meter)?, true))
    }

    /// Its key file.
    pub(crate) fn key_file(&self) -> &Path {
        &self.settings.backup.key_file
    }

    /// Where it is.
    pub(crate) fn place(&self) -> &Path {
        &self.place
    }

    /// One at a time changes the repository. The kernel lets go of it when the process ends, however it ends.
    pub(crate) fn lock(&self) -> anyhow::Result<Lock> {
        let state = &self.settings.guard.state_directory;
        std::fs::create_dir_all(state)
            .with_context(|| format!("cannot make {}; try as root (sudo)", state.display()))?;
        Ok(Lock::acquire(&state.join("backup.lock"))?)
    }

    /// Copies of databases, and restores on trial: nobody's but ours.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.settings.guard.state_directory.join("backup")
    }

    /// How many of which age are kept.
    pub(crate) fn keep(&self) -> Keep {
        let backup = &self.settings.backup;
        Keep {
            daily: backup.keep_daily,
            weekly: backup.keep_weekly,
            monthly: backup.keep_monthly,
            yearly: backup.keep_yearly,
        }
    }

    /// Where restores go that name no place.
    pub(crate) fn beside(&self, snapshot: &Snapshot) -> PathBuf {
        self.settings.guard.state_directory.join("restored").join(short(&snapshot.id))
    }

    /// All trials of a repository; none is remembered where there was none.
    pub(crate) fn proofs(&self, repository: &str) -> anyhow::Result<Vec<Proof>> {
        let Some(proofs) = Proofs::existing(&self.proofs_file())? else { return Ok(Vec::new()) };
        let mut all = proofs.all()?;
        all.retain(|proof| proof.repository == repository);
        Ok(all)
    }

    /// Remembers a trial.
    pub(crate) fn record(&self, proof: &Proof) -> anyhow::Result<()> {
        Ok(Proofs::open(&self.proofs_file())?.record(proof)?)
    }

    fn proofs_file(&self) -> PathBuf {
        self.settings.guard.state_directory.join(Proofs::FILE)
    }
}

/// When each snapshot was proven last. One whose last trial failed is not.
pub(crate) fn proven(proofs: &[Proof]) -> BTreeMap<String, Timestamp> {
    let mut last = BTreeMap::new();
    for proof in proofs {
        if proof.fine {
            last.insert(proof.snapshot.clone(), proof.taken);
        } else {
            last.remove(&proof.snapshot);
        }
    }
    last
}

/// As much of an id as people use.
pub(crate) fn short(id: &str) -> String {
    id.chars().take(8).collect()
}

/// What this host calls itself.
pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_as_proven_as_its_last_trial_says() {
        let proof = |micros, snapshot: &str, fine| Proof {
            taken: Timestamp::from_micros(micros),
            repository: "one".into(),
            snapshot: snapshot.into(),
            fine,
            report: String::new(),
        };
        let all = [proof(1, "a", true), proof(2, "b", false), proof(3, "a", false), proof(4, "b", true)];
        assert_eq!(proven(&all), BTreeMap::from([("b".to_owned(), Timestamp::from_micros(4))]));
    }
}
