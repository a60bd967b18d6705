//! The tables, and how an older file becomes a newer one.
//!
//! Times are microseconds since the epoch. An IPv4 address is an integer and an IPv6 address 16 bytes, so that a range of
//! one family never holds the other. Kinds, events, reasons and weights are ids into `name`: an offence is a row that exists
//! millions of times.
//!
//! There is no index over the times of offences, see `ledger`. Addresses and accounts come in random order, and an index
//! over all of them would touch a page per row once it is larger than the cache. Theirs are cut into blocks of 4096
//! offences, in the order of their commits: writes stay within the last block, a question asks block by block from the
//! newest (a few microseconds each), and retention cuts off whole ends.

use rusqlite::{Connection, Transaction};

/// `MWrd`: tells our file from another program's.
pub(crate) const APPLICATION: i64 = 0x4D57_7264;

/// Each step leads from the version of its position to the next. Released steps never change.
pub(crate) const STEPS: &[&str] = &[FIRST];

/// The version after all of `steps`.
pub(crate) const fn newest(steps: &[&str]) -> i64 {
    steps.len() as i64
}

/// Takes the file from `version` to the newest, in the transaction.
pub(crate) fn migrate(tx: &Transaction<'_>, version: i64, steps: &[&str]) -> rusqlite::Result<()> {
    for step in steps.iter().skip(usize::try_from(version).unwrap_or(0)) {
        tx.execute_batch(step)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION)?;
    tx.pragma_update(None, "user_version", newest(steps))
}

pub(crate) fn number(connection: &Connection, pragma: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, pragma, |row| row.get(0))
}

const FIRST: &str = "
CREATE TABLE ledger (rows INTEGER NOT NULL, next INTEGER NOT NULL, latest INTEGER);
INSERT INTO ledger VALUES (0, 1, NULL);

CREATE TABLE milestone (hour INTEGER PRIMARY KEY, id INTEGER NOT NULL);

CREATE TABLE name (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);

CREATE TABLE cursor (source TEXT PRIMARY KEY, cursor BLOB NOT NULL) WITHOUT ROWID;

CREATE TABLE offence (
    id INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    late INTEGER NOT NULL,
    address NOT NULL,
    kind INTEGER NOT NULL,
    event INTEGER NOT NULL,
    reason INTEGER NOT NULL,
    weight INTEGER NOT NULL,
    count INTEGER NOT NULL,
    service TEXT NOT NULL,
    account TEXT,
    guess INTEGER,
    line BLOB NOT NULL
);
CREATE INDEX offence_late ON offence (time) WHERE late;
CREATE INDEX offence_address ON offence (id / 4096, address);
CREATE INDEX offence_account ON offence (id / 4096, account) WHERE account IS NOT NULL;
CREATE INDEX offence_guess ON offence (time) WHERE guess IS NOT NULL;

CREATE TABLE signal (
    id INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    rule TEXT NOT NULL,
    address,
    prefix INTEGER,
    account TEXT,
    kind TEXT NOT NULL,
    count INTEGER NOT NULL,
    threshold INTEGER NOT NULL,
    window INTEGER NOT NULL,
    ban INTEGER NOT NULL,
    offence INTEGER NOT NULL,
    banned INTEGER NOT NULL
);
CREATE INDEX signal_address ON signal (address, prefix) WHERE address IS NOT NULL;
CREATE INDEX signal_account ON signal (account) WHERE account IS NOT NULL;
CREATE INDEX signal_loose ON signal (time) WHERE NOT banned;

CREATE TABLE ban (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    address NOT NULL,
    prefix INTEGER NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER,
    origin TEXT NOT NULL,
    by TEXT NOT NULL,
    step INTEGER NOT NULL,
    reason TEXT NOT NULL,
    signal INTEGER REFERENCES signal (id),
    lifted INTEGER,
    lifted_by TEXT,
    lifted_why TEXT
);
CREATE INDEX ban_target ON ban (address, prefix);
CREATE INDEX ban_end ON ban (coalesce(lifted, until, 9223372036854775807));
CREATE INDEX ban_signal ON ban (signal) WHERE signal IS NOT NULL;

CREATE TABLE login (
    account TEXT NOT NULL,
    address NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (account, address)
) WITHOUT ROWID;
CREATE INDEX login_last ON login (last);

CREATE TABLE hourly (
    hour INTEGER NOT NULL,
    counter TEXT NOT NULL,
    name TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (hour, counter, name)
) WITHOUT ROWID;

CREATE TABLE allowlist (
    address NOT NULL,
    prefix INTEGER NOT NULL,
    comment TEXT NOT NULL,
    until INTEGER,
    created INTEGER NOT NULL,
    by TEXT NOT NULL,
    PRIMARY KEY (address, prefix)
) WITHOUT ROWID;
";

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds a column with a default, as a later version would.
    const LATER: &str = "ALTER TABLE login ADD COLUMN method TEXT NOT NULL DEFAULT '';";

    fn shape(connection: &Connection) -> Vec<String> {
        let mut statement = connection
            .prepare("SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema")
            .unwrap();
        let mut rows: Vec<String> =
            statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        rows.sort();
        rows
    }

    fn migrated(connection: &mut Connection, from: i64, steps: &[&str]) {
        let tx = connection.transaction().unwrap();
        migrate(&tx, from, steps).unwrap();
        tx.commit().unwrap();
        assert_eq!(number(connection, "user_version").unwrap(), newest(steps));
        assert_eq!(number(connection, "application_id").unwrap(), APPLICATION);
    }

    /// From every old version, with and without a later step, the end is the same as from nothing.
    #[test]
    fn every_old_version_becomes_the_newest() {
        let later: Vec<&str> = STEPS.iter().copied().chain([LATER]).collect();
        for steps in [STEPS, &later] {
            let mut fresh = Connection::open_in_memory().unwrap();
            migrated(&mut fresh, 0, steps);
            for old in 0..steps.len() {
                let mut connection = Connection::open_in_memory().unwrap();
                migrated(&mut connection, 0, &steps[..old]);
                migrated(&mut connection, old as i64, steps);
                assert_eq!(shape(&connection), shape(&fresh), "from version {old}");
            }
        }
    }

    #[test]
    fn a_step_that_fails_leaves_the_old_version() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrated(&mut connection, 0, STEPS);
        let before = shape(&connection);
        let tx = connection.transaction().unwrap();
        assert!(migrate(&tx, 1, &[FIRST, LATER, "CREATE TABLE login (x)"]).is_err());
        drop(tx);
        assert_eq!((shape(&connection), number(&connection, "user_version").unwrap()), (before, 1));
    }
}
