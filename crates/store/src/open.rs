//! Opening the database, and the one way to read and write it.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::codes::Codes;
use crate::schema::{APPLICATION, STEPS, migrate, newest, number};
use crate::{StoreError, health};

/// The store. It may move to another thread; each thread that reads opens its own, see [`Store::open_read_only`].
pub struct Store {
    path: PathBuf,
    connection: Connection,
    codes: Codes,
    syncing: bool,
    /// Device and inode of the file that was opened.
    file: (u64, u64),
    /// Held for life: one process writes. Not on the database itself, because closing a file drops every POSIX lock that
    /// the process has on it, and SQLite's are of that kind.
    lock: Option<Lock>,
}

struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough: a process that is just being started may hold a copy until its exec.
        let _ = self.0.unlock();
    }
}

impl core::fmt::Debug for Store {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Store").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store to read and write, and makes it (folder 0700, file 0600) where there is none. An older schema is
    /// brought to the newest. Tables that the firewall depends on are checked; [`Store::check`] looks at all.
    ///
    /// # Errors
    /// [`StoreError`]; among them another process that writes, a newer schema, a damaged file.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        make_files(path).map_err(|error| StoreError::of_io(&error, "make the store", path))?;
        let lock = lock(path)?;
        let (connection, codes) = open_to_write(path)?;
        Ok(Self {
            path: path.into(),
            connection,
            codes,
            syncing: false,
            file: identity(path),
            lock: Some(lock),
        })
    }

    /// Opens an existing store to read, beside the process that writes.
    ///
    /// # Errors
    /// [`StoreError`]; among them that there is none yet.
    pub fn open_read_only(path: &Path) -> Result<Self, StoreError> {
        let failed = |error| StoreError::of_sqlite(&error, "open the store", path);
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(failed)?;
        let known = newest(STEPS);
        let found = version(&connection, path)?;
        if found < known {
            return Err(StoreError::Older { path: path.into(), found, known });
        }
        let codes = Codes::load(&connection, false).map_err(failed)?;
        Ok(Self { path: path.into(), connection, codes, syncing: false, file: identity(path), lock: None })
    }

    /// Opens the same file again, after it was mended or replaced.
    ///
    /// # Errors
    /// As [`Store::open`]; the old connection stays in place then.
    pub fn reopen(&mut self) -> Result<(), StoreError> {
        let path = self.path.clone();
        make_files(&path).map_err(|error| StoreError::of_io(&error, "make the store", &path))?;
        if self.lock.is_none() {
            self.lock = Some(lock(&path)?);
        }
        (self.connection, self.codes) = open_to_write(&path)?;
        self.syncing = false;
        self.file = identity(&path);
        Ok(())
    }

    /// Moves a damaged store out of the way, so that [`Store::open`] begins a new one; tells where it is now.
    ///
    /// # Errors
    /// [`StoreError`]; among them another process that writes to it.
    pub fn set_aside(path: &Path) -> Result<PathBuf, StoreError> {
        let _lock = lock(path)?;
        let failed = |error: io::Error| StoreError::of_io(&error, "set the damaged store aside", path);
        let aside = (1..)
            .map(|n: u32| with_suffix(path, &format!(".damaged-{n}")))
            .find(|aside| !aside.exists())
            .unwrap_or_else(|| with_suffix(path, ".damaged"));
        std::fs::rename(path, &aside).map_err(failed)?;
        for suffix in ["-wal", "-shm"] {
            match std::fs::rename(with_suffix(path, suffix), with_suffix(&aside, suffix)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
                _ => {}
            }
        }
        Ok(aside)
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// SQLite goes on with a file that has no name any more.
    pub(crate) fn is_in_place(&self) -> Result<(), StoreError> {
        let in_place = identity(&self.path) == self.file;
        in_place.then_some(()).ok_or_else(|| StoreError::Replaced { path: self.path.clone() })
    }

    /// Runs a question.
    pub(crate) fn read<T>(
        &self,
        doing: &'static str,
        run: impl FnOnce(&Connection, &Codes) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        run(&self.connection, &self.codes).map_err(|error| StoreError::of_sqlite(&error, doing, &self.path))
    }

    /// Runs a change.
    pub(crate) fn write<T>(
        &mut self,
        doing: &'static str,
        run: impl FnOnce(&mut Connection, &Codes) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        run(&mut self.connection, &self.codes)
            .map_err(|error| StoreError::of_sqlite(&error, doing, &self.path))
    }

    /// Whether the next commits wait for the disk.
    pub(crate) fn sync_commits(&mut self, sync: bool) -> Result<(), StoreError> {
        if self.syncing != sync {
            let level = if sync { "FULL" } else { "NORMAL" };
            self.write("set how commits are synced", |connection, _| {
                connection.pragma_update(None, "synchronous", level)
            })?;
            self.syncing = sync;
        }
        Ok(())
    }
}

/// Zeros for none.
fn identity(path: &Path) -> (u64, u64) {
    path.metadata().map_or((0, 0), |found| (found.dev(), found.ino()))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

pub(crate) fn make_files(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    // SQLite gives its -wal and -shm the mode of the database. An existing file keeps the mode its owner chose.
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn lock(path: &Path) -> Result<Lock, StoreError> {
    let failed = |error: io::Error| StoreError::of_io(&error, "lock the store", path);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(with_suffix(path, "-lock"))
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: path.into() }),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Only for who holds the lock.
fn open_to_write(path: &Path) -> Result<(Connection, Codes), StoreError> {
    let failed = |error| StoreError::of_sqlite(&error, "open the store", path);
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?;
    let found = version(&connection, path)?;
    prepare(&mut connection, found).map_err(failed)?;
    if let Some(detail) = health::quick(&connection, health::VITAL).map_err(failed)? {
        return Err(StoreError::Corrupt { doing: "open the store", path: path.into(), detail });
    }
    let codes = codes(&mut connection).map_err(failed)?;
    Ok((connection, codes))
}

fn connect(path: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.execute_batch(SETTINGS)?;
    Ok(connection)
}

/// The schema of the file, 0 for an empty one; refuses what is not ours or newer than we are.
fn version(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let failed = |error| StoreError::of_sqlite(&error, "open the store", path);
    let found = number(connection, "user_version").map_err(failed)?;
    let application = number(connection, "application_id").map_err(failed)?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(failed)?;
    let known = newest(STEPS);
    match (application, tables) {
        (APPLICATION, _) if found > known => Err(StoreError::Newer { path: path.into(), found, known }),
        (APPLICATION, _) => Ok(found),
        (0, 0) => Ok(0),
        _ => Err(StoreError::Foreign { path: path.into() }),
    }
}

fn prepare(connection: &mut Connection, found: i64) -> rusqlite::Result<()> {
    if found == 0 {
        // Only before the first table.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    if found < newest(STEPS) {
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        migrate(&tx, found, STEPS)?;
        tx.commit()?;
    }
    Ok(())
}

fn codes(connection: &mut Connection) -> rusqlite::Result<Codes> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let codes = Codes::load(&tx, true)?;
    tx.commit()?;
    Ok(codes)
}

/// How long to wait for another process, such as an sqlite3 shell, to let go.
const PATIENCE: Duration = Duration::from_secs(1);

/// More than there are different statements.
const STATEMENTS: usize = 64;

/// A cache of 2 MB and no memory map keep the daemon small; what is deleted is overwritten where that costs nothing. The
/// WAL may grow to 8 MB (2048 pages) before a commit has to move it into the database: pages that change again and again are moved
/// once then, and [`Store::retain`] mostly comes first.
const SETTINGS: &str = "
PRAGMA cache_size = -2000;
PRAGMA mmap_size = 0;
PRAGMA foreign_keys = ON;
PRAGMA trusted_schema = OFF;
PRAGMA cell_size_check = ON;
PRAGMA secure_delete = FAST;
PRAGMA wal_autocheckpoint = 2048;
PRAGMA journal_size_limit = 16777216;
";
