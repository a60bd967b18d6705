//! Cases of the SMT family.

use mailward_audit::Facts;
use mailward_audit::facts::{FalseEnd, Interface, Known, MailService, Talk, Trial, Tried};

use crate::Case;
use crate::build::{file, postfix, postfix_master};

fn sound() -> Facts {
    postfix("")
}

/// A talk from an address that nobody trusts.
fn talk(service: MailService, port: u16) -> Talk {
    Talk {
        host: "mail.example.org".to_owned(),
        address: "192.0.2.25".to_owned(),
        port,
        service,
        source: "198.51.100.9".to_owned(),
        greeting: Known::Is("220 mail.example.org ESMTP".to_owned()),
        plain: Known::Is(vec!["PIPELINING".to_owned(), "STARTTLS".to_owned()]),
        secured: Known::Is(vec!["PIPELINING".to_owned()]),
        ..Talk::default()
    }
}

fn remote(talks: Vec<Talk>) -> Facts {
    let mut facts = crate::build::nothing();
    facts.about.remote = true;
    facts.talks = talks;
    facts
}

fn tried(name: &str, sent: &[&str], reply: &str) -> Tried {
    Tried {
        name: name.to_owned(),
        secured: false,
        sent: sent.iter().map(|line| (*line).to_owned()).collect(),
        reply: reply.to_owned(),
    }
}

/// Port 25 seen from outside, where this was tried.
fn on_25(name: &str, sent: &[&str], reply: &str) -> Facts {
    remote(vec![Talk { tried: vec![tried(name, sent, reply)], ..talk(MailService::Smtp, 25) }])
}

fn interfaces(mut facts: Facts) -> Facts {
    let networks = ["127.0.0.1/8", "192.0.2.25/24", "172.17.0.1/16"];
    facts.host.addresses = Known::Is(
        networks
            .iter()
            .map(|network| Interface { name: "eth0".to_owned(), network: (*network).to_owned() })
            .collect(),
    );
    facts
}

/// A false end of data, from an address that nobody trusts, was answered so.
fn ended(mut facts: Facts, replies: &[&str]) -> Facts {
    let replies = Known::Is(replies.iter().map(|reply| (*reply).to_owned()).collect());
    facts.trials = vec![Trial {
        address: "192.0.2.25".to_owned(),
        source: "198.51.100.9".to_owned(),
        ends: vec![FalseEnd { name: "<LF>.<LF>".to_owned(), replies }],
        ..Trial::default()
    }];
    facts
}

const SMUGGLED: &[&str] = &["250 2.0.0 Ok: queued as 4dXQ1p", "250 Ok", "250 Ok", "354 End data"];

const RCPT: &[&str] = &["MAIL FROM:<mailward-audit@example.net>", "RCPT TO:<mailward-audit@example.com>"];

/// The cases, by id.
pub(crate) const CASES: &[Case] = &[
    Case {
        id: "SMT-001",
        fails: || {
            postfix(
                "smtpd_relay_restrictions = permit\nsmtpd_recipient_restrictions = permit_mynetworks, permit, reject_unauth_destination\n",
            )
        },
        shows: "smtpd_relay_restrictions (main.cf:",
        passes: sound,
    },
    Case {
        id: "SMT-001",
        fails: || on_25("relay-percent", RCPT, "250 2.1.5 Ok"),
        shows: "250 2.1.5 Ok",
        passes: || on_25("relay-plain", RCPT, "554 5.7.1 <mailward-audit@example.com>: Relay access denied"),
    },
    // A policy service that may refuse is no guard; strangers in mynetworks are SMT-030's; Debian refuses with 454.
    Case {
        id: "SMT-001",
        fails: || {
            postfix(
                "smtpd_relay_restrictions = check_policy_service unix:private/policy, permit, reject_unauth_destination\n",
            )
        },
        shows: "permit",
        passes: || postfix("mynetworks = 127.0.0.0/8 198.51.100.0/24\n"),
    },
    Case {
        id: "SMT-001",
        fails: || on_25("relay-plain", RCPT, "250 2.1.5 Ok"),
        shows: "RCPT TO:<mailward-audit@example.com>",
        passes: || on_25("relay-plain", RCPT, "454 4.7.1 <mailward-audit@example.com>: Relay access denied"),
    },
    Case {
        id: "SMT-002",
        fails: || {
            let facts = postfix(
                "smtpd_relay_restrictions = check_sender_access hash:/etc/postfix/senders, reject_unauth_destination\n",
            );
            file(facts, "/etc/postfix/senders", "partner.example OK\n")
        },
        shows: "/etc/postfix/senders:1",
        passes: || {
            let facts = postfix(
                "smtpd_relay_restrictions = check_sender_access hash:/etc/postfix/senders, reject_unauth_destination\n",
            );
            file(facts, "/etc/postfix/senders", "partner.example DUNNO\nspammer.example REJECT\n")
        },
    },
    Case {
        id: "SMT-003",
        fails: || postfix("relay_domains = example.net com\n"),
        shows: "relay_domains holds com",
        passes: || postfix("relay_domains = example.net\n"),
    },
    Case {
        id: "SMT-003",
        fails: || {
            postfix(
                "smtpd_relay_restrictions = permit_mynetworks, permit_mx_backup, reject_unauth_destination\n",
            )
        },
        shows: "permit_mx_backup",
        passes: sound,
    },
    Case {
        id: "SMT-004",
        fails: || postfix("smtpd_sasl_auth_enable = yes\nsmtpd_tls_auth_only = no\n"),
        shows: "smtpd_tls_auth_only = no",
        passes: || postfix("smtpd_sasl_auth_enable = yes\n"),
    },
    Case {
        id: "SMT-004",
        fails: || {
            let plain = Known::Is(vec!["STARTTLS".to_owned(), "AUTH PLAIN LOGIN".to_owned()]);
            remote(vec![Talk { plain, ..talk(MailService::Submission, 587) }])
        },
        shows: "AUTH PLAIN LOGIN",
        passes: || remote(vec![talk(MailService::Submission, 587)]),
    },
    Case {
        id: "SMT-005",
        fails: || postfix("smtpd_sasl_auth_enable = yes\n"),
        shows: "smtpd_sasl_auth_enable = yes",
        passes: sound,
    },
    Case {
        id: "SMT-006",
        fails: || {
            let secured = Known::Is(vec!["AUTH PLAIN CRAM-MD5".to_owned()]);
            remote(vec![Talk { secured, ..talk(MailService::Submission, 587) }])
        },
        shows: "CRAM-MD5",
        passes: || {
            let secured = Known::Is(vec!["AUTH PLAIN LOGIN".to_owned()]);
            remote(vec![Talk { secured, ..talk(MailService::Submission, 587) }])
        },
    },
    Case {
        id: "SMT-007",
        fails: || postfix("disable_vrfy_command = no\n"),
        shows: "disable_vrfy_command = no",
        passes: sound,
    },
    Case {
        id: "SMT-007",
        fails: || on_25("vrfy", &["VRFY postmaster"], "252 2.0.0 postmaster"),
        shows: "252 2.0.0 postmaster",
        passes: || on_25("vrfy", &["VRFY postmaster"], "502 5.5.1 VRFY command is disabled"),
    },
    Case {
        id: "SMT-008",
        fails: || postfix("smtpd_etrn_restrictions =\nsmtpd_discard_ehlo_keywords =\n"),
        shows: "ETRN is offered",
        passes: || postfix("smtpd_etrn_restrictions = reject\nsmtpd_discard_ehlo_keywords =\n"),
    },
    Case {
        id: "SMT-009",
        fails: || postfix("smtpd_authorized_xclient_hosts = 0.0.0.0/0\nsmtpd_authorized_xforward_hosts =\n"),
        shows: "smtpd_authorized_xclient_hosts holds 0.0.0.0/0",
        passes: || {
            postfix(
                "smtpd_authorized_xclient_hosts = 192.0.2.8\nsmtpd_authorized_xforward_hosts = 127.0.0.0/8\n",
            )
        },
    },
    Case {
        id: "SMT-010",
        fails: || postfix("postscreen_upstream_proxy_protocol = haproxy\n"),
        shows: "postscreen_upstream_proxy_protocol = haproxy",
        passes: sound,
    },
    Case {
        id: "SMT-011",
        fails: || postfix("smtpd_banner = $myhostname ESMTP Postfix (Debian/GNU)\n"),
        shows: "Postfix (Debian/GNU)",
        passes: || postfix("smtpd_banner = $myhostname ESMTP\n"),
    },
    Case {
        id: "SMT-012",
        fails: || postfix("myhostname = mail\nsmtp_helo_name = mail\n"),
        shows: "no full name",
        passes: || postfix("smtp_helo_name = $myhostname\n"),
    },
    Case {
        id: "SMT-013",
        fails: || postfix("smtpd_helo_required = no\n"),
        shows: "smtpd_helo_required = no",
        passes: sound,
    },
    Case {
        id: "SMT-013",
        fails: || on_25("mail-without-helo", &["MAIL FROM:<mailward-audit@example.net>"], "250 2.1.0 Ok"),
        shows: "250 2.1.0 Ok",
        passes: || {
            on_25(
                "mail-without-helo",
                &["MAIL FROM:<mailward-audit@example.net>"],
                "503 5.5.1 Error: send HELO/EHLO first",
            )
        },
    },
    Case {
        id: "SMT-014",
        fails: || {
            postfix(
                "smtpd_forbid_bare_newline = no\nsmtpd_data_restrictions =\nsmtpd_discard_ehlo_keywords =\n",
            )
        },
        shows: "smtpd_forbid_bare_newline = no",
        passes: sound,
    },
    // The settings are not known from outside, or seem right and something in front of Postfix obeys.
    Case {
        id: "SMT-014",
        fails: || ended(remote(Vec::new()), SMUGGLED),
        shows: "behind <LF>.<LF> a second mail was begun",
        passes: || ended(remote(Vec::new()), &[]),
    },
    Case {
        id: "SMT-014",
        fails: || ended(sound(), SMUGGLED),
        shows: "asked from 198.51.100.9",
        // The first mail ended early, and the second was refused (reject_unauth_pipelining).
        passes: || {
            ended(sound(), &["250 2.0.0 Ok: queued as 4dXQ1p", "250 Ok", "250 Ok", "503 5.5.0 refused"])
        },
    },
    Case {
        id: "SMT-015",
        fails: || postfix("cleanup_replace_stray_cr_lf = no\n"),
        shows: "cleanup_replace_stray_cr_lf = no",
        passes: || postfix("cleanup_replace_stray_cr_lf = yes\n"),
    },
    Case {
        id: "SMT-016",
        fails: || postfix("smtpd_data_restrictions =\nsmtpd_forbid_unauth_pipelining = no\n"),
        shows: "neither it nor reject_unauth_pipelining",
        passes: || postfix("smtpd_forbid_unauth_pipelining = yes\nsmtpd_data_restrictions =\n"),
    },
    Case {
        id: "SMT-017",
        fails: || {
            postfix(
                "mydestination = example.org\nsmtpd_milters =\nlocal_recipient_maps =\nsmtpd_sender_restrictions =\n",
            )
        },
        shows: "neither SPF nor DMARC",
        passes: || postfix("mydestination = example.org\nsmtpd_milters = inet:127.0.0.1:11332\n"),
    },
    Case {
        id: "SMT-018",
        fails: || postfix("smtpd_sender_login_maps =\nsmtpd_sender_restrictions =\n"),
        shows: "no rule compares login and sender",
        passes: || {
            postfix(
                "smtpd_sender_login_maps = hash:/etc/postfix/logins\nsmtpd_sender_restrictions = reject_authenticated_sender_login_mismatch\n",
            )
        },
    },
    Case {
        id: "SMT-018",
        fails: || {
            postfix(
                "smtpd_sender_login_maps =\nsmtpd_sender_restrictions = reject_authenticated_sender_login_mismatch\n",
            )
        },
        shows: "smtpd_sender_login_maps is empty",
        passes: || {
            postfix(
                "smtpd_sender_login_maps = hash:/etc/postfix/logins\nsmtpd_sender_restrictions = reject_sender_login_mismatch\n",
            )
        },
    },
    Case {
        id: "SMT-019",
        fails: || {
            let changes =
                "mydestination = example.org\nlocal_recipient_maps =\nsmtpd_sender_restrictions =\n";
            postfix_master(
                changes,
                "  -o syslog_name=postfix/submission\n  -o smtpd_tls_security_level=encrypt\n  -o smtpd_sasl_auth_enable=yes\n  -o smtpd_client_restrictions=permit_sasl_authenticated,reject\n  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject\n",
                "  -o smtpd_tls_security_level=encrypt\n  -o smtpd_sasl_auth_enable=yes\n  -o smtpd_client_restrictions=\n",
            )
        },
        shows: "port 587 (submission): a stranger's mail to postmaster@example.org is taken",
        passes: || postfix("mydestination = example.org\n"),
    },
    Case {
        id: "SMT-020",
        fails: || {
            postfix_master(
                "",
                "  -o smtpd_tls_security_level=encrypt\n",
                "  -o smtpd_tls_security_level=may\n",
            )
        },
        shows: "port 587 (submission): smtpd_tls_security_level = may",
        passes: sound,
    },
    Case {
        id: "SMT-020",
        fails: || {
            let tried =
                vec![tried("mail-before-tls", &["MAIL FROM:<mailward-audit@example.net>"], "250 2.1.0 Ok")];
            remote(vec![Talk { tried, ..talk(MailService::Submission, 587) }])
        },
        shows: "250 2.1.0 Ok",
        passes: || {
            let tried = vec![tried(
                "mail-before-tls",
                &["MAIL FROM:<mailward-audit@example.net>"],
                "530 5.7.0 Must issue a STARTTLS command first",
            )];
            remote(vec![Talk { tried, ..talk(MailService::Submission, 587) }])
        },
    },
    Case {
        id: "SMT-021",
        fails: || {
            postfix(
                "mydestination = example.org\nlocal_recipient_maps =\nluser_relay =\nrelay_recipient_maps =\n",
            )
        },
        shows: "local_recipient_maps is empty",
        passes: || {
            postfix(
                "mydestination = example.org\nlocal_recipient_maps = hash:/etc/postfix/users\nvirtual_mailbox_maps = hash:/etc/postfix/vmailbox\nluser_relay =\nrelay_recipient_maps =\n",
            )
        },
    },
    Case {
        id: "SMT-021",
        fails: || on_25("nobody@example.org", RCPT, "250 2.1.5 Ok"),
        shows: "250 2.1.5 Ok",
        passes: || on_25("nobody@example.org", RCPT, "550 5.1.1 User unknown"),
    },
    Case {
        id: "SMT-022",
        fails: || {
            let facts = postfix(
                "mydestination = example.org\nlocal_recipient_maps =\nsmtpd_sender_restrictions = check_sender_access inline:{<>=REJECT}\n",
            );
            file(facts, "/etc/postfix/none", "")
        },
        shows: "check_sender_access",
        passes: || {
            postfix("mydestination = example.org\nlocal_recipient_maps =\nsmtpd_sender_restrictions =\n")
        },
    },
    Case {
        id: "SMT-023",
        fails: || {
            on_25(
                "abuse@example.org",
                &["MAIL FROM:<>", "RCPT TO:<abuse@example.org>"],
                "550 5.1.1 User unknown in virtual mailbox table",
            )
        },
        shows: "RCPT TO:<abuse@example.org>",
        passes: || {
            on_25("abuse@example.org", &["MAIL FROM:<>", "RCPT TO:<abuse@example.org>"], "250 2.1.5 Ok")
        },
    },
    Case {
        id: "SMT-024",
        fails: || postfix("smtpd_hard_error_limit = 0\nsmtpd_error_sleep_time = 1s\n"),
        shows: "smtpd_hard_error_limit = 0",
        passes: || postfix("smtpd_error_sleep_time = 1s\n"),
    },
    Case {
        id: "SMT-025",
        fails: || {
            postfix(
                "smtpd_client_message_rate_limit = 0\nsmtpd_client_recipient_rate_limit = 0\nsmtpd_client_auth_rate_limit = 0\n",
            )
        },
        shows: "without limit",
        passes: || postfix("smtpd_client_message_rate_limit = 60\nsmtpd_client_recipient_rate_limit = 200\n"),
    },
    Case {
        id: "SMT-026",
        fails: || postfix("message_size_limit = 0\nmailbox_size_limit = 0\nvirtual_mailbox_limit = 0\n"),
        shows: "message_size_limit = 0",
        passes: || {
            postfix("message_size_limit = 52428800\nmailbox_size_limit = 0\nvirtual_mailbox_limit = 0\n")
        },
    },
    Case {
        id: "SMT-027",
        fails: || postfix("header_checks =\ncleanup_service_name = cleanup\n"),
        shows: "no header check",
        passes: || {
            let facts =
                postfix("header_checks = pcre:/etc/postfix/headers\ncleanup_service_name = cleanup\n");
            file(facts, "/etc/postfix/headers", "/^Received:.*with ESMTPSA/ IGNORE\n")
        },
    },
    Case {
        id: "SMT-028",
        fails: || postfix("smtpd_discard_ehlo_keywords =\n"),
        shows: "DSN is not among the discarded",
        passes: || postfix("smtpd_discard_ehlo_keywords = silent-discard, dsn\n"),
    },
    Case {
        id: "SMT-029",
        fails: || {
            remote(vec![Talk {
                greeting: Known::Unread("no answer in time".to_owned()),
                ..talk(MailService::Smtp, 25)
            }])
        },
        shows: "no answer in time",
        passes: || remote(vec![talk(MailService::Smtp, 25)]),
    },
    Case {
        id: "SMT-030",
        fails: || interfaces(postfix("mynetworks = 127.0.0.0/8 172.16.0.0/12\n")),
        shows: "a network that containers use",
        passes: || interfaces(postfix("mynetworks = 127.0.0.0/8 192.0.2.25/32 [::1]/128\n")),
    },
];
