//! What strangers and users may do over SMTP.

use crate::weaken::Plant;
use crate::weaken::act::Act::{Main, Replace, Service, Write};
use crate::weaken::host::Look::Outside;

const VIRTUAL: &str = "/etc/postfix/virtual";

/// What configuration and evaluation show.
pub(super) const STATIC: &[Plant] = &[
    Plant::new(
        "SMT-001",
        "open relay",
        "smtpd_relay_restrictions",
        &[
            Write("/etc/postfix/partners.cidr", "0.0.0.0/0 OK\n"),
            Main(
                "smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, \
                 check_client_access cidr:/etc/postfix/partners.cidr, reject_unauth_destination",
            ),
        ],
    ),
    Plant::new(
        "SMT-002",
        "relay for who says that he is a partner",
        "partner.example",
        &[
            Write("/etc/postfix/friends", "partner.example OK\n"),
            Main(
                "smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, \
                 check_sender_access texthash:/etc/postfix/friends, reject_unauth_destination",
            ),
        ],
    ),
    Plant::new("SMT-003", "relay to all of com", "relay_domains", &[Main("relay_domains = com")]),
    Plant::new(
        "SMT-004",
        "passwords in clear on the submission port",
        "smtpd_tls_auth_only",
        &[Main("smtpd_tls_auth_only = no")],
    )
    .on(&[Service("submission/inet/smtpd_tls_security_level=may")]),
    Plant::new(
        "SMT-005",
        "passwords on port 25",
        "smtpd_sasl_auth_enable",
        &[Main("smtpd_sasl_auth_enable = yes")],
    ),
    Plant::new(
        "SMT-006",
        "DIGEST-MD5",
        "DIGEST-MD5",
        &[Replace(
            "/etc/dovecot/local.conf",
            "auth_mechanisms = plain login",
            "auth_mechanisms = plain login digest-md5",
        )],
    ),
    Plant::new("SMT-007", "VRFY", "disable_vrfy_command", &[Main("disable_vrfy_command = no")]),
    Plant::new(
        "SMT-008",
        "ETRN for everybody",
        "ETRN",
        &[Main("smtpd_discard_ehlo_keywords = silent-discard, dsn"), Main("smtpd_etrn_restrictions =")],
    ),
    Plant::new(
        "SMT-009",
        "everybody may say which address he has (XCLIENT)",
        "smtpd_authorized_xclient_hosts",
        &[Main("smtpd_authorized_xclient_hosts = 0.0.0.0/0")],
    ),
    Plant::new(
        "SMT-010",
        "everybody may say which address he has (PROXY)",
        "postscreen_upstream_proxy_protocol",
        &[Main("postscreen_upstream_proxy_protocol = haproxy")],
    ),
    Plant::new(
        "SMT-011",
        "a greeting with the version",
        "smtpd_banner",
        &[Main("smtpd_banner = $myhostname ESMTP $mail_name $mail_version")],
    ),
    Plant::new("SMT-013", "mail without HELO", "smtpd_helo_required", &[Main("smtpd_helo_required = no")]),
    Plant::new(
        "SMT-014",
        "smuggled mail",
        "smtpd_forbid_bare_newline",
        &[Main("smtpd_forbid_bare_newline = no")],
    ),
    Plant::new(
        "SMT-015",
        "stray line ends are passed on",
        "cleanup_replace_stray_cr_lf",
        &[Main("cleanup_replace_stray_cr_lf = no")],
    ),
    Plant::new(
        "SMT-016",
        "talking before the answer",
        "smtpd_forbid_unauth_pipelining",
        &[Main("smtpd_forbid_unauth_pipelining = no")],
    ),
    Plant::new(
        "SMT-017",
        "strangers may send as our own domain",
        "smtpd_sender_restrictions",
        &[Main("smtpd_sender_restrictions = reject_non_fqdn_sender, reject_unknown_sender_domain")],
    )
    .on(&[Replace("/etc/postfix/main.cf", ", check_policy_service unix:private/quota-status", "")]),
    Plant::new(
        "SMT-018",
        "users may send as anybody",
        "submission",
        &[Service("submission/inet/smtpd_sender_restrictions=")],
    ),
    Plant::new(
        "SMT-019",
        "a submission port for strangers",
        "submission",
        &[Service(
            "submission/inet/smtpd_relay_restrictions=permit_sasl_authenticated,reject_unauth_destination",
        )],
    ),
    Plant::new(
        "SMT-020",
        "a submission port without TLS",
        "submission",
        &[Service("submission/inet/smtpd_tls_security_level=may")],
    ),
    Plant::new(
        "SMT-021",
        "mail for mailboxes that nobody has",
        "smtpd_reject_unlisted_recipient",
        &[
            Main("smtpd_reject_unlisted_recipient = no"),
            Replace("/etc/postfix/main.cf", " reject_unlisted_recipient,", ""),
        ],
    ),
    Plant::new(
        "SMT-022",
        "no bounces",
        "null_sender",
        &[
            Write("/etc/postfix/null_sender", "<> REJECT We take no bounces\n"),
            Main(
                "smtpd_sender_restrictions = check_sender_access texthash:/etc/postfix/null_sender, \
                 reject_non_fqdn_sender, check_sender_access texthash:/etc/postfix/own_senders, \
                 reject_unknown_sender_domain",
            ),
        ],
    ),
    Plant::new(
        "SMT-023",
        "nobody is postmaster",
        "postmaster@example.net",
        &[Replace(VIRTUAL, "postmaster@example.net tess@example.net\n", "")],
    ),
    Plant::new(
        "SMT-024",
        "guess as many addresses as you like",
        "smtpd_hard_error_limit",
        &[Main("smtpd_hard_error_limit = 100000"), Main("smtpd_soft_error_limit = 100000")],
    ),
    Plant::new(
        "SMT-025",
        "as many messages as you like",
        "smtpd_client_message_rate_limit",
        &[Main("smtpd_client_message_rate_limit = 0"), Main("smtpd_client_recipient_rate_limit = 0")],
    ),
    Plant::new("SMT-026", "mail of any size", "message_size_limit", &[Main("message_size_limit = 0")]),
    Plant::new(
        "SMT-027",
        "outgoing mail tells where its author was",
        "Received",
        &[Write("/etc/postfix/submission_headers", "/^X-Originating-IP:/ IGNORE\n")],
    ),
    Plant::new(
        "SMT-028",
        "delivery reports for strangers",
        "DSN",
        &[Main("smtpd_discard_ehlo_keywords = silent-discard, etrn")],
    ),
    Plant::new(
        "SMT-030",
        "the whole neighbourhood is our own network",
        "198.51.100.0/24",
        &[Main("mynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128 198.51.100.0/24")],
    ),
];

/// What strangers and neighbours are told.
pub(super) const LIVE: &[Plant] = &[
    Plant::new(
        "SMT-001",
        "open relay, as a stranger sees it",
        "RCPT TO",
        &[
            Write("/etc/postfix/partners.cidr", "0.0.0.0/0 OK\n"),
            Main(
                "smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, \
                 check_client_access cidr:/etc/postfix/partners.cidr, reject_unauth_destination",
            ),
        ],
    )
    .at(Outside),
    Plant::new("SMT-007", "VRFY, as a stranger sees it", "VRFY", &[Main("disable_vrfy_command = no")])
        .at(Outside),
    Plant::new(
        "SMT-013",
        "mail without HELO, as a stranger sees it",
        "MAIL FROM",
        &[Main("smtpd_helo_required = no")],
    )
    .at(Outside),
    Plant::new(
        "SMT-005",
        "passwords on port 25, as a stranger sees it",
        "AUTH",
        &[Main("smtpd_sasl_auth_enable = yes")],
    )
    .at(Outside),
    Plant::new(
        "SMT-019",
        "a submission port for strangers, as a stranger sees it",
        "587",
        &[Service(
            "submission/inet/smtpd_relay_restrictions=permit_sasl_authenticated,reject_unauth_destination",
        )],
    )
    .at(Outside),
    Plant::new(
        "SMT-020",
        "a submission port without TLS, as a stranger sees it",
        "587",
        &[Service("submission/inet/smtpd_tls_security_level=may")],
    )
    .at(Outside),
    Plant::new(
        "SMT-021",
        "mail for mailboxes that nobody has, as a stranger sees it",
        "RCPT TO",
        &[
            Main("smtpd_reject_unlisted_recipient = no"),
            Replace("/etc/postfix/main.cf", " reject_unlisted_recipient,", ""),
        ],
    )
    .at(Outside),
    Plant::new(
        "SMT-022",
        "no bounces, as a stranger sees it",
        "MAIL FROM:<>",
        &[
            Write("/etc/postfix/null_sender", "<> REJECT We take no bounces\n"),
            Main(
                "smtpd_sender_restrictions = check_sender_access texthash:/etc/postfix/null_sender, \
                 reject_non_fqdn_sender, check_sender_access texthash:/etc/postfix/own_senders, \
                 reject_unknown_sender_domain",
            ),
        ],
    )
    .at(Outside),
];
