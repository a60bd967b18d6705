//! Reputation and block lists.

mod asked;
mod listed;
mod lists;
mod remote;

use crate::check::not_applicable;
use crate::records::dnsbl::{Use, used};
use crate::{Check, NotYet, Server, Untold};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[
    &listed::REP_001,
    &listed::REP_002,
    &lists::REP_003,
    &lists::REP_004,
    &lists::REP_005,
    &lists::REP_006,
    &lists::REP_007,
    &lists::REP_008,
    &remote::REP_009,
    &remote::REP_010,
    &asked::REP_011,
];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[];

/// The lists that Postfix uses, with where.
fn in_use(server: &Server<'_>) -> Result<Vec<(Use, String)>, Untold> {
    let all = used(server)?;
    if all.is_empty() { not_applicable("Postfix asks no list") } else { Ok(all) }
}
