//! Logs.

mod health;
mod rotation;
mod target;

use crate::{Check, NotYet};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[
    &target::LOG_001,
    &rotation::LOG_002,
    &rotation::LOG_003,
    &health::LOG_004,
    &health::LOG_005,
    &health::LOG_006,
    &health::LOG_007,
    &health::LOG_008,
    &target::LOG_009,
];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[];
