//! What files were when somebody said that they are right. A database of its own: commands write it beside the daemon, which holds
//! the other one for itself.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mailward_model::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::StoreError;
use crate::open::make_files;

/// How long to wait for another command that is writing.
const PATIENCE: Duration = Duration::from_secs(5);

/// The format that is written, and the newest that is read.
const VERSION: i64 = 1;

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS entry (path BLOB PRIMARY KEY, record TEXT NOT NULL, text TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS head (id INTEGER PRIMARY KEY CHECK (id = 1), digest TEXT NOT NULL, taken INTEGER NOT NULL, by TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS told (fingerprint TEXT PRIMARY KEY) WITHOUT ROWID;
";

/// The baseline of files.
#[derive(Debug)]
pub struct Baselines {
    path: PathBuf,
    connection: Connection,
}

/// A file of the baseline. What is in it is the caller's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct File {
    /// Its path, as bytes.
    pub path: Vec<u8>,
    /// What it is.
    pub record: String,
    /// What it says; none where nobody asked, or it is not kept.
    pub text: Option<String>,
}

/// When a baseline was accepted last, by whom, and what its digest is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The digest that whoever wrote it computed.
    pub digest: String,
    /// When.
    pub taken: Timestamp,
    /// By whom.
    pub by: String,
}

/// What is to be written.
#[derive(Clone, Debug)]
pub struct Update {
    /// Files to put in, or to replace.
    pub put: Vec<File>,
    /// Paths to take out.
    pub remove: Vec<Vec<u8>>,
    /// What holds of the whole afterwards.
    pub head: Head,
}

impl Baselines {
    /// Opens it, and makes the file (folder 0700, file 0600) where there is none.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        make_files(path).map_err(|error| StoreError::of_io(&error, "make the baseline of files", path))?;
        Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
    }

    /// Opens it if there is one.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn existing(path: &Path) -> Result<Option<Self>, StoreError> {
        if path.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
            return Ok(None);
        }
        Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map(Some)
    }

    fn connect(path: &Path, flags: OpenFlags) -> Result<Self, StoreError> {
        let doing = "open the baseline of files";
        let open = || {
            let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
            connection.busy_timeout(PATIENCE)?;
            // It is read from end to end, and then not for minutes: what SQLite keeps of it is memory for nothing.
            connection.execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -128;",
            )?;
            let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
            Ok((connection, found))
        };
        let (connection, found) = open().map_err(|error| StoreError::of_sqlite(&error, doing, path))?;
        if found > VERSION {
            return Err(StoreError::Newer { path: path.into(), found, known: VERSION });
        }
        let detail: String = connection
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
            .map_err(|error| StoreError::of_sqlite(&error, doing, path))?;
        if detail != "ok" {
            return Err(StoreError::Corrupt { doing, path: path.into(), detail });
        }
        if found == 0 {
            let make = format!("BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {VERSION}; COMMIT;");
            connection.execute_batch(&make).map_err(|error| StoreError::of_sqlite(&error, doing, path))?;
        }
        Ok(Self { path: path.into(), connection })
    }

    /// What holds of the whole; none before the first time.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn head(&self) -> Result<Option<Head>, StoreError> {
        head(&self.connection).map_err(|error| self.failed(&error, "read the baseline of files"))
    }

    /// All files with what holds of the whole, in the order of their paths; none before the first time. Texts only where asked for.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn load(&mut self, texts: bool) -> Result<Option<(Head, Vec<File>)>, StoreError> {
        let read = |connection: &mut Connection| {
            let tx = connection.transaction()?;
            let Some(head) = head(&tx)? else { return Ok(None) };
            let files = files(&tx, texts)?;
            Ok(Some((head, files)))
        };
        read(&mut self.connection).map_err(|error| self.failed(&error, "read the baseline of files"))
    }

    /// Changes it in one step: nobody comes between what was read and what is written.
    ///
    /// # Errors
    /// [`StoreError`]; what was there is untouched then.
    pub fn change(
        &mut self,
        decide: impl FnOnce(Option<(Head, Vec<File>)>) -> Option<Update>,
    ) -> Result<(), StoreError> {
        let write = |connection: &mut Connection| {
            let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let before = match head(&tx)? {
                Some(head) => Some((head, files(&tx, true)?)),
                None => None,
            };
            let Some(update) = decide(before) else { return Ok(()) };
            apply(&tx, &update)?;
            tx.commit()
        };
        write(&mut self.connection).map_err(|error| self.failed(&error, "write the baseline of files"))
    }

    /// The changes that were told of already.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn told(&self) -> Result<Vec<String>, StoreError> {
        let read = || -> rusqlite::Result<Vec<String>> {
            let mut all = self.connection.prepare("SELECT fingerprint FROM told")?;
            all.query_map([], |row| row.get(0))?.collect()
        };
        read().map_err(|error| self.failed(&error, "read what was told"))
    }

    /// Records which changes were told of; those that are over are forgotten.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn set_told(&mut self, fingerprints: &[String]) -> Result<(), StoreError> {
        let write = |connection: &mut Connection| {
            let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            tx.execute("DELETE FROM told", [])?;
            for fingerprint in fingerprints {
                tx.execute("INSERT OR IGNORE INTO told (fingerprint) VALUES (?1)", [fingerprint])?;
            }
            tx.commit()
        };
        write(&mut self.connection).map_err(|error| self.failed(&error, "record what was told"))
    }

    fn failed(&self, error: &rusqlite::Error, doing: &'static str) -> StoreError {
        StoreError::of_sqlite(error, doing, &self.path)
    }
}

fn head(connection: &Connection) -> rusqlite::Result<Option<Head>> {
    let find = "SELECT digest, taken, by FROM head";
    let row = |row: &rusqlite::Row<'_>| {
        Ok(Head { digest: row.get(0)?, taken: Timestamp::from_micros(row.get(1)?), by: row.get(2)? })
    };
    connection.query_row(find, [], row).optional()
}

fn files(connection: &Connection, texts: bool) -> rusqlite::Result<Vec<File>> {
    let text = if texts { "text" } else { "NULL" };
    let mut all = connection.prepare(&format!("SELECT path, record, {text} FROM entry ORDER BY path"))?;
    let row =
        |row: &rusqlite::Row<'_>| Ok(File { path: row.get(0)?, record: row.get(1)?, text: row.get(2)? });
    all.query_map([], row)?.collect()
}

fn apply(tx: &Transaction<'_>, update: &Update) -> rusqlite::Result<()> {
    let mut put = tx.prepare("INSERT OR REPLACE INTO entry (path, record, text) VALUES (?1, ?2, ?3)")?;
    for file in &update.put {
        put.execute(params![file.path, file.record, file.text])?;
    }
    let mut remove = tx.prepare("DELETE FROM entry WHERE path = ?1")?;
    for path in &update.remove {
        remove.execute([path])?;
    }
    let Head { digest, taken, by } = &update.head;
    tx.execute(
        "INSERT OR REPLACE INTO head (id, digest, taken, by) VALUES (1, ?1, ?2, ?3)",
        params![digest, taken.micros(), by],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(folder: &tempfile::TempDir) -> PathBuf {
        folder.path().join("state/integrity.db")
    }

    fn file(path: &[u8], text: &str) -> File {
        File { path: path.to_vec(), record: "{}".to_owned(), text: Some(text.to_owned()) }
    }

    fn update(put: &[File], remove: &[&[u8]]) -> Update {
        Update {
            put: put.to_vec(),
            remove: remove.iter().map(|path| path.to_vec()).collect(),
            head: Head { digest: "d".into(), taken: Timestamp::from_secs(5), by: "nora".into() },
        }
    }

    #[test]
    fn what_is_put_is_there_and_nobody_else_may_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        assert!(Baselines::existing(&at(&folder)).unwrap().is_none());
        let mut baselines = Baselines::open(&at(&folder)).unwrap();
        assert_eq!(baselines.load(true).unwrap(), None);
        let odd = file(b"/a\n\xff", "x");
        baselines.change(|_| Some(update(&[file(b"/b", "y"), odd.clone()], &[]))).unwrap();
        baselines
            .change(|before| {
                assert_eq!(before.unwrap().1, [odd.clone(), file(b"/b", "y")]);
                Some(update(&[], &[b"/b"]))
            })
            .unwrap();
        let mut again = Baselines::existing(&at(&folder)).unwrap().unwrap();
        assert_eq!(again.load(true).unwrap(), Some((update(&[], &[]).head, vec![odd.clone()])));
        assert_eq!(again.load(false).unwrap().unwrap().1, [File { text: None, ..odd }]);
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&at(&folder)), 0o600);
        assert_eq!(mode(at(&folder).parent().unwrap()), 0o700);
    }

    #[test]
    fn what_was_told_is_forgotten_when_it_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let mut baselines = Baselines::open(&at(&folder)).unwrap();
        baselines.set_told(&["a".into(), "b".into(), "a".into()]).unwrap();
        baselines.set_told(&["b".into()]).unwrap();
        assert_eq!(Baselines::open(&at(&folder)).unwrap().told().unwrap(), ["b"]);
    }

    #[test]
    fn damage_is_told() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(at(&folder).parent().unwrap()).unwrap();
        std::fs::write(at(&folder), "this is no database, however long it may be").unwrap();
        let error = Baselines::open(&at(&folder)).unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    }

    #[test]
    fn a_newer_format_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        drop(Baselines::open(&at(&folder)).unwrap());
        Connection::open(at(&folder)).unwrap().pragma_update(None, "user_version", 9).unwrap();
        let error = Baselines::open(&at(&folder)).unwrap_err();
        assert!(matches!(error, StoreError::Newer { found: 9, .. }), "{error}");
    }
}
