//! Facts for cases: small servers, to be weakened one setting at a time.

use std::collections::BTreeMap;

use mailward_audit::Facts;
use mailward_audit::facts::{Deployment, File, Known, Said};

/// A server of which nothing is known but when it was looked at.
pub(crate) fn nothing() -> Facts {
    let mut facts = Facts::default();
    facts.about.taken = "2026-03-01T12:00:00Z".to_owned();
    facts.about.host = "mail.example.org".to_owned();
    facts
}

/// With what a command said.
pub(crate) fn said(mut facts: Facts, command: &str, stdout: &str) -> Facts {
    facts.said.insert(command.to_owned(), Known::Is(Said::ok(stdout)));
    facts
}

/// With a file.
pub(crate) fn file(mut facts: Facts, path: &str, text: &str) -> Facts {
    facts.files.insert(path.to_owned(), Known::Is(File::of(text)));
    facts
}

/// A docker-mailserver of which nothing else is known.
pub(crate) fn dms() -> Facts {
    let mut facts = nothing();
    facts.about.deployment = Deployment::DockerMailserver;
    facts
}

/// With a sound Dovecot 2.3 that serves IMAP to accounts of a passwd-file; `more` comes last, so it wins.
pub(crate) fn dovecot(facts: Facts, more: &str) -> Facts {
    let sound = "\
auth_mechanisms = plain login
auth_verbose = yes
first_valid_uid = 5000
mail_location = maildir:/var/mail/vhosts/%d/%n
namespace inbox {
  inbox = yes
}
passdb {
  args = scheme=ARGON2ID username_format=%u /etc/dovecot/users
  driver = passwd-file
}
protocols = imap lmtp
service auth {
  unix_listener /var/spool/postfix/private/auth {
    group = postfix
    mode = 0660
    user = postfix
  }
}
service imap-login {
  inet_listener imap {
    port = 0
  }
}
service lmtp {
  unix_listener /var/spool/postfix/private/dovecot-lmtp {
    group = postfix
    mode = 0600
    user = postfix
  }
}
ssl = required
ssl_cert = </etc/ssl/mail.pem
ssl_key = # hidden, use -P to show it
userdb {
  args = uid=vmail gid=vmail home=/var/mail/vhosts/%d/%n
  driver = static
}
";
    dovecot_of(facts, "2.3.19.1", &format!("{sound}{more}"))
}

/// With a sound Dovecot 2.4, likewise.
pub(crate) fn dovecot_2_4(facts: Facts, more: &str) -> Facts {
    let sound = "\
dovecot_config_version = 2.4.1
dovecot_storage_version = 2.4.1
auth_verbose = yes
first_valid_uid = 5000
mail_driver = maildir
mail_path = /var/mail/vhosts/%{user | domain}/%{user | username}
protocols {
  imap = yes
  lmtp = yes
}
passdb passwd-file {
  default_password_scheme = ARGON2ID
  passwd_file_path = /etc/dovecot/users
}
userdb static {
  fields {
    uid = vmail
    gid = vmail
  }
}
service imap-login {
  inet_listener imap {
    port = 0
  }
  inet_listener imaps {
    port = 993
    ssl = yes
  }
}
ssl = required
ssl_server {
  cert_file = /etc/ssl/mail.pem
  key_file = /etc/ssl/mail.key
}
";
    dovecot_of(facts, "2.4.1-4", &format!("{sound}{more}"))
}

/// With a Dovecot of a version, whose `doveconf -n` says this.
pub(crate) fn dovecot_of(facts: Facts, version: &str, text: &str) -> Facts {
    let header =
        format!("# {version} (9b53102964): /etc/dovecot/dovecot.conf\n# Hostname: mail.example.org\n");
    said(facts, "doveconf -n", &(header + text))
}

/// A sound main.cf of a small server.
pub(crate) const MAIN_CF: &str = "\
compatibility_level = 3.6
myhostname = mail.example.org
mydestination = localhost
virtual_mailbox_domains = example.org
virtual_transport = lmtp:unix:private/dovecot-lmtp
mynetworks = 127.0.0.0/8 [::1]/128
alias_maps = hash:/etc/aliases
smtpd_banner = $myhostname ESMTP
smtpd_helo_required = yes
smtpd_helo_restrictions = permit_mynetworks, reject_invalid_helo_hostname
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_tls_auth_only = yes
smtpd_tls_chain_files = /etc/ssl/private/mail.example.org.pem
smtpd_tls_mandatory_protocols = >=TLSv1.2
smtpd_tls_security_level = may
smtp_tls_security_level = dane
smtp_dns_support_level = dnssec
smtpd_forbid_bare_newline = normalize
disable_vrfy_command = yes
";

/// A sound master.cf of a small server: postscreen on port 25, submission with login and TLS.
pub(crate) const MASTER_CF: &str = "\
smtp       inet  n       -       y       -       1       postscreen
smtpd      pass  -       -       y       -       -       smtpd
dnsblog    unix  -       -       y       -       0       dnsblog
tlsproxy   unix  -       -       y       -       0       tlsproxy
submission inet  n       -       y       -       -       smtpd
  -o syslog_name=postfix/submission
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
submissions inet n       -       y       -       -       smtpd
  -o syslog_name=postfix/submissions
  -o smtpd_tls_wrappermode=yes
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
pickup     unix  n       -       y       60      1       pickup
cleanup    unix  n       -       y       -       0       cleanup
qmgr       unix  n       -       n       300     1       qmgr
smtp       unix  -       -       y       -       -       smtp
local      unix  -       n       n       -       -       local
lmtp       unix  -       -       y       -       -       lmtp
";

/// A small server with Postfix 3.7, with `changes` at the end of its main.cf.
pub(crate) fn postfix(changes: &str) -> Facts {
    postfix_of("3.7.11", &format!("{MAIN_CF}{changes}"), MASTER_CF)
}

/// As [`postfix`], with `from` replaced by `to` in master.cf, which must hold it.
pub(crate) fn postfix_master(changes: &str, from: &str, to: &str) -> Facts {
    assert!(MASTER_CF.contains(from), "master.cf has no {from:?}");
    postfix_of("3.7.11", &format!("{MAIN_CF}{changes}"), &MASTER_CF.replace(from, to))
}

/// Postfix with these files, and what `postconf` says of them.
pub(crate) fn postfix_of(version: &str, main_cf: &str, master_cf: &str) -> Facts {
    let facts = said(nothing(), "postconf mail_version", &format!("mail_version = {version}\n"));
    let facts = said(facts, "postconf -n", &effective(main_cf));
    let facts = said(facts, "postconf -M", &joined(master_cf));
    let facts = file(facts, "/etc/postfix/main.cf", main_cf);
    file(facts, "/etc/postfix/master.cf", master_cf)
}

/// What `postconf -n` prints: the last assignment of each parameter, by name.
fn effective(main_cf: &str) -> String {
    let joined = joined(main_cf);
    let settings: BTreeMap<_, _> = joined.lines().filter_map(|line| line.split_once('=')).collect();
    settings.iter().map(|(name, value)| format!("{} = {}\n", name.trim(), value.trim())).collect()
}

/// Logical lines, each on a line of its own.
fn joined(text: &str) -> String {
    let mut joined = String::new();
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        joined.push_str(if line.starts_with(' ') { " " } else { "\n" });
        joined.push_str(line.trim());
    }
    joined.trim_start().to_owned()
}
