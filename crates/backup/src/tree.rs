//! What is in a snapshot: its files and directories, in order.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};
use std::vec;

use rustic_core::TreeId;
use rustic_core::repofile::{Node, NodeType};

use crate::repository::Indexed;
use crate::{BackupError, Repository, Snapshot};

/// A file or directory in a snapshot.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where it was.
    pub path: PathBuf,
    pub(crate) node: Node,
}

impl Entry {
    /// Whether it is a regular file.
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.node.is_file()
    }

    /// Whether it is a directory.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        self.node.is_dir()
    }

    /// Its size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.node.meta.size
    }

    /// When its content was changed last, in microseconds since 1970.
    #[must_use]
    pub fn changed(&self) -> i64 {
        self.node.meta.mtime.map(jiff::Timestamp::as_microsecond).unwrap_or_default()
    }
}

impl Repository {
    /// What a snapshot holds at and below some paths; without any, all of it.
    ///
    /// # Errors
    /// When a path is not in it, or it cannot be read.
    pub fn entries(&self, snapshot: &Snapshot, paths: &[PathBuf]) -> Result<Vec<Entry>, BackupError> {
        let repository = self.indexed()?;
        Walk::of(self, &repository, snapshot, paths)?.collect()
    }
}

/// Goes through a snapshot, every directory before what is in it.
pub(crate) struct Walk<'a> {
    repository: &'a Repository,
    indexed: &'a Indexed,
    wanted: BTreeSet<PathBuf>,
    open: Vec<(PathBuf, vec::IntoIter<Node>)>,
}

impl<'a> Walk<'a> {
    pub(crate) fn of(
        repository: &'a Repository,
        indexed: &'a Indexed,
        snapshot: &Snapshot,
        paths: &[PathBuf],
    ) -> Result<Self, BackupError> {
        let root = repository.file(&snapshot.id)?.tree;
        let wanted: BTreeSet<PathBuf> =
            paths.iter().map(|path| mailward_host::path::without_dots(path)).collect();
        let mut walk = Self { repository, indexed, wanted: BTreeSet::new(), open: Vec::new() };
        for path in &wanted {
            walk.find(root, path, snapshot)?;
        }
        walk.wanted = wanted;
        let nodes = walk.nodes(root)?;
        walk.open.push((PathBuf::from("/"), nodes.into_iter()));
        Ok(walk)
    }

    fn find(&self, root: TreeId, path: &Path, snapshot: &Snapshot) -> Result<(), BackupError> {
        let missing = || BackupError::NoFile {
            path: path.to_path_buf(),
            snapshot: snapshot.id.chars().take(8).collect(),
        };
        let mut tree = Some(root);
        for name in parts(path) {
            let nodes = self.nodes(tree.ok_or_else(missing)?)?;
            tree = nodes.into_iter().find(|node| node.name() == name).ok_or_else(missing)?.subtree;
        }
        Ok(())
    }

    fn nodes(&self, tree: TreeId) -> Result<Vec<Node>, BackupError> {
        let tree = self.repository.ask(|_| self.indexed.get_tree(&tree))?;
        match tree.nodes.iter().find(|node| !is_name(&node.name())) {
            None => Ok(tree.nodes),
            // Somebody else wrote that tree, with the key in his hands.
            Some(node) => Err(BackupError::Damaged {
                place: self.repository.place().to_path_buf(),
                detail: format!("a directory holds the name {:?}, which is none", node.name),
            }),
        }
    }

    fn is_wanted(&self, path: &Path) -> bool {
        let leads_there =
            || self.wanted.range(path.to_path_buf()..).next().is_some_and(|next| next.starts_with(path));
        self.wanted.is_empty() || path.ancestors().any(|above| self.wanted.contains(above)) || leads_there()
    }
}

impl Iterator for Walk<'_> {
    type Item = Result<Entry, BackupError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (directory, nodes) = self.open.last_mut()?;
            let Some(node) = nodes.next() else {
                self.open.pop();
                continue;
            };
            let path = directory.join(node.name());
            if !self.is_wanted(&path) {
                continue;
            }
            if let (NodeType::Dir, Some(tree)) = (&node.node_type, node.subtree) {
                match self.nodes(tree) {
                    Ok(nodes) => self.open.push((path.clone(), nodes.into_iter())),
                    Err(error) => return Some(Err(error)),
                }
            }
            return Some(Ok(Entry { path, node }));
        }
    }
}

fn parts(path: &Path) -> Vec<OsString> {
    let normal = |part| match part {
        Component::Normal(name) => Some(OsStr::to_os_string(name)),
        _ => None,
    };
    path.components().filter_map(normal).collect()
}

/// Whether something names an entry of a directory, and not a way out of it.
fn is_name(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    !(bytes.is_empty() || bytes == b"." || bytes == b".." || bytes.contains(&b'/') || bytes.contains(&0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_nowhere_else() {
        for (name, is) in
            [("cur", true), ("..", false), (".", false), ("a/b", false), ("", false), ("...", true)]
        {
            assert_eq!(is_name(OsStr::new(name)), is, "{name}");
        }
    }
}
