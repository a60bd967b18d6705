//! DANE.

use crate::{Check, NotYet};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[
    NotYet {
        id: "DAN-001",
        title: "TLSA does not match the served certificate: mail from DANE senders is lost",
        because: "nobody has written it",
    },
    NotYet { id: "DAN-002", title: "TLSA without DNSSEC (useless)", because: "nobody has written it" },
    NotYet {
        id: "DAN-003",
        title: "Usage 0/1, matching type 0, or selector that breaks on renewal",
        because: "nobody has written it",
    },
    NotYet { id: "DAN-004", title: "No roll-over record", because: "nobody has written it" },
    NotYet {
        id: "DAN-005",
        title: "2 x x but the chain sent lacks that CA",
        because: "nobody has written it",
    },
    NotYet { id: "DAN-006", title: "No TLSA though the zone is signed", because: "nobody has written it" },
    NotYet {
        id: "DAN-007",
        title: "TLSA life (TTL) longer than the renewal overlap",
        because: "nobody has written it",
    },
];
