//! Files and permissions.

use crate::{Check, NotYet};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[
    NotYet {
        id: "FIL-001",
        title: "TLS private key readable by group/other beyond the service group",
        because: "nobody has written it",
    },
    NotYet { id: "FIL-002", title: "DKIM private key readable", because: "nobody has written it" },
    NotYet { id: "FIL-003", title: "Password file readable by others", because: "nobody has written it" },
    NotYet {
        id: "FIL-004",
        title: "Map or configuration with credentials readable (SQL, LDAP, relay password, rspamd, doveadm)",
        because: "nobody has written it",
    },
    NotYet {
        id: "FIL-005",
        title: "Configuration writable by others or not root-owned",
        because: "nobody has written it",
    },
    NotYet {
        id: "FIL-006",
        title: "Mail store readable or writable by others",
        because: "nobody has written it",
    },
    NotYet {
        id: "FIL-007",
        title: "Mail log world-readable (L) or world-writable (H)",
        because: "nobody has written it",
    },
    NotYet {
        id: "FIL-008",
        title: "Script run by root (cron, deploy hook, pipe) writable by others",
        because: "nobody has written it",
    },
    NotYet {
        id: "FIL-009",
        title: "Postfix queue or binaries with wrong owner, set-gid missing",
        because: "nobody has written it",
    },
    NotYet {
        id: "FIL-010",
        title: "Alias database owned by a non-root user (pipes run as that user; planted)",
        because: "nobody has written it",
    },
    NotYet {
        id: "FIL-011",
        title: "Secrets in compose file, .env, backup script or git history",
        because: "nobody has written it",
    },
    NotYet {
        id: "FIL-012",
        title: "ACME account key or acme.json readable",
        because: "nobody has written it",
    },
    NotYet { id: "FIL-013", title: "User Sieve file writable by others", because: "nobody has written it" },
    NotYet {
        id: "FIL-014",
        title: "Core dumps or verbose traces of mail daemons on disk",
        because: "nobody has written it",
    },
];
