//! The files that matter, at their known paths.

use mailward_audit::facts::Deployment;
use mailward_host::staged;

/// A path to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The path.
    pub(crate) path: String,
    /// How many levels below it, if it is a directory.
    pub(crate) depth: u8,
    /// Whether texts are wanted, or only what the files are.
    pub(crate) text: bool,
    /// Whether it holds data of users: a few entries of each directory will do, and names of messages are nobody's business.
    pub(crate) sample: bool,
}

impl Wanted {
    /// What a path is, and its text.
    pub(crate) fn text(path: &str, depth: u8) -> Self {
        Self { path: path.to_owned(), depth, text: true, sample: false }
    }

    /// What a path is.
    pub(crate) fn stat(path: &str, depth: u8) -> Self {
        Self { path: path.to_owned(), depth, text: false, sample: false }
    }

    /// What a store of mail is like.
    pub(crate) fn sample(path: &str, depth: u8) -> Self {
        Self { path: path.to_owned(), depth, text: false, sample: true }
    }

    /// Whether a path is below it, within its depth.
    pub(crate) fn holds(&self, path: &str) -> bool {
        let rest = path.strip_prefix(self.path.trim_end_matches('/')).filter(|rest| rest.starts_with('/'));
        rest.is_some_and(|rest| rest.matches('/').count() <= usize::from(self.depth))
    }

    /// Whether something below it is kept. Of a store of mail, directories and filters are; what a plan lays beside its files while
    /// it is carried out is read by nobody.
    pub(crate) fn keeps(&self, path: &str, directory: bool) -> bool {
        let name = path.rsplit('/').next().unwrap_or_default();
        let of_mail = !self.sample || directory || path.ends_with(".sieve") || !in_maildir(path);
        of_mail && !staged::is_beside(name)
    }
}

fn in_maildir(path: &str) -> bool {
    ["/cur/", "/new/", "/tmp/", "/dbox-Mails/"].iter().any(|directory| path.contains(directory))
}

/// With their texts: path and depth.
const TEXTS: &[(&str, u8)] = &[
    ("/etc/aliases", 0),
    ("/etc/amavis", 3),
    ("/etc/anacrontab", 0),
    ("/etc/apt/apt.conf.d", 1),
    ("/etc/apt/sources.list", 0),
    ("/etc/apt/sources.list.d", 1),
    ("/etc/bind", 1),
    ("/etc/chrony", 2),
    ("/etc/clamav", 2),
    ("/etc/cron.d", 1),
    ("/etc/cron.daily", 1),
    ("/etc/cron.hourly", 1),
    ("/etc/cron.monthly", 1),
    ("/etc/cron.weekly", 1),
    ("/etc/crontab", 0),
    ("/etc/default", 1),
    ("/etc/debian_version", 0),
    ("/etc/dkimkeys/KeyTable", 0),
    ("/etc/dkimkeys/SigningTable", 0),
    ("/etc/dovecot", 4),
    ("/etc/fail2ban", 3),
    ("/etc/hostname", 0),
    ("/etc/hosts", 0),
    ("/etc/letsencrypt", 5),
    ("/etc/logrotate.conf", 0),
    ("/etc/logrotate.d", 1),
    ("/etc/mail/spamassassin", 2),
    ("/etc/mailname", 0),
    ("/etc/nftables.conf", 0),
    ("/etc/opendkim", 4),
    ("/etc/opendkim.conf", 0),
    ("/etc/opendmarc", 2),
    ("/etc/opendmarc.conf", 0),
    ("/etc/os-release", 0),
    ("/etc/postfix", 4),
    ("/etc/postfix-policyd-spf-python", 1),
    ("/etc/postgrey", 1),
    ("/etc/redis", 1),
    ("/etc/resolv.conf", 0),
    ("/etc/rspamd", 3),
    ("/etc/rsyslog.conf", 0),
    ("/etc/rsyslog.d", 1),
    ("/etc/spamassassin", 2),
    ("/etc/ssh/sshd_config", 0),
    ("/etc/ssh/sshd_config.d", 1),
    ("/etc/ssl/openssl.cnf", 0),
    ("/etc/syslog-ng", 2),
    ("/etc/systemd/journald.conf", 0),
    ("/etc/systemd/journald.conf.d", 1),
    ("/etc/systemd/system", 2),
    ("/etc/systemd/timesyncd.conf", 0),
    ("/etc/timezone", 0),
    ("/etc/ufw", 1),
    ("/etc/unbound", 2),
    ("/run/reboot-required", 0),
    ("/run/reboot-required.pkgs", 0),
    ("/usr/lib/os-release", 0),
    ("/var/spool/cron/crontabs", 1),
    ("/var/spool/postfix/etc/resolv.conf", 0),
];

/// Without: path and depth.
const STATS: &[(&str, u8)] = &[
    ("/etc/aliases.db", 0),
    ("/etc/aliases.lmdb", 0),
    ("/etc/dkimkeys", 2),
    ("/etc/sasldb2", 0),
    ("/etc/ssl/private", 1),
    ("/root/.acme.sh", 2),
    ("/run/clamav", 1),
    ("/run/dovecot", 2),
    ("/run/opendkim", 1),
    ("/run/opendmarc", 1),
    ("/run/systemd/timesync", 1),
    ("/usr/lib/postfix/sbin", 1),
    ("/usr/sbin/postdrop", 0),
    ("/usr/sbin/postfix", 0),
    ("/usr/sbin/postqueue", 0),
    ("/usr/sbin/sendmail", 0),
    ("/var/cache/apt/pkgcache.bin", 0),
    ("/var/crash", 1),
    ("/var/lib/apt/lists", 0),
    ("/var/lib/apt/periodic", 1),
    ("/var/lib/clamav", 1),
    ("/var/lib/dovecot", 1),
    ("/var/lib/fail2ban", 1),
    ("/var/lib/postfix", 1),
    ("/var/lib/rspamd", 2),
    ("/var/lib/spamassassin", 2),
    ("/var/lib/systemd/coredump", 1),
    ("/var/log", 1),
    ("/var/log/dovecot", 1),
    ("/var/log/mail", 1),
    ("/var/spool/postfix", 2),
];

/// Those of a docker-mailserver.
const DMS: &[(&str, u8)] = &[("/etc/dms-settings", 0), ("/etc/supervisor", 2), ("/tmp/docker-mailserver", 6)];

/// All at known paths.
pub(crate) fn fixed(deployment: Deployment) -> Vec<Wanted> {
    let mut all: Vec<Wanted> = TEXTS.iter().map(|(path, depth)| Wanted::text(path, *depth)).collect();
    all.extend(STATS.iter().map(|(path, depth)| Wanted::stat(path, *depth)));
    match deployment {
        Deployment::DockerMailserver => {
            all.extend(DMS.iter().map(|(path, depth)| Wanted::text(path, *depth)));
            all.push(Wanted::sample("/var/mail", 5));
            all.push(Wanted::stat("/var/mail-state", 1));
        }
        Deployment::Plain => {
            all.push(Wanted::sample("/var/mail", 1));
            all.push(Wanted::sample("/var/vmail", 5));
        }
    }
    all
}
