//! Which logs to read.

use std::path::PathBuf;

use super::containers::Container;
use super::dovecot::Dovecot;
use super::host::Host;
use super::postfix::Postfix;

/// A log file that should be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Log {
    pub(crate) path: PathBuf,
    /// How it was found.
    pub(crate) why: String,
    /// Whether it is there; it may come with the first line.
    pub(crate) exists: bool,
    /// Whether only root, or we, could have said that it is a log.
    pub(crate) trusted: bool,
}

/// Debian's place, and the one that is waited for when nothing is found.
pub(super) const USUAL: &str = "/var/log/mail.log";

/// Debian, Red Hat, docker-mailserver's own inside, SUSE.
const PLACES: [&str; 4] = [USUAL, "/var/log/maillog", "/var/log/mail/mail.log", "/var/log/mail"];

/// The log files, and whether the mail log is in the journal alone.
pub(super) fn find(
    host: &Host,
    postfix: Option<&Postfix>,
    dovecot: Option<&Dovecot>,
    containers: &[Container],
    notes: &mut Vec<String>,
) -> (Vec<Log>, bool) {
    let mut logs = of_containers(host, containers);
    logs.extend(named_by_settings(host, postfix, dovecot));
    let to_syslog = postfix.is_some_and(|postfix| postfix.maillog_file.is_empty())
        || dovecot.is_some_and(Dovecot::logs_to_syslog);
    if !to_syslog && !logs.is_empty() {
        return (logs, false);
    }
    let journal = has_journal(host);
    match syslog(host) {
        Some(log) if journal && !has_syslog_daemon(host) => {
            notes.push(format!(
                "{} is there, but nothing writes it any more: no syslog daemon is installed. The journal is read instead",
                log.path.display()
            ));
            (logs, true)
        }
        Some(log) => {
            logs.push(log);
            (without_repeats(logs), false)
        }
        None => (without_repeats(logs), journal),
    }
}

fn of_containers(host: &Host, containers: &[Container]) -> Vec<Log> {
    let log = |container: &Container| {
        let why = format!("docker-mailserver, {}", container.compose.display());
        Some(Log { trusted: container.trusted, ..Log::new(host, container.log.clone()?, &why) })
    };
    containers.iter().filter_map(log).collect()
}

/// The files that Postfix and Dovecot write themselves.
fn named_by_settings(host: &Host, postfix: Option<&Postfix>, dovecot: Option<&Dovecot>) -> Vec<Log> {
    let of_postfix = postfix.map(|postfix| (&postfix.maillog_file, "Postfix, maillog_file"));
    let of_dovecot = dovecot.map(|dovecot| {
        [(&dovecot.log_path, "Dovecot, log_path"), (&dovecot.info_log_path, "Dovecot, info_log_path")]
    });
    let named = of_postfix.into_iter().chain(of_dovecot.into_iter().flatten());
    named
        .filter(|(path, _)| is_file(path))
        .map(|(path, why)| Log::new(host, PathBuf::from(path), why))
        .collect()
}

fn without_repeats(logs: Vec<Log>) -> Vec<Log> {
    let mut kept: Vec<Log> = Vec::new();
    for log in logs {
        if !kept.iter().any(|other| other.path == log.path) {
            kept.push(log);
        }
    }
    kept
}

impl Log {
    fn new(host: &Host, path: PathBuf, why: &str) -> Self {
        let exists = host.path(&path).is_file();
        Self { path, why: why.to_owned(), exists, trusted: true }
    }
}

impl Dovecot {
    fn logs_to_syslog(&self) -> bool {
        self.log_path == "syslog" || self.info_log_path == "syslog"
    }
}

/// `/dev/stderr` and `/dev/stdout` are no files, and `syslog` is none.
fn is_file(path: &str) -> bool {
    path.starts_with('/') && !path.starts_with("/dev/") && !path.starts_with("/proc/")
}

fn has_journal(host: &Host) -> bool {
    ["/run/log/journal", "/var/log/journal", "/run/systemd/journal"]
        .iter()
        .any(|path| host.path(path).is_dir())
}

fn has_syslog_daemon(host: &Host) -> bool {
    let daemons = ["rsyslogd", "syslog-ng", "syslogd", "metalog"];
    ["/usr/sbin", "/sbin"]
        .iter()
        .any(|directory| daemons.iter().any(|name| host.path(format!("{directory}/{name}")).exists()))
}

/// Where the syslog daemon writes what comes from the facility mail.
fn syslog(host: &Host) -> Option<Log> {
    let configured = rsyslog(host).map(|path| Log::new(host, path, "rsyslog, mail.*"));
    let usual = || PLACES.into_iter().map(|path| Log::new(host, PathBuf::from(path), "the usual place"));
    configured.clone().filter(|log| log.exists).or_else(|| usual().find(|log| log.exists)).or(configured)
}

/// The file of rsyslog's first rule that names the facility mail with all priorities: `mail.*  -/var/log/mail.log`.
fn rsyslog(host: &Host) -> Option<PathBuf> {
    let included =
        host.list("/etc/rsyslog.d").into_iter().filter(|path| path.extension().is_some_and(|e| e == "conf"));
    let files = included.chain([PathBuf::from("/etc/rsyslog.conf")]);
    let texts: Vec<_> = files.filter_map(|file| host.read(file)).collect();
    texts.iter().flat_map(|text| text.lines()).find_map(|line| {
        let mut words = line.split_whitespace();
        let (selector, action) = (words.next()?, words.next()?);
        let names_mail =
            selector.split(';').any(|part| matches!(part, "mail.*" | "mail.info" | "mail.debug"));
        let path = action.trim_start_matches('-');
        (names_mail && is_file(path)).then(|| PathBuf::from(path))
    })
}
