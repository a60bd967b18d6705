//! Backup.

mod archive;
mod job;
mod trial;

use crate::facts::Backup;
use crate::{Check, NotYet, Server, Untold};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[
    &job::BAK_001,
    &archive::BAK_002,
    &archive::BAK_003,
    &archive::BAK_004,
    &archive::BAK_005,
    &archive::BAK_006,
    &archive::BAK_007,
    &job::BAK_008,
    &trial::BAK_009,
];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[];

const DAY: i64 = 24 * 3600;

fn backups<'a>(server: &Server<'a>) -> Result<&'a [Backup], Untold> {
    server.facts.host.backups.get().map(Vec::as_slice)
}

/// The backups, where there are any.
fn some<'a>(server: &Server<'a>) -> Result<&'a [Backup], Untold> {
    let all = backups(server)?;
    if all.is_empty() {
        return crate::check::not_applicable("no backup was found, which BAK-001 judges");
    }
    Ok(all)
}

/// When the facts were taken, seconds since 1970.
fn taken(server: &Server<'_>) -> Result<i64, Untold> {
    match server.facts.about.taken.parse::<jiff::Timestamp>() {
        Ok(taken) => Ok(taken.as_second()),
        Err(_) => crate::check::could_not_tell("when the facts were taken is not known"),
    }
}
