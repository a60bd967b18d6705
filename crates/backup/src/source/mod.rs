//! What is saved, read from a disk that others go on writing to.
//!
//! A backup takes minutes, and a mail store never stands still for so long. What keeps the snapshot whole is the order of reading:
//!
//! - Maildir: `new` and `cur` are listed before anything of the mailbox is read, `new` first, so that a message that moves on is seen at
//!   least once. A message that was renamed after that (its flags are in its name) is found again by the part that stays. The list of
//!   UIDs is read after the messages were listed: it may name more messages than there are, never fewer, so that no message is given
//!   a UID that a client knows as another one's.
//! - dbox: flags and what belongs to which mailbox are in the index alone, and cannot be made anew. Indexes are read before the
//!   directory is listed, so that every message that they name is there.
//! - SQLite: copied by SQLite's own backup, with what is still in the log beside it.
//!
//! What can be made anew is left out: [`Kind`] says what.

mod metadata;
mod names;
mod open;
mod sqlite;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::vec;

use rustic_core::repofile::Node;
use rustic_core::{ReadSource, ReadSourceEntry, RusticResult};

use crate::Selection;
use metadata::Owners;
use names::{Kind, Listing};
pub(crate) use open::Opened;
use open::{Content, message};

/// What was not saved as it should be.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    changed: Mutex<BTreeSet<PathBuf>>,
    unread: Mutex<BTreeMap<PathBuf, String>>,
    databases: Mutex<BTreeSet<PathBuf>>,
    gone: AtomicU64,
}

impl Losses {
    pub(crate) fn changed(&self) -> Vec<PathBuf> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    pub(crate) fn unread(&self) -> Vec<(PathBuf, String)> {
        let unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner);
        unread.iter().map(|(path, why)| (path.clone(), why.clone())).collect()
    }

    pub(crate) fn databases(&self) -> Vec<PathBuf> {
        self.databases.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    pub(crate) fn gone(&self) -> u64 {
        self.gone.load(Ordering::Relaxed)
    }

    fn note_changed(&self, path: &Path) {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_path_buf());
    }

    fn note_database(&self, path: &Path) {
        self.databases.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_path_buf());
    }

    /// A file that is not there any more was removed by its owner, which is no failure.
    fn note(&self, path: &Path, error: &io::Error) {
        if error.kind() == io::ErrorKind::NotFound {
            self.gone.fetch_add(1, Ordering::Relaxed);
        } else {
            let mut unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner);
            unread.insert(path.to_path_buf(), error.to_string());
        }
    }
}

/// The files of a selection.
pub(crate) struct Source {
    roots: Vec<PathBuf>,
    shared: Arc<Shared>,
}

/// What the walk and the files that it opens have in common.
struct Shared {
    excludes: Vec<PathBuf>,
    scratch: PathBuf,
    owners: Owners,
    losses: Arc<Losses>,
}

impl Source {
    pub(crate) fn new(
        selection: &Selection,
        repository: &Path,
        scratch: &Path,
        losses: &Arc<Losses>,
    ) -> Self {
        let excludes = selection.excludes.iter().map(PathBuf::as_path).chain([repository, scratch]);
        let mut roots = selection.roots.clone();
        roots.sort();
        roots.dedup();
        // What lies below another one comes with it.
        let below = |path: &PathBuf| roots.iter().any(|other| other != path && path.starts_with(other));
        let roots = roots.iter().filter(|path| !below(path)).cloned().collect();
        let shared = Shared {
            excludes: excludes.map(Path::to_path_buf).collect(),
            scratch: scratch.to_path_buf(),
            owners: Owners::of_host(),
            losses: losses.clone(),
        };
        Self { roots, shared: Arc::new(shared) }
    }

    pub(crate) fn roots(&self) -> &[PathBuf] {
        &self.roots
    }
}

impl ReadSource for Source {
    type Open = Opened;
    type Iter = Walk;

    fn size(&self) -> RusticResult<Option<u64>> {
        // A walk of its own, whose losses are nobody's.
        let shared = Shared {
            excludes: self.shared.excludes.clone(),
            scratch: PathBuf::new(),
            owners: Owners::default(),
            losses: Arc::default(),
        };
        let walk = Walk::new(&self.roots, Arc::new(shared));
        Ok(Some(walk.flatten().filter(|entry| entry.node.is_file()).map(|entry| entry.node.meta.size).sum()))
    }

    fn entries(&self) -> Walk {
        Walk::new(&self.roots, self.shared.clone())
    }
}

/// Goes through the files, every directory before what is in it, names in order.
pub(crate) struct Walk {
    shared: Arc<Shared>,
    open: Vec<vec::IntoIter<Task>>,
    /// Directories of messages that were listed with their mailbox.
    listed: BTreeMap<PathBuf, Vec<OsString>>,
}

/// A file or directory to come.
struct Task {
    path: PathBuf,
    /// Whether what is in it comes, too.
    enter: bool,
    /// What was read of it already.
    content: Option<Content>,
}

impl Task {
    fn new(path: PathBuf) -> Self {
        Self { path, enter: true, content: None }
    }
}

impl Walk {
    fn new(roots: &[PathBuf], shared: Arc<Shared>) -> Self {
        let mut tasks: Vec<Task> = Vec::new();
        let mut above = BTreeSet::new();
        for root in roots {
            let mut ancestors: Vec<&Path> =
                root.ancestors().skip(1).filter(|path| path.parent().is_some()).collect();
            ancestors.reverse();
            for path in ancestors {
                if above.insert(path.to_path_buf()) {
                    tasks.push(Task { path: path.to_path_buf(), enter: false, content: None });
                }
            }
            tasks.push(Task::new(root.clone()));
        }
        Self { shared, open: vec![tasks.into_iter()], listed: BTreeMap::new() }
    }

    /// The entry of a task; none for what is not there any more, or is nothing to save.
    fn entry(&mut self, task: Task) -> Option<ReadSourceEntry<Opened>> {
        if self.shared.excludes.iter().any(|path| task.path.starts_with(path)) {
            return None;
        }
        let (found, node) = match self.look(&task.path) {
            Ok(Some(found)) => found,
            Ok(None) => return None,
            Err(error) => {
                self.shared.losses.note(&task.path, &error);
                return None;
            }
        };
        if node.is_dir() && task.enter {
            let tasks = self.enter(&task.path);
            self.open.push(tasks.into_iter());
        }
        Some(self.opened(task, found, node))
    }

    /// Metadata, and where the file is now: a message may have moved since it was listed.
    fn look(&self, path: &Path) -> io::Result<Option<(PathBuf, Node)>> {
        let name = path.file_name().unwrap_or_default();
        let found = message::with(path, |path| Ok((path.to_path_buf(), fs::symlink_metadata(path)?)))?;
        Ok(metadata::node(&found.0, name, &found.1, &self.shared.owners)?.map(|node| (found.0, node)))
    }

    fn opened(&self, task: Task, found: PathBuf, mut node: Node) -> ReadSourceEntry<Opened> {
        let losses = self.shared.losses.clone();
        let content = task.content.unwrap_or(Content::File(found));
        if let Some((size, changed)) = content.stands_for() {
            node.meta.size = size;
            // The log beside a database changes when the database does not.
            node.meta.mtime = node.meta.mtime.max(changed);
        }
        let open = node.is_file().then(|| Opened::new(task.path.clone(), content, &node, losses));
        ReadSourceEntry { path: task.path, node, open }
    }

    /// What is in a directory.
    fn enter(&mut self, directory: &Path) -> Vec<Task> {
        match self.listing(directory) {
            Ok(tasks) => tasks,
            Err(error) => {
                self.shared.losses.note(directory, &error);
                Vec::new()
            }
        }
    }

    fn listing(&mut self, directory: &Path) -> io::Result<Vec<Task>> {
        if let Some(names) = self.listed.remove(directory) {
            return Ok(names.into_iter().map(|name| Task::new(directory.join(name))).collect());
        }
        let mut listing = Listing::of(directory)?;
        if listing.is_maildir() {
            let (new, current) = message::list(directory);
            self.listed.insert(directory.join("new"), new);
            self.listed.insert(directory.join("cur"), current);
        }
        let mut read = BTreeMap::new();
        if listing.is_dbox() {
            read = open::indexes(directory, listing.names());
            // Messages that the indexes name are there now.
            listing = Listing::of(directory)?;
        }
        Ok(self.tasks(directory, &listing, read))
    }

    fn tasks(&self, directory: &Path, listing: &Listing, mut read: BTreeMap<OsString, Content>) -> Vec<Task> {
        let databases = sqlite::copies(directory, listing.names(), &self.shared.scratch, &self.shared.losses);
        let task = |name: &OsString| {
            let mut task = Task::new(directory.join(name));
            match listing.kind(name) {
                Kind::Anew => return None,
                Kind::Passing => task.enter = false,
                Kind::Saved => {}
            }
            if databases.belongs(name) {
                return None;
            }
            task.content = read.remove(name).or_else(|| databases.copy(name));
            Some(task)
        };
        listing.names().iter().filter_map(task).collect()
    }
}

impl Iterator for Walk {
    type Item = RusticResult<ReadSourceEntry<Opened>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some(task) = self.open.last_mut()?.next() else {
                self.open.pop();
                continue;
            };
            if let Some(entry) = self.entry(task) {
                return Some(Ok(entry));
            }
        }
    }
}

/// Names of a directory, in the order of the format: by bytes.
fn sorted_names(directory: &Path) -> io::Result<Vec<OsString>> {
    let mut names: Vec<OsString> = fs::read_dir(directory)?
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<Result<_, _>>()?;
    names.sort();
    Ok(names)
}

fn bytes_of(name: &OsStr) -> &[u8] {
    name.as_encoded_bytes()
}
