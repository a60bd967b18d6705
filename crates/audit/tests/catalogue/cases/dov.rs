//! Cases of the DOV family.

use mailward_audit::Facts;
use mailward_audit::facts::{Account, File, FileKind, Known, MailService, Said, Talk, Tried, Usage};

use crate::Case;
use crate::build::{dovecot, dovecot_2_4, dovecot_of, file, nothing};

fn old(more: &str) -> Facts {
    dovecot(nothing(), more)
}

fn new(more: &str) -> Facts {
    dovecot_2_4(nothing(), more)
}

/// A port of IMAP that does not begin with TLS.
const PORT_143: &str = "service imap-login {\n  inet_listener imap {\n    port = 143\n  }\n}\n";

fn sieve(more: &str) -> Facts {
    old(&format!("protocols = imap lmtp sieve\n{more}"))
}

/// A port that says this before TLS, to a client of another address.
fn heard(mut facts: Facts, service: MailService, source: &str, offered: &[&str]) -> Facts {
    facts.talks.push(Talk {
        address: "192.0.2.1".to_owned(),
        source: source.to_owned(),
        service,
        plain: offered.iter().map(|&one| one.to_owned()).collect::<Vec<_>>().into(),
        ..Talk::default()
    });
    facts
}

/// A wrong password is answered with the usual, and an account that nobody has with this.
fn failed_logins(unknown: &str) -> Facts {
    let tried = |name: &str, reply: &str| Tried {
        name: name.to_owned(),
        secured: true,
        reply: reply.to_owned(),
        ..Tried::default()
    };
    let tried = vec![
        tried("login-unknown-user", unknown),
        tried("login-wrong-password", "c1 NO [AUTHENTICATIONFAILED] Authentication failed."),
    ];
    let mut facts = nothing();
    facts.talks = vec![Talk { port: 993, service: MailService::Imap, tried, ..Talk::default() }];
    facts
}

fn imap(source: &str, offered: &[&str]) -> Facts {
    heard(nothing(), MailService::Imap, source, offered)
}

fn stat(mut facts: Facts, path: &str, kind: FileKind, mode: u32) -> Facts {
    let file = File { kind, mode, owner: "root".to_owned(), group: "root".to_owned(), ..File::default() };
    facts.files.insert(path.to_owned(), Known::Is(file));
    facts
}

fn usage(mut facts: Facts, pop3: u64) -> Facts {
    let mut usage = Usage { from: 1_700_000_000, to: 1_703_000_000, ..Usage::default() };
    usage.by_service.extend([("imap".to_owned(), 900), ("pop3".to_owned(), pop3)]);
    facts.usage = usage.into();
    facts
}

fn masters(extra: &str) -> Facts {
    let passdb = "passdb {\n  args = /etc/dovecot/masters\n  driver = passwd-file\n  master = yes\n}\nauth_master_user_separator = *\n";
    let mut facts = old(passdb);
    facts.accounts = vec![Account {
        name: "root".to_owned(),
        place: "/etc/dovecot/masters:1".to_owned(),
        scheme: "SHA512-CRYPT".to_owned(),
        master: true,
        extra: vec![extra.to_owned()],
        ..Account::default()
    }]
    .into();
    facts
}

fn programs(more: &str) -> Facts {
    let plugin = "plugin {\n  sieve_plugins = sieve_extprograms\n  sieve_extensions = +vnd.dovecot.pipe\n  sieve_pipe_bin_dir = /usr/lib/dovecot/sieve-pipe\n}\n";
    let facts = stat(sieve(plugin), "/usr/lib/dovecot/sieve-pipe", FileKind::Directory, 0o755);
    if more.is_empty() { facts } else { stat(facts, more, FileKind::Regular, 0o755) }
}

fn layered(local: &str) -> Facts {
    let facts = file(old(""), "/etc/dovecot/dovecot.conf", "!include conf.d/*.conf\n");
    let facts = file(facts, "/etc/dovecot/conf.d/10-ssl.conf", "ssl = required\n");
    file(facts, "/etc/dovecot/conf.d/99-local.conf", local)
}

fn complaining(status: i32, stderr: &str) -> Facts {
    let mut facts = old("");
    if let Some(Known::Is(said)) = facts.said.get_mut("doveconf -n") {
        *said = Said { status: Some(status), stderr: stderr.to_owned(), ..said.clone() };
    }
    facts
}

fn sql(connect: &str, mode: u32) -> Facts {
    let passdb = "passdb {\n  args = /etc/dovecot/dovecot-sql.conf.ext\n  driver = sql\n}\n";
    let mut facts = old(passdb);
    let file = File {
        mode,
        ..File::of(format!("driver = mysql\nconnect = {connect} password=***\ndefault_pass_scheme = SSHA\n"))
    };
    facts.files.insert("/etc/dovecot/dovecot-sql.conf.ext".to_owned(), Known::Is(file));
    facts
}

/// The cases, by id.
pub(crate) const CASES: &[Case] = &[
    Case {
        id: "DOV-001",
        fails: || old(&format!("{PORT_143}disable_plaintext_auth = no\nssl = yes\n")),
        shows: "disable_plaintext_auth = no",
        passes: || old(PORT_143),
    },
    // `ssl = required` refuses passwords in clear whatever else is said.
    Case {
        id: "DOV-001",
        fails: || new(&format!("{PORT_143}auth_allow_cleartext = yes\nssl = yes\n")),
        shows: "port 143",
        passes: || new(&format!("{PORT_143}auth_allow_cleartext = yes\n")),
    },
    // Webmail in an own network may; clients of a local address may not.
    Case {
        id: "DOV-001",
        fails: || {
            old(&format!("{PORT_143}ssl = yes\nlocal 192.0.2.1 {{\n  disable_plaintext_auth = no\n}}\n"))
        },
        shows: "local 192.0.2.1",
        passes: || {
            old(&format!("{PORT_143}ssl = yes\nremote 10.0.0.0/8 {{\n  disable_plaintext_auth = no\n}}\n"))
        },
    },
    Case {
        id: "DOV-001",
        fails: || old("protocols = imap pop3\nssl = yes\ndisable_plaintext_auth = no\n"),
        shows: "port 110",
        passes: || old("ssl = yes\ndisable_plaintext_auth = no\n"),
    },
    // What a port says decides, and stands in for a configuration that nobody knows.
    Case {
        id: "DOV-001",
        fails: || imap("198.51.100.7", &["IMAP4rev1", "STARTTLS", "AUTH=PLAIN"]),
        shows: "before TLS: IMAP4rev1, STARTTLS, AUTH=PLAIN",
        passes: || imap("198.51.100.7", &["IMAP4rev1", "STARTTLS", "LOGINDISABLED"]),
    },
    Case {
        id: "DOV-001",
        fails: || heard(old(""), MailService::Pop3, "198.51.100.7", &["CAPA", "STLS", "SASL PLAIN"]),
        shows: "SASL PLAIN",
        passes: || heard(old(""), MailService::Pop3, "192.0.2.1", &["CAPA", "STLS", "SASL PLAIN"]),
    },
    // A client of a trusted network hears what others do not.
    Case {
        id: "DOV-001",
        fails: || {
            heard(
                old("login_trusted_networks = 203.0.113.7\n"),
                MailService::Imap,
                "198.51.100.7",
                &["AUTH=PLAIN"],
            )
        },
        shows: "AUTH=PLAIN",
        passes: || {
            heard(
                old("login_trusted_networks = 198.51.100.0/28\n"),
                MailService::Imap,
                "198.51.100.7",
                &["AUTH=PLAIN"],
            )
        },
    },
    Case { id: "DOV-002", fails: || old("ssl = yes\n"), shows: "ssl = yes", passes: || old("") },
    Case {
        id: "DOV-002",
        fails: || new("protocol imap {\n  ssl = no\n}\n"),
        shows: "protocol imap",
        passes: || new(""),
    },
    Case {
        id: "DOV-003",
        fails: || old("login_trusted_networks = 127.0.0.1 0.0.0.0/0\n"),
        shows: "0.0.0.0/0",
        passes: || old("login_trusted_networks = 127.0.0.1 172.20.0.10 2001:db8::7\n"),
    },
    Case {
        id: "DOV-003",
        fails: || new("login_trusted_networks = 172.16.0.0/12\n"),
        shows: "Medium",
        passes: || new("login_trusted_networks = 127.0.0.0/8 ::1\n"),
    },
    Case {
        id: "DOV-004",
        fails: || old("auth_verbose_passwords = plain\n"),
        shows: "auth_verbose_passwords = plain",
        passes: || old("auth_verbose_passwords = sha1:6\n"),
    },
    Case {
        id: "DOV-004",
        fails: || new("auth_debug_passwords = yes\n"),
        shows: "auth_debug_passwords = yes",
        passes: || new(""),
    },
    Case {
        id: "DOV-005",
        fails: || old("auth_verbose = no\n"),
        shows: "auth_verbose = no",
        passes: || old(""),
    },
    Case {
        id: "DOV-005",
        fails: || new("login_log_format_elements = user=<%{user}>\n"),
        shows: "do not name the client's address",
        passes: || new(""),
    },
    Case {
        id: "DOV-006",
        fails: || old("auth_failure_delay = 0\n"),
        shows: "auth_failure_delay = 0",
        passes: || old(""),
    },
    Case {
        id: "DOV-006",
        fails: || new("service anvil {\n  unix_listener anvil-auth-penalty {\n    mode = 0\n  }\n}\n"),
        shows: "anvil-auth-penalty",
        passes: || new("auth_failure_delay = 2s\n"),
    },
    // Without a cache the time has no effect.
    Case {
        id: "DOV-007",
        fails: || old("auth_cache_size = 10M\nauth_cache_negative_ttl = 6 hours\n"),
        shows: "auth_cache_negative_ttl = 6 hours",
        passes: || old("auth_cache_negative_ttl = 6 hours\n"),
    },
    Case { id: "DOV-008", fails: || old(PORT_143), shows: "port 143", passes: || old("") },
    Case {
        id: "DOV-009",
        fails: || usage(old("protocols = imap pop3\n"), 0),
        shows: "protocols = imap pop3",
        passes: || usage(old("protocols = imap pop3\n"), 3),
    },
    Case {
        id: "DOV-010",
        fails: || old("login_greeting = Dovecot 2.3.19 on Debian ready.\n"),
        shows: "Dovecot 2.3.19",
        passes: || old("login_greeting = Ready.\nimap_id_send = name *\n"),
    },
    Case {
        id: "DOV-010",
        fails: || new("imap_id_send {\n  name = Dovecot\n  version = yes\n}\n"),
        shows: "tells the version",
        passes: || new(""),
    },
    Case {
        id: "DOV-011",
        fails: || masters(""),
        shows: "master user root",
        passes: || masters("allow_nets=192.0.2.1/32"),
    },
    Case {
        id: "DOV-012",
        fails: || old("passdb {\n  args = nopassword=y\n  driver = static\n}\n"),
        shows: "nopassword",
        passes: || old("passdb {\n  args = proxy=y host=192.0.2.5 nopassword=y\n  driver = static\n}\n"),
    },
    Case {
        id: "DOV-012",
        fails: || new("auth_mechanisms {\n  plain = yes\n  anonymous = yes\n}\n"),
        shows: "anonymous",
        passes: || new(""),
    },
    Case {
        id: "DOV-013",
        fails: || old("service auth {\n  unix_listener auth-client {\n    mode = 0666\n  }\n}\n"),
        shows: "/run/dovecot/auth-client has mode 0666",
        passes: || {
            let socket = "/var/spool/postfix/private/auth";
            let more = format!(
                "service auth {{\n  unix_listener {socket} {{\n    mode = 0666\n  }}\n  unix_listener auth-userdb {{\n    mode = 0666\n  }}\n}}\n"
            );
            stat(old(&more), "/var/spool/postfix/private", FileKind::Directory, 0o700)
        },
    },
    Case {
        id: "DOV-014",
        fails: || old("service doveadm {\n  inet_listener http {\n    port = 8080\n  }\n}\n"),
        shows: "doveadm listens on port 8080",
        passes: || {
            old(
                "service quota-status {\n  inet_listener {\n    address = 127.0.0.1\n    port = 65265\n  }\n}\n",
            )
        },
    },
    Case {
        id: "DOV-014",
        fails: || new("service lmtp {\n  inet_listener lmtp {\n    port = 24\n  }\n}\n"),
        shows: "lmtp listens on port 24",
        passes: || {
            new("service lmtp {\n  inet_listener lmtp {\n    listen = 127.0.0.1 ::1\n    port = 24\n  }\n}\n")
        },
    },
    Case {
        id: "DOV-015",
        fails: || old("protocol imap {\n  mail_max_userip_connections = 0\n}\n"),
        shows: "protocol imap",
        passes: || old("mail_max_userip_connections = 40\n"),
    },
    Case {
        id: "DOV-016",
        fails: || old("first_valid_uid = 0\n"),
        shows: "first_valid_uid = 0",
        passes: || old(""),
    },
    Case {
        id: "DOV-017",
        fails: || programs("/usr/lib/dovecot/sieve-pipe/run.sh"),
        shows: "holds run.sh",
        passes: || programs(""),
    },
    Case {
        id: "DOV-018",
        fails: || old("passdb {\n  args = scheme=MD5-CRYPT /etc/dovecot/old\n  driver = passwd-file\n}\n"),
        shows: "MD5-CRYPT",
        passes: || old(""),
    },
    Case {
        id: "DOV-018",
        fails: || sql("host=/run/mysqld.sock", 0o600),
        shows: "dovecot-sql.conf.ext:3",
        passes: || new(""),
    },
    Case {
        id: "DOV-019",
        fails: || layered("# ssl = required\nssl = yes\n"),
        shows: "/etc/dovecot/conf.d/99-local.conf:2",
        passes: || layered("ssl = required\n"),
    },
    Case {
        id: "DOV-019",
        fails: || layered("local 192.0.2.1 {\n  ssl = no\n}\n"),
        shows: "local 192.0.2.1",
        passes: || layered("remote 10.0.0.0/8 {\n  ssl = no\n}\n"),
    },
    Case {
        id: "DOV-020",
        fails: || {
            complaining(
                0,
                "doveconf: Warning: Obsolete setting in /etc/dovecot/dovecot.conf:9: ssl_protocols has been replaced by ssl_min_protocol\n",
            )
        },
        shows: "dovecot.conf:9: ssl_protocols",
        passes: || {
            complaining(
                0,
                "doveconf: Warning: NOTE: You can get a new clean config file with: doveconf -Pn\n",
            )
        },
    },
    Case {
        id: "DOV-020",
        fails: || {
            complaining(
                89,
                "doveconf: Fatal: Error in configuration file /etc/dovecot/x.conf line 3: Unknown setting: ssl_server_cert_file\n",
            )
        },
        shows: "does not load",
        passes: || new(""),
    },
    Case {
        id: "DOV-021",
        fails: || sql("host=db.example.org dbname=mail", 0o600),
        shows: "host=db.example.org",
        passes: || sql("host=db.example.org dbname=mail ssl_ca=/etc/ssl/ca.pem", 0o600),
    },
    Case {
        id: "DOV-021",
        fails: || sql("host=127.0.0.1", 0o644),
        shows: "mode 0644",
        passes: || {
            let new = new("passdb ldap {\n}\nldap_uris = ldaps://ldap.example.org\n");
            file(new, "/etc/dovecot/dovecot.conf", "passdb ldap {\n}\n")
        },
    },
    Case {
        id: "DOV-022",
        fails: || old("auth_debug = yes\n"),
        shows: "auth_debug = yes",
        passes: || old(""),
    },
    Case {
        id: "DOV-022",
        fails: || new("log_debug = category=auth\n"),
        shows: "log_debug",
        passes: || new(""),
    },
    Case {
        id: "DOV-023",
        fails: || failed_logins("c1 NO [AUTHENTICATIONFAILED] No such user."),
        shows: "No such user",
        passes: || failed_logins("c1 NO [AUTHENTICATIONFAILED] Authentication failed."),
    },
    Case {
        id: "DOV-024",
        fails: || sieve("protocol sieve {\n  disable_plaintext_auth = no\n  ssl = yes\n}\n"),
        shows: "disable_plaintext_auth = no",
        passes: || sieve(""),
    },
    Case {
        id: "DOV-024",
        fails: || heard(nothing(), MailService::Sieve, "198.51.100.7", &["STARTTLS", "SASL PLAIN LOGIN"]),
        shows: "SASL PLAIN LOGIN",
        passes: || heard(nothing(), MailService::Sieve, "198.51.100.7", &["STARTTLS", "SASL"]),
    },
    Case {
        id: "DOV-025",
        fails: || old("auth_username_chars =\n"),
        shows: "mail_location",
        passes: || old(""),
    },
    Case {
        id: "DOV-025",
        fails: || new("auth_username_chars =\n"),
        shows: "mail_path",
        passes: || dovecot_of(nothing(), "2.4.1-4", "auth_username_chars =\nmail_path = ~/Maildir\n"),
    },
];
