//! Successful logins, one row for each account and address.

use core::net::IpAddr;

use mailward_model::{Account, Network, Timestamp};
use rusqlite::{Connection, Row};

use crate::column::{Address, account, time};
use crate::{Store, StoreError};

/// An account's logins from one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastLogins {
    /// The account.
    pub account: Account,
    /// Where from.
    pub address: IpAddr,
    /// The first.
    pub first: Timestamp,
    /// The last.
    pub last: Timestamp,
    /// How many.
    pub count: u64,
}

impl PastLogins {
    /// The place: the /24 of an IPv4 address, the /64 of an IPv6 one.
    #[must_use]
    pub const fn network(&self) -> Network {
        Network::around(self.address, if self.address.is_ipv4() { 24 } else { 64 })
    }
}

impl Store {
    /// Gives `f` each account and address with a login at `time` or later, in no order.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn logins_since(&self, time: Timestamp, mut f: impl FnMut(&PastLogins)) -> Result<(), StoreError> {
        self.read("read the logins", |connection, _| {
            let mut find = connection
                .prepare_cached("SELECT account, address, first, last, count FROM login WHERE last >= ?1")?;
            let mut rows = find.query([time.micros()])?;
            while let Some(row) = rows.next()? {
                past(row)?.iter().for_each(&mut f);
            }
            Ok(())
        })
    }

    /// From where an account logged in, the latest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn logins_of(&self, account: &Account, limit: usize) -> Result<Vec<PastLogins>, StoreError> {
        self.read("read an account's logins", |connection, _| {
            collect(
                connection,
                "SELECT account, address, first, last, count FROM login WHERE account = ?1 ORDER BY last DESC LIMIT ?2",
                (account.name(), i64::try_from(limit).unwrap_or(i64::MAX)),
            )
        })
    }

    /// Who logged in from a network, the latest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn logins_from(&self, network: Network, limit: usize) -> Result<Vec<PastLogins>, StoreError> {
        let (first, last) = crate::column::range(network);
        self.read("read a network's logins", |connection, _| {
            collect(
                connection,
                "SELECT account, address, first, last, count FROM login WHERE address BETWEEN ?1 AND ?2
                 ORDER BY last DESC LIMIT ?3",
                (first, last, i64::try_from(limit).unwrap_or(i64::MAX)),
            )
        })
    }
}

fn collect(
    connection: &Connection,
    sql: &str,
    values: impl rusqlite::Params,
) -> rusqlite::Result<Vec<PastLogins>> {
    let mut find = connection.prepare_cached(sql)?;
    let rows = find.query_map(values, past)?;
    rows.filter_map(Result::transpose).collect()
}

fn past(row: &Row<'_>) -> rusqlite::Result<Option<PastLogins>> {
    let Some(account) = account(row, 0)? else { return Ok(None) };
    let address: Address = row.get(1)?;
    let count = row.get::<_, i64>(4)?.max(0).cast_unsigned();
    Ok(Some(PastLogins { account, address: address.ip(), first: time(row, 2)?, last: time(row, 3)?, count }))
}
