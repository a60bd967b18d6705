//! Dovecot's configuration.

use crate::weaken::Plant;
use crate::weaken::act::Act::{Append, Mode, Replace, Write};

/// Read last.
const LOCAL: &str = "/etc/dovecot/local.conf";

/// A line at the end of what Dovecot reads.
macro_rules! line {
    ($id:literal, $name:literal, $says:literal, $line:literal) => {
        Plant::new($id, $name, $says, &[Append(LOCAL, concat!($line, "\n"))])
    };
}

pub(super) const PLANTS: &[Plant] = &[
    Plant::new(
        "DOV-001",
        "passwords in clear",
        "disable_plaintext_auth",
        &[Append(LOCAL, "disable_plaintext_auth = no\n")],
    )
    .on(&[Replace(LOCAL, "ssl = required", "ssl = yes")]),
    Plant::new("DOV-002", "TLS if you like", "ssl = yes", &[Replace(LOCAL, "ssl = required", "ssl = yes")]),
    line!("DOV-003", "everybody is trusted", "login_trusted_networks", "login_trusted_networks = 0.0.0.0/0"),
    line!("DOV-004", "passwords in the log", "auth_verbose_passwords", "auth_verbose_passwords = plain"),
    Plant::new(
        "DOV-005",
        "failures without a reason",
        "auth_verbose",
        &[Replace(LOCAL, "auth_verbose = yes", "auth_verbose = no")],
    ),
    Plant::new(
        "DOV-006",
        "failures are answered at once",
        "auth_failure_delay",
        &[Replace(LOCAL, "auth_failure_delay = 2 secs", "auth_failure_delay = 0")],
    ),
    line!(
        "DOV-007",
        "a wrong password is remembered for a day",
        "auth_cache_negative_ttl",
        "auth_cache_size = 10M\nauth_cache_negative_ttl = 1 day"
    ),
    Plant::new(
        "DOV-008",
        "IMAP without TLS from the beginning",
        "143",
        &[Replace(LOCAL, "inet_listener imap {\n    port = 0", "inet_listener imap {\n    port = 143")],
    ),
    line!(
        "DOV-010",
        "a greeting with the version",
        "login_greeting",
        "login_greeting = Dovecot 2.3.19 on Debian 12"
    ),
    line!(
        "DOV-011",
        "a master user from anywhere",
        "master",
        "auth_master_user_separator = *\npassdb {\n  driver = passwd-file\n  args = /etc/dovecot/users\n  master = yes\n}"
    ),
    line!(
        "DOV-012",
        "any password will do",
        "nopassword",
        "passdb {\n  driver = static\n  args = nopassword=y\n}"
    ),
    Plant::new(
        "DOV-013",
        "everybody on the host may administrate",
        "/run/dovecot/doveadm-server has mode 0666",
        &[Mode("/run/dovecot/doveadm-server", 0o666)],
    ),
    line!(
        "DOV-014",
        "administration over the network",
        "24245",
        "service doveadm {\n  inet_listener {\n    port = 24245\n  }\n}"
    ),
    line!(
        "DOV-015",
        "as many connections as you like",
        "mail_max_userip_connections",
        "mail_max_userip_connections = 0"
    ),
    Plant::new(
        "DOV-016",
        "mail of root",
        "first_valid_uid",
        &[Replace(LOCAL, "first_valid_uid = 5000", "first_valid_uid = 0")],
    ),
    Plant::new(
        "DOV-017",
        "users' filters may run programs",
        "vnd.dovecot.execute",
        &[
            Write("/etc/dovecot/filters/translate", "#!/bin/true\n"),
            Mode("/etc/dovecot/filters/translate", 0o755),
            Append(
                LOCAL,
                "plugin {\n  sieve_plugins = sieve_extprograms\n  sieve_extensions = +vnd.dovecot.execute\n  \
                 sieve_execute_bin_dir = /etc/dovecot/filters\n}\n",
            ),
        ],
    ),
    Plant::new(
        "DOV-018",
        "new passwords are stored in clear",
        "scheme",
        &[Replace("/etc/dovecot/conf.d/auth-passwdfile.conf.ext", "scheme=CRYPT", "scheme=PLAIN")],
    ),
    Plant::new(
        "DOV-019",
        "a forgotten line takes TLS 1.3 back",
        "ssl_min_protocol",
        &[Append(LOCAL, "ssl_min_protocol = TLSv1.3\nssl_min_protocol = TLSv1.2\n")],
    ),
    Plant::new(
        "DOV-020",
        "a setting that Dovecot left behind",
        "ssl_dh_parameters_length",
        &[Append(LOCAL, "ssl_dh_parameters_length = 2048\n")],
    ),
    Plant::new(
        "DOV-021",
        "passwords from a database in clear",
        "db.example.org",
        &[
            Write(
                "/etc/dovecot/dovecot-sql.conf.ext",
                "driver = mysql\nconnect = host=db.example.org dbname=mail user=mail password=secret\n",
            ),
            Mode("/etc/dovecot/dovecot-sql.conf.ext", 0o600),
            Append(LOCAL, "passdb {\n  driver = sql\n  args = /etc/dovecot/dovecot-sql.conf.ext\n}\n"),
        ],
    ),
    line!("DOV-022", "debugging is on", "mail_debug", "mail_debug = yes"),
    Plant::new(
        "DOV-025",
        "user names with slashes",
        "auth_username_chars",
        &[Append(LOCAL, "auth_username_chars =\n")],
    )
    .on(&[Replace(LOCAL, "maildir:~/Maildir", "maildir:/var/mail/vhosts/%d/%n/Maildir")]),
    // Quota and space.
    Plant::new(
        "QTA-001",
        "quotas without a limit",
        "no mailbox has a limit",
        &[Replace(LOCAL, "  quota_rule = *:storage=1G\n", "")],
    ),
    Plant::new(
        "QTA-005",
        "full mailboxes are noticed too late",
        "quota",
        &[Replace("/etc/postfix/main.cf", ", check_policy_service unix:private/quota-status", "")],
    ),
    Plant::new(
        "QTA-007",
        "nobody is warned",
        "quota_warning",
        &[Replace(LOCAL, "  quota_warning = storage=90%% quota-warning 90 %u\n", "")],
    ),
];
