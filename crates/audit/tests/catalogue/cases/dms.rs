//! docker-mailserver and containers.

use mailward_audit::Facts;
use mailward_audit::facts::{Account, Answer, Known};

use crate::Case;
use crate::build::{dms, file, said};

const COMPOSE: &str = "services:
  mailserver:
    image: ghcr.io/docker-mailserver/docker-mailserver:15.1.0
    hostname: mail.example.org
    env_file: mailserver.env
    ports:
      - \"25:25\"
      - \"143:143\"
      - \"465:465\"
      - \"993:993\"
    volumes:
      - ./data/mail-data/:/var/mail/
      - ./data/mail-state/:/var/mail-state/
      - ./data/mail-logs/:/var/log/mail/
      - ./data/config/:/tmp/docker-mailserver/
    restart: always
    stop_grace_period: 1m
    cap_add:
      - NET_ADMIN
    healthcheck:
      test: \"printf 'QUIT\\r\\n' | nc -w 3 127.0.0.1 25 | grep -q ^220\"
";

const ENV: &str = "SSL_TYPE=letsencrypt
SPOOF_PROTECTION=1
PERMIT_DOCKER=none
ENABLE_FAIL2BAN=1
ENABLE_MANAGESIEVE=
";

/// A sound server, with the compose and environment files given.
fn with(compose: &str, env: &str) -> Facts {
    let facts = file(dms(), "/compose/compose.yaml", compose);
    let facts = file(facts, "/compose/mailserver.env", env);
    config(facts, "postfix-accounts.cf", "")
}

fn sound() -> Facts {
    with(COMPOSE, ENV)
}

/// With a file of the config volume.
fn config(facts: Facts, name: &str, text: &str) -> Facts {
    file(facts, &format!("/tmp/docker-mailserver/{name}"), text)
}

/// With a piece of the compose file changed.
fn compose(from: &str, to: &str) -> Facts {
    assert!(COMPOSE.contains(from), "no {from:?}");
    with(&COMPOSE.replace(from, to), ENV)
}

/// With a line of the environment file more.
fn env(line: &str) -> Facts {
    with(COMPOSE, &format!("{ENV}{line}\n"))
}

fn mail_domain(mut facts: Facts, domain: &str) -> Facts {
    facts.accounts = Known::Is(vec![Account { name: format!("alice@{domain}"), ..Account::default() }]);
    facts
}

fn exchanger(mut facts: Facts, domain: &str, host: &str) -> Facts {
    let answer = Answer { code: "NOERROR".into(), records: vec![format!("10 {host}")], ..Answer::default() };
    facts.dns.answers.insert(format!("MX {domain}"), Known::Is(answer));
    facts
}

pub(super) const CASES: &[Case] = &[
    Case {
        id: "DMS-001",
        fails: || env("POSTFIX_SMTPD_TLS_SECURITY_LEVEL=encrypt"),
        shows: "POSTFIX_SMTPD_TLS_SECURITY_LEVEL is read by nobody",
        passes: || {
            env(
                "TZ=Europe/Berlin\nRELAY_PASSWORD__FILE=/run/secrets/relay\nLETSENCRYPT_HOST=mail.example.org",
            )
        },
    },
    Case {
        id: "DMS-001",
        fails: || env("DOVECOT_SSL_PROTOCOLS=!SSLv3"),
        shows: "TLS 1.0 and 1.1, which are off now, would be allowed again",
        passes: || env("ACCOUNT_PROVISIONER=LDAP\nDOVECOT_ITERATE_FILTER=(mail=*)"),
    },
    Case {
        id: "DMS-001",
        fails: || env("SPOOF_PROTECTON=1"),
        shows: "probably meant to be `SPOOF_PROTECTION`",
        passes: sound,
    },
    Case {
        id: "DMS-001",
        fails: || env("ENABLE_CLAMAV=true"),
        shows: "which docker-mailserver does not understand",
        passes: || env("ENABLE_CLAMAV=true\nENABLE_CLAMAV=1"),
    },
    Case {
        id: "DMS-001",
        fails: || file(sound(), "/etc/dms-settings", "SPOOF_PROTECTION='0'\nENABLE_FAIL2BAN='1'\n"),
        shows: "the container has `0`",
        passes: || said(sound(), "cat /etc/dms-settings", "SPOOF_PROTECTION='1'\nENABLE_MANAGESIEVE='0'\n"),
    },
    Case {
        id: "DMS-002",
        fails: || config(sound(), "fail2ban-filter.cf", "[Definition]\nfailregex = x\n"),
        shows: "docker-mailserver never reads fail2ban-filter.cf",
        passes: || {
            let facts = config(sound(), "fail2ban-filter.cf", "[Definition]\n");
            config(
                facts,
                "user-patches.sh",
                "cp /tmp/docker-mailserver/fail2ban-filter.cf /etc/fail2ban/filter.d/own.conf",
            )
        },
    },
    Case {
        id: "DMS-002",
        fails: || config(sound(), "spamassassin/local.cf", "required_score 5.0\n"),
        shows: "required_score 5.0 would have no effect behind amavis",
        passes: || {
            config(config(sound(), "alice@example.org.dovecot.sieve", ""), "rspamd/override.d/x.conf", "")
        },
    },
    Case {
        id: "DMS-002",
        fails: || {
            file(
                config(sound(), "dovecot.cf", "ssl_min_protocol = TLSv1.3\n"),
                "/etc/dovecot/local.conf",
                "# none\n",
            )
        },
        shows: "dovecot.cf was changed after the container was created",
        passes: || {
            let facts = config(sound(), "dovecot.cf", "# a note\nssl_min_protocol = TLSv1.3\n");
            file(facts, "/etc/dovecot/local.conf", "ssl_min_protocol = TLSv1.3\n")
        },
    },
    Case {
        id: "DMS-002",
        fails: || {
            let facts = config(sound(), "postfix-main.cf", "smtpd_helo_required = no\n");
            said(facts, "postconf -n", "smtpd_helo_required = yes\n")
        },
        shows: "the running Postfix has `yes`",
        passes: || {
            let facts = config(sound(), "postfix-main.cf", "smtpd_helo_required = yes\n");
            said(facts, "postconf -n", "smtpd_helo_required = yes\n")
        },
    },
    Case { id: "DMS-003", fails: || env("SSL_TYPE="), shows: "there is no TLS", passes: sound },
    Case {
        id: "DMS-003",
        fails: || env("SSL_TYPE=self-signed"),
        shows: "self-signed",
        passes: || env("SSL_TYPE=manual"),
    },
    Case {
        id: "DMS-004",
        fails: || env("PERMIT_DOCKER=connected-networks"),
        shows: "gateways included",
        passes: || with(COMPOSE, "SSL_TYPE=letsencrypt\n"),
    },
    Case {
        id: "DMS-005",
        fails: || with(COMPOSE, "SPOOF_PROTECTION=\n"),
        shows: "every account may send as any address",
        passes: sound,
    },
    Case {
        id: "DMS-005",
        fails: || said(with(COMPOSE, "TZ=UTC\n"), "postconf -n", "mua_sender_restrictions = permit\n"),
        shows: "lacks reject_authenticated_sender_login_mismatch",
        passes: || {
            let own = "mua_sender_restrictions = reject_sender_login_mismatch, permit\n";
            said(with(COMPOSE, "SPOOF_PROTECTION=0\n"), "postconf -n", own)
        },
    },
    Case {
        id: "DMS-006",
        fails: || compose("    cap_add:\n      - NET_ADMIN\n", ""),
        shows: "the container lacks NET_ADMIN",
        passes: sound,
    },
    Case {
        id: "DMS-006",
        fails: || said(sound(), "docker inspect", "{\"HostConfig\":{\"CapAdd\":null,\"Privileged\":false}}"),
        shows: "docker inspect",
        passes: || said(sound(), "docker inspect", "[{\"HostConfig\":{\"CapAdd\":[\"CAP_NET_ADMIN\"]}}]"),
    },
    Case {
        id: "DMS-007",
        fails: || env("ENABLE_RSPAMD=1\nENABLE_AMAVIS=0"),
        shows: "Rspamd runs together with ENABLE_OPENDKIM, ENABLE_OPENDMARC, ENABLE_POLICYD_SPF",
        passes: || {
            env(
                "ENABLE_RSPAMD=1\nENABLE_AMAVIS=0\nENABLE_OPENDKIM=0\nENABLE_OPENDMARC=0\nENABLE_POLICYD_SPF=0",
            )
        },
    },
    Case {
        id: "DMS-008",
        fails: || compose(":15.1.0", ":latest"),
        shows: "floating tag `latest`",
        passes: sound,
    },
    Case {
        id: "DMS-008",
        fails: || compose(":15.1.0", ":11.3.1"),
        shows: "release 11",
        passes: || compose(":15.1.0", ":latest@sha256:0123"),
    },
    Case {
        id: "DMS-009",
        fails: || compose("    restart: always", "    restart: always\n    privileged: true"),
        shows: "privileged",
        passes: sound,
    },
    Case {
        id: "DMS-009",
        fails: || {
            compose(
                "      - ./data/config",
                "      - /var/run/docker.sock:/var/run/docker.sock:ro\n      - ./data/config",
            )
        },
        shows: "Docker's socket",
        passes: || said(sound(), "docker inspect", "{\"HostConfig\":{\"NetworkMode\":\"mail_default\"}}"),
    },
    Case {
        id: "DMS-010",
        fails: || compose("\"993:993\"", "\"993:993\"\n      - \"11334:11334\""),
        shows: "Rspamd controller",
        passes: || compose("\"993:993\"", "\"993:993\"\n      - \"127.0.0.1:11334:11334\""),
    },
    Case {
        id: "DMS-010",
        fails: || said(sound(), "doveconf -n", "disable_plaintext_auth = no\n"),
        shows: "takes passwords in clear text",
        passes: || said(sound(), "doveconf -n", "ssl = required\n"),
    },
    Case {
        id: "DMS-011",
        fails: || compose("      - ./data/mail-state/:/var/mail-state/\n", ""),
        shows: "queue, bans, learnt spam",
        passes: sound,
    },
    Case {
        id: "DMS-012",
        fails: || mail_domain(compose("mail.example.org", "example.org"), "example.org"),
        shows: "is a mail domain itself",
        passes: || mail_domain(sound(), "example.org"),
    },
    Case {
        id: "DMS-012",
        fails: || exchanger(mail_domain(sound(), "example.org"), "example.org", "mx.example.net"),
        shows: "that of example.org is mx.example.net",
        passes: || exchanger(mail_domain(sound(), "example.org"), "example.org", "mail.example.org"),
    },
    Case {
        id: "DMS-013",
        fails: || config(sound(), "postfix-master.cf", "submission/inet/smtpd_tls_security_level=may\n"),
        shows: "mail and passwords may travel in clear text",
        passes: || config(sound(), "postfix-master.cf", "submission/inet/smtpd_tls_security_level=encrypt\n"),
    },
    Case {
        id: "DMS-013",
        fails: || {
            config(sound(), "dovecot.cf", "auth_failure_delay = 2s\nauth_cache_negative_ttl = 1 hour\n")
        },
        shows: "the authentication cache is off",
        passes: || {
            config(
                sound(),
                "dovecot.cf",
                "auth_failure_delay = 5s\nauth_cache_size = 10M\nauth_cache_negative_ttl = 10 mins\n",
            )
        },
    },
    Case {
        id: "DMS-013",
        fails: || config(sound(), "postfix-main.cf", "smtpd_tls_protocols = !SSLv2,!SSLv3\n"),
        shows: "TLS 1.0 and 1.1 are allowed again",
        passes: || {
            config(
                sound(),
                "postfix-main.cf",
                "smtpd_tls_protocols = !SSLv2,!SSLv3,!TLSv1,!TLSv1.1\nsmtpd_tls_mandatory_protocols = >=TLSv1.2\n",
            )
        },
    },
    Case {
        id: "DMS-014",
        fails: || compose("    restart: always\n", ""),
        shows: "Nothing starts the container",
        passes: sound,
    },
    Case {
        id: "DMS-014",
        fails: || {
            compose(
                "printf 'QUIT\\r\\n' | nc -w 3 127.0.0.1 25 | grep -q ^220",
                "ss --listening --tcp | grep ':smtp'",
            )
        },
        shows: "only looks for a listener",
        passes: sound,
    },
];
