//! MTA-STS.

use crate::{Check, NotYet};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[
    NotYet {
        id: "STS-001",
        title: "No MTA-STS and no DANE: TLS can be stripped",
        because: "nobody has written it",
    },
    NotYet {
        id: "STS-002",
        title: "TXT record malformed, several, bad id",
        because: "nobody has written it",
    },
    NotYet {
        id: "STS-003",
        title: "Policy cannot be fetched (certificate, redirect, type, 404)",
        because: "nobody has written it",
    },
    NotYet {
        id: "STS-004",
        title: "MX host absent from an enforce policy: mail is lost",
        because: "nobody has written it",
    },
    NotYet {
        id: "STS-005",
        title: "MX certificate would fail an enforce policy",
        because: "nobody has written it",
    },
    NotYet { id: "STS-006", title: "Mode testing/none for months", because: "nobody has written it" },
    NotYet { id: "STS-007", title: "max_age under a day or over a year", because: "nobody has written it" },
    NotYet { id: "STS-008", title: "Policy text changed, id did not", because: "nobody has written it" },
];
