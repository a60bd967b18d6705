//! Cases of the RPT family.

use crate::Case;

/// The cases, by id.
pub(crate) const CASES: &[Case] = &[];
