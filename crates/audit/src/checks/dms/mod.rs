//! docker-mailserver and containers.

pub(crate) mod container;
mod environment;
mod overrides;
mod volume;

use crate::{Check, NotYet};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[
    &environment::DMS_001,
    &volume::DMS_002,
    &environment::DMS_003,
    &environment::DMS_004,
    &environment::DMS_005,
    &container::DMS_006,
    &environment::DMS_007,
    &container::DMS_008,
    &container::DMS_009,
    &container::DMS_010,
    &container::DMS_011,
    &container::DMS_012,
    &overrides::DMS_013,
    &container::DMS_014,
];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[];
