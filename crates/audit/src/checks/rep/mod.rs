//! Reputation and block lists.

use crate::{Check, NotYet};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[
    NotYet { id: "REP-001", title: "Server address listed", because: "nobody has written it" },
    NotYet { id: "REP-002", title: "Domain listed", because: "nobody has written it" },
    NotYet {
        id: "REP-003",
        title: "Dead list configured (never answers its test point)",
        because: "nobody has written it",
    },
    NotYet {
        id: "REP-004",
        title: "List answers *everything* (wildcard, abandoned): all mail rejected",
        because: "nobody has written it",
    },
    NotYet {
        id: "REP-005",
        title: "List refuses our resolver (127.255.255.25x, or DNSWL 127.0.0.255) and the reply is taken as listing or as allow",
        because: "nobody has written it",
    },
    NotYet {
        id: "REP-006",
        title: "List used without a reply filter at reject time",
        because: "nobody has written it",
    },
    NotYet {
        id: "REP-007",
        title: "One aggressive list decides alone (range-wide lists at reject weight)",
        because: "nobody has written it",
    },
    NotYet {
        id: "REP-008",
        title: "Block lists at several layers (postscreen + smtpd + filter): double cost, contradictions",
        because: "nobody has written it",
    },
    NotYet {
        id: "REP-009",
        title: "Look-ups over 1 s or timing out in the session",
        because: "nobody has written it",
    },
    NotYet { id: "REP-010", title: "Remote side says we are blocked", because: "nobody has written it" },
];
