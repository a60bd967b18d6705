//! What goes wrong, and what to type then.

use std::io;
use std::path::{Path, PathBuf};

use rustic_core::RusticError;

/// A backup, check or restore that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is nothing at the place of the repository.
    #[error(
        "there is no backup repository at {place}. Is its disk mounted (`findmnt -T {place}`, `mount -a`)? `mailward backup run --init` makes a new one"
    )]
    Missing {
        /// The place of the repository.
        place: PathBuf,
    },
    /// Something else is at the place of a new repository.
    #[error(
        "{place} holds other files and is no backup repository; give an empty directory as `repository` in [backup] of mailward.toml"
    )]
    Occupied {
        /// The place of the repository.
        place: PathBuf,
    },
    /// The target went away while it was used.
    #[error(
        "the backup target {place} went away while it was in use ({detail}). Bring it back (`findmnt -T {place}`, `mount -a`), then say the same again: \
         what was saved before is kept and not sent twice"
    )]
    Vanished {
        /// The place of the repository.
        place: PathBuf,
        /// What the system said.
        detail: String,
    },
    /// No space is left.
    #[error(
        "no space is left for {path}. Make room (`df -h {directory}`, `mailward backup forget`), then say the same again: what was saved before is kept"
    )]
    Full {
        /// The file that did not fit.
        path: PathBuf,
        /// Its directory.
        directory: PathBuf,
    },
    /// The key is another repository's.
    #[error(
        "the key in {key} does not open the repository at {place}. Type the key of the recovery sheet into a file of mode 0600 and name it as `key-file` in \
         [backup] of mailward.toml; `mailward backup key --copy FILE` compares two keys"
    )]
    WrongKey {
        /// The key file.
        key: PathBuf,
        /// The place of the repository.
        place: PathBuf,
    },
    /// The key file cannot be used.
    #[error("{path}: {detail}")]
    Key {
        /// The key file.
        path: PathBuf,
        /// What is wrong with it, and what to type.
        detail: String,
    },
    /// Bytes are not what was written.
    #[error(
        "the repository at {place} is damaged: {detail}. `mailward backup check --read-data` tells how far that goes; `mailward backup run` then saves anew \
         what is lost of today's files, and an older copy of the repository holds the rest"
    )]
    Damaged {
        /// The place of the repository.
        place: PathBuf,
        /// What was found.
        detail: String,
    },
    /// No such snapshot.
    #[error("there is no snapshot {name} in {place}; `mailward backup list` shows them all")]
    NoSnapshot {
        /// What was asked for.
        name: String,
        /// The place of the repository.
        place: PathBuf,
    },
    /// No such file in the snapshot.
    #[error("{path} is not in snapshot {snapshot}; `mailward backup list {snapshot} PATH` shows what is")]
    NoFile {
        /// What was asked for.
        path: PathBuf,
        /// The snapshot.
        snapshot: String,
    },
    /// A file or directory of this machine cannot be used.
    #[error("cannot {doing} {path}: {source}; `namei -l {path}` shows rights and owners")]
    Io {
        /// What was tried: `read`, `write`.
        doing: &'static str,
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// restic is at work in the repository.
    #[error(
        "restic has a lock on {place} (`restic -r {place} list locks`); wait until it has ended, or remove the lock of a dead one: `restic -r {place} unlock`"
    )]
    Locked {
        /// The place of the repository.
        place: PathBuf,
    },
    /// Nothing may be forgotten yet.
    #[error("nothing is forgotten: {why}. `mailward backup drill` proves the newest snapshot")]
    Unproven {
        /// Why not.
        why: String,
    },
    /// Something that should not happen.
    #[error(
        "the backup ended unexpectedly: {detail}; the repository is as it was before. Please report this"
    )]
    Unexpected {
        /// What is known.
        detail: String,
    },
}

impl BackupError {
    /// An error of the system about a file of ours.
    pub(crate) fn of_io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::full(path),
            _ => Self::Io { doing, path: path.to_path_buf(), source },
        }
    }

    /// No space for a file.
    pub(crate) fn full(path: &Path) -> Self {
        let directory = path.parent().unwrap_or(path).to_path_buf();
        Self::Full { path: path.to_path_buf(), directory }
    }

    /// What `rustic_core` says about bytes that it cannot use; errors of the disk are known before it sees them.
    pub(crate) fn damaged(place: &Path, error: &RusticError) -> Self {
        Self::Damaged { place: place.to_path_buf(), detail: brief(error) }
    }
}

/// The first line of an error of `rustic_core` with its context: the rest is advice about another program.
fn brief(error: &RusticError) -> String {
    let log = error.display_log();
    log.lines().find(|line| !line.trim().is_empty()).unwrap_or("unreadable").trim().to_owned()
}
