//! Versions.

mod debian;
mod flaw;
mod support;

use crate::{Check, NotYet};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[
    &support::VER_001,
    &flaw::VER_002,
    &flaw::VER_003,
    &flaw::VER_004,
    &flaw::VER_005,
    &support::VER_006,
    &support::VER_007,
];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[];
