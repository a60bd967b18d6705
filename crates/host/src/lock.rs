//! One at a time: a lock file that holds the process id of its owner, a directory that is locked for a moment, a mark for shell scripts.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

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
    /// Somebody is at it for longer than one waits.
    #[error("somebody else is changing {path} (`fuser -v {path}` may tell who); try again in a moment")]
    Busy {
        /// What is locked.
        path: PathBuf,
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

/// How long one sleeps between two looks at a lock.
const PAUSE: Duration = Duration::from_millis(20);

/// Somebody's turn to change the files of a directory. The directory is locked and not one of its files, because a file that is replaced
/// takes its lock with it.
#[derive(Debug)]
pub struct Turn {
    _directory: File,
}

impl Turn {
    /// Waits for it, as long as `patience` says.
    ///
    /// # Errors
    /// When somebody else has it for longer, or the directory cannot be opened.
    pub fn wait(directory: &Path, patience: Duration) -> Result<Self, LockError> {
        let refused = |source| LockError::Refused { path: directory.to_path_buf(), source };
        let opened = File::open(directory).map_err(refused)?;
        let end = Instant::now() + patience;
        loop {
            match opened.try_lock() {
                Ok(()) => return Ok(Self { _directory: opened }),
                Err(TryLockError::Error(source)) => return Err(refused(source)),
                Err(TryLockError::WouldBlock) if Instant::now() > end => {
                    return Err(LockError::Busy { path: directory.to_path_buf() });
                }
                Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
            }
        }
    }
}

/// A file whose being there tells shell scripts to wait. It is removed when this is dropped; killed before, it stays, and who comes next
/// removes it once it is older than `stale`.
#[derive(Debug)]
pub struct Mark {
    path: PathBuf,
}

impl Mark {
    /// Sets it, once nobody else has it.
    ///
    /// # Errors
    /// When somebody else has it for longer than `patience`, or it cannot be made.
    pub fn set(path: &Path, patience: Duration, stale: Duration) -> Result<Self, LockError> {
        let end = Instant::now() + patience;
        loop {
            match OpenOptions::new().write(true).create_new(true).mode(0o644).open(path) {
                Ok(mut file) => {
                    // Whose it is, for people; scripts look for the file alone.
                    let _ = writeln!(file, "mailward {}", std::process::id());
                    return Ok(Self { path: path.to_path_buf() });
                }
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(LockError::Refused { path: path.to_path_buf(), source: error });
                }
                Err(_) if is_older(path, stale) => {
                    // Somebody else may have been faster.
                    let _ = fs::remove_file(path);
                }
                Err(_) if Instant::now() > end => return Err(LockError::Busy { path: path.to_path_buf() }),
                Err(_) => thread::sleep(PAUSE),
            }
        }
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        // A mark that somebody took for stale is gone already.
        let _ = fs::remove_file(&self.path);
    }
}

fn is_older(path: &Path, age: Duration) -> bool {
    let changed = fs::symlink_metadata(path).and_then(|file| file.modified());
    changed.is_ok_and(|changed| SystemTime::now().duration_since(changed).is_ok_and(|since| since > age))
}

/// Whether somebody has the lock right now; also not where there is no such file, or it cannot be looked at.
#[must_use]
pub fn is_held(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    // Trying it would be in the way of whoever takes it at this moment. proc_locks(5): `1: FLOCK ADVISORY WRITE 708 08:01:131 0 EOF`.
    let Ok(inode) = std::fs::metadata(path).map(|found| found.ino()) else { return false };
    let (locks, end) = (std::fs::read_to_string("/proc/locks").unwrap_or_default(), format!(":{inode}"));
    locks.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.nth(1) == Some("FLOCK") && words.nth(3).is_some_and(|file| file.ends_with(&end))
    })
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
