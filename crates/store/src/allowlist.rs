//! Networks that are never banned, by the operator's word.

use mailward_model::{Network, Timestamp};
use rusqlite::{Row, params};

use crate::column::{Address, network, text, time, time_or_none};
use crate::{Store, StoreError};

/// An entry of the allowlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// Who.
    pub network: Network,
    /// A name or the reason, for a person.
    pub comment: Box<str>,
    /// Until when; none is until removed.
    pub until: Option<Timestamp>,
    /// Since when.
    pub created: Timestamp,
    /// Who said so.
    pub by: Box<str>,
}

impl Store {
    /// Adds an entry, in place of one for the same network.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn allow(&mut self, entry: &Allowed) -> Result<(), StoreError> {
        self.sync_commits(true)?;
        self.write("add to the allowlist", |connection, _| {
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO allowlist (address, prefix, comment, until, created, by)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?
                .execute(params![
                    Address::of(entry.network.address()),
                    entry.network.prefix(),
                    &*entry.comment,
                    entry.until.map(Timestamp::micros),
                    entry.created.micros(),
                    &*entry.by,
                ])
        })
        .map(drop)
    }

    /// Removes the entry for exactly this network; tells whether there was one.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn disallow(&mut self, network: Network) -> Result<bool, StoreError> {
        self.sync_commits(true)?;
        self.write("remove from the allowlist", |connection, _| {
            connection
                .prepare_cached("DELETE FROM allowlist WHERE address = ?1 AND prefix = ?2")?
                .execute(params![Address::of(network.address()), network.prefix()])
                .map(|removed| removed > 0)
        })
    }

    /// Every entry, those that ended included until [`Store::retain`] removes them; IPv4 first, by address.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn allowlist(&self) -> Result<Vec<Allowed>, StoreError> {
        self.read("read the allowlist", |connection, _| {
            connection
                .prepare_cached(
                    "SELECT address, prefix, comment, until, created, by FROM allowlist ORDER BY address, prefix",
                )?
                .query_map([], allowed)?
                .collect()
        })
    }
}

fn allowed(row: &Row<'_>) -> rusqlite::Result<Allowed> {
    Ok(Allowed {
        network: network(row, 0)?,
        comment: text(row, 2)?,
        until: time_or_none(row, 3)?,
        created: time(row, 4)?,
        by: text(row, 5)?,
    })
}
