//! Cases of the PFX family.

use mailward_audit::Facts;
use mailward_audit::facts::{Known, Listener, Process, Said};

use crate::Case;
use crate::build::{MAIN_CF, MASTER_CF, dms, file, postfix, postfix_master, postfix_of, said};

fn sound() -> Facts {
    postfix("")
}

/// With what `postconf -n` warned of.
fn warned(mut facts: Facts, status: i32, stderr: &str) -> Facts {
    if let Some(Known::Is(said)) = facts.said.get_mut("postconf -n") {
        *said = Said { status: Some(status), stderr: stderr.to_owned(), ..said.clone() };
    }
    facts
}

fn modified(mut facts: Facts, path: &str, when: i64) -> Facts {
    if let Some(Known::Is(file)) = facts.files.get_mut(path) {
        file.modified = when;
    }
    facts
}

fn absent(mut facts: Facts, path: &str) -> Facts {
    facts.files.insert(path.to_owned(), Known::Absent);
    facts
}

fn listening(mut facts: Facts, ports: &[u16]) -> Facts {
    let listener = |port: &u16| Listener {
        protocol: "tcp".to_owned(),
        address: "127.0.0.1".to_owned(),
        port: *port,
        ..Listener::default()
    };
    facts.host.listeners = Known::Is(ports.iter().map(listener).collect());
    facts
}

fn running(mut facts: Facts, name: &str) -> Facts {
    let process =
        Process { name: name.to_owned(), command: format!("/usr/sbin/{name}"), ..Process::default() };
    facts.host.processes = Known::Is(vec![process]);
    facts
}

fn with_service(line: &str) -> Facts {
    postfix_of("3.7.11", MAIN_CF, &format!("{MASTER_CF}{line}\n"))
}

const BROKEN: &str = "smtpd_helo_required = yes\nreject_rbl_client zen.spamhaus.org\n";

/// The cases, by id.
pub(crate) const CASES: &[Case] = &[
    Case {
        id: "PFX-001",
        fails: || file(dms(), "/tmp/docker-mailserver/postfix-main.cf", BROKEN),
        shows: "reject_rbl_client zen.spamhaus.org",
        passes: sound,
    },
    Case {
        id: "PFX-001",
        fails: || {
            warned(
                sound(),
                1,
                "postconf: fatal: /etc/postfix/main.cf, line 9: missing '=' after attribute name: \"x\"\n",
            )
        },
        shows: "line 9: missing '='",
        passes: || {
            file(dms_with(sound()), "/tmp/docker-mailserver/postfix-main.cf", "smtpd_helo_required = yes\n")
        },
    },
    Case {
        id: "PFX-001",
        fails: || said(sound(), "postconf -n", ""),
        shows: "main.cf is empty",
        passes: || {
            postfix(
                "smtpd_restriction_classes = strict\nstrict = reject\nsmtpd_helo_restrictions = strict, reject_unknown_helo_hostname\n",
            )
        },
    },
    Case {
        id: "PFX-001",
        fails: || postfix("smtpd_recipient_restrictions = reject_unauth_destinations\n"),
        shows: "reject_unauth_destinations, which smtpd does not know",
        passes: || {
            postfix(
                "smtpd_recipient_restrictions = permit_mynetworks reject_rbl_client zen.example.org, check_policy_service unix:x, check_sender_mx_access cidr:/x\n",
            )
        },
    },
    Case {
        id: "PFX-002",
        fails: || {
            warned(
                sound(),
                0,
                "postconf: warning: /etc/postfix/main.cf: unused parameter: smtpd_helo_require=yes\n",
            )
        },
        shows: "meant to be smtpd_helo_required",
        passes: sound,
    },
    Case {
        id: "PFX-002",
        fails: || {
            file(
                dms_with(sound()),
                "/tmp/docker-mailserver/postfix-main.cf",
                "check_policy_service = inet:127.0.0.1:10023\n",
            )
        },
        shows: "postfix-main.cf:1",
        passes: || {
            file(
                dms_with(sound()),
                "/tmp/docker-mailserver/postfix-main.cf",
                "mine = yes\nsmtpd_client_connection_rate_limit = 30\nsmtpd_helo_required = $mine\n",
            )
        },
    },
    Case {
        id: "PFX-003",
        fails: || postfix("smtpd_helo_required = no\n"),
        shows: "smtpd_helo_required = yes (has no effect)",
        passes: sound,
    },
    Case {
        id: "PFX-003",
        fails: || {
            postfix_master(
                "",
                "  -o smtpd_tls_wrappermode=yes\n",
                "  -o smtpd_tls_wrappermode=no\n  -o smtpd_tls_wrappermode=yes\n",
            )
        },
        shows: "-o smtpd_tls_wrappermode=no has no effect",
        passes: sound,
    },
    Case {
        id: "PFX-004",
        fails: || postfix_of("3.7.11", &MAIN_CF.replace("compatibility_level = 3.6\n", ""), MASTER_CF),
        shows: "relay_domains",
        passes: sound,
    },
    Case {
        id: "PFX-005",
        fails: || postfix("smtpd_sender_restrictions = permit, reject_unknown_sender_domain\n"),
        shows: "`reject_unknown_sender_domain` is never asked",
        passes: || postfix("smtpd_sender_restrictions = reject_unknown_sender_domain, permit\n"),
    },
    Case {
        id: "PFX-005",
        fails: || postfix("smtpd_sender_restrictions = warn_if_reject reject_unknown_sender_domain\n"),
        shows: "only warns",
        passes: sound,
    },
    Case {
        id: "PFX-005",
        fails: || {
            file(
                postfix("smtpd_client_restrictions = check_client_access cidr:/etc/postfix/bad\n"),
                "/etc/postfix/bad",
                "# none yet\n",
            )
        },
        shows: "empty table",
        passes: || {
            file(
                postfix("smtpd_client_restrictions = check_client_access cidr:/etc/postfix/bad\n"),
                "/etc/postfix/bad",
                "192.0.2.1 REJECT\n",
            )
        },
    },
    Case {
        id: "PFX-006",
        fails: || {
            postfix_of(
                "3.7.11",
                &format!("{MAIN_CF}postscreen_dnsbl_sites = zen.example.org\n"),
                &MASTER_CF
                    .replace("1       postscreen", "-       smtpd")
                    .replace("smtpd      pass", "#smtpd      pass"),
            )
        },
        shows: "port 25 (smtp) runs smtpd",
        passes: || postfix("postscreen_dnsbl_sites = zen.example.org\n"),
    },
    Case {
        id: "PFX-006",
        fails: || running(sound(), "postgrey"),
        shows: "postgrey runs, but no restriction list",
        passes: || {
            running(
                postfix("smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:10023\n"),
                "postgrey",
            )
        },
    },
    Case {
        id: "PFX-006",
        fails: || postfix("smtp_sasl_password_maps = hash:/etc/postfix/sasl_passwd\n"),
        shows: "never sent",
        passes: || {
            postfix("smtp_sasl_password_maps = hash:/etc/postfix/sasl_passwd\nsmtp_sasl_auth_enable = yes\n")
        },
    },
    Case {
        id: "PFX-007",
        fails: || postfix_of("3.7.11", MAIN_CF, "smtp inet n - y - - smtpd\n"),
        shows: "smtpd has port 25 by itself",
        passes: || postfix("postscreen_greet_action = enforce\n"),
    },
    Case {
        id: "PFX-008",
        fails: || {
            postfix_master(
                "",
                "  -o smtpd_sasl_auth_enable=yes\n",
                "  -o smtpd_sasl_auth_enable=yes\n  -o smtpd_tls_auth_only=no\n",
            )
        },
        shows: "-o smtpd_tls_auth_only=no beats `yes at main.cf:",
        passes: sound,
    },
    Case {
        id: "PFX-008",
        fails: || {
            postfix_master(
                "",
                "  -o smtpd_tls_wrappermode=yes\n",
                "  -o smtpd_tls_wrappermode=yes\n  -o smtpd_tls_mandatory_protocols=!SSLv3\n",
            )
        },
        shows: "TLSv1 and TLSv1.1 is allowed again",
        passes: sound,
    },
    Case {
        id: "PFX-009",
        fails: || with_service("10025 inet n - n - - smtpd -o content_filter="),
        shows: "listens on every address",
        passes: || with_service("127.0.0.1:10025 inet n - n - - smtpd -o content_filter="),
    },
    Case {
        id: "PFX-010",
        fails: || {
            with_service(
                "10025 inet n - n - - smtpd -o content_filter= -o smtpd_recipient_restrictions=permit,reject -o smtpd_relay_restrictions=",
            )
        },
        shows: "takes mail to anywhere from anybody",
        passes: || {
            with_service(
                "127.0.0.1:10025 inet n - n - - smtpd -o content_filter= -o smtpd_recipient_restrictions=permit_mynetworks,reject",
            )
        },
    },
    Case {
        id: "PFX-011",
        fails: || postfix("smtpd_milters = inet:localhost:8891\nmilter_default_action = accept\n"),
        shows: "milter_default_action = accept",
        passes: || postfix("smtpd_milters = inet:localhost:8891\n"),
    },
    Case {
        id: "PFX-012",
        fails: || {
            listening(
                postfix("smtpd_milters = inet:localhost:8891\nnon_smtpd_milters = $smtpd_milters\n"),
                &[25],
            )
        },
        shows: "Nothing listens at inet:localhost:8891",
        passes: || {
            listening(
                postfix(
                    "smtpd_milters = inet:localhost:8891\ncontent_filter = smtp-amavis:[127.0.0.1]:10024\n",
                ),
                &[25, 8891, 10024],
            )
        },
    },
    Case {
        id: "PFX-013",
        fails: || {
            postfix_master(
                "smtpd_milters = inet:localhost:8891\nnon_smtpd_milters = $smtpd_milters\n",
                "  -o smtpd_tls_wrappermode=yes\n",
                "  -o smtpd_tls_wrappermode=yes\n  -o smtpd_milters=\n",
            )
        },
        shows: "port 465 (submissions)",
        passes: || postfix("smtpd_milters = inet:localhost:8891\nnon_smtpd_milters = $smtpd_milters\n"),
    },
    Case {
        id: "PFX-014",
        fails: || postfix("smtp_tls_security_level =\n"),
        shows: "never encrypted",
        passes: sound,
    },
    Case {
        id: "PFX-015",
        fails: || postfix("smtp_tls_security_level = may\n"),
        shows: "takes any certificate",
        passes: sound,
    },
    Case {
        id: "PFX-015",
        fails: || postfix("smtp_dns_support_level =\n"),
        shows: "DANE never applies",
        passes: || {
            postfix(
                "smtp_tls_security_level = may\nsmtp_tls_policy_maps = socketmap:inet:127.0.0.1:8461:postfix\n",
            )
        },
    },
    Case {
        id: "PFX-016",
        fails: || {
            postfix(
                "relayhost = [smtp.example.net]:587\nsmtp_sasl_auth_enable = yes\nsmtp_tls_security_level = may\n",
            )
        },
        shows: "[smtp.example.net]:587",
        passes: || {
            postfix(
                "relayhost = [smtp.example.net]:587\nsmtp_sasl_auth_enable = yes\nsmtp_tls_security_level = encrypt\n",
            )
        },
    },
    Case {
        id: "PFX-016",
        fails: || {
            file(
                postfix(
                    "relayhost = [smtp.example.net]:587\nsmtp_sasl_auth_enable = yes\nsmtp_tls_policy_maps = texthash:/t\n",
                ),
                "/t",
                "[smtp.example.net]:587 may\n",
            )
        },
        shows: "smtp_sasl_auth_enable = yes",
        passes: || {
            file(
                postfix(
                    "relayhost = [smtp.example.net]:587\nsmtp_sasl_auth_enable = yes\nsmtp_tls_policy_maps = texthash:/t\n",
                ),
                "/t",
                "[smtp.example.net]:587 secure\n",
            )
        },
    },
    Case {
        id: "PFX-017",
        fails: || postfix("allow_mail_to_commands = alias, forward, include\n"),
        shows: "allow_mail_to_commands",
        passes: sound,
    },
    Case {
        id: "PFX-018",
        fails: || postfix("virtual_transport = virtual\nvirtual_minimum_uid = 1\n"),
        shows: "virtual_minimum_uid = 1",
        passes: || postfix("virtual_transport = virtual\nvirtual_uid_maps = static:5000\n"),
    },
    Case {
        id: "PFX-019",
        fails: || postfix("mydestination = localhost, example.org\n"),
        shows: "example.org is in mydestination and virtual_mailbox_domains",
        passes: sound,
    },
    Case {
        id: "PFX-020",
        fails: || postfix("always_bcc = archive@elsewhere.example\n"),
        shows: "archive@elsewhere.example",
        passes: || postfix("always_bcc = archive@example.org\n"),
    },
    Case {
        id: "PFX-020",
        fails: || {
            file(
                postfix("recipient_bcc_maps = hash:/etc/postfix/bcc\n"),
                "/etc/postfix/bcc",
                "ceo@example.org spy@elsewhere.example\n",
            )
        },
        shows: "/etc/postfix/bcc:1",
        passes: || {
            file(
                postfix("recipient_bcc_maps = hash:/etc/postfix/bcc\n"),
                "/etc/postfix/bcc",
                "ceo@example.org archive@example.org\n",
            )
        },
    },
    Case {
        id: "PFX-021",
        fails: || {
            postfix_master(
                "",
                "-       smtpd\n  -o syslog_name=postfix/submission\n",
                "-       smtpd -v\n  -o syslog_name=postfix/submission\n",
            )
        },
        shows: "smtpd -v",
        passes: sound,
    },
    Case {
        id: "PFX-021",
        fails: || postfix("soft_bounce = yes\n"),
        shows: "soft_bounce = yes",
        passes: sound,
    },
    Case {
        id: "PFX-022",
        fails: || postfix("maximal_queue_lifetime = 30d\n"),
        shows: "more than a week",
        passes: || postfix("maximal_queue_lifetime = 36h\nbounce_queue_lifetime = 1d\n"),
    },
    Case {
        id: "PFX-023",
        fails: || postfix("notify_classes = software\n"),
        shows: "resource errors",
        passes: || {
            file(
                postfix("notify_classes = resource, software, policy\n"),
                "/etc/aliases",
                "postmaster: root\n",
            )
        },
    },
    Case {
        id: "PFX-023",
        fails: || file(sound(), "/etc/aliases", "root: me@example.org\npostmaster: /dev/null\n"),
        shows: "/etc/aliases:2",
        passes: sound,
    },
    Case {
        id: "PFX-024",
        fails: || {
            let facts = file(file(sound(), "/etc/aliases", "a: b\n"), "/etc/aliases.db", "");
            modified(modified(facts, "/etc/aliases", 2000), "/etc/aliases.db", 1000)
        },
        shows: "changed 1000 seconds after",
        passes: || {
            let facts = file(file(sound(), "/etc/aliases", "a: b\n"), "/etc/aliases.db", "");
            modified(modified(facts, "/etc/aliases", 1000), "/etc/aliases.db", 1000)
        },
    },
    Case {
        id: "PFX-024",
        fails: || absent(file(sound(), "/etc/aliases", "a: b\n"), "/etc/aliases.db"),
        shows: "/etc/aliases.db does not exist",
        passes: || file(postfix("alias_maps = texthash:/etc/aliases\n"), "/etc/aliases", "a: b\n"),
    },
    Case {
        id: "PFX-025",
        fails: || {
            file(
                postfix("virtual_mailbox_maps = proxy:mysql:/etc/postfix/sql.cf\n"),
                "/etc/postfix/sql.cf",
                "hosts = db.example.org\nuser = mail\n",
            )
        },
        shows: "asks db.example.org over the network",
        passes: || {
            file(
                postfix("virtual_mailbox_maps = proxy:mysql:/etc/postfix/sql.cf\n"),
                "/etc/postfix/sql.cf",
                "hosts = unix:/run/mysqld.sock 127.0.0.1\n",
            )
        },
    },
    Case {
        id: "PFX-025",
        fails: || {
            file(
                postfix("virtual_mailbox_maps = ldap:/etc/postfix/ldap.cf\n"),
                "/etc/postfix/ldap.cf",
                "server_host = ldap://dir.example.org\n",
            )
        },
        shows: "ldap://dir.example.org",
        passes: || {
            file(
                postfix("virtual_mailbox_maps = ldap:/etc/postfix/ldap.cf\n"),
                "/etc/postfix/ldap.cf",
                "server_host = dir.example.org\nstart_tls = yes\n",
            )
        },
    },
    Case {
        id: "PFX-026",
        fails: || {
            file(
                postfix("virtual_alias_maps = hash:/etc/postfix/virtual\n"),
                "/etc/postfix/virtual",
                "info@example.org me@elsewhere.example\n",
            )
        },
        shows: "me@elsewhere.example",
        passes: || {
            file(
                postfix(
                    "virtual_alias_maps = hash:/etc/postfix/virtual\nsender_canonical_maps = tcp:localhost:10001\n",
                ),
                "/etc/postfix/virtual",
                "info@example.org me@elsewhere.example\n",
            )
        },
    },
    Case {
        id: "PFX-027",
        fails: sound,
        shows: "no milter and no policy service",
        passes: || postfix("smtpd_recipient_restrictions = check_policy_service unix:private/policyd-spf\n"),
    },
    Case {
        id: "PFX-028",
        fails: sound,
        shows: "smtpd_milters: no milter",
        passes: || postfix("smtpd_milters = inet:localhost:11332\n"),
    },
    Case {
        id: "PFX-028",
        fails: || {
            file(
                postfix("smtpd_milters = inet:localhost:8891 inet:localhost:8893\n"),
                "/etc/opendmarc.conf",
                "# RejectFailures true\n",
            )
        },
        shows: "is not set (false)",
        passes: || {
            file(
                postfix("smtpd_milters = inet:localhost:8891 inet:localhost:8893\n"),
                "/etc/opendmarc.conf",
                "RejectFailures true\n",
            )
        },
    },
    Case {
        id: "PFX-030",
        fails: || {
            file(
                postfix("content_filter = smtp-amavis:[127.0.0.1]:10024\n"),
                "/etc/amavis/conf.d/20-debian_defaults",
                "$final_spam_destiny = D_BOUNCE;\n",
            )
        },
        shows: "20-debian_defaults:1",
        passes: || {
            let facts = file(
                postfix("content_filter = smtp-amavis:[127.0.0.1]:10024\n"),
                "/etc/amavis/conf.d/20-debian_defaults",
                "$final_spam_destiny = D_BOUNCE;\n",
            );
            file(facts, "/etc/amavis/conf.d/50-user", "$final_spam_destiny = D_PASS; # D_BOUNCE\n")
        },
    },
    Case {
        id: "PFX-031",
        fails: || {
            postfix_of(
                "3.7.11",
                "compatibility_level = 3.6\nmyhostname = web.example.org\nmydestination = $myhostname, localhost\n",
                MASTER_CF,
            )
        },
        shows: "No mail domain is served here",
        passes: sound,
    },
    Case {
        id: "PFX-032",
        fails: || {
            file(
                postfix("smtpd_client_restrictions = check_client_access cidr:/etc/postfix/bad\n"),
                "/etc/postfix/bad",
                "192.0.2.7 REJECT\n198.0.0.0/8 REJECT\n",
            )
        },
        shows: "turns away all of 198.0.0.0/8",
        passes: || {
            file(
                postfix("smtpd_client_restrictions = check_client_access cidr:/etc/postfix/bad\n"),
                "/etc/postfix/bad",
                "192.0.2.7 REJECT\n10.0.0.0/8 OK\n",
            )
        },
    },
    Case {
        id: "PFX-032",
        fails: || file(sound(), "/etc/postfix/postfix-reject.cidr", "192.0.2.7 REJECT\n192.0.2.8 REJECT\n"),
        shows: "no setting names it",
        passes: || {
            file(
                postfix(
                    "postscreen_access_list = permit_mynetworks, cidr:/etc/postfix/postfix-reject.cidr\n",
                ),
                "/etc/postfix/postfix-reject.cidr",
                "192.0.2.7 REJECT\n192.0.2.8 REJECT\n",
            )
        },
    },
];

/// The same server in docker-mailserver.
fn dms_with(mut facts: Facts) -> Facts {
    facts.about.deployment = dms().about.deployment;
    facts
}
