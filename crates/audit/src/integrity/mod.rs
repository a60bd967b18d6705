//! What a server's files were when somebody said that they are right, and what has changed since: configuration, and the places in
//! which intruders make themselves at home. Pure: who looks at the files is `probe`, who remembers them is `store`.

mod compare;
mod diff;
mod digest;
mod role;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use compare::{Aspect, Change, What, compare};
pub use diff::{Line, diff};
pub use digest::Digest;
pub use role::Role;

/// Files by their paths on this host.
pub type Entries = BTreeMap<PathBuf, Entry>;

/// A file, directory or link as it was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Entry {
    /// What it is for.
    pub role: Role,
    /// What it is.
    pub kind: Kind,
    /// Permission bits, with set-uid, set-gid and sticky.
    pub mode: u32,
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// Bytes of a regular file.
    pub size: u64,
    /// What a regular file holds, or where a link leads; none if it could not be read.
    pub digest: Option<Digest>,
    /// Where a link leads, for people.
    pub link: Option<String>,
    /// What a text file says, without secrets; none if it is large, a secret, or no text. Kept beside the rest, so that it is
    /// loaded only for who wants to show it.
    #[serde(skip)]
    pub text: Option<String>,
}

/// What a file is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A regular file.
    #[default]
    File,
    /// A directory.
    Directory,
    /// A symbolic link; it is not followed.
    Link,
    /// A socket, a pipe, a device.
    Other,
}

impl Kind {
    /// In a word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Directory => "directory",
            Self::Link => "link",
            Self::Other => "special file",
        }
    }
}

/// What is there now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The files.
    pub entries: Entries,
    /// What could not be looked at, and why; of what is below a directory nothing is known then.
    pub unread: BTreeMap<PathBuf, String>,
    /// Whether there were more files than are looked at.
    pub cut: bool,
}

/// The digest of a baseline as a whole: whoever has a copy of it elsewhere can tell whether somebody rewrote the baseline.
#[must_use]
pub fn digest_of(entries: &Entries) -> Digest {
    let mut sum = digest::Sum::default();
    for (path, entry) in entries {
        sum.add(path.as_os_str().as_encoded_bytes());
        sum.add(entry.record().as_bytes());
        sum.add(entry.text.as_deref().unwrap_or_default().as_bytes());
    }
    sum.done()
}

impl Entry {
    /// All but the text, in one line: the same for the same entry, whatever version wrote it.
    #[must_use]
    pub fn record(&self) -> String {
        let digest = self.digest.map_or_else(|| "-".to_owned(), |digest| digest.to_string());
        format!("{} {:o} {}:{} {} {digest}", self.kind.name(), self.mode, self.uid, self.gid, self.size)
    }
}

#[cfg(test)]
mod tests;
