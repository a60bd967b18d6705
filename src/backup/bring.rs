//! What of a snapshot somebody wants back: mailboxes by account, messages by what stands in them.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use mailward_backup::{Entry, Repository, Snapshot};

/// The directories of an account's mail in a snapshot. Nobody is asked where they are: the server that could tell may be gone.
pub(crate) fn mailboxes(
    repository: &Repository,
    snapshot: &Snapshot,
    account: &str,
) -> anyhow::Result<Vec<PathBuf>> {
    let entries = repository.entries(snapshot, &[])?;
    Ok(among(
        entries.iter().filter(|entry| Entry::is_directory(entry)).map(|entry| entry.path.as_path()),
        account,
    ))
}

/// The topmost directories that are named after an account and hold mail.
fn among<'a>(directories: impl Iterator<Item = &'a Path>, account: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for path in directories {
        let holds_mail = path.file_name().is_some_and(|name| MAIL.iter().any(|own| name == *own));
        let named = holds_mail.then(|| named_after(path, account)).flatten();
        if let Some(named) = named.filter(|named| !found.iter().any(|other| named.starts_with(other))) {
            found.push(named);
        }
    }
    found
}

/// What a mailbox has in it: Maildir, mdbox, sdbox.
const MAIL: [&str; 3] = ["cur", "storage", "dbox-Mails"];

/// The part of a path that is called `example.org/anna`, `anna@example.org`, or `anna` where the account has no domain.
fn named_after(path: &Path, account: &str) -> Option<PathBuf> {
    let (local, domain) =
        account.split_once('@').map_or((account, None), |(local, domain)| (local, Some(domain)));
    let is = |part: &Component<'_>, name: &str| part.as_os_str() == OsStr::new(name);
    let parts: Vec<Component<'_>> = path.components().collect();
    let end = (1..=parts.len()).find(|end| {
        let mut last = parts.iter().take(*end).rev();
        let (Some(name), above) = (last.next(), last.next()) else { return false };
        let in_domain = domain.is_some_and(|domain| above.is_some_and(|above| is(above, domain)));
        is(name, account) || (is(name, local) && (domain.is_none() || in_domain))
    })?;
    Some(parts.iter().take(end).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(directories: &[&str], account: &str, found: &[&str]) {
        let all = among(directories.iter().map(Path::new), account);
        assert_eq!(all, found.iter().map(PathBuf::from).collect::<Vec<_>>(), "{account}");
    }

    #[test]
    fn a_mailbox_is_found_by_its_account() {
        let all = [
            "/var/mail/example.org/anna",
            "/var/mail/example.org/anna/cur",
            "/var/mail/example.org/anna/.Sent/cur",
            "/var/mail/example.net/anna/cur",
            "/srv/anna@example.org/mdbox/storage",
            "/home/bert/Maildir/cur",
            "/home/bert/mail",
        ];
        check(&all, "anna@example.org", &["/var/mail/example.org/anna", "/srv/anna@example.org"]);
        check(&all, "anna@example.net", &["/var/mail/example.net/anna"]);
        check(&all, "bert", &["/home/bert"]);
        check(&all, "anna", &["/var/mail/example.org/anna", "/var/mail/example.net/anna"]);
        check(&all, "org", &[]);
        check(&all, "bert@example.org", &[]);
    }
}
