//! Cases of the REP family.

use crate::Case;

/// The cases, by id.
pub(crate) const CASES: &[Case] = &[];
