//! Dovecot: its version, where it logs, and how much.

use super::host::{Host, value};

/// A Dovecot, 2.2 to 2.4.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dovecot {
    /// Empty where only its files are there.
    pub(crate) version: String,
    /// Where it logs; `syslog`, or a file.
    pub(crate) log_path: String,
    /// Where it logs what is no error, among it every login; empty for `log_path`.
    pub(crate) info_log_path: String,
    /// Whether it logs why a login failed.
    pub(crate) auth_verbose: bool,
    /// Whether it logs digits of the hash of the password that was tried; `no` or such as `sha1:6`.
    pub(crate) auth_verbose_passwords: String,
}

/// Asks doveconf(1), or reads the files where it cannot be run.
pub(super) fn find(host: &Host) -> Option<Dovecot> {
    let asked = ["log_path", "info_log_path", "auth_verbose", "auth_verbose_passwords"];
    let text = match host.ask(&["/usr/bin/doveconf", "/usr/local/bin/doveconf"], &asked) {
        Some(text) => text,
        None => files(host)?,
    };
    let version =
        host.ask(&["/usr/sbin/dovecot", "/usr/local/sbin/dovecot"], &["--version"]).unwrap_or_default();
    let of = |name| value(&text, name).unwrap_or_default();
    let or = |name, default: &str| {
        value(&text, name).filter(|value| !value.is_empty()).unwrap_or(default).to_owned()
    };
    Some(Dovecot {
        version: version.split_whitespace().next().unwrap_or_default().to_owned(),
        log_path: or("log_path", "syslog"),
        info_log_path: of("info_log_path").to_owned(),
        auth_verbose: of("auth_verbose") == "yes",
        auth_verbose_passwords: or("auth_verbose_passwords", "no"),
    })
}

/// The main file and those that Debian includes from it; settings inside of blocks are not told apart.
fn files(host: &Host) -> Option<String> {
    let mut text = host.read("/etc/dovecot/dovecot.conf")?;
    for file in host.list("/etc/dovecot/conf.d") {
        if file.extension().is_some_and(|extension| extension == "conf") {
            text.push('\n');
            text.push_str(&host.read(&file).unwrap_or_default());
        }
    }
    text.push('\n');
    text.push_str(&host.read("/etc/dovecot/local.conf").unwrap_or_default());
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    Some(lines.collect::<Vec<_>>().join("\n"))
}
