//! What received reports say.

use crate::{Check, NotYet};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[
    NotYet { id: "RPT-001", title: "Unknown source sends as us in volume", because: "nobody has written it" },
    NotYet {
        id: "RPT-002",
        title: "Our own server fails DKIM or SPF alignment somewhere",
        because: "nobody has written it",
    },
    NotYet {
        id: "RPT-003",
        title: "Legitimate service passes but is not aligned",
        because: "nobody has written it",
    },
    NotYet {
        id: "RPT-004",
        title: "Subdomain or non-existent subdomain abused",
        because: "nobody has written it",
    },
    NotYet {
        id: "RPT-005",
        title: "TLS-RPT failures (certificate-expired, host-mismatch, starttls-not-supported, validation-failure, sts-policy-*, dane-required, dnssec-invalid)",
        because: "nobody has written it",
    },
    NotYet { id: "RPT-006", title: "Reports stopped arriving", because: "nobody has written it" },
    NotYet {
        id: "RPT-007",
        title: "Malformed, duplicate or hostile report",
        because: "nobody has written it",
    },
    NotYet {
        id: "RPT-008",
        title: "Ready (or not) for the next policy step",
        because: "nobody has written it",
    },
];
