//! Certificates and keys.

use crate::{Check, NotYet};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[
    NotYet { id: "CRT-001", title: "Expired or not yet valid", because: "nobody has written it" },
    NotYet {
        id: "CRT-002",
        title: "Ends soon: under a third of its life left (warn), under a tenth or 3 days (high)",
        because: "nobody has written it",
    },
    NotYet {
        id: "CRT-003",
        title: "Chain does not end in a trusted root (self-signed, private CA)",
        because: "nobody has written it",
    },
    NotYet {
        id: "CRT-004",
        title: "Name mismatch: SAN lacks the MX name, myhostname, SRV targets, autoconfig and mta-sts names",
        because: "nobody has written it",
    },
    NotYet { id: "CRT-005", title: "Intermediate missing", because: "nobody has written it" },
    NotYet {
        id: "CRT-006",
        title: "Chain disordered, root sent, or stray certificate",
        because: "nobody has written it",
    },
    NotYet {
        id: "CRT-007",
        title: "RSA below 2048 bit (H) or below 3072 (L), weak EC curve, DSA",
        because: "nobody has written it",
    },
    NotYet {
        id: "CRT-008",
        title: "Signed with SHA-1 or MD5 (self-signed leaf included; root excluded)",
        because: "nobody has written it",
    },
    NotYet {
        id: "CRT-009",
        title: "Life span above what public CAs may issue (398 days; 200 from 2026-03-15, 100 from 2027-03-15, 47 from 2029-03-15)",
        because: "nobody has written it",
    },
    NotYet { id: "CRT-010", title: "Revoked", because: "nobody has written it" },
    NotYet {
        id: "CRT-011",
        title: "Must-Staple certificate without stapling",
        because: "nobody has written it",
    },
    NotYet { id: "CRT-012", title: "No subjectAltName (CN only)", because: "nobody has written it" },
    NotYet {
        id: "CRT-013",
        title: "Served certificate is not the one on disk (renewed, daemon never reloaded)",
        because: "nobody has written it",
    },
    NotYet {
        id: "CRT-014",
        title: "Private key does not match certificate, or file cannot be read by the daemon user",
        because: "nobody has written it",
    },
    NotYet {
        id: "CRT-015",
        title: "Different certificates on Postfix and Dovecot without need",
        because: "nobody has written it",
    },
    NotYet {
        id: "CRT-016",
        title: "Distribution's snake-oil or a published example key in use",
        because: "nobody has written it",
    },
    NotYet {
        id: "CRT-017",
        title: "Debian weak key or known-compromised key",
        because: "nobody has written it",
    },
    NotYet {
        id: "CRT-018",
        title: "Renewal not automated or its hook does not reload both daemons",
        because: "nobody has written it",
    },
    NotYet {
        id: "CRT-019",
        title: "Same private key for longer than 2 years over renewals while TLSA pins it (I), or key file older than its certificate by years (L)",
        because: "nobody has written it",
    },
    NotYet {
        id: "CRT-020",
        title: "Certificate lacks serverAuth, or is relied on for client authentication after public CAs dropped clientAuth (2026)",
        because: "nobody has written it",
    },
    NotYet {
        id: "CRT-021",
        title: "Different certificate without SNI (client without SNI gets a wrong name)",
        because: "nobody has written it",
    },
];
