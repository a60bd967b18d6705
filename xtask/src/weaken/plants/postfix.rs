//! Postfix's configuration.

use crate::weaken::Plant;
use crate::weaken::act::Act::{self, Append, Entry, Gone, Main, Replace, Service, Write};

const MAIN: &str = "/etc/postfix/main.cf";

/// Where a content filter hands mail back, on every address.
const WAY_BACK: Act = Entry(
    "10025/inet=10025 inet n - y - - smtpd -o content_filter= -o mynetworks=127.0.0.0/8 \
     -o smtpd_recipient_restrictions=permit_mynetworks,reject",
);

pub(super) const PLANTS: &[Plant] = &[
    Plant::new(
        "PFX-002",
        "a parameter that nobody knows",
        "smtpd_recipient_restriction",
        &[Append(MAIN, "smtpd_recipient_restriction = reject\n")],
    ),
    Plant::new("PFX-003", "the same parameter twice", "biff", &[Append(MAIN, "biff = no\n")]),
    Plant::new("PFX-004", "defaults of 2010", "compatibility_level", &[Main("compatibility_level = 0")]),
    Plant::new(
        "PFX-005",
        "a rule that can never act",
        "reject_unknown_sender_domain",
        &[Main(
            "smtpd_sender_restrictions = reject_non_fqdn_sender, check_sender_access \
             texthash:/etc/postfix/own_senders, permit, reject_unknown_sender_domain",
        )],
    ),
    Plant::new(
        "PFX-007",
        "nobody has to wait for the greeting",
        "postscreen_greet_action",
        &[Main("postscreen_greet_action = ignore")],
    ),
    Plant::new(
        "PFX-008",
        "an override that weakens",
        "smtpd_tls_mandatory_ciphers",
        &[
            Main("smtpd_tls_mandatory_ciphers = high"),
            Service("submission/inet/smtpd_tls_mandatory_ciphers=medium"),
        ],
    ),
    Plant::new("PFX-009", "the filter's way back is open to everybody", "10025", &[WAY_BACK]),
    Plant::new(
        "PFX-010",
        "the filter's way back takes mail of everybody",
        "10025",
        &[Service("10025/inet/smtpd_recipient_restrictions=reject_unauth_destination")],
    )
    .on(&[WAY_BACK]),
    Plant::new(
        "PFX-012",
        "a milter that does not answer",
        "8891",
        &[Main("smtpd_milters = inet:127.0.0.1:8891"), Main("non_smtpd_milters = inet:127.0.0.1:8891")],
    ),
    Plant::new(
        "PFX-011",
        "a filter that lets everything through when it is down",
        "milter_default_action",
        &[Main("milter_default_action = accept")],
    )
    .on(&[Main("smtpd_milters = inet:127.0.0.1:8891"), Main("non_smtpd_milters = inet:127.0.0.1:8891")]),
    Plant::new("PFX-013", "local mail past the signer", "non_smtpd_milters", &[Main("non_smtpd_milters =")])
        .on(&[Main("smtpd_milters = inet:127.0.0.1:8891"), Main("non_smtpd_milters = inet:127.0.0.1:8891")]),
    Plant::new(
        "PFX-014",
        "outgoing mail in clear",
        "smtp_tls_security_level",
        &[Main("smtp_tls_security_level = none")],
    ),
    Plant::new(
        "PFX-016",
        "the relay's password in clear",
        "relayhost",
        &[
            Main("relayhost = [relay.partner.example]:587"),
            Main("smtp_sasl_auth_enable = yes"),
            Main("smtp_sasl_password_maps = static:mail:secret"),
            Main("smtp_sasl_security_options = noanonymous"),
        ],
    ),
    Plant::new(
        "PFX-017",
        "included lists may run commands",
        "allow_mail_to_commands",
        &[Main("allow_mail_to_commands = alias, forward, include")],
    ),
    Plant::new(
        "PFX-018",
        "virtual mailboxes of system users",
        "virtual_minimum_uid",
        &[
            Main("virtual_minimum_uid = 0"),
            Main("virtual_uid_maps = static:0"),
            Main("virtual_transport = virtual"),
        ],
    ),
    Plant::new(
        "PFX-019",
        "a domain that is local and virtual",
        "example.org",
        &[Main("mydestination = localhost, example.org")],
    ),
    Plant::new(
        "PFX-020",
        "a copy of everything for somebody elsewhere",
        "always_bcc",
        &[Main("always_bcc = watcher@elsewhere.example")],
    ),
    Plant::new("PFX-021", "soft_bounce is on", "soft_bounce", &[Main("soft_bounce = yes")]),
    Plant::new(
        "PFX-022",
        "mail waits for a month",
        "maximal_queue_lifetime",
        &[Main("maximal_queue_lifetime = 30d")],
    ),
    Plant::new("PFX-023", "the postmaster hears of nothing", "notify_classes", &[Main("notify_classes =")]),
    Plant::new(
        "PFX-024",
        "newaliases was forgotten",
        "/etc/aliases",
        &[Append("/etc/aliases", "hostmaster: root\n")],
    ),
    Plant::new("PFX-024", "a table that was never made", "/etc/aliases.db", &[Gone("/etc/aliases.db")]),
    Plant::new(
        "PFX-026",
        "mail forwarded without SRS",
        "elsewhere.example",
        &[Append("/etc/postfix/virtual", "friends@example.org somebody@elsewhere.example\n")],
    ),
    Plant::new(
        "PFX-032",
        "a whole /8 is blocked",
        "12.0.0.0/8",
        &[
            Write("/etc/postfix/blocked.cidr", "12.0.0.0/8 REJECT\n"),
            Replace(
                MAIN,
                "smtpd_helo_required",
                "smtpd_client_restrictions = check_client_access cidr:/etc/postfix/blocked.cidr\nsmtpd_helo_required",
            ),
        ],
    ),
];
