//! Files that are read while others may write them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Cursor, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use rustic_core::repofile::Node;
use rustic_core::{ErrorKind, ReadSourceOpen, RusticError, RusticResult};

use super::{Losses, bytes_of};

pub(super) mod message;

/// Where the bytes of a file come from.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// The file itself.
    File(PathBuf),
    /// Read before anything else of its directory.
    Read(Vec<u8>),
    /// A copy that its program made, and the time of the newest file that went into it.
    Copy(PathBuf, u64, Option<Timestamp>),
}

impl Content {
    /// Size and time, where they are not those of the file itself.
    pub(super) fn stands_for(&self) -> Option<(u64, Option<Timestamp>)> {
        match self {
            Self::File(_) => None,
            Self::Read(bytes) => Some((u64::try_from(bytes.len()).unwrap_or(u64::MAX), None)),
            Self::Copy(_, size, changed) => Some((*size, *changed)),
        }
    }
}

/// A file that will be opened if it was changed since the last snapshot.
pub(crate) struct Opened {
    /// Its name in the snapshot.
    path: PathBuf,
    content: Content,
    size: u64,
    changed: Option<Timestamp>,
    losses: Arc<Losses>,
}

impl Opened {
    pub(super) fn new(path: PathBuf, content: Content, node: &Node, losses: Arc<Losses>) -> Self {
        Self { path, content, size: node.meta.size, changed: node.meta.mtime, losses }
    }

    fn begin(&self) -> io::Result<Box<dyn Read + Send>> {
        match &self.content {
            Content::Read(bytes) => Ok(Box::new(Cursor::new(bytes.clone()))),
            Content::Copy(path, size, _) => Ok(Box::new(File::open(path)?.take(*size))),
            Content::File(path) => Ok(Box::new(Watched {
                file: regular(path)?,
                path: self.path.clone(),
                left: self.size,
                size: self.size,
                changed: self.changed,
                losses: self.losses.clone(),
            })),
        }
    }
}

impl ReadSourceOpen for Opened {
    type Reader = Box<dyn Read + Send>;

    fn open(self) -> RusticResult<Self::Reader> {
        self.begin().map_err(|error| {
            // Who takes the answer only logs it.
            self.losses.note(&self.path, &error);
            RusticError::new(ErrorKind::InputOutput, format!("{}: {error}", self.path.display()))
        })
    }
}

/// Opens a regular file, and nothing that somebody put in its place: a user owns his mailbox.
fn regular(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or(0);
    let file = message::with(path, |path| OpenOptions::new().read(true).custom_flags(flags).open(path))?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file any more"));
    }
    Ok(file)
}

/// A file of which as much is read as there was when it was listed. What it is at the end is compared with that.
struct Watched {
    file: File,
    path: PathBuf,
    left: u64,
    size: u64,
    changed: Option<Timestamp>,
    losses: Arc<Losses>,
}

impl Watched {
    fn is_changed(&self, now: &Metadata) -> bool {
        let changed =
            i32::try_from(now.mtime_nsec()).ok().and_then(|nano| Timestamp::new(now.mtime(), nano).ok());
        now.len() != self.size || changed != self.changed
    }
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = match buffer.get_mut(..most) {
            Some(part) if most > 0 => self.file.read(part),
            _ => Ok(0),
        };
        let read = read.inspect_err(|error| self.losses.note(&self.path, error))?;
        self.left = self.left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
        Ok(read)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if self.left > 0 || self.file.metadata().is_ok_and(|now| self.is_changed(&now)) {
            self.losses.note_changed(&self.path);
        }
    }
}

/// Indexes larger than this are none that one keeps in memory; they are read with the rest.
const MOST: u64 = 64 << 20;

/// Reads Dovecot's indexes of a directory.
pub(super) fn indexes(directory: &Path, names: &[OsString]) -> BTreeMap<OsString, Content> {
    let is_index = |name: &&OsString| {
        let name = bytes_of(name);
        name.starts_with(b"dovecot.")
            && name.windows(6).any(|part| part == b".index")
            && !name.ends_with(b".cache")
    };
    let read = |name: &OsString| {
        let path = directory.join(name);
        let small = fs::symlink_metadata(&path).is_ok_and(|found| found.is_file() && found.len() <= MOST);
        let mut bytes = Vec::new();
        small.then(|| regular(&path)).and_then(Result::ok)?.take(MOST).read_to_end(&mut bytes).ok()?;
        Some((name.clone(), Content::Read(bytes)))
    };
    names.iter().filter(is_index).filter_map(read).collect()
}
