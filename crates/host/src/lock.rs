//! One at a time: a lock file that holds the process id of its owner.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Held as long as it lives. The kernel lets go when the process ends, however it ends, so there are no stale locks; the file
/// itself stays, because removing it would let two others in at once.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// A lock that could not be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody has it.
    #[error(
        "already running as process {owner}, which holds {path}; `mailward status` asks it, `kill {owner}` ends it"
    )]
    Held {
        /// The lock file.
        path: PathBuf,
        /// The process id that it wrote there.
        owner: String,
    },
    /// The file cannot be used.
    #[error("cannot lock {path}: {source}; trying again helps once `namei -l {path}` shows rights that fit")]
    Refused {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Lock {
    /// Takes the lock without waiting.
    ///
    /// # Errors
    /// When another process holds it, or the file cannot be made.
    pub fn acquire(path: &Path) -> Result<Self, LockError> {
        let refused = |source| LockError::Refused { path: path.to_path_buf(), source };
        let mut file = open(path).map_err(refused)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(path, file)),
            Err(TryLockError::Error(source)) => return Err(refused(source)),
        }
        sign(&mut file).map_err(refused)?;
        Ok(Self { _file: file })
    }
}

fn open(path: &Path) -> io::Result<File> {
    let no_link = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o644).custom_flags(no_link).open(path)
}

fn sign(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.write_all(format!("{}\n", std::process::id()).as_bytes())
}

fn held(path: &Path, file: File) -> LockError {
    let mut owner = String::new();
    // Unreadable or not yet written: the lock is held all the same.
    let _ = file.take(32).read_to_string(&mut owner);
    let owner = owner.trim();
    let owner = if owner.is_empty() { "?" } else { owner };
    LockError::Held { path: path.to_path_buf(), owner: owner.to_owned() }
}
