//! The file tree as the mail server's programs see it: this machine's, or a container's, of which parts lie on this machine.

use std::path::{Path, PathBuf};

use crate::place::Place;

/// A directory or file of this machine that is mounted into the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where it is on this machine.
    pub host: PathBuf,
    /// Where programs in the container see it.
    pub inside: String,
}

/// The file tree of a place.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    place: Place,
    mounts: Vec<Mount>,
}

impl Tree {
    /// The tree of a place with what is mounted into it.
    #[must_use]
    pub fn new(place: Place, mut mounts: Vec<Mount>) -> Self {
        for mount in &mut mounts {
            mount.inside.truncate(mount.inside.trim_end_matches('/').len());
        }
        mounts.sort_by_key(|mount| core::cmp::Reverse(mount.inside.len()));
        Self { place, mounts }
    }

    /// Whose tree it is.
    #[must_use]
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// What of this machine is mounted into it.
    #[must_use]
    pub fn mounts(&self) -> &[Mount] {
        &self.mounts
    }

    /// Whether a path can be read on this machine.
    #[must_use]
    pub fn sees(&self, path: &str) -> bool {
        self.host(path).is_some()
    }

    /// Where a path is on this machine, if it is: under the longest mount that holds it.
    #[must_use]
    pub fn host(&self, path: &str) -> Option<PathBuf> {
        self.mounts
            .iter()
            .find_map(|mount| under(mount, path))
            .or_else(|| self.place.is_here().then(|| PathBuf::from(path)))
    }
}

fn under(mount: &Mount, path: &str) -> Option<PathBuf> {
    let rest = path.strip_prefix(&mount.inside)?;
    if rest.is_empty() {
        return Some(mount.host.clone());
    }
    rest.strip_prefix('/').map(|rest| mount.host.join(rest))
}

/// What a compose file mounts into its services in the short form, `- ./config/:/tmp/docker-mailserver/:ro`.
pub(crate) fn mounts_of_compose(text: &str, directory: &Path) -> Vec<Mount> {
    text.lines().filter_map(|line| mount(line.trim(), directory)).collect()
}

fn mount(line: &str, directory: &Path) -> Option<Mount> {
    let entry = line.strip_prefix("- ")?.trim().trim_matches(['"', '\'']);
    let (host, rest) = entry.split_once(':')?;
    let inside = rest.split(':').next()?;
    let named = !host.starts_with(['/', '.']);
    (!named && inside.starts_with('/'))
        .then(|| Mount { host: directory.join(host.trim_end_matches('/')), inside: inside.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree {
        let compose = "services:\n  mail:\n    ports:\n      - \"25:25\"\n    volumes:\n      - ./config/:/tmp/docker-mailserver/\n      - \
                       '/srv/tls:/etc/letsencrypt:ro'\n      - data:/var/mail\n";
        let prefix = ["docker".to_owned(), "exec".to_owned()];
        Tree::new(Place::behind(&prefix), mounts_of_compose(compose, Path::new("/opt/mail")))
    }

    #[test]
    fn mounts_are_read_on_this_machine() {
        let host = |path: &str| tree().host(path).map(|path| path.display().to_string());
        assert_eq!(host("/tmp/docker-mailserver/a/b").as_deref(), Some("/opt/mail/./config/a/b"));
        assert_eq!(host("/tmp/docker-mailserver").as_deref(), Some("/opt/mail/./config"));
        assert_eq!(host("/etc/letsencrypt/live").as_deref(), Some("/srv/tls/live"));
        assert_eq!(host("/var/mail"), None);
        assert_eq!(host("/tmp/docker-mailserver2"), None);
        assert_eq!(Tree::default().host("/etc/passwd"), Some(PathBuf::from("/etc/passwd")));
    }
}
