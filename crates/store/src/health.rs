//! Whether the file is whole, and how large it is.

use rusqlite::Connection;

use crate::ledger::Ledger;
use crate::schema::number;
use crate::{Store, StoreError};

/// The tables that decide what is in the firewall and where reading goes on.
pub(crate) const VITAL: &[&str] = &["ledger", "name", "cursor", "ban", "signal", "allowlist"];

/// How large the store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Bytes in use.
    pub bytes: u64,
    /// Bytes that are free within the file.
    pub free: u64,
    /// Offences.
    pub offences: u64,
}

impl Store {
    /// Looks at every page and row; takes seconds for gigabytes.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] with the first damage.
    pub fn check(&self) -> Result<(), StoreError> {
        const DOING: &str = "check the store";
        let damage = self.read(DOING, |connection, _| problem(connection, "PRAGMA integrity_check(1)"))?;
        let orphan = self.read(DOING, |connection, _| {
            let mut orphans = connection.prepare("PRAGMA foreign_key_check")?;
            orphans.exists([])
        })?;
        match damage.or_else(|| orphan.then(|| "a ban without its signal".into())) {
            None => Ok(()),
            Some(detail) => Err(StoreError::Corrupt { doing: DOING, path: self.path().into(), detail }),
        }
    }

    /// How large it is.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn size(&self) -> Result<Size, StoreError> {
        self.read("measure the store", |connection, _| size(connection))
    }
}

pub(crate) fn size(connection: &Connection) -> rusqlite::Result<Size> {
    let page = number(connection, "page_size")?;
    let free = number(connection, "freelist_count")?;
    let used = number(connection, "page_count")? - free;
    let bytes = |number: i64| u64::try_from(number).unwrap_or(0);
    Ok(Size {
        bytes: bytes(used * page),
        free: bytes(free * page),
        offences: bytes(Ledger::load(connection)?.rows),
    })
}

/// The first damage in these tables.
pub(crate) fn quick(connection: &Connection, tables: &[&str]) -> rusqlite::Result<Option<String>> {
    for table in tables {
        if let Some(damage) = problem(connection, &format!("PRAGMA quick_check({table})"))? {
            return Ok(Some(damage));
        }
    }
    Ok(None)
}

fn problem(connection: &Connection, pragma: &str) -> rusqlite::Result<Option<String>> {
    let answer: String = connection.query_row(pragma, [], |row| row.get(0))?;
    Ok((answer != "ok").then_some(answer))
}
