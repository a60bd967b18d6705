//! Files.

use serde::{Deserialize, Serialize};

use super::Known;

/// A file, directory or socket.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct File {
    /// What it is.
    pub kind: FileKind,
    /// Permission bits, with set-uid, set-gid and sticky: `0o640`.
    pub mode: u32,
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// The owner's name, or its number where it has none.
    pub owner: String,
    /// The group's name, likewise.
    pub group: String,
    /// Bytes.
    pub size: u64,
    /// When it was changed last, seconds since 1970.
    pub modified: i64,
    /// The number of the file system it is on.
    pub device: u64,
    /// Where a symbolic link leads; everything else is about the target.
    pub link: Option<String>,
    /// What a text file says, unless it is a secret, large, or nobody needed it.
    pub text: Known<String>,
}

/// What a file is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileKind {
    /// A regular file.
    #[default]
    Regular,
    /// A directory.
    Directory,
    /// A socket.
    Socket,
    /// A named pipe, a device.
    Other,
}

impl File {
    /// A regular file of root's that everybody may read, with a text.
    #[must_use]
    pub fn of(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            mode: 0o644,
            owner: "root".to_owned(),
            group: "root".to_owned(),
            size: text.len() as u64,
            text: Known::Is(text),
            ..Self::default()
        }
    }
}
