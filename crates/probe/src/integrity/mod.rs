//! Looks at configuration and at the places in which intruders make themselves at home, so that a change is noticed
//! ([`mailward_audit::integrity`] compares).
//!
//! Some of these files are users' own, so a look must not be led astray or held up by them: links are told and not followed, nothing
//! but regular files is opened, and there is a bound to everything. A second look opens only what is not as it was at the first, by
//! inode, size, mtime and ctime; the last one no program but the kernel sets.

mod named;
mod open;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use mailward_audit::Known;
use mailward_audit::integrity::{Digest, Entries, Entry, Kind, Role, Seen};
use rustix::fs::FileType;
use rustix::io::Errno;

use crate::collect::tree;
use crate::files::{Secrets, Tree};
use crate::place::Place;
use crate::{Mount, Options};

use open::{Stamp, Status};
use wanted::{Keeps, Wanted};

/// More files than these are no configuration.
const MOST: usize = 100_000;

/// As many names of one directory are looked at.
const MOST_OF_DIRECTORY: usize = 20_000;

/// As many filters of one user are looked at: he makes as many as he likes.
const MOST_OF_USER: usize = 200;

/// Texts up to this size are kept, so that it can be shown what was changed in them.
const KEPT: u64 = 64 << 10;

/// As much text is kept in all.
const KEPT_IN_ALL: usize = 16 << 20;

/// A file is read up to this size; of a larger one only the size is compared.
const READ: u64 = 64 << 20;

/// As much is read in one look.
const READ_IN_ALL: u64 = 1 << 30;

/// What is watched on a host, and what was seen at the last look.
#[derive(Debug)]
pub struct Watcher {
    tree: Tree,
    wanted: Vec<Wanted>,
    ignored: Vec<PathBuf>,
    /// Whether all texts are kept.
    texts: bool,
    memory: BTreeMap<PathBuf, Remembered>,
    secrets: Secrets,
}

/// A file at the last look.
#[derive(Clone, Debug)]
struct Remembered {
    stamp: Stamp,
    entry: Entry,
    /// Files that it names.
    names: Vec<PathBuf>,
}

/// A look that is going on.
struct Look<'a> {
    watcher: &'a Watcher,
    secrets: &'a Secrets,
    seen: Seen,
    memory: BTreeMap<PathBuf, Remembered>,
    visited: BTreeSet<PathBuf>,
    kept: usize,
    read: u64,
}

impl Watcher {
    /// What is watched on this host, with a docker-mailserver's volumes as its compose file mounts them; `more` is what the operator
    /// wants watched, and what is `ignored` is not looked at.
    #[must_use]
    pub fn new(options: &Options, more: &[PathBuf], ignored: &[PathBuf]) -> Self {
        let tree = real(&tree(options, &Place::behind(&options.prefix)));
        let mut wanted = wanted::on_host();
        wanted.extend(wanted::mounted(tree.mounts()));
        wanted.extend(more.iter().map(|path| Wanted::all(path, 6, Role::Asked)));
        Self {
            tree,
            wanted,
            ignored: ignored.to_vec(),
            texts: true,
            memory: BTreeMap::new(),
            secrets: Secrets::default(),
        }
    }

    /// The same for a long life: no texts but those that tell how bad a change is.
    #[must_use]
    pub fn without_texts(mut self) -> Self {
        self.texts = false;
        self.memory.clear();
        self
    }

    /// Whether a path is left out.
    #[must_use]
    pub fn ignores(&self, path: &Path) -> bool {
        self.ignored.iter().any(|ignored| path.starts_with(ignored))
    }

    /// Looks at everything, and at what is `known` already even if nothing leads there any more.
    pub fn look(&mut self, known: &Entries) -> Seen {
        let secrets = named::secrets(&self.wanted, &self.tree);
        if secrets != self.secrets {
            // What was kept of a text may be what has to be hidden now.
            self.memory.clear();
        }
        let mut look = Look {
            watcher: self,
            secrets: &secrets,
            seen: Seen::default(),
            memory: BTreeMap::new(),
            visited: BTreeSet::new(),
            kept: 0,
            read: 0,
        };
        look.all(known);
        let (seen, memory) = (look.seen, look.memory);
        (self.memory, self.secrets) = (memory, secrets);
        seen
    }
}

/// The same tree with its mounts where they really are: files are told by paths without links.
fn real(tree: &Tree) -> Tree {
    let mounts = tree.mounts().iter().map(|mount| Mount {
        host: std::fs::canonicalize(&mount.host).unwrap_or_else(|_| mount.host.clone()),
        inside: mount.inside.clone(),
    });
    Tree::new(tree.place().clone(), mounts.collect())
}

impl Look<'_> {
    fn all(&mut self, known: &Entries) {
        let users: Vec<Wanted> = wanted::homes();
        let of_operator = |wanted: &&Wanted| wanted.keeps == Keeps::All;
        for wanted in self.watcher.wanted.iter().filter(of_operator) {
            self.root(wanted);
        }
        for wanted in self.named() {
            self.root(&wanted);
        }
        // Users' files come last, so that they take the place of nothing else.
        for wanted in self.watcher.wanted.iter().filter(|wanted| !of_operator(wanted)).chain(&users) {
            self.root(wanted);
        }
        for (path, entry) in known {
            if !self.visited.contains(path) {
                self.visit(path, &Wanted::all(path, 0, entry.role), 0);
            }
        }
    }

    /// What the files that were seen name: programs, tables elsewhere, directories of filters.
    fn named(&self) -> Vec<Wanted> {
        let names: BTreeSet<&PathBuf> =
            self.memory.values().flat_map(|remembered| &remembered.names).collect();
        let new = names.into_iter().filter(|path| !self.visited.contains(*path));
        new.filter_map(|path| named::wanted(path)).collect()
    }

    /// A path to begin at. Links that lead to it are the operator's.
    fn root(&mut self, wanted: &Wanted) {
        let real = std::fs::canonicalize(&wanted.path).unwrap_or_else(|_| wanted.path.clone());
        if real != wanted.path && wanted.path.is_symlink() {
            self.visit(&wanted.path, &Wanted::all(&wanted.path, 0, wanted.role), 0);
        }
        self.visit(&real, wanted, 0);
    }

    fn visit(&mut self, path: &Path, wanted: &Wanted, depth: u8) {
        if self.watcher.ignores(path) || !self.visited.insert(path.to_path_buf()) {
            return;
        }
        if self.seen.entries.len() >= MOST {
            self.seen.cut = true;
            return;
        }
        match open::status(path) {
            Ok(status) => self.take(path, wanted, depth, status),
            Err(Errno::NOENT | Errno::NOTDIR) => {}
            Err(error) => self.unread(path, error),
        }
    }

    fn take(&mut self, path: &Path, wanted: &Wanted, depth: u8, status: Status) {
        if wanted.keeps.file(path, status.kind()) {
            self.remember(path, wanted, status);
        }
        if status.kind() == FileType::Directory
            && depth < wanted.depth
            && (depth == 0 || wanted.keeps.below(path))
        {
            self.directory(path, wanted, depth);
        }
    }

    fn directory(&mut self, path: &Path, wanted: &Wanted, depth: u8) {
        let below = |name: &[u8]| path.join(OsStr::from_bytes(name));
        let wants = |name: &[u8], kind| wanted.keeps.looks_at(&below(name), kind);
        match open::names(path, MOST_OF_DIRECTORY, wants) {
            Ok((names, all)) => {
                self.seen.cut |= !all;
                let mut filters = 0;
                for (name, kind) in names {
                    filters += usize::from(wanted.keeps == Keeps::Filters && kind != FileType::Directory);
                    if filters > MOST_OF_USER {
                        break;
                    }
                    self.visit(&below(&name), wanted, depth + 1);
                }
            }
            Err(Errno::NOENT) => {}
            Err(error) => self.unread(path, error),
        }
    }

    fn remember(&mut self, path: &Path, wanted: &Wanted, status: Status) {
        // What is remembered has no text.
        let old =
            self.watcher.memory.get(path).filter(|old| !self.watcher.texts && old.stamp == status.stamp);
        let mut remembered = match old {
            Some(old) => old.clone(),
            None => self.read(path, wanted, status),
        };
        let mut entry = remembered.entry.clone();
        if entry.role != Role::UserFilter {
            remembered.entry.text = None;
            entry.text = entry.text.filter(|_| self.watcher.texts);
        }
        self.seen.entries.insert(path.to_path_buf(), entry);
        self.memory.insert(path.to_path_buf(), remembered);
    }

    fn read(&mut self, path: &Path, wanted: &Wanted, mut status: Status) -> Remembered {
        let mut entry = status.entry();
        let mut names = Vec::new();
        match entry.kind {
            Kind::File => match open::regular(path, READ.min(READ_IN_ALL.saturating_sub(self.read)), KEPT) {
                Ok(content) => {
                    // It may have been another one when it was looked at.
                    status = content.status;
                    entry = status.entry();
                    self.read += content.read;
                    entry.digest = content.digest;
                    entry.text = content.bytes.and_then(|bytes| self.text(path, bytes));
                }
                Err(error) => self.unread(path, error),
            },
            Kind::Link => {
                if let Ok(target) = rustix::fs::readlink(path, Vec::new()) {
                    entry.digest = Some(Digest::of(target.as_bytes()));
                    entry.link = Some(target.to_string_lossy().into_owned());
                    names.extend(named::target(path, OsStr::from_bytes(target.as_bytes()), entry.uid));
                }
            }
            Kind::Directory | Kind::Other => {}
        }
        entry.role = wanted::role(wanted.role, path, &entry);
        if let Some(text) = entry.text.as_deref().filter(|_| wanted.keeps == Keeps::All) {
            names.extend(named::files(path, text, &self.watcher.tree));
        }
        Remembered { stamp: status.stamp, entry, names }
    }

    /// What is kept of a text.
    fn text(&mut self, path: &Path, bytes: Vec<u8>) -> Option<String> {
        let name = path.to_string_lossy();
        if self.kept + bytes.len() > KEPT_IN_ALL || Secrets::whole(&name) {
            return None;
        }
        self.kept += bytes.len();
        match self.secrets.kept(&name, bytes) {
            Known::Is(text) => Some(text),
            _ => None,
        }
    }

    fn unread(&mut self, path: &Path, error: Errno) {
        let why = match error {
            Errno::LOOP => "it became a link while it was looked at".to_owned(),
            error => error.to_string(),
        };
        self.seen.unread.insert(path.to_path_buf(), why);
    }
}
