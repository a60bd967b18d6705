//! What tasks did, and what they want to know the next time. A database of its own: commands run tasks beside the daemon, which holds
//! the other one for itself.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mailward_model::{Span, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::StoreError;
use crate::column::{span, time};
use crate::open::make_files;

/// Runs of a task that are kept.
const KEPT: i64 = 500;

/// How long to wait for another task that is writing.
const PATIENCE: Duration = Duration::from_secs(5);

const TABLES: &str = "
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS run (
    id INTEGER PRIMARY KEY, task TEXT NOT NULL, begun INTEGER NOT NULL, took INTEGER NOT NULL, outcome TEXT NOT NULL, text TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS run_task ON run (task, id);
CREATE TABLE IF NOT EXISTS memory (task TEXT PRIMARY KEY, memory TEXT NOT NULL) WITHOUT ROWID;
";

/// What tasks did.
#[derive(Debug)]
pub struct Tasks {
    path: PathBuf,
    connection: Connection,
}

/// A run of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The task's name.
    pub task: String,
    /// When it began.
    pub begun: Timestamp,
    /// How long it took.
    pub took: Span,
    /// How it ended, as the caller names it.
    pub outcome: String,
    /// What it said.
    pub text: String,
}

impl Tasks {
    /// Opens them, and makes the file (folder 0700, file 0600) where there is none.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        make_files(path).map_err(|error| StoreError::of_io(&error, "make the record of tasks", path))?;
        let open = || {
            let connection = Connection::open(path)?;
            connection.busy_timeout(PATIENCE)?;
            connection.execute_batch(TABLES)?;
            Ok(connection)
        };
        let connection =
            open().map_err(|error| StoreError::of_sqlite(&error, "open the record of tasks", path))?;
        Ok(Self { path: path.into(), connection })
    }

    /// Records that a task begins; what it is until somebody says how it ended is `outcome`.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn begin(&mut self, task: &str, begun: Timestamp, outcome: &str) -> Result<i64, StoreError> {
        let write = |connection: &mut Connection| {
            let tx = connection.transaction()?;
            tx.execute(
                "INSERT INTO run (task, begun, took, outcome, text) VALUES (?1, ?2, 0, ?3, '')",
                params![task, begun.micros(), outcome],
            )?;
            let id = tx.last_insert_rowid();
            tx.execute(
                "DELETE FROM run WHERE task = ?1 AND id NOT IN
                 (SELECT id FROM run WHERE task = ?1 ORDER BY id DESC LIMIT ?2)",
                params![task, KEPT],
            )?;
            tx.commit()?;
            Ok(id)
        };
        write(&mut self.connection).map_err(|error| self.failed(&error, "record the task"))
    }

    /// Records how a task ended, and what it wants to know the next time; nothing leaves that as it is.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn end(&mut self, id: i64, run: &Run, memory: Option<&str>) -> Result<(), StoreError> {
        let write = |connection: &mut Connection| {
            let tx = connection.transaction()?;
            let took = i64::try_from(run.took.micros()).unwrap_or(i64::MAX);
            tx.execute(
                "UPDATE run SET took = ?2, outcome = ?3, text = ?4 WHERE id = ?1",
                params![id, took, run.outcome, run.text],
            )?;
            if let Some(memory) = memory {
                tx.execute("INSERT OR REPLACE INTO memory VALUES (?1, ?2)", params![run.task, memory])?;
            }
            tx.commit()
        };
        write(&mut self.connection).map_err(|error| self.failed(&error, "record the task"))
    }

    /// What a task wanted to know the next time.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn memory(&self, task: &str) -> Result<Option<String>, StoreError> {
        let find = "SELECT memory FROM memory WHERE task = ?1";
        let found = self.connection.query_row(find, [task], |row| row.get(0)).optional();
        found.map_err(|error| self.failed(&error, "read what a task remembers"))
    }

    /// The latest runs of a task, or of all of them, latest first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn runs(&self, task: Option<&str>, limit: usize) -> Result<Vec<Run>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let read = || {
            let mut find = self.connection.prepare(
                "SELECT task, begun, took, outcome, text FROM run WHERE ?1 IS NULL OR task = ?1 ORDER BY begun DESC, id DESC LIMIT ?2",
            )?;
            let rows = find.query_map(params![task, limit], run)?;
            rows.collect::<rusqlite::Result<Vec<Run>>>()
        };
        read().map_err(|error| self.failed(&error, "read the record of tasks"))
    }

    fn failed(&self, error: &rusqlite::Error, doing: &'static str) -> StoreError {
        StoreError::of_sqlite(error, doing, &self.path)
    }
}

fn run(row: &Row<'_>) -> rusqlite::Result<Run> {
    Ok(Run {
        task: row.get(0)?,
        begun: time(row, 1)?,
        took: span(row, 2)?,
        outcome: row.get(3)?,
        text: row.get(4)?,
    })
}
