//! Quota and space.

mod limit;
mod space;
mod usage;

use crate::{Check, NotYet};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[
    &limit::QTA_001,
    &limit::QTA_002,
    &space::QTA_003,
    &limit::QTA_004,
    &limit::QTA_005,
    &space::QTA_006,
    &limit::QTA_007,
];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[];
