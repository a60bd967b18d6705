//! Cases of the FIL family.

use crate::Case;

/// The cases, by id.
pub(crate) const CASES: &[Case] = &[];
