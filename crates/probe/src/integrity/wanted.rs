//! What is watched, and what it is for.

use std::path::{Path, PathBuf};

use mailward_audit::integrity::{Entry, Kind, Role};
use rustix::fs::FileType;

use super::Mount;

/// A path to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) path: PathBuf,
    /// How many levels below it.
    pub(super) depth: u8,
    pub(super) role: Role,
    pub(super) keeps: Keeps,
}

/// What of a tree is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeps {
    /// Everything.
    All,
    /// Filters and forwards of users: what else lies there is mail.
    Filters,
}

impl Wanted {
    pub(super) fn all(path: &Path, depth: u8, role: Role) -> Self {
        Self { path: path.to_path_buf(), depth, role, keeps: Keeps::All }
    }

    pub(super) fn filters(path: &Path, depth: u8) -> Self {
        Self { path: path.to_path_buf(), depth, role: Role::UserFilter, keeps: Keeps::Filters }
    }
}

impl Keeps {
    /// Whether a name in a directory is worth a look.
    pub(super) fn looks_at(self, path: &Path, kind: FileType) -> bool {
        match self {
            Self::All => !changes_by_itself(path),
            Self::Filters if kind == FileType::Directory => self.below(path),
            Self::Filters => kind == FileType::Unknown || is_filter(path),
        }
    }

    /// Whether what was found is told.
    pub(super) fn file(self, path: &Path, kind: FileType) -> bool {
        match self {
            Self::All => true,
            Self::Filters => kind != FileType::Directory && is_filter(path),
        }
    }

    /// Whether a directory is looked into.
    pub(super) fn below(self, path: &Path) -> bool {
        let name = path.file_name().map_or(&b""[..], std::ffi::OsStr::as_encoded_bytes);
        let of_mail: [&[u8]; 6] = [b"cur", b"new", b"tmp", b"dbox-Mails", b"mailboxes", b"storage"];
        self == Self::All || !(name.starts_with(b".") || of_mail.contains(&name))
    }
}

/// Sieve scripts, the link to the active one, and forwards.
fn is_filter(path: &Path) -> bool {
    let name = path.file_name().map_or(&b""[..], std::ffi::OsStr::as_encoded_bytes);
    name.ends_with(b".sieve") || name == b".forward"
}

/// What programs write in directories of configuration: caches, states, locks, and what editors leave.
fn changes_by_itself(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let ends = [".svbin", ".log", ".lock", ".pid", ".swp", "~", ".uidlist", ".stats"];
    let names = ["known_hosts", "known_hosts.old", "ssl-parameters.dat", "tests", "razor-agent.log"];
    ends.iter().any(|end| name.ends_with(end)) || names.contains(&name.as_ref())
}

use Role::{GlobalFilter, Hook, Login, MailConfiguration, Program, Schedule, Startup};

/// Paths of a host: path, depth, role.
const HOST: &[(&str, u8, Role)] = &[
    ("/etc/aliases", 0, MailConfiguration),
    ("/etc/aliases.db", 0, MailConfiguration),
    ("/etc/aliases.lmdb", 0, MailConfiguration),
    ("/etc/amavis", 3, MailConfiguration),
    ("/etc/clamav", 2, MailConfiguration),
    ("/etc/dovecot", 5, MailConfiguration),
    ("/etc/fail2ban", 3, MailConfiguration),
    ("/etc/mail", 3, MailConfiguration),
    ("/etc/mailward", 2, MailConfiguration),
    ("/etc/nftables.conf", 0, MailConfiguration),
    ("/etc/opendkim", 4, MailConfiguration),
    ("/etc/opendkim.conf", 0, MailConfiguration),
    ("/etc/opendmarc", 2, MailConfiguration),
    ("/etc/opendmarc.conf", 0, MailConfiguration),
    ("/etc/postfix", 5, MailConfiguration),
    ("/etc/postfix-policyd-spf-python", 1, MailConfiguration),
    ("/etc/postgrey", 1, MailConfiguration),
    ("/etc/rspamd", 3, MailConfiguration),
    ("/etc/spamassassin", 3, MailConfiguration),
    ("/var/lib/dovecot/sieve", 4, GlobalFilter),
    ("/usr/lib/dovecot/sieve-pipe", 2, Program),
    ("/usr/lib/dovecot/sieve-filter", 2, Program),
    ("/usr/lib/dovecot/sieve-execute", 2, Program),
    ("/etc/anacrontab", 0, Schedule),
    ("/etc/cron.allow", 0, Schedule),
    ("/etc/cron.d", 1, Schedule),
    ("/etc/cron.daily", 1, Schedule),
    ("/etc/cron.hourly", 1, Schedule),
    ("/etc/cron.monthly", 1, Schedule),
    ("/etc/cron.weekly", 1, Schedule),
    ("/etc/cron.yearly", 1, Schedule),
    ("/etc/crontab", 0, Schedule),
    ("/etc/init.d", 1, Schedule),
    ("/etc/logrotate.conf", 0, Schedule),
    ("/etc/logrotate.d", 1, Schedule),
    ("/etc/systemd/system", 3, Schedule),
    ("/etc/systemd/user", 3, Schedule),
    ("/usr/local/lib/systemd", 3, Schedule),
    ("/var/spool/cron/atjobs", 1, Schedule),
    ("/var/spool/cron/crontabs", 1, Schedule),
    ("/etc/group", 0, Login),
    ("/etc/pam.conf", 0, Login),
    ("/etc/pam.d", 1, Login),
    ("/etc/passwd", 0, Login),
    ("/etc/security", 2, Login),
    ("/etc/ssh", 2, Login),
    ("/etc/sudoers", 0, Login),
    ("/etc/sudoers.d", 1, Login),
    ("/root/.rhosts", 0, Login),
    ("/root/.shosts", 0, Login),
    ("/root/.ssh", 1, Login),
    ("/etc/bash.bashrc", 0, Startup),
    ("/etc/environment", 0, Startup),
    ("/etc/environment.d", 1, Startup),
    ("/etc/ld.so.conf", 0, Startup),
    ("/etc/ld.so.conf.d", 1, Startup),
    ("/etc/ld.so.preload", 0, Startup),
    ("/etc/modules", 0, Startup),
    ("/etc/modules-load.d", 1, Startup),
    ("/etc/nsswitch.conf", 0, Startup),
    ("/etc/profile", 0, Startup),
    ("/etc/profile.d", 1, Startup),
    ("/etc/rc.local", 0, Startup),
    ("/etc/rsyslog.conf", 0, Startup),
    ("/etc/rsyslog.d", 1, Startup),
    ("/etc/udev/rules.d", 1, Startup),
    ("/root/.bash_login", 0, Startup),
    ("/root/.bash_profile", 0, Startup),
    ("/root/.bashrc", 0, Startup),
    ("/root/.forward", 0, Startup),
    ("/root/.profile", 0, Startup),
    ("/etc/apt/apt.conf.d", 1, Hook),
    ("/etc/letsencrypt/cli.ini", 0, Hook),
    ("/etc/letsencrypt/renewal", 1, Hook),
    ("/etc/letsencrypt/renewal-hooks", 3, Hook),
    ("/etc/network/if-down.d", 1, Hook),
    ("/etc/network/if-up.d", 1, Hook),
    ("/etc/update-motd.d", 1, Hook),
    ("/root/.acme.sh/acme.sh", 0, Hook),
    ("/root/.acme.sh/acme.sh.env", 0, Hook),
    ("/root/.acme.sh/deploy", 1, Hook),
];

/// Where mail of users lies on a host.
const STORES: [&str; 2] = ["/var/mail", "/var/vmail"];

/// What is watched on any host.
pub(super) fn on_host() -> Vec<Wanted> {
    let known = HOST.iter().map(|(path, depth, role)| Wanted::all(Path::new(path), *depth, *role));
    known.chain(STORES.iter().map(|path| Wanted::filters(Path::new(path), 5))).collect()
}

/// What a container of docker-mailserver is given from this host.
pub(super) fn mounted(mounts: &[Mount]) -> Vec<Wanted> {
    mounts.iter().filter_map(of_mount).collect()
}

fn of_mount(mount: &Mount) -> Option<Wanted> {
    let within = |directory: &str| Path::new(&mount.inside).starts_with(directory);
    let (depth, role) = match mount.inside.as_str() {
        "/var/mail" => return Some(Wanted::filters(&mount.host, 6)),
        "/tmp/docker-mailserver" => (6, MailConfiguration),
        _ if within("/tmp/docker-mailserver") || within("/compose") => (2, MailConfiguration),
        // Certificates change by themselves; logs and states, too.
        "/etc/letsencrypt" | "/etc/localtime" | "/etc/timezone" => return None,
        _ if within("/etc") => (4, MailConfiguration),
        _ if within("/usr") || within("/opt") => (3, Program),
        _ => return None,
    };
    let of_git = mount.inside.ends_with("/.git");
    (!of_git).then(|| Wanted::all(&mount.host, depth, role))
}

/// What is watched in the homes of users with a home of their own.
pub(super) fn homes() -> Vec<Wanted> {
    let Ok((names, _)) = super::open::names(Path::new("/home"), 10_000, |_, _| true) else {
        return Vec::new();
    };
    let mut all = Vec::new();
    for (name, _) in names {
        let home =
            Path::new("/home").join(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(&name));
        for file in [".forward", ".dovecot.sieve"] {
            all.push(Wanted::filters(&home.join(file), 0));
        }
        all.push(Wanted::filters(&home.join("sieve"), 1));
        for file in [".ssh/authorized_keys", ".ssh/authorized_keys2", ".ssh/rc"] {
            all.push(Wanted::all(&home.join(file), 0, Login));
        }
    }
    all
}

/// What a file is for, more exactly than its directory tells.
pub(super) fn role(role: Role, path: &Path, entry: &Entry) -> Role {
    if role != MailConfiguration {
        return role;
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let within = |part: &str| path.components().any(|own| own.as_os_str() == part);
    let programs = ["sieve-pipe", "sieve-filter", "sieve-execute"];
    let runs = entry.kind == Kind::File && entry.mode & 0o111 != 0;
    match name.as_ref() {
        "user-patches.sh" => Program,
        _ if programs.iter().any(|part| within(part)) || runs => Program,
        "postfix-accounts.cf" | "dovecot-masters.cf" => Role::Accounts,
        _ if crate::files::is_accounts(&name) => Role::Accounts,
        _ if name.ends_with(".sieve") || within("sieve") => GlobalFilter,
        _ => MailConfiguration,
    }
}
