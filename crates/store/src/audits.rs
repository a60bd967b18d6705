//! The audits of a host, for the next one to compare with. A database of its own: the daemon holds the other one for itself.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mailward_model::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::StoreError;
use crate::open::make_files;

/// Audits that are kept.
const KEPT: i64 = 100;

/// How long to wait for another audit that is being written.
const PATIENCE: Duration = Duration::from_secs(2);

/// The audits of a host.
#[derive(Debug)]
pub struct Audits {
    path: PathBuf,
    connection: Connection,
}

impl Audits {
    /// Opens them, and makes the file (folder 0700, file 0600) where there is none.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        make_files(path).map_err(|error| StoreError::of_io(&error, "make the history of audits", path))?;
        let open = || {
            let connection = Connection::open(path)?;
            connection.busy_timeout(PATIENCE)?;
            connection.execute_batch(
                "PRAGMA journal_mode = WAL;
                 CREATE TABLE IF NOT EXISTS audit (id INTEGER PRIMARY KEY, taken INTEGER NOT NULL, host TEXT NOT NULL, report TEXT NOT NULL);",
            )?;
            Ok(connection)
        };
        let connection =
            open().map_err(|error| StoreError::of_sqlite(&error, "open the history of audits", path))?;
        Ok(Self { path: path.into(), connection })
    }

    /// The last audit of a host, as it was recorded.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn last(&self, host: &str) -> Result<Option<String>, StoreError> {
        let find = "SELECT report FROM audit WHERE host = ?1 ORDER BY id DESC LIMIT 1";
        let found = self.connection.query_row(find, [host], |row| row.get(0)).optional();
        found.map_err(|error| StoreError::of_sqlite(&error, "read the last audit", &self.path))
    }

    /// Records an audit of a host; of each host the last hundred are kept.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn record(&mut self, taken: Timestamp, host: &str, report: &str) -> Result<(), StoreError> {
        let write = |connection: &mut Connection| {
            let tx = connection.transaction()?;
            tx.execute(
                "INSERT INTO audit (taken, host, report) VALUES (?1, ?2, ?3)",
                params![taken.micros(), host, report],
            )?;
            tx.execute(
                "DELETE FROM audit WHERE host = ?1 AND id NOT IN
                 (SELECT id FROM audit WHERE host = ?1 ORDER BY id DESC LIMIT ?2)",
                params![host, KEPT],
            )?;
            tx.commit()
        };
        write(&mut self.connection)
            .map_err(|error| StoreError::of_sqlite(&error, "record the audit", &self.path))
    }
}
