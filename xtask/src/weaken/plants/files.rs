//! Files, logs, the queue, certificates, bans.

use crate::weaken::Plant;
use crate::weaken::act::Act::{Directory, Mode, Owner, Replace, Write};

const JAIL: &str = "/etc/fail2ban/jail.d/mail.local";

pub(super) const PLANTS: &[Plant] = &[
    Plant::new(
        "FIL-001",
        "everybody may read the key",
        "/etc/ssl/lab/mail.key",
        &[Mode("/etc/ssl/lab/mail.key", 0o644)],
    ),
    Plant::new(
        "FIL-002",
        "everybody may read the key that signs mail",
        "/etc/opendkim/keys/mail.private",
        &[
            Directory("/etc/opendkim", 0o755),
            Write("/etc/opendkim/keys/mail.private", "-----BEGIN PRIVATE KEY-----\n"),
        ],
    ),
    Plant::new(
        "FIL-012",
        "everybody may read the key of the ACME account",
        "private_key.json",
        &[
            Directory("/etc/letsencrypt", 0o755),
            Write("/etc/letsencrypt/accounts/acme.example/directory/0a1b/private_key.json", "{}\n"),
        ],
    ),
    Plant::new(
        "FIL-003",
        "everybody may read the passwords",
        "/etc/dovecot/users",
        &[Mode("/etc/dovecot/users", 0o644)],
    ),
    Plant::new(
        "FIL-004",
        "everybody may read the directory's password",
        "/etc/dovecot/dovecot-ldap.conf.ext",
        &[Write(
            "/etc/dovecot/dovecot-ldap.conf.ext",
            "uris = ldaps://ldap.example.org\ndn = cn=dovecot\ndnpass = secret\n",
        )],
    ),
    Plant::new(
        "FIL-005",
        "everybody may write the configuration",
        "/etc/postfix/main.cf",
        &[Mode("/etc/postfix/main.cf", 0o666)],
    ),
    Plant::new(
        "FIL-006",
        "everybody may read the mail",
        "/var/mail/vhosts",
        &[Mode("/var/mail/vhosts", 0o777)],
    ),
    Plant::new(
        "FIL-007",
        "everybody may read the log",
        "/var/log/mail.log",
        &[Mode("/var/log/mail.log", 0o644)],
    ),
    Plant::new(
        "FIL-008",
        "everybody may change what root runs",
        "/etc/jobs/nightly",
        &[
            Directory("/etc/jobs", 0o755),
            Write("/etc/jobs/nightly", "#!/bin/true\n"),
            Mode("/etc/jobs/nightly", 0o777),
            Write("/etc/cron.d/nightly", "5 3 * * * root /etc/jobs/nightly\n"),
        ],
    ),
    Plant::new(
        "FIL-009",
        "the queue is somebody else's",
        "/var/spool/postfix/maildrop",
        &[Mode("/var/spool/postfix/maildrop", 0o755)],
    ),
    Plant::new(
        "FIL-010",
        "the aliases are somebody else's",
        "/etc/aliases.db",
        &[Owner("/etc/aliases.db", 65534, 0)],
    ),
    Plant::new(
        "FIL-013",
        "everybody may change a filter",
        ".dovecot.sieve",
        &[
            Directory("/var/mail/vhosts/example.org", 0o755),
            Owner("/var/mail/vhosts/example.org", 5000, 5000),
            Directory("/var/mail/vhosts/example.org/nora", 0o755),
            Owner("/var/mail/vhosts/example.org/nora", 5000, 5000),
            Write("/var/mail/vhosts/example.org/nora/.dovecot.sieve", "keep;\n"),
            Mode("/var/mail/vhosts/example.org/nora/.dovecot.sieve", 0o666),
        ],
    ),
    Plant::new(
        "FIL-014",
        "a core dump",
        "core.smtpd",
        &[
            Directory("/var/lib/systemd", 0o755),
            Directory("/var/lib/systemd/coredump", 0o755),
            Write("/var/lib/systemd/coredump/core.smtpd.105.zst", "core"),
        ],
    ),
    Plant::new(
        "LOG-002",
        "rotation throws the log away",
        "rotate 0",
        &[Replace("/etc/logrotate.d/rsyslog", "rotate 8", "rotate 0")],
    ),
    Plant::new(
        "QUE-004",
        "a corrupt queue file",
        "corrupt",
        &[Write("/var/spool/postfix/corrupt/4ABCDE1234", "nothing")],
    ),
    Plant::new(
        "BAN-001",
        "nothing reacts to guessing",
        "jail",
        &[
            Replace(JAIL, "[postfix]\nenabled = true", "[postfix]\nenabled = false"),
            Replace(JAIL, "[dovecot]\nenabled = true", "[dovecot]\nenabled = false"),
        ],
    ),
    Plant::new(
        "BAN-004",
        "a jail for a log that does not exist",
        "Have not found any log file for dovecot jail",
        &[Replace(JAIL, "[dovecot]\n", "[dovecot]\nlogpath = /var/log/nothing.log\n")],
    ),
    Plant::new(
        "BAN-007",
        "nobody is ever banned",
        "0.0.0.0/0",
        &[Replace(JAIL, "198.19.2.0/24", "0.0.0.0/0")],
    ),
    Plant::new(
        "BAN-009",
        "banned for ten seconds",
        "bantime",
        &[Replace(JAIL, "[dovecot]\n", "[dovecot]\nbantime = 10\nbantime.increment = false\n")],
    ),
];
