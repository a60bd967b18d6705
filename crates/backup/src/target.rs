//! Where a repository lies: a directory of this machine, perhaps on another disk or a mounted share.
//!
//! A target may vanish: a disk is unplugged, a share is unmounted. What is then at its place is an empty directory, and neither must it be
//! taken for an empty repository, nor must anything be written there. So every look begins with whether it is still the same directory.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustic_core::{
    ALL_FILE_TYPES, BytesList, ErrorKind, FileType, Id, ReadBackend, RusticError, RusticResult, WriteBackend,
};

use crate::BackupError;

/// A directory with a repository in it.
#[derive(Debug)]
pub(crate) struct Directory {
    root: PathBuf,
    /// Device and inode, when it was opened.
    identity: (u64, u64),
    rate: Option<Mutex<Rate>>,
    /// The first thing that went wrong: `rustic_core` goes on after some errors and words others anew.
    trouble: Mutex<Option<BackupError>>,
}

/// What of a repository is hidden from others: its names tell nothing, but nobody needs to see them.
const MODE: u32 = 0o600;

impl Directory {
    /// Takes the directory as it is now.
    pub(crate) fn open(root: &Path, bytes_per_second: Option<u64>) -> Result<Self, BackupError> {
        let found = fs::metadata(root).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => BackupError::Missing { place: root.to_path_buf() },
            _ => BackupError::of_io("open the backup target", root, error),
        })?;
        Ok(Self {
            root: root.to_path_buf(),
            identity: (found.dev(), found.ino()),
            rate: bytes_per_second.map(|limit| Mutex::new(Rate::new(limit))),
            trouble: Mutex::new(None),
        })
    }

    /// Whether a repository is there.
    pub(crate) fn is_repository(&self) -> bool {
        self.root.join("config").is_file()
    }

    /// Whether nothing is there but what a new file system brings along, and what is left of a repository that somebody began to make.
    pub(crate) fn is_unused(&self) -> bool {
        let known = ["lost+found", "locks", "data", "keys", "index", "snapshots"];
        let empty = |kind| self.names(kind).is_ok_and(|names| names.is_empty());
        let own = fs::read_dir(&self.root).is_ok_and(|names| {
            names.flatten().all(|name| known.iter().any(|known| name.file_name() == *known))
        });
        let begun = self.root.join("data").exists();
        own && (!begun || [FileType::Pack, FileType::Index, FileType::Snapshot].into_iter().all(empty))
    }

    /// Takes away the keys of a repository that nobody finished making: they open nothing.
    pub(crate) fn clear_keys(&self) -> io::Result<()> {
        match fs::read_dir(self.root.join("keys")) {
            Ok(keys) => keys.flatten().try_for_each(|key| fs::remove_file(key.path())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether restic is at work here. A lock that restic did not touch for half an hour is a dead one's, as restic sees it, too.
    pub(crate) fn is_locked_by_restic(&self) -> bool {
        let stale = Duration::from_secs(30 * 60);
        let is_fresh = |entry: fs::DirEntry| {
            let changed = entry.metadata().and_then(|found| found.modified());
            changed.is_ok_and(|changed| changed.elapsed().is_ok_and(|age| age < stale))
        };
        fs::read_dir(self.root.join("locks")).is_ok_and(|locks| locks.flatten().any(is_fresh))
    }

    /// Removes what a killed run left half written. Only for who has the repository for himself.
    pub(crate) fn sweep(&self) {
        let directories = ALL_FILE_TYPES.iter().map(|kind| self.root.join(kind.dirname()));
        let packs =
            fs::read_dir(self.root.join("data")).into_iter().flatten().flatten().map(|entry| entry.path());
        for entry in directories.chain(packs).filter_map(|path| fs::read_dir(path).ok()).flatten().flatten() {
            if entry.file_name().to_string_lossy().contains(HALF) {
                // Whatever cannot be removed costs space and nothing else.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// What went wrong here first, if something did.
    pub(crate) fn trouble(&self) -> Option<BackupError> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Remembers an error, and words it for `rustic_core`.
    fn failed(&self, doing: &'static str, path: &Path, source: io::Error) -> Box<RusticError> {
        let told = RusticError::new(ErrorKind::Backend, format!("{doing} {}: {source}", path.display()));
        let vanished = |detail: String| BackupError::Vanished { place: self.root.clone(), detail };
        let error = match (self.is_there(), source.raw_os_error()) {
            (Err(detail), _) => vanished(detail),
            (Ok(()), Some(number)) if gone(number) => vanished(source.to_string()),
            _ => BackupError::of_io(doing, path, source),
        };
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        told
    }

    /// Whether it is still the directory that was opened.
    fn is_there(&self) -> Result<(), String> {
        match fs::metadata(&self.root) {
            Ok(found) if (found.dev(), found.ino()) == self.identity => Ok(()),
            Ok(_) => Err("another directory is in its place".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn hold(&self) -> io::Result<()> {
        self.is_there().map_err(io::Error::other)
    }

    fn path(&self, kind: FileType, id: &Id) -> PathBuf {
        let name = id.to_hex();
        let name: &str = &name;
        match kind {
            FileType::Config => self.root.join("config"),
            FileType::Pack => self.root.join("data").join(name.get(..2).unwrap_or_default()).join(name),
            _ => self.root.join(kind.dirname()).join(name),
        }
    }

    fn names(&self, kind: FileType) -> io::Result<Vec<(Id, u32)>> {
        self.hold()?;
        if kind == FileType::Config {
            return match fs::metadata(self.root.join("config")) {
                Ok(found) => Ok(vec![(Id::default(), u32::try_from(found.len()).unwrap_or(u32::MAX))]),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
                Err(error) => Err(error),
            };
        }
        let top = self.root.join(kind.dirname());
        let mut found = Vec::new();
        if kind == FileType::Pack {
            for entry in fs::read_dir(top)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    files_of(&entry.path(), &mut found)?;
                }
            }
        } else {
            files_of(&top, &mut found)?;
        }
        // What vanished meanwhile listed as nothing.
        self.hold()?;
        Ok(found)
    }

    fn write(&self, target: &Path, content: &BytesList) -> io::Result<()> {
        self.hold()?;
        let half = target.with_file_name(format!("{}{HALF}{}", name_of(target), std::process::id()));
        let written = write_whole(&half, content).and_then(|()| fs::rename(&half, target));
        if let Err(error) = written {
            let _ = fs::remove_file(&half);
            return Err(error);
        }
        mailward_host::staged::sync_directory_of(target)
    }

    fn throttle(&self, bytes: usize) {
        if let Some(rate) = &self.rate {
            let wait = rate.lock().unwrap_or_else(PoisonError::into_inner).take(bytes);
            thread::sleep(wait);
        }
    }
}

/// Part of the name of a file that is not whole; restic's own are named alike, and it passes over them.
const HALF: &str = "-tmp-";

/// What the kernel says when a device or a server is gone: EIO, ENXIO, ENODEV, ENOTCONN, EHOSTDOWN, ESTALE (errno(3)).
fn gone(number: i32) -> bool {
    use rustix::io::Errno;
    let all = [Errno::IO, Errno::NXIO, Errno::NODEV, Errno::NOTCONN, Errno::HOSTDOWN, Errno::STALE];
    all.iter().any(|errno| errno.raw_os_error() == number)
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn files_of(directory: &Path, found: &mut Vec<(Id, u32)>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(id) = name.to_str().filter(|name| name.len() == 64).and_then(|name| name.parse::<Id>().ok())
        else {
            continue;
        };
        let length = match entry.metadata() {
            Ok(metadata) if metadata.is_file() => metadata.len(),
            Ok(_) => continue,
            // Removed between the two looks, by another host that shares the repository.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        found.push((id, u32::try_from(length).unwrap_or(u32::MAX)));
    }
    Ok(())
}

fn write_whole(path: &Path, content: &BytesList) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(MODE).open(path)?;
    for bytes in content.slice() {
        file.write_all(bytes)?;
    }
    file.sync_all()
}

fn read_part(path: &Path, offset: u32, length: u32) -> io::Result<Bytes> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset.into()))?;
    let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
    file.read_exact(&mut bytes)?;
    Ok(bytes.into())
}

impl ReadBackend for Directory {
    fn location(&self) -> String {
        self.root.display().to_string()
    }

    fn list_with_size(&self, kind: FileType) -> RusticResult<Vec<(Id, u32)>> {
        let place = self.root.join(kind.dirname());
        self.names(kind).map_err(|error| self.failed("list", &place, error))
    }

    fn read_full(&self, kind: FileType, id: &Id) -> RusticResult<Bytes> {
        let path = self.path(kind, id);
        fs::read(&path).map(Into::into).map_err(|error| self.failed("read", &path, error))
    }

    fn read_partial(
        &self,
        kind: FileType,
        id: &Id,
        _: bool,
        offset: u32,
        length: u32,
    ) -> RusticResult<Bytes> {
        let path = self.path(kind, id);
        read_part(&path, offset, length).map_err(|error| match error.kind() {
            // A file that is shorter than it was is damage, and no trouble with the target.
            io::ErrorKind::UnexpectedEof | io::ErrorKind::NotFound if self.is_there().is_ok() => {
                RusticError::new(
                    ErrorKind::Verification,
                    format!("{} is missing or cut short", path.display()),
                )
            }
            _ => self.failed("read", &path, error),
        })
    }

    fn warmup_path(&self, kind: FileType, id: &Id) -> String {
        self.path(kind, id).display().to_string()
    }
}

impl WriteBackend for Directory {
    fn create(&self) -> RusticResult<()> {
        let packs = (0..=u8::MAX).map(|byte| self.root.join("data").join(format!("{byte:02x}")));
        // restic wants a place for its locks, too.
        let kinds = ALL_FILE_TYPES.iter().map(|kind| kind.dirname()).chain(["locks"]);
        for directory in kinds.filter(|name| *name != "config").map(|name| self.root.join(name)).chain(packs)
        {
            fs::create_dir_all(&directory).map_err(|error| self.failed("make", &directory, error))?;
        }
        Ok(())
    }

    fn write_bytes(&self, kind: FileType, id: &Id, _: bool, content: BytesList) -> RusticResult<()> {
        let path = self.path(kind, id);
        self.throttle(content.size());
        self.write(&path, &content).map_err(|error| self.failed("write", &path, error))
    }

    fn remove(&self, kind: FileType, id: &Id, _: bool) -> RusticResult<()> {
        let path = self.path(kind, id);
        self.hold().and_then(|()| fs::remove_file(&path)).map_err(|error| self.failed("remove", &path, error))
    }
}

/// So many bytes in a second.
#[derive(Debug)]
struct Rate {
    per_second: u64,
    /// When all that was let through would be through at that rate.
    due: Instant,
}

impl Rate {
    fn new(per_second: u64) -> Self {
        Self { per_second: per_second.max(1), due: Instant::now() }
    }

    /// How long to wait before so many bytes may go.
    fn take(&mut self, bytes: usize) -> Duration {
        let now = Instant::now();
        let wait = self.due.saturating_duration_since(now);
        #[expect(clippy::cast_precision_loss, reason = "a wait needs no more digits than a float has")]
        let lasts = Duration::from_secs_f64(bytes as f64 / self.per_second as f64);
        self.due = self.due.max(now) + lasts;
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_kept() {
        let mut rate = Rate::new(1000);
        assert_eq!(rate.take(500), Duration::ZERO);
        let wait = rate.take(500);
        assert!(wait > Duration::from_millis(400) && wait <= Duration::from_millis(500), "{wait:?}");
    }

    #[test]
    fn another_directory_in_its_place_is_no_repository() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("target");
        fs::create_dir(&root).unwrap();
        let target = Directory::open(&root, None).unwrap();
        target.create().unwrap();
        assert!(target.list_with_size(FileType::Pack).unwrap().is_empty());
        fs::rename(&root, place.path().join("unmounted")).unwrap();
        fs::create_dir(&root).unwrap();
        assert!(target.list_with_size(FileType::Pack).is_err());
        assert!(matches!(target.trouble(), Some(BackupError::Vanished { .. })));
        assert!(target.write_bytes(FileType::Config, &Id::default(), false, b"x".to_vec().into()).is_err());
        assert_eq!(fs::read_dir(&root).unwrap().count(), 0, "nothing is written where the target was");
    }
}
