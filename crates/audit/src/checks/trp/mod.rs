//! TLS-RPT.

use crate::{Check, NotYet};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[
    NotYet { id: "TRP-001", title: "No TLS-RPT record", because: "nobody has written it" },
    NotYet {
        id: "TRP-002",
        title: "TLS-RPT malformed or unreachable target",
        because: "nobody has written it",
    },
    NotYet {
        id: "TRP-003",
        title: "Outgoing TLS reports not generated though the MTA can (Postfix 3.10+)",
        because: "nobody has written it",
    },
];
