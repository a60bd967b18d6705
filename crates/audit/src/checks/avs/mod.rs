//! Content filtering.

mod config;
mod path;
mod rules;
mod scanner;
mod trial;
pub(crate) mod verdict;

use crate::{Check, NotYet};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[
    &path::AVS_001,
    &scanner::AVS_002,
    &scanner::AVS_003,
    &scanner::AVS_004,
    &scanner::AVS_005,
    &scanner::AVS_006,
    &scanner::AVS_007,
    &trial::AVS_008,
    &scanner::AVS_009,
    &verdict::AVS_010,
    &verdict::AVS_011,
    &verdict::AVS_012,
    &verdict::AVS_013,
    &path::AVS_014,
    &verdict::AVS_015,
    &verdict::AVS_016,
    &rules::AVS_017,
    &rules::AVS_018,
    &rules::AVS_019,
];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[];
