//! Cases of the AVS family.

use crate::Case;

/// The cases, by id.
pub(crate) const CASES: &[Case] = &[];
