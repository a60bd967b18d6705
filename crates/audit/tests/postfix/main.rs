//! Postfix's configuration as it is understood, held against Postfix itself where it is installed.

#![expect(
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that cannot go on fails; one that is skipped says so"
)]

mod expansion;
mod in_path;
mod live;
mod model;
mod readers;
mod ruling;

use mailward_audit::Facts;
use mailward_audit::facts::{File, Known, Said};

/// What is known of a Postfix with these files, as `postconf -n` and `postconf -M` would have told it.
pub(crate) fn facts(main_cf: &str, master_cf: &str) -> Facts {
    let mut facts = Facts::default();
    facts.said.insert("postconf mail_version".to_owned(), Known::Is(Said::ok("mail_version = 3.7.11\n")));
    for (name, text) in [("main.cf", main_cf), ("master.cf", master_cf)] {
        facts.files.insert(format!("/etc/postfix/{name}"), Known::Is(File::of(text)));
    }
    facts
}

/// With a file.
pub(crate) fn file(mut facts: Facts, path: &str, text: &str) -> Facts {
    facts.files.insert(path.to_owned(), Known::Is(File::of(text)));
    facts
}

/// A service that speaks SMTP on port 25, and one for users.
pub(crate) const MASTER_CF: &str = "\
smtp       inet  n       -       y       -       -       smtpd
submission inet  n       -       y       -       -       smtpd
  -o syslog_name=postfix/submission
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_tls_mandatory_protocols=$least
  -o { smtpd_client_restrictions = permit_sasl_authenticated, reject }
127.0.0.1:10025 inet n - n - - smtpd -v -o mynetworks=127.0.0.0/8
";
