//! SPF.

use crate::{Check, NotYet};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[
    NotYet { id: "SPF-001", title: "No record on a domain that sends", because: "nobody has written it" },
    NotYet { id: "SPF-002", title: "More than one record (permerror)", because: "nobody has written it" },
    NotYet { id: "SPF-003", title: "Syntax error", because: "nobody has written it" },
    NotYet { id: "SPF-004", title: "More than 10 DNS look-ups", because: "nobody has written it" },
    NotYet { id: "SPF-005", title: "More than 2 void look-ups", because: "nobody has written it" },
    NotYet { id: "SPF-006", title: "+all, ?all, or no all", because: "nobody has written it" },
    NotYet { id: "SPF-007", title: "ptr mechanism", because: "nobody has written it" },
    NotYet { id: "SPF-008", title: "Include loop or missing target", because: "nobody has written it" },
    NotYet {
        id: "SPF-009",
        title: "This server's sending address is not covered",
        because: "nobody has written it",
    },
    NotYet {
        id: "SPF-010",
        title: "Authorises an unreasonably large range (shared clouds, /16 and wider)",
        because: "nobody has written it",
    },
    NotYet { id: "SPF-011", title: "HELO name has no SPF", because: "nobody has written it" },
    NotYet {
        id: "SPF-012",
        title: "Terms after all, or redirect beside all (ignored)",
        because: "nobody has written it",
    },
    NotYet {
        id: "SPF-013",
        title: "Record over 512 octets in one answer, or mx with more than 10 hosts",
        because: "nobody has written it",
    },
    NotYet {
        id: "SPF-014",
        title: "Names that do not send (web hosts, parked domains, subdomains with A) lack -all",
        because: "nobody has written it",
    },
    NotYet {
        id: "SPF-015",
        title: "Deprecated type 99 or Sender-ID spf2.0 record",
        because: "nobody has written it",
    },
    NotYet {
        id: "SPF-016",
        title: "Includes a provider nobody here uses any more",
        because: "nobody has written it",
    },
];
