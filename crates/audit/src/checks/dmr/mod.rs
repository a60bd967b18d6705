//! DMARC.

use crate::{Check, NotYet};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[
    NotYet { id: "DMR-001", title: "No record (after tree walk)", because: "nobody has written it" },
    NotYet { id: "DMR-002", title: "More than one record (all void)", because: "nobody has written it" },
    NotYet {
        id: "DMR-003",
        title: "Syntax error; first tag not v=DMARC1; missing ;",
        because: "nobody has written it",
    },
    NotYet { id: "DMR-004", title: "p=none: spoofed mail is delivered", because: "nobody has written it" },
    NotYet {
        id: "DMR-005",
        title: "Policy is not in force: pct below 100 (obsolete), or t=y",
        because: "nobody has written it",
    },
    NotYet { id: "DMR-006", title: "sp or np weaker than p", because: "nobody has written it" },
    NotYet { id: "DMR-007", title: "No rua", because: "nobody has written it" },
    NotYet {
        id: "DMR-008",
        title: "Outside rua/ruf without authorisation record",
        because: "nobody has written it",
    },
    NotYet { id: "DMR-009", title: "Report mailbox cannot receive", because: "nobody has written it" },
    NotYet {
        id: "DMR-010",
        title: "Record at the wrong name (apex, _dmarc missing) or shadowed by wildcard TXT",
        because: "nobody has written it",
    },
    NotYet {
        id: "DMR-011",
        title: "Strict alignment that own mail does not meet",
        because: "nobody has written it",
    },
    NotYet { id: "DMR-012", title: "Obsolete tags (pct, rf, ri, !size)", because: "nobody has written it" },
    NotYet {
        id: "DMR-013",
        title: "Parked domain without p=reject, -all, null MX",
        because: "nobody has written it",
    },
    NotYet { id: "DMR-014", title: "Reports arrive but nobody reads them", because: "nobody has written it" },
];
