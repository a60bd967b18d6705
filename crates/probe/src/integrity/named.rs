//! Files that configuration, schedules and links name.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use mailward_audit::integrity::Role;
use mailward_host::path::without_dots;

use super::open;
use super::wanted::{Keeps, Wanted};
use crate::files::{Secrets, Tree, paths};

/// Files of packages change with every update, and the package manager can tell whether they are whole (`debsums`); states, logs and
/// certificates change by themselves.
const LEFT_OUT: &[&str] = &[
    "/bin",
    "/dev",
    "/etc/letsencrypt",
    "/etc/ssl",
    "/lib",
    "/lib32",
    "/lib64",
    "/proc",
    "/run",
    "/sbin",
    "/sys",
    "/usr/bin",
    "/usr/lib",
    "/usr/libexec",
    "/usr/sbin",
    "/usr/share",
    "/var/cache",
    "/var/lib/amavis",
    "/var/lib/clamav",
    "/var/lib/dovecot",
    "/var/lib/fail2ban",
    "/var/lib/logrotate",
    "/var/lib/mailward",
    "/var/lib/postfix",
    "/var/lib/rspamd",
    "/var/lib/spamassassin",
    "/var/log",
    "/var/mail",
    "/var/run",
    "/var/spool",
];

/// Certificates are renewed.
const RENEWED: [&str; 5] = ["pem", "crt", "cer", "key", "log"];

/// More names than these are a table of data.
const MOST: usize = 200;

/// The files that a text names, on this host.
pub(super) fn files(of: &Path, text: &str, tree: &Tree) -> Vec<PathBuf> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with(['#', ';']));
    let mounted = tree.mounts().iter().any(|mount| of.starts_with(&mount.host));
    let host = |name: String| if mounted { tree.host(&name) } else { Some(PathBuf::from(name)) };
    let names = lines.flat_map(paths).filter_map(host).filter(|path| !is_left_out(path));
    let mut names: Vec<PathBuf> = names.take(MOST).collect();
    names.sort();
    names.dedup();
    names
}

/// Where a link of root's leads.
pub(super) fn target(link: &Path, target: &OsStr, owner: u32) -> Option<PathBuf> {
    let parent = link.parent()?;
    let path = without_dots(&parent.join(target));
    (owner == 0 && !is_left_out(&path)).then_some(path)
}

fn is_left_out(path: &Path) -> bool {
    let renewed = path.extension().is_some_and(|end| RENEWED.iter().any(|other| end == *other));
    renewed || LEFT_OUT.iter().any(|above| path.starts_with(above)) || path.components().count() < 3
}

/// A named file is watched as it is; of directories only those of filters are.
pub(super) fn wanted(path: &Path) -> Option<Wanted> {
    let status = open::status(path).ok()?;
    let sieve = path.as_os_str().as_bytes().windows(5).any(|part| part == b"sieve");
    let entry = status.entry();
    match entry.kind {
        mailward_audit::integrity::Kind::Directory if sieve => Some(Wanted::all(path, 3, Role::GlobalFilter)),
        mailward_audit::integrity::Kind::Directory => None,
        _ if entry.mode & 0o111 != 0 => Some(Wanted::all(path, 0, Role::Program)),
        _ => Some(Wanted::all(path, 0, Role::MailConfiguration)),
    }
}

/// Which files hold passwords, by what the configuration says: its own files are read for that before anything is kept of any.
pub(super) fn secrets(wanted: &[Wanted], tree: &Tree) -> Secrets {
    let mut texts = Vec::new();
    let directories = wanted
        .iter()
        .filter(|wanted| wanted.keeps == Keeps::All && wanted.role == Role::MailConfiguration)
        .filter(|wanted| {
            ["postfix", "dovecot", "conf.d"].iter().any(|end| wanted.path.ends_with(end)) || wanted.depth == 6
        });
    for wanted in directories {
        for directory in [wanted.path.clone(), wanted.path.join("conf.d")] {
            texts.extend(configuration(&directory));
        }
    }
    let mut secrets = Secrets::named_in(&texts);
    secrets.also_as(|path| tree.host(path));
    secrets
}

/// The texts of a directory's own configuration files.
fn configuration(directory: &Path) -> Vec<String> {
    let real = std::fs::canonicalize(directory).unwrap_or_else(|_| directory.to_path_buf());
    let ends: [&[u8]; 4] = [b".conf", b".cf", b".ext", b".env"];
    let wants = |name: &[u8], _| ends.iter().any(|end| name.ends_with(end));
    let Ok((names, _)) = open::names(&real, 1_000, wants) else { return Vec::new() };
    let names = names.into_iter().map(|(name, _)| name);
    names
        .filter_map(|name| {
            let path = std::fs::canonicalize(real.join(OsStr::from_bytes(&name))).ok()?;
            let content = open::regular(&path, super::KEPT, super::KEPT).ok()?;
            let text = String::from_utf8_lossy(&content.bytes.unwrap_or_default()).into_owned();
            // A line that begins with a blank goes on with the one before (postconf(5)).
            Some(if name.ends_with(b".cf") { text.replace("\n ", " ").replace("\n\t", " ") } else { text })
        })
        .collect()
}
