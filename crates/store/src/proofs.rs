//! Trial restores: which snapshots of backups were proven, when, and how. A database of its own, as the audits have one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mailward_model::Timestamp;
use rusqlite::{Connection, OpenFlags, params};

use crate::StoreError;
use crate::open::make_files;

/// How long to wait for another trial that is being written.
const PATIENCE: Duration = Duration::from_secs(2);

/// Trials of one repository that are kept.
const KEPT: i64 = 1000;

/// A snapshot that was restored on trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// When.
    pub taken: Timestamp,
    /// Which repository, by its id.
    pub repository: String,
    /// Which snapshot, by its id.
    pub snapshot: String,
    /// Whether everything was as it had been saved.
    pub fine: bool,
    /// What was tried and found, as a document.
    pub report: String,
}

/// All trials.
#[derive(Debug)]
pub struct Proofs {
    path: PathBuf,
    connection: Connection,
}

impl Proofs {
    /// What the file is called in the state directory.
    pub const FILE: &str = "backup.db";

    /// Opens them, and makes the file (folder 0700, file 0600) where there is none.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        make_files(path)
            .map_err(|error| StoreError::of_io(&error, "make the record of trial restores", path))?;
        let open = || {
            let connection = Connection::open(path)?;
            connection.busy_timeout(PATIENCE)?;
            connection.execute_batch(
                "PRAGMA journal_mode = WAL;
                 CREATE TABLE IF NOT EXISTS proof (id INTEGER PRIMARY KEY, taken INTEGER NOT NULL, repository TEXT NOT NULL,
                 snapshot TEXT NOT NULL, fine INTEGER NOT NULL, report TEXT NOT NULL);",
            )?;
            Ok(connection)
        };
        let connection = open()
            .map_err(|error| StoreError::of_sqlite(&error, "open the record of trial restores", path))?;
        Ok(Self { path: path.into(), connection })
    }

    /// Opens them for reading, if there are any.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn existing(path: &Path) -> Result<Option<Self>, StoreError> {
        if !path.exists() {
            return Ok(None);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = || {
            let connection = Connection::open_with_flags(path, flags)?;
            connection.busy_timeout(PATIENCE)?;
            Ok(connection)
        };
        let connection = open()
            .map_err(|error| StoreError::of_sqlite(&error, "open the record of trial restores", path))?;
        Ok(Some(Self { path: path.into(), connection }))
    }

    /// All of them, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn all(&self) -> Result<Vec<Proof>, StoreError> {
        let read = || {
            let find = "SELECT taken, repository, snapshot, fine, report FROM proof ORDER BY id";
            let mut statement = self.connection.prepare(find)?;
            let rows = statement.query_map([], |row| {
                Ok(Proof {
                    taken: Timestamp::from_micros(row.get(0)?),
                    repository: row.get(1)?,
                    snapshot: row.get(2)?,
                    fine: row.get(3)?,
                    report: row.get(4)?,
                })
            })?;
            rows.collect::<Result<Vec<_>, _>>()
        };
        read().map_err(|error| StoreError::of_sqlite(&error, "read the trial restores", &self.path))
    }

    /// Records one. What is told of it afterwards is on the disk.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn record(&mut self, proof: &Proof) -> Result<(), StoreError> {
        let write = |connection: &mut Connection| {
            let tx = connection.transaction()?;
            tx.execute(
                "INSERT INTO proof (taken, repository, snapshot, fine, report) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![proof.taken.micros(), proof.repository, proof.snapshot, proof.fine, proof.report],
            )?;
            tx.execute(
                "DELETE FROM proof WHERE repository = ?1 AND id NOT IN
                 (SELECT id FROM proof WHERE repository = ?1 ORDER BY id DESC LIMIT ?2)",
                params![proof.repository, KEPT],
            )?;
            tx.commit()
        };
        write(&mut self.connection)
            .map_err(|error| StoreError::of_sqlite(&error, "record the trial restore", &self.path))
    }
}
