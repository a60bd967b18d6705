//! How a file is: before a change, and after it.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mailward_host::staged::Attributes;
use serde::{Deserialize, Serialize};

/// Configuration is small. What is larger is not changed here.
const LARGEST: u64 = 64 << 20;

/// How a file is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum State {
    /// It is not there.
    Absent,
    /// A file with this content.
    File {
        /// Its bytes.
        content: Content,
        /// Whose it is, and who may do what.
        rights: Rights,
        /// When it was read and written; none is when it is made.
        times: Option<Times>,
    },
    /// A folder, whatever is in it.
    Folder {
        /// Whose it is, and who may do what.
        rights: Rights,
    },
    /// A file or directory of which only the rights matter.
    Rights {
        /// They.
        rights: Rights,
    },
}

/// The bytes of a file.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Content {
    /// Text, as nearly all configuration is.
    Text(String),
    /// Anything else, such as an indexed table.
    Bytes(Vec<u8>),
}

/// Whose a file is, and who may do what with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rights {
    /// Permission bits.
    pub mode: u32,
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
}

/// When a file was read and written last: seconds since 1970 and nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    accessed: (i64, u32),
    modified: (i64, u32),
}

/// It may hold passwords.
impl core::fmt::Debug for Content {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} bytes", self.bytes().len())
    }
}

impl Content {
    /// Bytes that a file holds.
    #[must_use]
    pub fn of(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|error| Self::Bytes(error.into_bytes()), Self::Text)
    }

    /// Its bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes.as_slice(),
        }
    }

    /// Its text, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Bytes(_) => None,
        }
    }
}

impl State {
    /// How the file at a path is now; with `whole`, its content too. Symbolic links were resolved before.
    pub(crate) fn read(path: &Path, whole: bool) -> io::Result<Self> {
        let metadata = match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Absent),
            found => found?,
        };
        let rights = Rights::of(&metadata);
        if !whole {
            return Ok(Self::Rights { rights });
        }
        if metadata.is_dir() {
            return Ok(Self::Folder { rights });
        }
        if !metadata.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        if metadata.len() > LARGEST {
            return Err(io::Error::other("it is too large for configuration"));
        }
        let content = Content::of(fs::read(path)?);
        Ok(Self::File { content, rights, times: Some(Times::of(&metadata)) })
    }

    /// Whether it is the same file to whoever reads it; when it was written does not matter.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File { content, rights, .. }, Self::File { content: other, rights: others, .. }) => {
                content == other && rights == others
            }
            _ => self == other,
        }
    }

    /// Its content, if that matters.
    #[must_use]
    pub const fn content(&self) -> Option<&Content> {
        match self {
            Self::File { content, .. } => Some(content),
            _ => None,
        }
    }

    /// Its text, if it has one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.content().and_then(Content::text)
    }

    /// Whose it is, if it is there.
    #[must_use]
    pub const fn rights(&self) -> Option<Rights> {
        match self {
            Self::Absent => None,
            Self::File { rights, .. } | Self::Folder { rights } | Self::Rights { rights } => Some(*rights),
        }
    }

    /// Whether its content matters, or only whose it is.
    pub(crate) const fn is_whole(&self) -> bool {
        !matches!(self, Self::Rights { .. })
    }
}

impl Rights {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self { mode: metadata.mode() & 0o7777, uid: metadata.uid(), gid: metadata.gid() }
    }

    pub(crate) fn attributes(self, times: Option<Times>) -> Attributes {
        let times = times.map(|times| (moment(times.accessed), moment(times.modified)));
        Attributes { mode: self.mode, uid: self.uid, gid: self.gid, times }
    }
}

impl Times {
    fn of(metadata: &Metadata) -> Self {
        let part = |nanos: i64| u32::try_from(nanos).unwrap_or_default();
        Self {
            accessed: (metadata.atime(), part(metadata.atime_nsec())),
            modified: (metadata.mtime(), part(metadata.mtime_nsec())),
        }
    }
}

fn moment((seconds, nanos): (i64, u32)) -> SystemTime {
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let base = if seconds < 0 { UNIX_EPOCH.checked_sub(whole) } else { UNIX_EPOCH.checked_add(whole) };
    base.unwrap_or(UNIX_EPOCH) + Duration::from_nanos(nanos.into())
}
