//! What was carried out: a folder per plan with the plan, every file as it was, and a journal.
//!
//! ```text
//! <state>/plans/<id>/plan.json   the prepared plan, every file before and after
//! <state>/plans/<id>/before/<n>  file n as it was, with owner, mode and times, for a person's `cp -a`
//! <state>/plans/<id>/journal     begun, written n ..., reloaded, proved, done | undoing, undone; a line of JSON each
//! ```
//! A plan without `done` or `undone` was ended in the middle, and is taken back by whoever looks next.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use mailward_host::lock::{Lock, LockError};
use mailward_host::staged;
use serde::{Deserialize, Serialize};

use crate::disk::{self, Disk};
use crate::prepared::{File, Prepared};
use crate::{ApplyError, Site};

/// The plans of a server, and the right to carry one out: one process has it at a time.
#[derive(Debug)]
pub struct History {
    folder: PathBuf,
    _lock: Lock,
}

/// How far a plan got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Its files are being written.
    Begun,
    /// A file was written.
    Written,
    /// The programs were told.
    Reloaded,
    /// It was proved to do what it should.
    Proved,
    /// It holds.
    Done,
    /// It is being taken back.
    Undoing,
    /// It was taken back.
    Undone,
}

/// A line of a journal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Note {
    /// When, RFC 3339 in UTC.
    pub(crate) at: String,
    pub(crate) stage: Stage,
    /// Which file was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<usize>,
    /// Why it is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
}

/// A plan of the past.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name: when it was begun.
    pub id: String,
    /// What it changed.
    pub prepared: Prepared,
    /// How far it got.
    pub stage: Stage,
    /// When it got there, RFC 3339 in UTC.
    pub at: String,
    /// Why it was taken back, if it was.
    pub why: Option<String>,
    pub(crate) folder: PathBuf,
}

/// A plan that was found ended in the middle, and what was done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The plan.
    pub id: String,
    /// What it was for.
    pub title: String,
    /// Whether it was finished; otherwise it was taken back.
    pub finished: bool,
    /// Files that somebody else changed in between, which were left alone, and where their content before the plan is.
    pub left: Vec<(PathBuf, PathBuf)>,
    /// What could not be told to programs.
    pub warnings: Vec<String>,
}

impl History {
    /// The plans below a state folder, with the right to carry one out.
    ///
    /// # Errors
    /// When another process has it, or the folder cannot be written.
    pub fn open(state: &Path) -> Result<Self, ApplyError> {
        let folder = state.join("plans");
        let made = fs::create_dir_all(state).and_then(|()| match disk::Real.folder(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made,
        });
        made.map_err(|error| ApplyError::disk(&folder, "make", error))?;
        match Lock::acquire(&folder.join("lock")) {
            Ok(lock) => Ok(Self { folder, _lock: lock }),
            Err(LockError::Held { owner, .. }) => Err(ApplyError::Busy { owner }),
            Err(LockError::Busy { .. }) => Err(ApplyError::Busy { owner: "?".to_owned() }),
            Err(LockError::Refused { path, source }) => Err(ApplyError::disk(&path, "lock", source)),
        }
    }

    /// The plans, the oldest first. Those of which nothing was written are none.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        Self::read(&self.folder)
    }

    /// The plans below a state folder, the oldest first, without a right.
    #[must_use]
    pub fn look(state: &Path) -> Vec<Entry> {
        Self::read(&state.join("plans"))
    }

    /// Whether a plan was ended in the middle.
    #[must_use]
    pub fn is_broken(state: &Path) -> bool {
        Self::look(state).iter().any(|entry| !entry.is_over())
    }

    fn read(folder: &Path) -> Vec<Entry> {
        let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
        let mut all: Vec<_> = entries.filter_map(|entry| Entry::read(&entry.ok()?.path())).collect();
        all.sort_by(|one, other| one.id.cmp(&other.id));
        all
    }

    /// A folder for a new plan; its name is the time.
    pub(crate) fn fresh(&self, now: &str) -> PathBuf {
        let digits: String = now.chars().filter(char::is_ascii_digit).take(14).collect();
        let (day, time) = digits.split_at(digits.len().min(8));
        let name = format!("{day}-{time}");
        let names = std::iter::once(name.clone()).chain((2..).map(|n| format!("{name}-{n}")));
        let mut free = names.map(|name| self.folder.join(name)).filter(|path| !path.exists());
        free.next().unwrap_or_else(|| self.folder.join(name))
    }

    /// Forgets what was begun and never wrote anything.
    pub(crate) fn sweep(&self, disk: &mut dyn Disk) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()) {
            if !path.join("journal").exists() {
                // What cannot be removed takes space and does no harm.
                let _ = disk.forget(&path);
            }
        }
    }

    /// Takes back, or finishes, what was ended in the middle.
    ///
    /// # Errors
    /// When a file cannot be restored; it is tried again next time.
    pub fn recover(&self, site: &Site<'_>) -> Result<Vec<Recovered>, ApplyError> {
        crate::carry::recover(self, site, &mut disk::Real)
    }

    /// Takes a plan back: the newest that holds, or a named one.
    ///
    /// # Errors
    /// When there is none, or its files were changed since by somebody else or by a later plan.
    pub fn undo(&self, site: &Site<'_>, id: Option<&str>) -> Result<Recovered, ApplyError> {
        crate::carry::undo(self, site, id, &mut disk::Real)
    }
}

impl Entry {
    /// The plan in a folder, if something of it was written.
    fn read(folder: &Path) -> Option<Self> {
        let journal = fs::read_to_string(folder.join("journal")).ok()?;
        let notes: Vec<Note> = journal.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let prepared: Prepared = serde_json::from_slice(&fs::read(folder.join("plan.json")).ok()?).ok()?;
        // A journal that was begun and cannot be read is one that ended in the middle.
        let last = notes.last();
        Some(Self {
            id: folder.file_name()?.to_str()?.to_owned(),
            stage: last.map_or(Stage::Begun, |note| note.stage),
            at: last.map(|note| note.at.clone()).unwrap_or_default(),
            why: notes.iter().rev().find_map(|note| note.why.clone()),
            prepared,
            folder: folder.to_path_buf(),
        })
    }

    /// Whether it holds or was taken back.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Done | Stage::Undone)
    }

    /// Where file `n` is as it was before.
    #[must_use]
    pub fn saved(&self, n: usize) -> PathBuf {
        self.folder.join("before").join(n.to_string())
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.folder.join("journal")
    }
}

impl Note {
    pub(crate) fn now(stage: Stage) -> Self {
        Self { at: now(), stage, file: None, why: None }
    }

    pub(crate) fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Now, RFC 3339 in UTC.
pub(crate) fn now() -> String {
    let micros = mailward_host::clock::now();
    jiff::Timestamp::from_microsecond(micros)
        .map(|time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
        .unwrap_or_default()
}

/// Names of the two files beside the one that they are to replace.
pub(crate) fn beside(file: &File, what: &str) -> PathBuf {
    staged::beside(&file.host, what)
}
