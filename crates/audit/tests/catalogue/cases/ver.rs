//! Cases of the VER family.

use crate::Case;

/// The cases, by id.
pub(crate) const CASES: &[Case] = &[];
