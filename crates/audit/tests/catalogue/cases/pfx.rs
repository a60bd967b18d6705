//! Cases of the PFX family.

use crate::Case;

/// The cases, by id.
pub(crate) const CASES: &[Case] = &[];
