//! Cases of the ACC family.

use crate::Case;

/// The cases, by id.
pub(crate) const CASES: &[Case] = &[];
