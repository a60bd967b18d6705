//! The lab's mail host, hardened until the audit has next to nothing to say.

use anyhow::Result;

use super::act::Act::{self, Append, Main, Mode, Replace, Run, Service, Write};
use super::host::{Host, Seen};

/// What is found on the hardened host, and why it stays.
const ACCEPTED: &[(&str, &str)] = &[
    ("ACC-020", "passwords are all that this host's users have"),
    ("QTA-006", "the disk is the developer's"),
    ("CRT-003", "strangers do not know the lab's authority"),
    ("TLS-023", "Postfix 3.7 has no setting for signatures"),
    ("PFX-027", "Debian's Postfix comes without a program for SPF"),
    ("PFX-028", "and without one for DMARC"),
    ("AVS-001", "and without a content filter"),
    ("VER-005", "so are the packages"),
    ("LOG-009", "there is no other host to send the log to"),
    ("BAK-001", "nothing here is worth a backup"),
];

/// What is done to Debian's mail server with the usual guides' additions.
const HARDENING: &[&[Act]] = &[POSTFIX, SUBMISSION, DOVECOT, BANS, LOGS];

const POSTFIX: &[Act] = &[
    Main("smtpd_forbid_bare_newline = normalize"),
    Main("smtpd_forbid_unauth_pipelining = yes"),
    Main("smtpd_banner = $myhostname ESMTP"),
    Main("disable_vrfy_command = yes"),
    Main("smtpd_discard_ehlo_keywords = silent-discard, dsn, etrn"),
    Main("smtpd_etrn_restrictions = reject"),
    Main("smtpd_client_message_rate_limit = 100"),
    Main("smtpd_client_recipient_rate_limit = 400"),
    Main("smtpd_client_auth_rate_limit = 20"),
    Main("smtpd_tls_protocols = >=TLSv1.2"),
    Main("smtpd_tls_mandatory_protocols = >=TLSv1.2"),
    Main("smtp_tls_security_level = dane"),
    Main("smtp_dns_support_level = dnssec"),
    Main("smtpd_tls_exclude_ciphers = aNULL"),
    Main("tls_medium_cipherlist = ECDHE+AESGCM:ECDHE+CHACHA20"),
    Main("tls_high_cipherlist = ECDHE+AESGCM:ECDHE+CHACHA20"),
    Main("tls_preempt_cipherlist = yes"),
    Main("smtpd_tls_loglevel = 1"),
    Main("smtp_tls_loglevel = 1"),
    Main(
        "smtpd_sender_restrictions = reject_non_fqdn_sender, check_sender_access texthash:/etc/postfix/own_senders, \
         reject_unknown_sender_domain",
    ),
    Write("/etc/postfix/own_senders", "example.org REJECT Log in\nexample.net REJECT Log in\n"),
    Main("postscreen_dnsbl_sites = zen.lists.example=127.0.0.[2..11]"),
    Replace(
        "/etc/postfix/main.cf",
        "reject_rbl_client bl.lists.example",
        "reject_rbl_client bl.lists.example=127.0.0.2, check_policy_service unix:private/quota-status",
    ),
    // The audit says a name of example.net in HELO.
    Replace("/etc/postfix/own_names", "example.net REJECT That is my own name\n", ""),
    Append(
        "/etc/postfix/virtual",
        "abuse@example.org nora@example.org\n\
         postmaster@example.net tess@example.net\n\
         abuse@example.net tess@example.net\n",
    ),
];

const SUBMISSION: &[Act] = &[
    Main("smtpd_sender_login_maps = texthash:/etc/postfix/owners"),
    Service("submission/inet/smtpd_sender_restrictions=reject_sender_login_mismatch"),
    Service("submissions/inet/smtpd_sender_restrictions=reject_sender_login_mismatch"),
    Service("submission/inet/cleanup_service_name=submission-cleanup"),
    Service("submissions/inet/cleanup_service_name=submission-cleanup"),
    Append(
        "/etc/postfix/master.cf",
        "submission-cleanup unix n - y - 0 cleanup\n  -o header_checks=regexp:/etc/postfix/submission_headers\n",
    ),
    Write("/etc/postfix/submission_headers", "/^Received:/ IGNORE\n/^X-Originating-IP:/ IGNORE\n"),
];

const DOVECOT: &[Act] = &[
    Run("/etc/dovecot/users", &["/usr/bin/chgrp", "dovecot", "/etc/dovecot/users"]),
    Mode("/etc/dovecot/users", 0o640),
    Append(
        "/etc/dovecot/local.conf",
        "\
ssl_cipher_list = ECDHE+AESGCM:ECDHE+CHACHA20
ssl_prefer_server_ciphers = yes
auth_verbose = yes
auth_failure_delay = 2 secs
mail_plugins = $mail_plugins quota
plugin {
  quota = count:User quota
  quota_vsizes = yes
  quota_rule = *:storage=1G
  quota_warning = storage=90%% quota-warning 90 %u
  quota_status_success = DUNNO
  quota_status_nouser = DUNNO
  quota_status_overquota = \"552 5.2.2 Mailbox is full\"
}
service quota-warning {
  executable = script /usr/bin/logger
  unix_listener quota-warning {
    mode = 0600
  }
}
service quota-status {
  executable = quota-status -p postfix
  unix_listener /var/spool/postfix/private/quota-status {
    mode = 0660
    user = postfix
    group = postfix
  }
  client_limit = 1
}
service imap-login {
  inet_listener imap {
    port = 0
  }
}
service pop3-login {
  inet_listener pop3 {
    port = 0
  }
}
",
    ),
];

const BANS: &[Act] = &[
    Write(
        "/etc/fail2ban/jail.d/mail.local",
        "\
[DEFAULT]
ignoreip = 127.0.0.1/8 ::1 198.19.2.0/24 203.0.113.0/24 192.0.2.200 2001:db8:600d::/64
backend = polling
banaction = nftables-multiport
bantime = 1h
bantime.increment = true
findtime = 1h
maxretry = 5
[sshd]
enabled = false
[postfix]
enabled = true
mode = aggressive
port = smtp,465,submission
[dovecot]
enabled = true
mode = aggressive
port = pop3,pop3s,imap,imaps,submission,465,sieve
[recidive]
enabled = true
",
    ),
    Write("/var/log/fail2ban.log", ""),
    Run("/var/log/fail2ban.log", &["/usr/bin/fail2ban-client", "start"]),
];

const LOGS: &[Act] = &[
    Mode("/var/log/mail.log", 0o640),
    Mode("/var/log/fail2ban.log", 0o640),
    Replace("/etc/logrotate.d/rsyslog", "rotate 4", "rotate 8"),
];

/// Whether anybody can log in to the hardened host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Logins {
    /// Passwords are hashed as they should be, and are nobody's.
    Closed,
    /// The lab's users keep theirs, which are hashed quickly.
    Open,
}

/// Hardens the host, and tells its daemons.
pub(super) fn harden(host: &Host<'_>, logins: Logins) -> Result<()> {
    without_amavis(host)?;
    for act in HARDENING.iter().copied().flatten() {
        act.perform(host)?;
    }
    own_addresses(host)?;
    if logins == Logins::Closed {
        hash_again(host)?;
    }
    trust_the_authority(host)?;
    host.reload(super::host::Look::Ports)
}

/// A filter that this machine may have installed, and the lab does not run.
fn without_amavis(host: &Host<'_>) -> Result<()> {
    match std::fs::remove_dir_all(host.file("/etc/amavis")?) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Each login owns its own address.
fn own_addresses(host: &Host<'_>) -> Result<()> {
    let names = mailward_lab::topology::accounts().map(|account| account.name);
    let table: String = names.map(|name| format!("{name} {name}\n")).collect();
    Ok(std::fs::write(host.file("/etc/postfix/owners")?, table)?)
}

/// The lab's authority among those that the host trusts.
fn trust_the_authority(host: &Host<'_>) -> Result<()> {
    let roots = host.file("/etc/ssl/certs/ca-certificates.crt")?;
    let text = std::fs::read_to_string(&roots)? + &std::fs::read_to_string(host.lab.authority())?;
    Ok(std::fs::write(roots, text)?)
}

/// Passwords hashed as they should be: those of the lab are hashed quickly.
fn hash_again(host: &Host<'_>) -> Result<()> {
    let users = host.file("/etc/dovecot/users")?;
    let text = std::fs::read_to_string(&users)?;
    let slow = |line: &str| {
        let mut fields: Vec<&str> = line.split(':').collect();
        if let Some(hash) = fields.get_mut(1) {
            *hash = HASH;
        }
        fields.join(":") + "\n"
    };
    // A salt of its own each, or they would be found to share a password.
    let salted =
        |(at, line): (usize, &str)| slow(line).replacen(SALT, &format!("lfonTR4FcLBQAPVx1b{at:04}"), 1);
    Ok(std::fs::write(&users, text.lines().enumerate().map(salted).collect::<String>())?)
}

/// Nobody logs in while the host is weakened.
const HASH: &str = "{BLF-CRYPT}$2y$11$lfonTR4FcLBQAPVx1bYDEOTjEv3ujrYfoqvDfjLDYKR/pwsb7TNKq";
/// The 22 characters behind the cost.
const SALT: &str = "lfonTR4FcLBQAPVx1bYDEO";

/// What is found though it is not accepted.
pub(super) fn strange(sound: &Seen) -> Vec<String> {
    let accepted = |name: &str| ACCEPTED.iter().any(|(id, _)| name.split(':').next() == Some(id));
    let rest = sound.findings.iter().filter(|(name, _)| !accepted(name));
    rest.map(|(name, finding)| format!("the hardened host has {name}: {}", super::told(finding))).collect()
}
