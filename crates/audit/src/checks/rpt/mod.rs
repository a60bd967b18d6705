//! What received reports say.

use crate::{Check, NotYet};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[
    NotYet {
        id: "RPT-001",
        title: "Unknown source sends as us in volume",
        because: "the aggregate reports that a domain receives are not collected yet, and nothing else shows who sends in its name elsewhere",
    },
    NotYet {
        id: "RPT-002",
        title: "Our own server fails DKIM or SPF alignment somewhere",
        because: "what receivers made of our mail stands in their aggregate reports, which are not collected yet",
    },
    NotYet {
        id: "RPT-003",
        title: "Legitimate service passes but is not aligned",
        because: "which services send in a domain's name stands in aggregate reports, which are not collected yet",
    },
    NotYet {
        id: "RPT-004",
        title: "Subdomain or non-existent subdomain abused",
        because: "which subdomains are used stands in aggregate reports, which are not collected yet",
    },
    NotYet {
        id: "RPT-005",
        title: "TLS-RPT failures (certificate-expired, host-mismatch, starttls-not-supported, validation-failure, sts-policy-*, dane-required, dnssec-invalid)",
        because: "failures that senders met stand in their TLS reports, which are not collected yet; the causes on this side are CRT, STS and DAN checks",
    },
    NotYet {
        id: "RPT-006",
        title: "Reports stopped arriving",
        because: "it takes received reports over time, which are not collected yet",
    },
    NotYet {
        id: "RPT-007",
        title: "Malformed, duplicate or hostile report",
        because: "received reports are not collected yet, so none is read",
    },
    NotYet {
        id: "RPT-008",
        title: "Ready (or not) for the next policy step",
        because: "the share of own mail that passes stands in aggregate reports, which are not collected yet",
    },
];
