//! What docker-mailserver reads from its config volume, and when.

use crate::{Facts, Untold};

/// Where the config volume is in the container.
pub const CONFIG: &str = "/tmp/docker-mailserver";

/// When a change of a file is put in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// Within seconds, by change detection.
    Live,
    /// When a new container is created; a restart is not enough.
    Create,
}

/// A file, or all files below a directory, that docker-mailserver reads.
#[derive(Clone, Copy, Debug)]
pub struct Read {
    /// Its path below the volume; a directory ends in `/`.
    pub path: &'static str,
    /// When a change takes effect.
    pub applied: Applied,
    /// What it becomes in the container, where that is one file.
    pub becomes: &'static str,
}

const fn live(path: &'static str) -> Read {
    Read { path, applied: Applied::Live, becomes: "" }
}

const fn create(path: &'static str, becomes: &'static str) -> Read {
    Read { path, applied: Applied::Create, becomes }
}

/// Everything that is read.
pub const READ: &[Read] = &[
    create("after.dovecot.sieve", ""),
    create("amavis.cf", "/etc/amavis/conf.d/50-user"),
    create("before.dovecot.sieve", ""),
    create("dhparams.pem", ""),
    live("dovecot-masters.cf"),
    create("dovecot-oauth2.conf.ext", ""),
    live("dovecot-quotas.cf"),
    create("dovecot.cf", "/etc/dovecot/local.conf"),
    create("fail2ban-fail2ban.cf", "/etc/fail2ban/fail2ban.local"),
    create("fail2ban-jail.cf", "/etc/fail2ban/jail.d/user-jail.local"),
    create("fetchmail.cf", ""),
    create("getmail/", ""),
    create("getmail-", ""),
    create("getmailrc_general.cf", ""),
    create("ldap-aliases.cf", ""),
    create("ldap-domains.cf", ""),
    create("ldap-groups.cf", ""),
    create("ldap-senders.cf", ""),
    create("ldap-users.cf", ""),
    create("opendkim/", ""),
    live("postfix-accounts.cf"),
    live("postfix-aliases.cf"),
    create("postfix-main.cf", ""),
    create("postfix-master.cf", ""),
    create("postfix-receive-access.cf", ""),
    live("postfix-regexp.cf"),
    live("postfix-relaymap.cf"),
    live("postfix-sasl-password.cf"),
    create("postfix-send-access.cf", ""),
    live("postfix-virtual.cf"),
    live("rspamd/"),
    create("sieve-filter/", ""),
    create("sieve-pipe/", ""),
    create("spamassassin-rules.cf", ""),
    live("ssl/"),
    create("user-patches.sh", ""),
    create("whitelist_clients.local", ""),
    create("whitelist_recipients", ""),
];

/// How a path below the volume is read; none if it never is.
#[must_use]
pub fn read(path: &str) -> Option<&'static Read> {
    READ.iter().find(|read| read.path == path || is_prefix(read.path) && path.starts_with(read.path)).or_else(
        || {
            // `<address>.dovecot.sieve` is one mailbox's own script.
            let sieve = path.ends_with(".dovecot.sieve") && path.contains('@') && !path.contains('/');
            sieve.then(|| READ.first()).flatten()
        },
    )
}

fn is_prefix(path: &str) -> bool {
    path.ends_with('/') || path.ends_with('-')
}

/// The text of a file of the volume; none if it is not there, which the volume's listing shows.
///
/// # Errors
/// When the volume was not looked at, or the file could not be read.
pub fn text<'a>(facts: &'a Facts, name: &str) -> Result<Option<&'a str>, Untold> {
    let path = format!("{CONFIG}/{name}");
    let listed = facts.below(CONFIG).next().is_some();
    if listed && !facts.files.contains_key(&path) { Ok(None) } else { facts.text(&path) }
}

/// Files that nobody takes for configuration: copies, notes, what editors, version control and file systems leave.
pub(crate) fn is_aside(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
    let hidden = path.split('/').any(|part| part.starts_with('.'));
    let noted = name.to_ascii_lowercase().starts_with("readme") || name == "lost+found";
    let copies = [
        "bak", "backup", "old", "orig", "swp", "tmp", "md", "txt", "example", "sample", "dist", "lock", "db",
    ];
    hidden || noted || name.ends_with('~') || copies.contains(&extension.as_str())
}
