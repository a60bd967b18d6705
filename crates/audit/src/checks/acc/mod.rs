//! Accounts, aliases, filters.

use crate::{Check, NotYet};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[
    NotYet {
        id: "ACC-001",
        title: "Password stored in clear or reversible (PLAIN, CLEARTEXT, CRAM-MD5, DIGEST-MD5, base64)",
        because: "nobody has written it",
    },
    NotYet {
        id: "ACC-002",
        title: "Weak hash (DES-crypt, MD5-CRYPT, SHA/SSHA, LDAP-MD5, NTLM)",
        because: "nobody has written it",
    },
    NotYet {
        id: "ACC-003",
        title: "Work factor too low (SHA512-CRYPT < 5000 rounds explicit, bcrypt < 10, argon2 m < 19 MiB)",
        because: "nobody has written it",
    },
    NotYet {
        id: "ACC-004",
        title: "Guessable password: equals user, domain, role word, or in a short embedded list",
        because: "nobody has written it",
    },
    NotYet {
        id: "ACC-005",
        title: "Two accounts share one hash (same salt) or unsalted equal value",
        because: "nobody has written it",
    },
    NotYet { id: "ACC-006", title: "Empty password", because: "nobody has written it" },
    NotYet {
        id: "ACC-007",
        title: "Role, test or default accounts can log in (test, admin/admin, info, scanner, guest)",
        because: "nobody has written it",
    },
    NotYet {
        id: "ACC-008",
        title: "Dormant: no login for 180 days though enabled",
        because: "nobody has written it",
    },
    NotYet {
        id: "ACC-009",
        title: "Account listed twice (first wins, second is dead or the other way)",
        because: "nobody has written it",
    },
    NotYet { id: "ACC-010", title: "Account in a domain we do not serve", because: "nobody has written it" },
    NotYet {
        id: "ACC-011",
        title: "Mailbox without account (leaver's data), or account without mailbox",
        because: "nobody has written it",
    },
    NotYet { id: "ACC-012", title: "Alias loop", because: "nobody has written it" },
    NotYet {
        id: "ACC-013",
        title: "Alias to a local address that does not exist",
        because: "nobody has written it",
    },
    NotYet {
        id: "ACC-014",
        title: "Whole mailbox forwarded outside (alias, Sieve redirect without condition)",
        because: "nobody has written it",
    },
    NotYet {
        id: "ACC-015",
        title: "Sieve that hides mail (discard/redirect on \"invoice\", \"security\", \"password\")",
        because: "nobody has written it",
    },
    NotYet { id: "ACC-016", title: "Catch-all address", because: "nobody has written it" },
    NotYet {
        id: "ACC-017",
        title: "Role mailboxes missing: postmaster, abuse, and those named in DMARC rua, TLS-RPT, CAA iodef, security.txt",
        because: "nobody has written it",
    },
    NotYet {
        id: "ACC-018",
        title: "System users (root, sync) can log in to mail (pam/passwd passdb)",
        because: "nobody has written it",
    },
    NotYet {
        id: "ACC-019",
        title: "Alias pipes to a script writable by others",
        because: "nobody has written it",
    },
    NotYet {
        id: "ACC-020",
        title: "No second factor or app passwords for any account, passwords shared with other systems",
        because: "nobody has written it",
    },
];
