//! What received reports say.

mod dmarc;
mod received;
mod tls;

use crate::facts::Reports;
use crate::{Check, NotYet, Server, Untold};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[
    &dmarc::RPT_001,
    &dmarc::RPT_002,
    &dmarc::RPT_003,
    &dmarc::RPT_004,
    &tls::RPT_005,
    &received::RPT_006,
    &received::RPT_007,
    &dmarc::RPT_008,
];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[];

/// The reports, where somebody says where they are.
pub(crate) fn reports<'s>(server: &'s Server<'_>) -> Result<&'s Reports, Untold> {
    server.facts.reports.get().map_err(|why| match why {
        Untold::NotApplicable(_) => {
            Untold::NotApplicable("no folder of received reports is configured: --reports DIR".to_owned())
        }
        told @ Untold::CouldNotTell(_) => told,
    })
}

/// When the facts were collected, seconds since 1970.
fn now(server: &Server<'_>) -> i64 {
    server.facts.about.taken.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_second)
}
