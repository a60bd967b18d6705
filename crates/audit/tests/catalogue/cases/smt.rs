//! Cases of the SMT family.

use crate::Case;

/// The cases, by id.
pub(crate) const CASES: &[Case] = &[];
