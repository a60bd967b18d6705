//! Where each source goes on.

use rusqlite::OptionalExtension;

use crate::{Store, StoreError};

impl Store {
    /// The cursor of a source, as of the last commit.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn cursor(&self, source: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read("read a cursor", |connection, _| {
            connection
                .prepare_cached("SELECT cursor FROM cursor WHERE source = ?1")?
                .query_row([source], |row| row.get(0))
                .optional()
        })
    }

    /// Every source with its cursor, by name.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn cursors(&self) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.read("read the cursors", |connection, _| {
            connection
                .prepare_cached("SELECT source, cursor FROM cursor ORDER BY source")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
    }
}
