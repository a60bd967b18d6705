//! What can go wrong with the store, for the person who has to mend it.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;

/// Why the store could not do something.
///
/// Whatever it is, the firewall keeps what it has, and no line is lost: its cursor was not moved. After a
/// [retryable](Self::is_retryable) error the same call may be made again on the same [`Store`](crate::Store).
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No room on the file system.
    #[error(
        "cannot {doing}: the disk of {} is full. Bans stay in the firewall and no line is lost; it goes on by itself once \
         there is room. See: df -h {}",
        path.display(), folder(path).display()
    )]
    Full {
        /// What was to be done.
        doing: &'static str,
        /// The database.
        path: PathBuf,
    },
    /// The file is damaged, or no database.
    #[error(
        "cannot {doing}: {} is damaged ({detail}). Trying again does not help. Bans stay in the firewall; to begin a new \
         store: systemctl stop mailward; mv {0} {0}.damaged; mv {0}-wal {0}.damaged-wal; systemctl start mailward",
        path.display()
    )]
    Corrupt {
        /// What was to be done.
        doing: &'static str,
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        detail: String,
    },
    /// Another process holds the database for too long.
    #[error(
        "cannot {doing}: {} is busy in another process. Trying again may help. See who has it open: fuser -v {0}",
        path.display()
    )]
    Busy {
        /// What was to be done.
        doing: &'static str,
        /// The database.
        path: PathBuf,
    },
    /// Another daemon writes to this store.
    #[error(
        "{} is in use by another mailward, and only one may write to it. See: systemctl status mailward; or: fuser -v {0}-lock",
        path.display()
    )]
    InUse {
        /// The database.
        path: PathBuf,
    },
    /// There is no such file.
    #[error("there is no store at {}: the daemon has not run yet, or not with [policy] or [login] enabled. Start it: systemctl start mailward", path.display())]
    Missing {
        /// The database.
        path: PathBuf,
    },
    /// The file is no longer the one that was opened.
    #[error(
        "{} was moved away or replaced while it was open: what is written now is lost with the next restart. Restart: systemctl \
         restart mailward",
        path.display()
    )]
    Replaced {
        /// The database.
        path: PathBuf,
    },
    /// Not allowed to open or write.
    #[error(
        "cannot {doing}: no permission for {} ({detail}). Run it as root, or as the user that owns the file: ls -l {0}",
        path.display()
    )]
    Denied {
        /// What was to be done.
        doing: &'static str,
        /// The database.
        path: PathBuf,
        /// What the system says.
        detail: String,
    },
    /// Written by a newer Mailward.
    #[error(
        "{} has schema {found}, and this mailward knows up to {known}: a newer version wrote it. Install that version again \
         (mailward --version tells this one), or give this one a folder of its own with [guard] state-directory in mailward.toml",
        path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// The schema in the file.
        found: i64,
        /// The newest schema known here.
        known: i64,
    },
    /// Written by an older Mailward, and opened only for reading.
    #[error(
        "{} has schema {found}, and this mailward reads {known}: the running daemon is an older version. Restart it: \
         systemctl restart mailward",
        path.display()
    )]
    Older {
        /// The database.
        path: PathBuf,
        /// The schema in the file.
        found: i64,
        /// The schema known here.
        known: i64,
    },
    /// A database of another program.
    #[error("{} is the database of another program. Set [guard] state-directory in mailward.toml to a folder of its own", path.display())]
    Foreign {
        /// The database.
        path: PathBuf,
    },
    /// Anything else that the system or SQLite refuses.
    #[error("cannot {doing} in {}: {detail}. Trying again may help; see: journalctl -k -n 20; df -h {}", path.display(), folder(path).display())]
    Io {
        /// What was to be done.
        doing: &'static str,
        /// The database.
        path: PathBuf,
        /// What the system says.
        detail: String,
    },
}

impl StoreError {
    /// Whether the same call may succeed later without anybody mending the file.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::Busy { .. } | Self::InUse { .. } | Self::Io { .. })
    }

    pub(crate) fn of_sqlite(error: &rusqlite::Error, doing: &'static str, path: &Path) -> Self {
        let path = path.to_path_buf();
        let detail = error.to_string();
        let Some(failure) = error.sqlite_error() else {
            // A value that is not what the schema says it is.
            return Self::Corrupt { doing, path, detail };
        };
        match failure.code {
            ErrorCode::DiskFull => Self::Full { doing, path },
            ErrorCode::SystemIoFailure if failure.extended_code == SQLITE_IOERR_SHMSIZE => {
                Self::Full { doing, path }
            }
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Corrupt { doing, path, detail },
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy { doing, path },
            ErrorCode::PermissionDenied | ErrorCode::ReadOnly => Self::Denied { doing, path, detail },
            ErrorCode::CannotOpen => Self::of_opening(doing, path, detail),
            _ => Self::Io { doing, path, detail },
        }
    }

    /// SQLite does not tell why.
    fn of_opening(doing: &'static str, path: PathBuf, detail: String) -> Self {
        match path.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::Missing { path },
            Err(error) => Self::of_io(&error, doing, &path),
            Ok(found) if found.is_file() => Self::Denied { doing, path, detail },
            Ok(_) => Self::Io { doing, path, detail: "it is no file".into() },
        }
    }

    pub(crate) fn of_io(error: &io::Error, doing: &'static str, path: &Path) -> Self {
        let path = path.to_path_buf();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { doing, path },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::Denied { doing, path, detail: error.to_string() }
            }
            _ => Self::Io { doing, path, detail: error.to_string() },
        }
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
