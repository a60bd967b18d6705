//! Accounts, aliases, filters.

mod alias;
mod backend;
mod filters;
mod names;
mod routes;
mod sieve;
mod stored;

pub(in crate::checks) use routes::missing_roles;

use std::collections::BTreeSet;

use crate::check::{could_not_tell, not_applicable};
use crate::facts::Account;
use crate::{Check, Evidence, NotYet, Server, Untold};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[
    &stored::ACC_001,
    &stored::ACC_002,
    &stored::ACC_003,
    &stored::ACC_004,
    &stored::ACC_005,
    &stored::ACC_006,
    &names::ACC_007,
    &names::ACC_008,
    &names::ACC_009,
    &names::ACC_010,
    &names::ACC_011,
    &routes::ACC_012,
    &routes::ACC_013,
    &filters::ACC_014,
    &filters::ACC_015,
    &routes::ACC_016,
    &routes::ACC_017,
    &backend::ACC_018,
    &routes::ACC_019,
    &backend::ACC_020,
];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[];

/// All accounts, locked ones and master users too.
///
/// # Errors
/// When no file of them could be read, or the system keeps them.
fn all_accounts<'a>(server: &Server<'a>) -> Result<&'a [Account], Untold> {
    match server.facts.accounts.get() {
        Ok(known) => Ok(known),
        Err(_) if backend::system_only(server) => {
            not_applicable("the system keeps the accounts, no file of Dovecot's")
        }
        Err(Untold::CouldNotTell(why)) => could_not_tell(format!("the accounts are not known: {why}")),
        Err(why) => Err(why),
    }
}

/// The accounts that can log in.
///
/// # Errors
/// As [`all_accounts`].
fn accounts<'a>(server: &Server<'a>) -> Result<Vec<&'a Account>, Untold> {
    Ok(all_accounts(server)?.iter().filter(|account| !account.locked).collect())
}

/// Their names, in lower case.
fn account_names(server: &Server<'_>) -> Option<BTreeSet<String>> {
    let known = server.facts.accounts.known()?;
    Some(
        known
            .iter()
            .filter(|account| !account.master)
            .map(|account| account.name.to_ascii_lowercase())
            .collect(),
    )
}

/// An account as evidence: where it stands, its name and what is told of it.
fn seen(account: &Account, what: &str) -> Evidence {
    Evidence { place: account.place.clone(), seen: format!("{}: {what}", account.name) }
}

/// A list of names, cut after ten.
fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.into_iter().collect();
    match names.get(..10) {
        Some(first) if names.len() > 10 => format!("{} and {} more", first.join(", "), names.len() - 10),
        _ => names.join(", "),
    }
}
