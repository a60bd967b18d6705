//! Logs.

use crate::{Check, NotYet};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[
    NotYet {
        id: "LOG-001",
        title: "Mail log missing, empty or not where the tools look",
        because: "nobody has written it",
    },
    NotYet {
        id: "LOG-002",
        title: "No rotation, or rotation that throws everything away (rotate 0)",
        because: "nobody has written it",
    },
    NotYet {
        id: "LOG-003",
        title: "Kept shorter than 30 days (forensics) or longer than stated policy (privacy)",
        because: "nobody has written it",
    },
    NotYet {
        id: "LOG-004",
        title: "Lines lost (journald/rsyslog rate limits)",
        because: "nobody has written it",
    },
    NotYet {
        id: "LOG-005",
        title: "Time stamps without year or zone; clock not in step",
        because: "nobody has written it",
    },
    NotYet { id: "LOG-006", title: "Secrets in the log", because: "nobody has written it" },
    NotYet {
        id: "LOG-007",
        title: "Unreadable share: lines that our parser does not know",
        because: "nobody has written it",
    },
    NotYet { id: "LOG-008", title: "Silent hole in the log", because: "nobody has written it" },
    NotYet {
        id: "LOG-009",
        title: "Only on this host (an intruder can erase it)",
        because: "nobody has written it",
    },
];
