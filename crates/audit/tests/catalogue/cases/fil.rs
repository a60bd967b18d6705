//! Cases of the FIL family.

use mailward_audit::Facts;
use mailward_audit::facts::{File, FileKind, Known};

use crate::Case;
use crate::build::{dovecot, file, nothing, said};

/// A file with a mode and `owner:group`.
fn with(mut facts: Facts, path: &str, mode: u32, owner: &str, text: &str) -> Facts {
    let (owner, group) = owner.split_once(':').unwrap_or((owner, owner));
    let kind = if text == "/" { FileKind::Directory } else { FileKind::Regular };
    let uid = if owner == "root" { 0 } else { 1000 };
    let file = File { kind, mode, uid, owner: owner.to_owned(), group: group.to_owned(), ..File::of(text) };
    facts.files.insert(path.to_owned(), Known::Is(file));
    facts
}

fn one(path: &str, mode: u32, owner: &str, text: &str) -> Facts {
    with(nothing(), path, mode, owner, text)
}

fn postfix() -> Facts {
    said(nothing(), "postconf -n", "alias_maps = hash:/etc/aliases\n")
}

const KEY: &str = "(a private key: ***)\n";

/// The cases, by id.
pub(crate) const CASES: &[Case] = &[
    Case {
        id: "FIL-001",
        fails: || one("/etc/postfix/tls/mail.pem", 0o644, "root:root", KEY),
        shows: "mode 0644, owner root:root",
        passes: || one("/etc/postfix/tls/mail.pem", 0o600, "root:root", KEY),
    },
    Case {
        id: "FIL-001",
        fails: || one("/etc/letsencrypt/archive/a/privkey1.pem", 0o640, "root:users", ""),
        shows: "root:users",
        // Debian's ssl-cert, and a directory that nobody passes.
        passes: || {
            let facts = one("/etc/ssl/private/mail.key", 0o640, "root:ssl-cert", "");
            let facts = with(facts, "/etc/letsencrypt/archive/a/privkey1.pem", 0o644, "root:root", "");
            with(facts, "/etc/letsencrypt/archive", 0o700, "root:root", "/")
        },
    },
    Case {
        id: "FIL-002",
        fails: || one("/etc/opendkim/keys/example.org/mail.private", 0o604, "opendkim:opendkim", ""),
        shows: "/etc/opendkim/keys/example.org/mail.private",
        passes: || one("/etc/opendkim/keys/example.org/mail.private", 0o600, "opendkim:opendkim", ""),
    },
    Case {
        id: "FIL-003",
        fails: || with(dovecot(nothing(), ""), "/etc/dovecot/users", 0o644, "root:root", "alice:***\n"),
        shows: "/etc/dovecot/users",
        passes: || with(dovecot(nothing(), ""), "/etc/dovecot/users", 0o640, "root:dovecot", "alice:***\n"),
    },
    Case {
        id: "FIL-004",
        fails: || {
            one(
                "/etc/dovecot/dovecot-sql.conf.ext",
                0o644,
                "root:root",
                "# x\nconnect = host=db password=***\n",
            )
        },
        shows: "/etc/dovecot/dovecot-sql.conf.ext:2",
        passes: || {
            let facts = one(
                "/etc/dovecot/dovecot-sql.conf.ext",
                0o640,
                "root:dovecot",
                "connect = host=db password=***\n",
            );
            file(facts, "/etc/dovecot/dovecot-ldap.conf.ext", "#dnpass = ***\n")
        },
    },
    Case {
        id: "FIL-004",
        fails: || one("/etc/postfix/sasl_passwd.db", 0o644, "root:root", ""),
        shows: "sasl_passwd.db",
        passes: || one("/etc/postfix/sasl_passwd.db", 0o600, "root:root", ""),
    },
    Case {
        id: "FIL-005",
        fails: || one("/etc/postfix/main.cf", 0o666, "root:root", ""),
        shows: "mode 0666",
        passes: || {
            let facts = one("/etc/postfix/main.cf", 0o644, "root:root", "");
            let facts = with(facts, "/etc/dovecot/users", 0o640, "vmail:dovecot", "");
            with(facts, "/etc", 0o755, "root:root", "/")
        },
    },
    Case {
        id: "FIL-005",
        fails: || {
            with(
                one("/etc/postfix/main.cf", 0o644, "root:root", ""),
                "/etc/dovecot/dovecot.conf",
                0o644,
                "www-data",
                "",
            )
        },
        shows: "owner www-data",
        passes: || {
            with(
                one("/etc/postfix/main.cf", 0o644, "root:root", ""),
                "/etc/dovecot/dovecot.conf",
                0o644,
                "root",
                "",
            )
        },
    },
    Case {
        id: "FIL-006",
        fails: || one("/var/mail/vhosts/example.org/alice/cur", 0o755, "vmail", "/"),
        shows: "/var/mail",
        passes: || {
            let facts = one("/var/mail/alice", 0o660, "alice:mail", "");
            let facts = with(facts, "/var/mail/vhosts/example.org", 0o755, "vmail", "/");
            with(facts, "/var/mail/vhosts/example.org/alice/cur", 0o700, "vmail", "/")
        },
    },
    Case {
        id: "FIL-007",
        fails: || one("/var/log/mail.log", 0o644, "syslog:adm", ""),
        shows: "Low",
        passes: || one("/var/log/mail.log", 0o640, "syslog:adm", ""),
    },
    Case {
        id: "FIL-007",
        fails: || one("/var/log/mail.log", 0o666, "syslog:adm", ""),
        shows: "High",
        passes: || with(one("/var/log/mail.log", 0o644, "root", ""), "/var/log", 0o750, "root:adm", "/"),
    },
    Case {
        id: "FIL-008",
        fails: || {
            let facts = file(nothing(), "/etc/cron.d/backup", "0 3 * * * root /usr/local/bin/backup.sh\n");
            with(facts, "/usr/local/bin/backup.sh", 0o777, "root", "")
        },
        shows: "/usr/local/bin/backup.sh",
        passes: || {
            let facts = file(
                nothing(),
                "/etc/cron.d/backup",
                "0 3 * * * root /usr/local/bin/backup.sh\n* * * * * bob /home/bob/x\n",
            );
            let facts = with(facts, "/home/bob/x", 0o777, "bob", "");
            let facts = with(facts, "/usr/local", 0o2775, "root:staff", "/");
            with(facts, "/usr/local/bin/backup.sh", 0o755, "root", "")
        },
    },
    Case {
        id: "FIL-009",
        fails: || with(postfix(), "/usr/sbin/postdrop", 0o755, "root:postdrop", ""),
        shows: "must be set-gid postdrop",
        passes: || {
            let facts = with(postfix(), "/usr/sbin/postdrop", 0o2555, "root:postdrop", "");
            with(facts, "/var/spool/postfix/maildrop", 0o1730, "postfix:postdrop", "/")
        },
    },
    Case {
        id: "FIL-010",
        fails: || with(postfix(), "/etc/aliases.db", 0o644, "bob", ""),
        shows: "/etc/aliases.db belongs to bob",
        passes: || with(postfix(), "/etc/aliases.db", 0o644, "root", ""),
    },
    Case {
        id: "FIL-011",
        fails: || {
            file(
                nothing(),
                "/compose/compose.yaml",
                "services:\n  mail:\n    environment:\n      - RELAY_PASSWORD=***\n",
            )
        },
        shows: "compose.yaml:4",
        passes: || one("/compose/mailserver.env", 0o600, "root", "RELAY_PASSWORD=***\n"),
    },
    Case {
        id: "FIL-012",
        fails: || one("/etc/letsencrypt/accounts/a/directory/b/private_key.json", 0o644, "root", ""),
        shows: "private_key.json",
        passes: || one("/etc/letsencrypt/accounts/a/directory/b/private_key.json", 0o400, "root", ""),
    },
    Case {
        id: "FIL-013",
        fails: || one("/var/mail/example.org/alice/home/.dovecot.sieve", 0o666, "vmail", ""),
        shows: ".dovecot.sieve",
        passes: || one("/var/mail/example.org/alice/home/.dovecot.sieve", 0o600, "vmail", ""),
    },
    Case {
        id: "FIL-014",
        fails: || {
            with(
                one("/var/crash", 0o1777, "root", "/"),
                "/var/crash/_usr_lib_postfix_sbin_smtpd.0.crash",
                0o600,
                "root",
                "",
            )
        },
        shows: "smtpd.0.crash",
        passes: || {
            with(
                one("/var/crash", 0o1777, "root", "/"),
                "/var/crash/_usr_bin_gimp.0.crash",
                0o600,
                "root",
                "",
            )
        },
    },
];
