//! Files that are either the old one or the new one, never half of one.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A file that could not be replaced.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The disk or the quota is full.
    #[error(
        "no space left to write {path}; its old content is untouched. Free some (`df -h {directory}`) and try again"
    )]
    Full {
        /// The file.
        path: PathBuf,
        /// Where the space is missing.
        directory: PathBuf,
    },
    /// The new content could not be put in place.
    #[error(
        "cannot {step} for {path}: {source}; its old content is untouched. \
         Trying again helps once `namei -l {path}` shows rights that fit"
    )]
    Refused {
        /// The file.
        path: PathBuf,
        /// What was being done.
        step: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The new content is in place, but may not survive a power failure.
    #[error("{path} is written, but its directory could not be synced: {source}; check the disk (`dmesg`)")]
    Unsynced {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Replaces the content of `path` in one step that survives a crash: temporary file beside it, fsync, rename, fsync of the
/// directory (rename(2) alone does not survive a power failure on every file system).
///
/// An existing file keeps its owner, and its mode unless `mode` is given; a new file gets `mode`, or 0600. A symbolic link is
/// followed, so that it stays one.
///
/// # Errors
/// When it cannot be written; the old content is then untouched, except as [`WriteError::Unsynced`] says.
pub fn write(path: &Path, bytes: &[u8], mode: Option<u32>) -> Result<(), WriteError> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let directory = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let temporary = directory.join(temporary_name(&target));
    let placed = stage(&temporary, &target, bytes, mode).and_then(|()| {
        fs::rename(&temporary, &target).map_err(|source| Step { doing: "put the new file in place", source })
    });
    if let Err(step) = placed {
        // Nothing more can be done about a temporary file that cannot even be removed.
        let _ = fs::remove_file(&temporary);
        return Err(step.at(path, directory));
    }
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(|source| WriteError::Unsynced { path: path.to_path_buf(), source })
}

/// A step that failed, before it is known where.
struct Step {
    doing: &'static str,
    source: io::Error,
}

impl Step {
    fn at(self, path: &Path, directory: &Path) -> WriteError {
        let path = path.to_path_buf();
        match self.source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                WriteError::Full { path, directory: directory.to_path_buf() }
            }
            _ => WriteError::Refused { path, step: self.doing, source: self.source },
        }
    }
}

fn stage(temporary: &Path, target: &Path, bytes: &[u8], mode: Option<u32>) -> Result<(), Step> {
    let doing = |doing| move |source| Step { doing, source };
    let existing = fs::metadata(target).ok();
    let mode = mode.or_else(|| existing.as_ref().map(|old| old.mode() & 0o7777)).unwrap_or(0o600);
    // Nobody else may read it before owner and mode are right.
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(temporary)
        .map_err(doing("create a temporary file"))?;
    file.write_all(bytes).map_err(doing("write the new content"))?;
    if let Some(old) = existing {
        keep_owner(&file, &old).map_err(doing("keep the owner"))?;
    }
    file.set_permissions(Permissions::from_mode(mode)).map_err(doing("set the mode"))?;
    file.sync_all().map_err(doing("sync the new content"))
}

fn keep_owner(file: &File, old: &fs::Metadata) -> io::Result<()> {
    let ours = file.metadata()?;
    if (ours.uid(), ours.gid()) == (old.uid(), old.gid()) {
        return Ok(());
    }
    fchown(file, Some(old.uid()), Some(old.gid()))
}

/// Unique among processes and threads, hidden, and telling whose it is if a crash leaves it behind.
fn temporary_name(target: &Path) -> OsString {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let mut name = OsString::from(".");
    name.push(target.file_name().unwrap_or_default());
    name.push(format!(".mailward-{}-{count}", std::process::id()));
    name
}
