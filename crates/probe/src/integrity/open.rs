//! Opening what somebody else may change at the same moment.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use mailward_audit::integrity::{Digest, Entry, Kind};
use rustix::fd::OwnedFd;
use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat, openat2, statat,
};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

/// What tells that a file is the very one that it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: i64,
    mode: u32,
    owner: (u32, u32),
    modified: (i64, i64),
    changed: (i64, i64),
}

/// What is at a path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Status {
    pub(super) stamp: Stamp,
}

impl Status {
    fn of(stat: &Stat) -> Self {
        #[expect(clippy::unnecessary_cast, reason = "the types differ between architectures")]
        let stamp = Stamp {
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
            size: stat.st_size as i64,
            mode: stat.st_mode,
            owner: (stat.st_uid, stat.st_gid),
            modified: (stat.st_mtime as i64, stat.st_mtime_nsec as i64),
            changed: (stat.st_ctime as i64, stat.st_ctime_nsec as i64),
        };
        Self { stamp }
    }

    pub(super) fn kind(&self) -> FileType {
        FileType::from_raw_mode(self.stamp.mode)
    }

    pub(super) fn entry(&self) -> Entry {
        let kind = match self.kind() {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Directory,
            FileType::Symlink => Kind::Link,
            _ => Kind::Other,
        };
        let size = if kind == Kind::File { self.stamp.size } else { 0 };
        Entry {
            kind,
            mode: self.stamp.mode & 0o7777,
            uid: self.stamp.owner.0,
            gid: self.stamp.owner.1,
            size: u64::try_from(size).unwrap_or_default(),
            ..Entry::default()
        }
    }
}

/// What is at a path; of a link the link itself.
pub(super) fn status(path: &Path) -> Result<Status, Errno> {
    statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).map(|stat| Status::of(&stat))
}

/// What a regular file holds.
pub(super) struct Content {
    pub(super) status: Status,
    /// Of all of it; none if it is longer than was to be read.
    pub(super) digest: Option<Digest>,
    /// All of it, if that is no more than was to be kept.
    pub(super) bytes: Option<Vec<u8>>,
    /// How much was read.
    pub(super) read: u64,
}

/// As much of a file is in memory at a time, beside what is kept.
const PIECE: usize = 32 << 10;

/// Reads a regular file of up to a size, and keeps it if it is no longer than `keep`. Whatever else has come to be at the path is not
/// waited for.
pub(super) fn regular(path: &Path, most: u64, keep: u64) -> Result<Content, Errno> {
    let file = without_links(path, OFlags::NONBLOCK | OFlags::NOCTTY)?;
    let status = Status::of(&fstat(&file)?);
    if status.kind() != FileType::RegularFile {
        return Err(Errno::LOOP);
    }
    let mut content = Content { status, digest: None, bytes: None, read: 0 };
    if u64::try_from(status.stamp.size).unwrap_or(u64::MAX) > most {
        return Ok(content);
    }
    let failed = |error: std::io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
    let mut pieces = BufReader::with_capacity(PIECE, std::fs::File::from(file).take(most.saturating_add(1)));
    let (mut sum, mut bytes) = (Sha256::new(), Some(Vec::new()));
    loop {
        let piece = pieces.fill_buf().map_err(failed)?;
        let length = piece.len();
        if length == 0 {
            break;
        }
        sum.update(piece);
        content.read += length as u64;
        bytes = bytes.filter(|_| content.read <= keep);
        if let Some(bytes) = &mut bytes {
            bytes.extend_from_slice(piece);
        }
        pieces.consume(length);
    }
    if content.read <= most {
        (content.digest, content.bytes) = (Some(Digest(sum.finalize().into())), bytes);
    }
    Ok(content)
}

/// A name in a directory, and what it is as far as the directory tells.
pub(super) type Name = (Vec<u8>, FileType);

/// The names in a directory that somebody wants, in their order, and whether these are all.
pub(super) fn names(
    path: &Path,
    most: usize,
    wants: impl Fn(&[u8], FileType) -> bool,
) -> Result<(Vec<Name>, bool), Errno> {
    let directory = without_links(path, OFlags::DIRECTORY)?;
    let mut names = Vec::new();
    let mut all = true;
    for entry in Dir::read_from(&directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." || !wants(name, entry.file_type()) {
            continue;
        }
        if names.len() >= most {
            all = false;
            break;
        }
        names.push((name.to_vec(), entry.file_type()));
    }
    names.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    Ok((names, all))
}

/// Opens a path that has no links on its way: who may write to a directory there could lead us anywhere. Kernels before 5.6 and some
/// sandboxes do not know openat2(2); then the last part of the path alone is no link.
fn without_links(path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
        Err(Errno::NOSYS | Errno::PERM) => openat(CWD, path, flags, Mode::empty()),
        opened => opened,
    }
}
