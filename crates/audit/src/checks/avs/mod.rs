//! Content filtering.

use crate::{Check, NotYet};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[
    NotYet {
        id: "AVS-001",
        title: "No content filter in the path of one or more services",
        because: "nobody has written it",
    },
    NotYet {
        id: "AVS-002",
        title: "Virus scanner present but bypassed or set to pass",
        because: "nobody has written it",
    },
    NotYet {
        id: "AVS-003",
        title: "Signatures old (48 h) or engine out of date",
        because: "nobody has written it",
    },
    NotYet {
        id: "AVS-004",
        title: "Missing decoder: an archive type is passed unread",
        because: "nobody has written it",
    },
    NotYet {
        id: "AVS-005",
        title: "Dangerous types pass (exe, js, lnk, iso, img, vhd, hta, one, macro documents, html with script)",
        because: "nobody has written it",
    },
    NotYet {
        id: "AVS-006",
        title: "Password-protected archives pass unmarked",
        because: "nobody has written it",
    },
    NotYet {
        id: "AVS-007",
        title: "Size limits let large mail through unscanned",
        because: "nobody has written it",
    },
    NotYet { id: "AVS-008", title: "EICAR / GTUBE self-test not caught", because: "nobody has written it" },
    NotYet {
        id: "AVS-009",
        title: "Filter rules broken or in a place that is never read",
        because: "nobody has written it",
    },
    NotYet {
        id: "AVS-010",
        title: "Thresholds so high that nothing is stopped",
        because: "nobody has written it",
    },
    NotYet {
        id: "AVS-011",
        title: "Allow-list with free-mail providers or our own domain (anyone may forge it)",
        because: "nobody has written it",
    },
    NotYet {
        id: "AVS-012",
        title: "Filter's control interface open, or default/weak/plain password",
        because: "nobody has written it",
    },
    NotYet {
        id: "AVS-013",
        title: "Redis/ClamAV/policy daemon reachable from outside or without password",
        because: "nobody has written it",
    },
    NotYet { id: "AVS-014", title: "Two filters both active", because: "nobody has written it" },
    NotYet {
        id: "AVS-015",
        title: "Filter trusts the whole Internet as \"mynetworks\"",
        because: "nobody has written it",
    },
    NotYet {
        id: "AVS-016",
        title: "Scanner listens without bind restriction",
        because: "nobody has written it",
    },
];
