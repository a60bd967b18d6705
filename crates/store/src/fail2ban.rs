//! fail2ban's own database, only read: who is banned there.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

/// How long to wait for fail2ban, which writes to it.
const PATIENCE: Duration = Duration::from_secs(5);

/// A ban of fail2ban's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Banned {
    /// The address or network, as it is written there.
    pub target: String,
    /// The jail that banned it.
    pub jail: String,
    /// Since when, in seconds since 1970.
    pub since: i64,
    /// For how many seconds, less than 0 for ever; none where this version does not tell, and the jail's own time holds.
    pub seconds: Option<i64>,
    /// How often it was banned there.
    pub times: u32,
}

/// Why it cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Fail2banError {
    /// There is none.
    #[error(
        "there is no database of fail2ban at {}; `fail2ban-client get dbfile` tells where it is, and --database takes it", path.display()
    )]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// It is something else.
    #[error("{} is no database of fail2ban: {detail}; `fail2ban-client get dbfile` tells where it is", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// It may not be read, or not now.
    #[error("cannot read {}: {detail}. Run it as root; if fail2ban is just writing, trying again helps", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        detail: String,
    },
}

/// All bans that it knows of, those that are over included.
///
/// # Errors
/// [`Fail2banError`]
pub fn bans(path: &Path) -> Result<Vec<Banned>, Fail2banError> {
    if path.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
        return Err(Fail2banError::Missing { path: path.into() });
    }
    read(path).map_err(|error| {
        let (path, detail) = (path.to_path_buf(), error.to_string());
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase, Unknown};
        match error.sqlite_error_code() {
            // A table that is not there is SQLite's general error.
            Some(NotADatabase | DatabaseCorrupt | Unknown) | None => Fail2banError::Foreign { path, detail },
            Some(_) => Fail2banError::Refused { path, detail },
        }
    })
}

fn read(path: &Path) -> rusqlite::Result<Vec<Banned>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.execute_batch("PRAGMA trusted_schema = OFF;")?;
    let mut all = connection.prepare(question(&connection)?)?;
    let row = |row: &rusqlite::Row<'_>| {
        Ok(Banned {
            target: row.get(0)?,
            jail: row.get(1)?,
            since: row.get(2)?,
            seconds: row.get(3)?,
            times: row.get(4)?,
        })
    };
    all.query_map([], row)?.collect()
}

/// From 0.11 on there is a table of those that are banned now; before, only every ban there ever was, and without its time.
fn question(connection: &Connection) -> rusqlite::Result<&'static str> {
    let find = "SELECT count(*) FROM sqlite_schema WHERE name = 'bips' AND type = 'table'";
    let current: i64 = connection.query_row(find, [], |row| row.get(0))?;
    Ok(if current > 0 {
        "SELECT ip, jail, timeofban, bantime, bancount FROM bips ORDER BY timeofban, ip, jail"
    } else {
        "SELECT ip, jail, max(timeofban), NULL, count(*) FROM bans GROUP BY ip, jail ORDER BY 3, 1, 2"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(folder: &tempfile::TempDir, statements: &str) -> PathBuf {
        let path = folder.path().join("fail2ban.sqlite3");
        Connection::open(&path).unwrap().execute_batch(statements).unwrap();
        path
    }

    /// What is read from a database that these statements make.
    fn check(statements: &str, expected: &[(&str, &str, i64, Option<i64>, u32)]) {
        let folder = tempfile::tempdir().unwrap();
        let found = bans(&database(&folder, statements)).unwrap();
        let rows = expected.iter().map(|(target, jail, since, seconds, times)| Banned {
            target: (*target).to_owned(),
            jail: (*jail).to_owned(),
            since: *since,
            seconds: *seconds,
            times: *times,
        });
        assert_eq!(found, rows.collect::<Vec<_>>());
    }

    #[test]
    fn both_schemas_are_read() {
        check(
            "CREATE TABLE bips (ip TEXT NOT NULL, jail TEXT NOT NULL, timeofban INTEGER NOT NULL, bantime INTEGER NOT NULL, bancount INTEGER NOT NULL default 1, data JSON, PRIMARY KEY(ip, jail));
             INSERT INTO bips VALUES ('192.0.2.7', 'dovecot', 100, 600, 2, '{}'), ('2001:db8::1', 'sshd', 90, -1, 1, '{}');",
            &[("2001:db8::1", "sshd", 90, Some(-1), 1), ("192.0.2.7", "dovecot", 100, Some(600), 2)],
        );
        check(
            "CREATE TABLE bans (jail TEXT NOT NULL, ip TEXT, timeofban INTEGER NOT NULL, data JSON);
             INSERT INTO bans VALUES ('dovecot', '192.0.2.7', 100, ''), ('dovecot', '192.0.2.7', 900, '');",
            &[("192.0.2.7", "dovecot", 900, None, 2)],
        );
    }

    #[test]
    fn what_is_none_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let error = bans(&folder.path().join("nothing")).unwrap_err();
        assert!(matches!(error, Fail2banError::Missing { .. }), "{error}");
        let error = bans(&database(&folder, "CREATE TABLE other (x);")).unwrap_err();
        assert!(matches!(error, Fail2banError::Foreign { .. }), "{error}");
        let text = folder.path().join("text");
        std::fs::write(&text, "no database, only a text that is long enough").unwrap();
        assert!(matches!(bans(&text).unwrap_err(), Fail2banError::Foreign { .. }));
    }
}
