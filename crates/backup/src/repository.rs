//! A repository: made, opened, listed, checked.

use std::fmt::Debug;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use rustic_core::repofile::{SnapshotFile, SnapshotId};
use rustic_core::{
    CheckOptions, ConfigOptions, Credentials, IndexedFullStatus, KeyOptions, OpenStatus, RepairIndexOptions,
    RepositoryBackends, RepositoryOptions, RusticResult,
};

use crate::target::Directory;
use crate::{BackupError, Key, Meter};

/// A repository that was opened with its key.
#[derive(Debug)]
pub struct Repository {
    place: PathBuf,
    directory: Arc<Directory>,
    inner: rustic_core::Repository<OpenStatus>,
    meter: Meter,
}

/// A snapshot with everything in it at hand.
pub(crate) type Indexed = rustic_core::Repository<IndexedFullStatus>;

/// What was saved at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// 64 hexadecimal digits; eight of them are enough to name it.
    pub id: String,
    /// When, in microseconds since 1970.
    pub taken: i64,
    /// The host's name.
    pub host: String,
    /// What was saved.
    pub paths: Vec<PathBuf>,
    /// How many files it holds.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// How many bytes the repository grew.
    pub added: u64,
}

impl Snapshot {
    pub(crate) fn of(file: &SnapshotFile) -> Self {
        let summary = file.summary.as_ref();
        let count =
            |of: fn(&rustic_core::repofile::SnapshotSummary) -> u64| summary.map(of).unwrap_or_default();
        Self {
            id: file.id.to_hex().to_string(),
            taken: file.time.timestamp().as_microsecond(),
            host: file.hostname.clone(),
            paths: file.paths.iter().map(PathBuf::from).collect(),
            files: count(|summary| summary.total_files_processed),
            bytes: count(|summary| summary.total_bytes_processed),
            added: count(|summary| summary.data_added_packed),
        }
    }
}

impl Repository {
    /// Opens the repository at a place; `limit` is in bytes per second.
    ///
    /// # Errors
    /// When there is none, or the key is not its own.
    pub fn open(place: &Path, key: &Key, limit: Option<u64>, meter: &Meter) -> Result<Self, BackupError> {
        let directory = Arc::new(Directory::open(place, limit)?);
        if !directory.is_repository() {
            return Err(BackupError::Missing { place: place.to_path_buf() });
        }
        Self::with(place, directory, |repository| repository.open(&Credentials::password(key.text())), meter)
            .map_err(|error| match error {
                Opening::Refused(error) if error.is_incorrect_password() => {
                    BackupError::WrongKey { key: key.path().to_path_buf(), place: place.to_path_buf() }
                }
                Opening::Refused(error) => BackupError::damaged(place, &error),
                Opening::Failed(error) => error,
            })
    }

    /// Makes a repository in an empty directory, or in one that is not there yet. Killed while it does, it begins anew the next time.
    ///
    /// # Errors
    /// When something else is there, or it cannot be written.
    pub fn create(place: &Path, key: &Key, meter: &Meter) -> Result<Self, BackupError> {
        let failed = |source| BackupError::of_io("make", place, source);
        if !place.exists() {
            // Not its parents: where a disk is not mounted, a repository in the mount point is none on that disk.
            std::fs::create_dir(place).map_err(failed)?;
        }
        let directory = Arc::new(Directory::open(place, None)?);
        if directory.is_repository() || !directory.is_unused() {
            return Err(BackupError::Occupied { place: place.to_path_buf() });
        }
        directory.clear_keys().map_err(failed)?;
        std::fs::set_permissions(place, std::fs::Permissions::from_mode(0o700)).map_err(failed)?;
        Self::with(
            place,
            directory,
            |repository| {
                repository.init(
                    &Credentials::password(key.text()),
                    &KeyOptions::default(),
                    &ConfigOptions::default(),
                )
            },
            meter,
        )
        .map_err(|error| match error {
            Opening::Refused(error) => BackupError::damaged(place, &error),
            Opening::Failed(error) => error,
        })
    }

    fn with(
        place: &Path,
        directory: Arc<Directory>,
        begin: impl FnOnce(rustic_core::Repository<()>) -> RusticResult<rustic_core::Repository<OpenStatus>>
        + Send,
        meter: &Meter,
    ) -> Result<Self, Opening> {
        let opened = guarded(|| unopened(&directory, meter).and_then(begin))?;
        match opened {
            Ok(inner) => Ok(Self { place: place.to_path_buf(), directory, inner, meter: meter.clone() }),
            Err(error) => Err(directory.trouble().map_or(Opening::Refused(error), Opening::Failed)),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// What tells it from every other one.
    #[must_use]
    pub fn id(&self) -> String {
        self.inner.config().id.to_hex().to_string()
    }

    /// All snapshots, the oldest first.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn snapshots(&self) -> Result<Vec<Snapshot>, BackupError> {
        Ok(self.files()?.iter().map(Snapshot::of).collect())
    }

    /// The snapshot that is named by the first digits of its id, or `latest`.
    ///
    /// # Errors
    /// When there is none, or there are several.
    pub fn snapshot(&self, name: &str) -> Result<Snapshot, BackupError> {
        let mut found = self.snapshots()?;
        if name != "latest" {
            found.retain(|snapshot| !name.is_empty() && snapshot.id.starts_with(name));
            if found.len() > 1 {
                found.clear();
            }
        }
        found
            .pop()
            .ok_or_else(|| BackupError::NoSnapshot { name: name.to_owned(), place: self.place.clone() })
    }

    /// What is wrong with it; with `data`, every byte is read. Nothing found is nothing wrong.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn check(&self, data: bool) -> Result<Vec<String>, BackupError> {
        let options = CheckOptions::default().read_data(data);
        let results = self.ask(|inner| inner.check(options))?;
        // What is merely more than needed (a pack that nobody names, an index entry twice) is waste, and `forget` removes it.
        let wrong = results.0.iter().filter(|(level, _)| format!("{level:?}") == "Error");
        Ok(wrong.map(|(_, error)| one_line(&error.to_string())).collect())
    }

    pub(crate) fn files(&self) -> Result<Vec<SnapshotFile>, BackupError> {
        let mut files = self.ask(rustic_core::Repository::get_all_snapshots)?;
        files.sort_by(|a, b| a.time.cmp(&b.time));
        Ok(files)
    }

    pub(crate) fn file(&self, id: &str) -> Result<SnapshotFile, BackupError> {
        let found = self.files()?.into_iter().find(|file| &*file.id.to_hex() == id);
        found.ok_or_else(|| BackupError::NoSnapshot { name: id.to_owned(), place: self.place.clone() })
    }

    pub(crate) fn remove(&self, ids: &[SnapshotId]) -> Result<(), BackupError> {
        self.ask(|inner| inner.delete_snapshots(ids))
    }

    /// The repository once more, for what takes it as a whole. The master key is known by now, so that this costs nothing.
    pub(crate) fn again(&self) -> RusticResult<rustic_core::Repository<OpenStatus>> {
        unopened(&self.directory, &self.meter)?.open(&Credentials::Masterkey(self.inner.key()))
    }

    pub(crate) fn indexed(&self) -> Result<Indexed, BackupError> {
        self.ask(|_| self.again()?.to_indexed())
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Makes the index say what is really there: a killed run leaves whole packs that it does not name, and packs may have been lost.
    pub(crate) fn mend_index(&self) -> Result<(), BackupError> {
        self.ask(|inner| inner.repair_index(&RepairIndexOptions::default(), false))
    }

    /// Asks `rustic_core`; what went wrong with the target is told rather than what became of that.
    pub(crate) fn ask<T: Send>(
        &self,
        question: impl FnOnce(&rustic_core::Repository<OpenStatus>) -> RusticResult<T> + Send,
    ) -> Result<T, BackupError> {
        let answer = guarded(|| question(&self.inner));
        self.judge(answer)
    }

    /// The same of an answer that is there already.
    pub(crate) fn judge<T>(&self, answer: Result<RusticResult<T>, BackupError>) -> Result<T, BackupError> {
        if let Some(trouble) = self.directory.trouble() {
            return Err(trouble);
        }
        answer?.map_err(|error| BackupError::damaged(&self.place, &error))
    }
}

fn unopened(directory: &Arc<Directory>, meter: &Meter) -> RusticResult<rustic_core::Repository<()>> {
    let backends = RepositoryBackends::new(directory.clone(), None);
    // What is on a disk needs no second copy of its index in a cache, which would have to be protected and cleaned as well.
    let options = RepositoryOptions::default().no_cache(true);
    rustic_core::Repository::new_with_progress(&options, &backends, meter.clone())
}

/// Why a repository did not open.
enum Opening {
    Refused(Box<rustic_core::RusticError>),
    Failed(BackupError),
}

impl From<BackupError> for Opening {
    fn from(error: BackupError) -> Self {
        Self::Failed(error)
    }
}

/// Lets `rustic_core` work where its panics end nothing else: some of its threads panic on errors of the disk.
pub(crate) fn guarded<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, BackupError> {
    let ended = thread::scope(|scope| scope.spawn(work).join());
    ended.map_err(|panic| {
        let said = panic.downcast_ref::<String>().cloned();
        let said = said.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        BackupError::Unexpected { detail: one_line(&said.unwrap_or_default()) }
    })
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
