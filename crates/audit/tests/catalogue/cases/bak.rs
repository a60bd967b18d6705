//! Cases of the BAK family.

use crate::Case;

/// The cases, by id.
pub(crate) const CASES: &[Case] = &[];
