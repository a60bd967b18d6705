//! Backup.

use crate::{Check, NotYet};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[
    NotYet { id: "BAK-001", title: "No backup found", because: "nobody has written it" },
    NotYet {
        id: "BAK-002",
        title: "Newest is older than the schedule allows",
        because: "nobody has written it",
    },
    NotYet { id: "BAK-003", title: "Not encrypted", because: "nobody has written it" },
    NotYet {
        id: "BAK-004",
        title: "Broken: truncated, wrong checksum, empty",
        because: "nobody has written it",
    },
    NotYet {
        id: "BAK-005",
        title: "Lacks parts: accounts, DKIM keys, certificates, configuration, Sieve, queue policy",
        because: "nobody has written it",
    },
    NotYet { id: "BAK-006", title: "Much smaller than the one before", because: "nobody has written it" },
    NotYet {
        id: "BAK-007",
        title: "Readable by others, or beside the data on the same disk only",
        because: "nobody has written it",
    },
    NotYet {
        id: "BAK-008",
        title: "Job leaves plaintext on disk while it runs, weak cipher, or pass phrase in the script",
        because: "nobody has written it",
    },
    NotYet { id: "BAK-009", title: "No trial restore on record", because: "nobody has written it" },
];
