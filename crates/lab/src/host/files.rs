//! What stands in the mail host's private `/etc` and `/var`: an ordinary Debian mail server.
//!
//! Debian's own files, with what the usual guides change. Logging, client limits and delays after failures are the
//! defaults. Shorter than the defaults are only postscreen's greeting wait and smtpd's time limit, so that a run takes
//! minutes instead of an hour.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use super::Options;
use super::process::{run, run_with};
use crate::topology::{ALIASES, DNS4, DOMAINS, HOSTNAME, MAIL4, MAIL6, RCPT_LIST, SCREEN_LIST, accounts};

/// The user that owns all mailboxes.
const VMAIL: u32 = 5000;

/// Folders under the lab's own, and where the mail host sees them.
pub(crate) const PRIVATE: [(&str, &str); 6] = [
    ("etc", "/etc"),
    ("log", "/var/log"),
    ("mail", "/var/mail"),
    ("spool", "/var/spool/postfix"),
    ("lib", "/var/lib"),
    ("run", "/run"),
];

const OPENSSL: &str = "/usr/bin/openssl";

/// Writes everything under the lab's folder.
pub(crate) fn prepare(dir: &Path, options: &Options) -> Result<()> {
    for folder in
        ["log", "mail/vhosts", "spool/dev", "spool/etc", "lib/dpkg", "lib/dovecot", "run/lock", "dev"]
    {
        fs::create_dir_all(dir.join(folder))?;
    }
    chown(dir.join("mail/vhosts"), Some(VMAIL), Some(VMAIL))?;
    let etc = dir.join("etc");
    run("/bin/cp", &["-a", "/etc", &etc.to_string_lossy()])?;
    names(&etc)?;
    // Debian chroots Postfix's daemons and copies what the resolver needs (postfix-instance-generator(8)).
    for name in ["resolv.conf", "hosts", "services", "nsswitch.conf", "localtime"] {
        if etc.join(name).exists() {
            fs::copy(etc.join(name), dir.join("spool/etc").join(name))?;
        }
    }
    certificates(&etc)?;
    fs::copy(etc.join("ssl/lab/ca.pem"), dir.join("ca.pem"))?;
    postfix(&etc.join("postfix"))?;
    dovecot(&etc.join("dovecot"), options)
}

fn write(path: &Path, text: &str) -> Result<()> {
    // A symbolic link, such as Debian's resolv.conf may be, would lead out of the private folder.
    let _ = fs::remove_file(path);
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

fn names(etc: &Path) -> Result<()> {
    write(&etc.join("resolv.conf"), &format!("nameserver {DNS4}\noptions timeout:2 attempts:1\n"))?;
    let hosts =
        format!("127.0.0.1 localhost\n::1 localhost\n{MAIL4} {HOSTNAME} mail\n{MAIL6} {HOSTNAME} mail\n");
    write(&etc.join("hosts"), &hosts)?;
    write(&etc.join("hostname"), "mail\n")?;
    write(&etc.join("mailname"), &format!("{HOSTNAME}\n"))?;
    write(&etc.join("aliases"), "postmaster: root\n")?;
    let databases = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\n";
    write(&etc.join("nsswitch.conf"), databases)
}

/// An authority of the lab's own and the mail host's certificate.
fn certificates(etc: &Path) -> Result<()> {
    let dir = etc.join("ssl/lab");
    fs::create_dir_all(&dir)?;
    let path = |name: &str| dir.join(name).to_string_lossy().into_owned();
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"];
    let (ca, ca_key) = (path("ca.pem"), path("ca.key"));
    let authority = ["-subj", "/CN=Lab authority", "-addext", "keyUsage=critical,keyCertSign"];
    let files = ["-keyout", &ca_key, "-out", &ca];
    run(OPENSSL, &[&["req", "-x509", "-days", "30"], &key[..], &authority, &files].concat())?;
    let names = format!("subjectAltName=DNS:{HOSTNAME},DNS:{}", DOMAINS.join(",DNS:"));
    let subject = format!("/CN={HOSTNAME}");
    let server = ["-subj", &subject, "-addext", &names, "-addext", "basicConstraints=critical,CA:FALSE"];
    let (cert, cert_key) = (path("mail.pem"), path("mail.key"));
    let signed = ["-CA", &ca, "-CAkey", &ca_key, "-keyout", &cert_key, "-out", &cert];
    run(OPENSSL, &[&["req", "-x509", "-days", "30"], &key[..], &server, &signed].concat())?;
    fs::set_permissions(dir.join("mail.key"), fs::Permissions::from_mode(0o600))?;
    Ok(())
}

fn postfix(dir: &Path) -> Result<()> {
    let domains = DOMAINS.join(", ");
    let own_names: String = [HOSTNAME, &format!("[{MAIL4}]"), &MAIL4.to_string(), DOMAINS[0], DOMAINS[1]]
        .iter()
        .map(|name| format!("{name} REJECT That is my own name\n"))
        .collect();
    write(&dir.join("own_names"), &own_names)?;
    let boxes: String = accounts()
        .map(|account| format!("{} {}/{}/\n", account.name, account.domain(), account.local()))
        .collect();
    write(&dir.join("vmailbox"), &boxes)?;
    let aliases: String = ALIASES.iter().map(|(from, to)| format!("{from} {to}\n")).collect();
    write(&dir.join("virtual"), &aliases)?;
    let main = MAIN_CF
        .replace("@HOSTNAME@", HOSTNAME)
        .replace("@DOMAINS@", &domains)
        .replace("@SCREEN_LIST@", SCREEN_LIST)
        .replace("@RCPT_LIST@", RCPT_LIST);
    write(&dir.join("main.cf"), &main)?;
    write(&dir.join("master.cf"), &master_cf()?)
}

/// Debian's master.cf with postscreen on port 25 and both submission services.
fn master_cf() -> Result<String> {
    let path = "/usr/share/postfix/master.cf.dist";
    let debian = fs::read_to_string(path).with_context(|| format!("{path}: is Postfix installed?"))?;
    let screened = ["#smtp      inet", "#smtpd     pass", "#dnsblog   unix", "#tlsproxy  unix"];
    let lines = debian.lines().map(|line| match line {
        _ if screened.iter().any(|start| line.starts_with(start)) => line.trim_start_matches('#').to_owned(),
        _ if line.starts_with("smtp      inet") => format!("#{line}"),
        _ => line.to_owned(),
    });
    let text = lines.collect::<Vec<_>>().join("\n") + SUBMISSION;
    let on = |start: &str| text.lines().any(|line| line.starts_with(start) && line.contains(" y "));
    ensure!(on("smtp      inet") && on("smtpd     pass"), "{path} is not Debian's: no postscreen in it");
    Ok(text)
}

fn dovecot(dir: &Path, options: &Options) -> Result<()> {
    let share = Path::new("/usr/share/dovecot");
    let _ = fs::remove_dir_all(dir);
    fs::create_dir_all(dir.join("conf.d"))?;
    fs::copy(share.join("dovecot.conf"), dir.join("dovecot.conf"))?;
    for entry in fs::read_dir(share.join("conf.d"))? {
        let entry = entry?;
        fs::copy(entry.path(), dir.join("conf.d").join(entry.file_name()))?;
    }
    // Where Debian's 10-ssl.conf looks for them.
    fs::create_dir_all(dir.join("private"))?;
    symlink("/etc/ssl/lab/mail.pem", dir.join("private/dovecot.pem"))?;
    symlink("/etc/ssl/lab/mail.key", dir.join("private/dovecot.key"))?;
    let auth = dir.join("conf.d/10-auth.conf");
    let text = fs::read_to_string(&auth)?
        .replace("\n!include auth-system", "\n#!include auth-system")
        .replace("\n#!include auth-passwdfile", "\n!include auth-passwdfile");
    write(&auth, &text)?;
    let quick = if options.quick { QUICK } else { "" };
    write(&dir.join("local.conf"), &format!("{LOCAL_CONF}{quick}"))?;
    users(&dir.join("users"))
}

/// Passwords hashed as `doveadm pw -s SHA512-CRYPT` does.
fn users(path: &Path) -> Result<()> {
    let passwords: String = accounts().map(|account| format!("{}\n", account.password)).collect();
    let hashes = run_with(OPENSSL, &["passwd", "-6", "-stdin"], &passwords)?;
    let lines: String = accounts()
        .zip(hashes.lines())
        .map(|(account, hash)| {
            let home = format!("/var/mail/vhosts/{}/{}", account.domain(), account.local());
            format!("{}:{{SHA512-CRYPT}}{hash}:{VMAIL}:{VMAIL}::{home}::\n", account.name)
        })
        .collect();
    write(path, &lines)
}

const MAIN_CF: &str = "\
# Debian's defaults and what the usual guides add.
smtpd_banner = $myhostname ESMTP $mail_name (Debian/GNU)
biff = no
append_dot_mydomain = no
readme_directory = no
compatibility_level = 3.6

myhostname = @HOSTNAME@
myorigin = /etc/mailname
mydestination = localhost
mynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128
inet_interfaces = all
inet_protocols = all
alias_maps = hash:/etc/aliases
alias_database = hash:/etc/aliases
recipient_delimiter = +

virtual_mailbox_domains = @DOMAINS@
virtual_mailbox_maps = texthash:/etc/postfix/vmailbox
virtual_alias_maps = texthash:/etc/postfix/virtual
virtual_transport = lmtp:unix:private/dovecot-lmtp

smtpd_tls_cert_file = /etc/ssl/lab/mail.pem
smtpd_tls_key_file = /etc/ssl/lab/mail.key
smtpd_tls_security_level = may
smtp_tls_security_level = may
smtpd_tls_session_cache_database = btree:${data_directory}/smtpd_scache
smtp_tls_session_cache_database = btree:${data_directory}/smtp_scache

# Passwords are checked by Dovecot, on the submission ports only.
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_tls_auth_only = yes

smtpd_helo_required = yes
smtpd_helo_restrictions = permit_mynetworks, permit_sasl_authenticated,
    check_helo_access texthash:/etc/postfix/own_names,
    reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname
smtpd_sender_restrictions = reject_non_fqdn_sender, reject_unknown_sender_domain
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination
smtpd_recipient_restrictions = permit_mynetworks, permit_sasl_authenticated,
    reject_non_fqdn_recipient, reject_unlisted_recipient, reject_rbl_client @RCPT_LIST@

postscreen_access_list = permit_mynetworks
postscreen_greet_action = enforce
postscreen_dnsbl_sites = @SCREEN_LIST@
postscreen_dnsbl_action = enforce

# The defaults are 6 s and 300 s.
postscreen_greet_wait = 2s
smtpd_timeout = ${stress?{10}:{30}}s
";

const SUBMISSION: &str = "
submission inet n       -       y       -       -       smtpd
  -o syslog_name=postfix/submission
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_helo_restrictions=
  -o smtpd_sender_restrictions=
  -o smtpd_recipient_restrictions=
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
submissions inet n       -       y       -       -       smtpd
  -o syslog_name=postfix/submissions
  -o smtpd_tls_wrappermode=yes
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_helo_restrictions=
  -o smtpd_sender_restrictions=
  -o smtpd_recipient_restrictions=
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
";

const LOCAL_CONF: &str = "\
# Read last by Debian's dovecot.conf; everything else is Debian's default.
mail_location = maildir:~/Maildir
mail_uid = 5000
mail_gid = 5000
first_valid_uid = 5000
auth_mechanisms = plain login
ssl = required
service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0660
    user = postfix
    group = postfix
  }
}
service lmtp {
  unix_listener /var/spool/postfix/private/dovecot-lmtp {
    mode = 0600
    user = postfix
    group = postfix
  }
}
protocol lmtp {
  postmaster_address = postmaster@example.org
}
";

/// For tests of other things than time: neither the delay nor the penalty after failures.
const QUICK: &str = "\
auth_failure_delay = 0
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
";
