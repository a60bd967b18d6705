//! Accounts, aliases and filters.

use crate::weaken::Plant;
use crate::weaken::act::Act::{Append, Directory, Mode, Owner, Run, Write};

const USERS: &str = "/etc/dovecot/users";
const VIRTUAL: &str = "/etc/postfix/virtual";
const BOXES: &str = "/etc/postfix/vmailbox";

/// A password that nobody guesses, hashed as it should be.
macro_rules! HASH {
    () => {
        "{BLF-CRYPT}$2y$11$lfonTR4FcLBQAPVx1bYDEOTjEv3ujrYfoqvDfjLDYKR/pwsb7TNKq"
    };
}

pub(super) const PLANTS: &[Plant] = &[
    Plant::new(
        "ACC-001",
        "a password in clear",
        "ivan@example.org",
        &[
            Append(
                USERS,
                "ivan@example.org:{PLAIN}Tractor-11-velvet:5000:5000::/var/mail/vhosts/example.org/ivan::\n",
            ),
            Append(BOXES, "ivan@example.org example.org/ivan/\n"),
        ],
    ),
    Plant::new(
        "ACC-002",
        "an MD5 hash",
        "ivan@example.org",
        &[
            Append(
                USERS,
                "ivan@example.org:{MD5-CRYPT}$1$mU5dPvqX$rXYVSYTbTRZgdyTQQWbLj0:5000:5000::/var/mail/vhosts/example.org/ivan::\n",
            ),
            Append(BOXES, "ivan@example.org example.org/ivan/\n"),
        ],
    ),
    Plant::new(
        "ACC-003",
        "a hash that is computed too fast",
        "ivan@example.org",
        &[
            Append(
                USERS,
                "ivan@example.org:{SHA512-CRYPT}$6$rounds=1000$tnp8VJGdRGlFVVEe$x6FUWRFB6H5dTq3IwH4VxaGDvJ5XzaHqLkr4RmBZBoEJ7S1A9GlM8QwKwH7kVZ2nXG7kB5zGmLZzV6EMFh7oq.:5000:5000::/var/mail/vhosts/example.org/ivan::\n",
            ),
            Append(BOXES, "ivan@example.org example.org/ivan/\n"),
        ],
    ),
    Plant::new(
        "ACC-006",
        "no password",
        "ivan@example.org",
        &[
            Append(USERS, "ivan@example.org::5000:5000::/var/mail/vhosts/example.org/ivan::\n"),
            Append(BOXES, "ivan@example.org example.org/ivan/\n"),
        ],
    ),
    Plant::new(
        "ACC-007",
        "an account for tests",
        "test@example.org",
        &[
            Append(
                USERS,
                concat!("test@example.org:", HASH!(), ":5000:5000::/var/mail/vhosts/example.org/test::\n"),
            ),
            Append(BOXES, "test@example.org example.org/test/\n"),
        ],
    ),
    Plant::new(
        "ACC-009",
        "an account that is there twice",
        "nora@example.org",
        &[Append(
            USERS,
            concat!("nora@example.org:", HASH!(), ":5000:5000::/var/mail/vhosts/example.org/nora::\n"),
        )],
    ),
    Plant::new(
        "ACC-010",
        "an account of a domain that is not ours",
        "ivan@elsewhere.example",
        &[Append(
            USERS,
            concat!(
                "ivan@elsewhere.example:",
                HASH!(),
                ":5000:5000::/var/mail/vhosts/elsewhere.example/ivan::\n"
            ),
        )],
    ),
    Plant::new(
        "ACC-012",
        "aliases that go round in a circle",
        "ring@example.org",
        &[Append(VIRTUAL, "ring@example.org rong@example.org\nrong@example.org ring@example.org\n")],
    ),
    Plant::new(
        "ACC-013",
        "an alias to nobody",
        "gone@example.org",
        &[Append(VIRTUAL, "office@example.org gone@example.org\n")],
    ),
    Plant::new(
        "ACC-016",
        "every address is somebody's",
        "@example.org",
        &[Append(VIRTUAL, "@example.org nora@example.org\n")],
    ),
    Plant::new(
        "ACC-018",
        "the host's users may read mail",
        "pam",
        &[Append("/etc/dovecot/local.conf", "passdb {\n  driver = pam\n}\n")],
    ),
    Plant::new(
        "ACC-019",
        "an alias runs what everybody may change",
        "/etc/jobs/ticket",
        &[
            Directory("/etc/jobs", 0o755),
            Write("/etc/jobs/ticket", "#!/bin/true\n"),
            Mode("/etc/jobs/ticket", 0o777),
            Append("/etc/aliases", "ticket: \"|/etc/jobs/ticket\"\n"),
            Run("/etc/aliases.db", &["/usr/sbin/postalias", "hash:/etc/aliases"]),
        ],
    ),
    Plant::new(
        "ACC-014",
        "a filter that sends everything elsewhere",
        "somebody@elsewhere.example",
        &[
            Directory("/var/mail/vhosts/example.org", 0o700),
            Directory("/var/mail/vhosts/example.org/nora", 0o700),
            Write(
                "/var/mail/vhosts/example.org/nora/.dovecot.sieve",
                "redirect \"somebody@elsewhere.example\";\n",
            ),
            Mode("/var/mail/vhosts/example.org/nora/.dovecot.sieve", 0o600),
            Owner("/var/mail/vhosts/example.org/nora/.dovecot.sieve", 5000, 5000),
        ],
    ),
    Plant::new(
        "ACC-015",
        "a filter that hides invoices",
        "invoice",
        &[
            Directory("/var/mail/vhosts/example.org", 0o700),
            Directory("/var/mail/vhosts/example.org/nora", 0o700),
            Write(
                "/var/mail/vhosts/example.org/nora/.dovecot.sieve",
                "if header :contains \"subject\" \"invoice\" { discard; stop; }\n",
            ),
            Mode("/var/mail/vhosts/example.org/nora/.dovecot.sieve", 0o600),
            Owner("/var/mail/vhosts/example.org/nora/.dovecot.sieve", 5000, 5000),
        ],
    ),
];
