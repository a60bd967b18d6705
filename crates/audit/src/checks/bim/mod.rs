//! BIMI.

use crate::{Check, NotYet};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[NotYet {
    id: "BIM-001",
    title: "BIMI record without enforced DMARC, or not https SVG Tiny-PS, or mark certificate invalid",
    because: "nobody has written it",
}];
