//! Everything that carrying out a plan does to the disk. One kind of call each, so that tests can end or starve it at every one.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use mailward_host::staged;

use crate::state::{Rights, State};

/// What is done to the disk.
pub(crate) trait Disk {
    /// Makes a folder for us alone.
    fn folder(&mut self, path: &Path) -> io::Result<()>;
    /// Removes a folder in which nothing is; one that is used by somebody else by now stays.
    fn unfold(&mut self, path: &Path) -> io::Result<()>;
    /// Makes a whole, synced file, with the extended attributes of another.
    fn stage(&mut self, path: &Path, state: &State, like: Option<&Path>) -> io::Result<()>;
    /// Puts a staged file in the place of another.
    fn place(&mut self, staged: &Path, target: &Path) -> io::Result<()>;
    /// Removes a file, if it is there.
    fn remove(&mut self, path: &Path) -> io::Result<()>;
    /// Removes a folder with all that is in it, if it is there.
    fn forget(&mut self, folder: &Path) -> io::Result<()>;
    /// Says whose a file is.
    fn own(&mut self, path: &Path, rights: Rights) -> io::Result<()>;
    /// Adds a line to a journal, synced.
    fn note(&mut self, journal: &Path, line: &str) -> io::Result<()>;
}

/// The disk itself.
#[derive(Debug)]
pub(crate) struct Real;

impl Disk for Real {
    fn folder(&mut self, path: &Path) -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(path)?;
        staged::sync_directory_of(path)
    }

    fn unfold(&mut self, path: &Path) -> io::Result<()> {
        match fs::remove_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(()) => staged::sync_directory_of(path),
        }
    }

    fn stage(&mut self, path: &Path, state: &State, like: Option<&Path>) -> io::Result<()> {
        let State::File { content, rights, times } = state else { return Ok(()) };
        // A file of this name is always a whole one; what a killed run left of another is nobody's.
        let part = part_of(path);
        staged::remove(&part)?;
        staged::stage(&part, content.bytes(), &rights.attributes(*times), like)?;
        staged::place(&part, path)
    }

    fn place(&mut self, staged: &Path, target: &Path) -> io::Result<()> {
        staged::place(staged, target)
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        staged::remove(path)
    }

    fn forget(&mut self, folder: &Path) -> io::Result<()> {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    fn own(&mut self, path: &Path, rights: Rights) -> io::Result<()> {
        staged::own(path, &rights.attributes(None))
    }

    fn note(&mut self, journal: &Path, line: &str) -> io::Result<()> {
        let is_new = !journal.exists();
        let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(journal)?;
        // A line that was cut off by a crash or a full disk must not swallow this one.
        file.write_all(format!("\n{line}\n").as_bytes())?;
        file.sync_all()?;
        if is_new { staged::sync_directory_of(journal) } else { Ok(()) }
    }
}

/// The name of a file that is not whole yet.
pub(crate) fn part_of(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    path.with_file_name(name)
}
