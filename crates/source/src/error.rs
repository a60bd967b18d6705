//! What can go wrong with a source.

use std::io;
use std::path::PathBuf;

/// A source that cannot be read at all. What may pass by itself, such as a missing file, is no error but a
/// [`State`](crate::State).
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file that was asked for cannot be opened.
    #[error("cannot read {path}: {source}; trying again helps once `namei -l {path}` shows rights that fit")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The stored cursor is not one of ours.
    #[error(
        "the stored position of {name} cannot be understood: `{text}`; trying again does not help. \
         Start once with another state directory to begin anew"
    )]
    Cursor {
        /// The source.
        name: String,
        /// The cursor.
        text: String,
    },
    /// The same source twice.
    #[error("{name} is configured twice as a source; remove one (`mailward config check` shows both)")]
    Twice {
        /// The source.
        name: String,
    },
    /// The system refuses the means to wait.
    #[error("cannot wait for log lines: {source}; trying again helps once files can be opened (`ulimit -n`)")]
    Wait {
        /// What the system said.
        source: io::Error,
    },
}
