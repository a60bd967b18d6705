//! Cases of the DNS family.

use crate::Case;

/// The cases, by id.
pub(crate) const CASES: &[Case] = &[];
