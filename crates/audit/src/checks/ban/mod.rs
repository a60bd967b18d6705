//! Intrusion response and network exposure.

mod coverage;
mod enforced;
mod engine;
mod exposure;

use crate::{Check, NotYet};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[
    &engine::BAN_001,
    &coverage::BAN_002,
    &coverage::BAN_003,
    &engine::BAN_004,
    &enforced::BAN_005,
    &enforced::BAN_006,
    &engine::BAN_007,
    &enforced::BAN_008,
    &engine::BAN_009,
    &enforced::BAN_010,
    &exposure::BAN_011,
    &exposure::BAN_012,
    &exposure::BAN_013,
];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[];
