//! Dovecot, IMAP, POP3, Sieve.

use crate::{Check, NotYet};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[
    NotYet { id: "DOV-001", title: "Password accepted without TLS", because: "nobody has written it" },
    NotYet { id: "DOV-002", title: "TLS optional (ssl = yes/no)", because: "nobody has written it" },
    NotYet {
        id: "DOV-003",
        title: "Trusted networks too wide (login_trusted_networks, 2.3 and 2.4): lifts the TLS demand and lets clients forge their address",
        because: "nobody has written it",
    },
    NotYet {
        id: "DOV-004",
        title: "Passwords written to the log (auth_debug_passwords, auth_verbose_passwords = plain)",
        because: "nobody has written it",
    },
    NotYet {
        id: "DOV-005",
        title: "Failed logins not logged well enough to ban on",
        because: "nobody has written it",
    },
    NotYet {
        id: "DOV-006",
        title: "No delay after a failed login (auth_failure_delay = 0) or penalty off",
        because: "nobody has written it",
    },
    NotYet {
        id: "DOV-007",
        title: "Negative auth cache used as lock-out (long auth_cache_negative_ttl)",
        because: "nobody has written it",
    },
    NotYet {
        id: "DOV-008",
        title: "Cleartext listeners open to the world though nobody needs them (143, 110, 4190)",
        because: "nobody has written it",
    },
    NotYet { id: "DOV-009", title: "POP3 enabled without users", because: "nobody has written it" },
    NotYet { id: "DOV-010", title: "Greeting or ID tells version and OS", because: "nobody has written it" },
    NotYet {
        id: "DOV-011",
        title: "Master user without limits (no IP restriction, weak password, enabled by default)",
        because: "nobody has written it",
    },
    NotYet {
        id: "DOV-012",
        title: "passdb admits without password (nopassword, static, anonymous)",
        because: "nobody has written it",
    },
    NotYet {
        id: "DOV-013",
        title: "Auth, userdb, doveadm or LMTP sockets open to every local user (mode 0666)",
        because: "nobody has written it",
    },
    NotYet {
        id: "DOV-014",
        title: "doveadm / LMTP / stats / auth reachable over TCP, or doveadm password weak",
        because: "nobody has written it",
    },
    NotYet {
        id: "DOV-015",
        title: "No limit on connections per user and address",
        because: "nobody has written it",
    },
    NotYet {
        id: "DOV-016",
        title: "first_valid_uid = 0 or mail owned by root",
        because: "nobody has written it",
    },
    NotYet {
        id: "DOV-017",
        title: "Sieve may run programs (vnd.dovecot.execute, pipe, filter) for users",
        because: "nobody has written it",
    },
    NotYet { id: "DOV-018", title: "Weak default password scheme", because: "nobody has written it" },
    NotYet {
        id: "DOV-019",
        title: "Later include or block overrides a sound value",
        because: "nobody has written it",
    },
    NotYet {
        id: "DOV-020",
        title: "Obsolete or unknown settings (2.3 configuration on 2.4 does not start; 2.4 names ignored on 2.3)",
        because: "nobody has written it",
    },
    NotYet {
        id: "DOV-021",
        title: "SQL/LDAP passdb over clear network or with credentials in a readable file",
        because: "nobody has written it",
    },
    NotYet {
        id: "DOV-022",
        title: "Debug logging left on (mail_debug, auth_debug)",
        because: "nobody has written it",
    },
    NotYet {
        id: "DOV-023",
        title: "Different answers for unknown user and wrong password (enumeration)",
        because: "nobody has written it",
    },
    NotYet { id: "DOV-024", title: "ManageSieve takes PLAIN before TLS", because: "nobody has written it" },
    NotYet {
        id: "DOV-025",
        title: "User names may hold path characters that reach mail_location/home",
        because: "nobody has written it",
    },
];
