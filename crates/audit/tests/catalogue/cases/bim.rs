//! Cases of the BIMI family.

use super::dns::{with, zone};
use crate::Case;

/// The cases, by id.
pub(crate) const CASES: &[Case] = &[Case {
    id: "BIM-001",
    fails: || with(zone(), "TXT default._bimi.example.org", &["v=BIMI1; l=http://example.org/mark.svg"]),
    shows: "is not https",
    passes: || with(zone(), "TXT default._bimi.example.org", &["v=BIMI1; l=https://example.org/mark.svg;"]),
}];
