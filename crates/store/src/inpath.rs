//! What is remembered to answer Postfix and Dovecot: whom the greylist has seen, what accounts have sent, exceptions. A database of its
//! own, written by one thread behind the answers; commands read it beside that.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mailward_model::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, params};

use crate::StoreError;
use crate::open::make_files;

/// The format that is written, and the newest that is read.
const VERSION: i64 = 2;
/// How long to wait for a command that reads.
const PATIENCE: Duration = Duration::from_secs(5);

const TABLES: &str = "
CREATE TABLE secret (id INTEGER PRIMARY KEY CHECK (id = 1), bytes BLOB NOT NULL);
CREATE TABLE seen (key INTEGER PRIMARY KEY, at INTEGER NOT NULL, passes INTEGER NOT NULL, origin TEXT NOT NULL, sender TEXT NOT NULL, recipient TEXT NOT NULL);
CREATE TABLE account (name TEXT PRIMARY KEY, messages INTEGER NOT NULL, recipients INTEGER NOT NULL, daily_messages INTEGER NOT NULL,
  daily_recipients INTEGER NOT NULL, usual INTEGER NOT NULL, hour INTEGER NOT NULL, in_hour INTEGER NOT NULL, day INTEGER NOT NULL,
  in_day INTEGER NOT NULL, over INTEGER) WITHOUT ROWID;
CREATE TABLE exception (text TEXT PRIMARY KEY, created INTEGER NOT NULL, by TEXT NOT NULL) WITHOUT ROWID;
";
/// What came with format 2.
const RATES: &str = "CREATE TABLE rate (key INTEGER PRIMARY KEY, taken INTEGER NOT NULL);";

/// A commit is in the system's hands when it returns: it survives the end of the process. A power failure may take the last
/// seconds.
const SETTINGS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -16000;
PRAGMA journal_size_limit = 67108864;";

/// The memory of the answers.
#[derive(Debug)]
pub struct InPath {
    path: PathBuf,
    connection: Connection,
}

/// Somebody whom the greylist has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenRow {
    /// His fingerprint.
    pub key: u64,
    /// When, in seconds since 1970; see `passes`.
    pub at: u32,
    /// How often he came through; 0 was only asked to come again.
    pub passes: u32,
    /// Origin, sender, recipient; none where they are there already.
    pub text: Option<Box<(String, String, String)>>,
}

/// What an account has sent, as numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountRow {
    /// Its name.
    pub name: String,
    /// What it has taken of its four limits.
    pub taken: [i64; 4],
    /// What it usually sends in an hour.
    pub usual: u32,
    /// The hour's begin, and how many since.
    pub hour: (i64, u32),
    /// The day's begin, and the most of any hour since.
    pub day: (i64, u32),
    /// When it was over a limit.
    pub over: Option<i64>,
}

/// What is written in one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InPathBatch {
    /// Seen; in this order.
    pub seen: Vec<SeenRow>,
    /// Forgotten.
    pub forgotten: Vec<u64>,
    /// Accounts.
    pub accounts: Vec<AccountRow>,
    /// Fingerprints of clients, and when their limits are whole again, in microseconds since 1970; in this order.
    pub rates: Vec<(u64, i64)>,
}

impl InPath {
    /// Opens it, and makes the file (folder 0700, file 0600) where there is none.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        make_files(path).map_err(|error| StoreError::of_io(&error, "make the memory of answers", path))?;
        let store = Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let prepare = || {
            store.connection.execute_batch(SETTINGS)?;
            let missing = match version(&store.connection)? {
                0 => format!("{TABLES}{RATES}"),
                1 => RATES.to_owned(),
                _ => return Ok(()),
            };
            let make = format!("BEGIN IMMEDIATE; {missing} PRAGMA user_version = {VERSION}; COMMIT;");
            store.connection.execute_batch(&make)
        };
        prepare().map_err(|error| store.failed(&error, "open the memory of answers"))?;
        Ok(store)
    }

    /// Opens it to read, beside the daemon.
    ///
    /// # Errors
    /// [`StoreError`]; among them that there is none yet.
    pub fn open_read_only(path: &Path) -> Result<Self, StoreError> {
        Self::connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    fn connect(path: &Path, flags: OpenFlags) -> Result<Self, StoreError> {
        let open = || {
            let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
            connection.busy_timeout(PATIENCE)?;
            let found = version(&connection)?;
            Ok((connection, found))
        };
        let (connection, found) =
            open().map_err(|error| StoreError::of_sqlite(&error, "open the memory of answers", path))?;
        if found > VERSION {
            return Err(StoreError::Newer { path: path.into(), found, known: VERSION });
        }
        Ok(Self { path: path.into(), connection })
    }

    /// The secret of the fingerprints; `fresh` becomes it where there is none yet.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn secret(&mut self, fresh: [u8; 32]) -> Result<[u8; 32], StoreError> {
        let doing = "read the secret of the greylist";
        let find = || {
            self.connection
                .execute("INSERT OR IGNORE INTO secret (id, bytes) VALUES (1, ?1)", [fresh.as_slice()])?;
            self.connection.query_row("SELECT bytes FROM secret", [], |row| row.get::<_, Vec<u8>>(0))
        };
        let bytes = find().map_err(|error| self.failed(&error, doing))?;
        bytes.try_into().map_err(|_| StoreError::Corrupt {
            doing,
            path: self.path.clone(),
            detail: "the secret is not 32 bytes".into(),
        })
    }

    /// Everybody whom the greylist has seen, without texts: key, time, passes.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn each_seen(&self, mut take: impl FnMut(u64, u32, u32)) -> Result<(), StoreError> {
        let mut read = || {
            let mut statement = self.connection.prepare("SELECT key, at, passes FROM seen")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                take(row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?, row.get(2)?);
            }
            Ok(())
        };
        read().map_err(|error| self.failed(&error, "read whom the greylist has seen"))
    }

    /// Some of those whom the greylist has seen, the latest first; with a text only those of whom a part holds it.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn seen(&self, containing: &str, most: usize) -> Result<Vec<SeenRow>, StoreError> {
        let read = || {
            let mut statement = self.connection.prepare(
                "SELECT key, at, passes, origin, sender, recipient FROM seen
                 WHERE instr(origin, ?1) OR instr(sender, ?1) OR instr(recipient, ?1) ORDER BY at DESC LIMIT ?2",
            )?;
            let rows =
                statement.query_map(params![containing, i64::try_from(most).unwrap_or(i64::MAX)], |row| {
                    let text = (row.get(3)?, row.get(4)?, row.get(5)?);
                    let key = row.get::<_, i64>(0)?.cast_unsigned();
                    Ok(SeenRow { key, at: row.get(1)?, passes: row.get(2)?, text: Some(Box::new(text)) })
                })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|error| self.failed(&error, "read whom the greylist has seen"))
    }

    /// The fingerprints of whoever is exactly this: an origin, a sender or a recipient.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn keys_of(&self, who: &str) -> Result<Vec<u64>, StoreError> {
        let read = || {
            let mut statement = self
                .connection
                .prepare("SELECT key FROM seen WHERE origin = ?1 OR sender = ?1 OR recipient = ?1")?;
            let rows = statement.query_map([who], |row| Ok(row.get::<_, i64>(0)?.cast_unsigned()))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|error| self.failed(&error, "read whom the greylist has seen"))
    }

    /// What accounts have sent.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn accounts(&self) -> Result<Vec<AccountRow>, StoreError> {
        let read = || {
            let mut statement = self.connection.prepare(
                "SELECT name, messages, recipients, daily_messages, daily_recipients, usual, hour, in_hour, day, in_day, over FROM account",
            )?;
            let rows = statement.query_map([], |row| {
                Ok(AccountRow {
                    name: row.get(0)?,
                    taken: [row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?],
                    usual: row.get(5)?,
                    hour: (row.get(6)?, row.get(7)?),
                    day: (row.get(8)?, row.get(9)?),
                    over: row.get(10)?,
                })
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|error| self.failed(&error, "read what accounts have sent"))
    }

    /// What clients have taken of their limits: fingerprints, and when the limits are whole again.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn rates(&self) -> Result<Vec<(u64, i64)>, StoreError> {
        let read = || {
            let mut statement = self.connection.prepare("SELECT key, taken FROM rate")?;
            let rows =
                statement.query_map([], |row| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?)))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|error| self.failed(&error, "read what clients have taken"))
    }

    /// Forgets limits that are whole at a time.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn forget_rates(&mut self, now: Timestamp) -> Result<usize, StoreError> {
        let done = self.connection.execute("DELETE FROM rate WHERE taken <= ?1", [now.micros()]);
        done.map_err(|error| self.failed(&error, "forget what clients have taken"))
    }

    /// The exceptions that were made by command.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn exceptions(&self) -> Result<Vec<String>, StoreError> {
        let read = || {
            let mut statement = self.connection.prepare("SELECT text FROM exception ORDER BY text")?;
            let rows = statement.query_map([], |row| row.get(0))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|error| self.failed(&error, "read the exceptions"))
    }

    /// Writes an exception.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn except(&mut self, text: &str, now: Timestamp, by: &str) -> Result<(), StoreError> {
        let write = "INSERT OR REPLACE INTO exception (text, created, by) VALUES (?1, ?2, ?3)";
        let done = self.connection.execute(write, params![text, now.micros(), by]);
        done.map(|_| ()).map_err(|error| self.failed(&error, "write an exception"))
    }

    /// Takes an exception back; tells whether there was one.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn take_back(&mut self, text: &str) -> Result<bool, StoreError> {
        let done = self.connection.execute("DELETE FROM exception WHERE text = ?1", [text]);
        done.map(|rows| rows > 0).map_err(|error| self.failed(&error, "take an exception back"))
    }

    /// Writes a batch.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of it was written.
    pub fn commit(&mut self, batch: &InPathBatch) -> Result<(), StoreError> {
        let mut write = || {
            let tx = self.connection.transaction()?;
            write(&tx, batch)?;
            tx.commit()
        };
        write().map_err(|error| StoreError::of_sqlite(&error, "write the memory of answers", &self.path))
    }

    /// Forgets who was seen before a time, of a share of all (`part` of 256), so that no look takes long. Tells how many.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn forget_before(&mut self, at: u32, part: u8) -> Result<usize, StoreError> {
        // The parts follow each other in the order of the signed keys.
        let width = 1_i64 << 56;
        let from = i64::MIN.wrapping_add(i64::from(part).wrapping_mul(width));
        let done = self.connection.execute(
            "DELETE FROM seen WHERE key BETWEEN ?1 AND ?2 AND at < ?3",
            params![from, from + (width - 1), at],
        );
        done.map_err(|error| self.failed(&error, "forget whom the greylist has seen"))
    }

    fn failed(&self, error: &rusqlite::Error, doing: &'static str) -> StoreError {
        StoreError::of_sqlite(error, doing, &self.path)
    }
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .optional()
        .map(|found| found.unwrap_or(0))
}

fn write(tx: &Transaction<'_>, batch: &InPathBatch) -> rusqlite::Result<()> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO seen (key, at, passes, origin, sender, recipient) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (key) DO UPDATE SET at = ?2, passes = ?3",
    )?;
    for row in &batch.seen {
        let (origin, sender, recipient) = row.text.as_deref().cloned().unwrap_or_default();
        insert.execute(params![row.key.cast_signed(), row.at, row.passes, origin, sender, recipient])?;
    }
    let mut delete = tx.prepare_cached("DELETE FROM seen WHERE key = ?1")?;
    for key in &batch.forgotten {
        delete.execute([key.cast_signed()])?;
    }
    let mut rate = tx.prepare_cached("INSERT OR REPLACE INTO rate (key, taken) VALUES (?1, ?2)")?;
    for (key, taken) in &batch.rates {
        rate.execute(params![key.cast_signed(), taken])?;
    }
    let mut account = tx.prepare_cached(
        "INSERT OR REPLACE INTO account (name, messages, recipients, daily_messages, daily_recipients, usual, hour, in_hour, day, in_day, over)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    for row in &batch.accounts {
        let [messages, recipients, daily_messages, daily_recipients] = row.taken;
        account.execute(params![
            row.name,
            messages,
            recipients,
            daily_messages,
            daily_recipients,
            row.usual,
            row.hour.0,
            row.hour.1,
            row.day.0,
            row.day.1,
            row.over,
        ])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: u64, at: u32, text: bool) -> SeenRow {
        let text = text.then(|| {
            Box::new(("192.0.2.0/24".into(), format!("s{key}@partner.example"), "alice@example.com".into()))
        });
        SeenRow { key, at, passes: 0, text }
    }

    #[test]
    fn who_was_forgotten_on_the_disk_is_written_again() {
        let place = tempfile::tempdir().unwrap();
        let mut store = InPath::open(&place.path().join("inpath.db")).unwrap();
        store.commit(&InPathBatch { seen: vec![row(7, 100, false)], ..InPathBatch::default() }).unwrap();
        let mut seen = Vec::new();
        store.each_seen(|key, at, _| seen.push((key, at))).unwrap();
        assert_eq!(seen, [(7, 100)]);
    }

    #[test]
    fn what_was_committed_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("inpath.db");
        let mut store = InPath::open(&path).unwrap();
        assert_eq!(store.secret([1; 32]).unwrap(), [1; 32]);
        let account = AccountRow {
            name: "erin@example.com".into(),
            taken: [1, 2, 3, 4],
            usual: 5,
            over: Some(6),
            ..AccountRow::default()
        };
        let high = u64::MAX - 3;
        let seen = vec![row(1, 10, true), row(high, 20, true), row(7, 5, true), row(7, 9, false)];
        let rates = vec![(1, 5), (high, 20), (1, 7)];
        store
            .commit(&InPathBatch { seen, forgotten: vec![1], accounts: vec![account.clone()], rates })
            .unwrap();
        store.except("greylist for client 192.0.2.0/24", Timestamp::default(), "root").unwrap();
        drop(store);
        let mut store = InPath::open(&path).unwrap();
        assert_eq!(store.secret([2; 32]).unwrap(), [1; 32]);
        let mut all = Vec::new();
        store.each_seen(|key, at, passes| all.push((key, at, passes))).unwrap();
        all.sort_unstable();
        assert_eq!(all, [(7, 9, 0), (high, 20, 0)]);
        assert_eq!(store.accounts().unwrap(), [account]);
        let mut rates = store.rates().unwrap();
        rates.sort_unstable();
        assert_eq!(rates, [(1, 7), (high, 20)]);
        assert_eq!(store.forget_rates(Timestamp::from_micros(7)).unwrap(), 1);
        assert_eq!(store.exceptions().unwrap(), ["greylist for client 192.0.2.0/24"]);
        let reader = InPath::open_read_only(&path).unwrap();
        assert_eq!(reader.seen("s7@", 10).unwrap().len(), 1);
        assert_eq!(reader.seen("", 10).unwrap().first().map(|row| row.key), Some(high));
        assert_eq!(reader.keys_of("192.0.2.0/24").unwrap().len(), 2);
        assert!(store.take_back("greylist for client 192.0.2.0/24").unwrap());
        assert!(!store.take_back("greylist for client 192.0.2.0/24").unwrap());
        assert_eq!((0..=255).map(|part| store.forget_before(15, part).unwrap()).sum::<usize>(), 1);
    }

    #[test]
    fn a_memory_of_format_1_gets_its_table_of_rates() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("inpath.db");
        let old = Connection::open(&path).unwrap();
        old.execute_batch(&format!("{TABLES} PRAGMA user_version = 1;")).unwrap();
        old.execute("INSERT INTO exception VALUES ('x', 1, 'root')", []).unwrap();
        drop(old);
        let store = InPath::open(&path).unwrap();
        assert_eq!((store.rates().unwrap(), store.exceptions().unwrap()), (Vec::new(), vec!["x".to_owned()]));
    }
}
