//! Bringing files back, and proving that they are what was saved.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use rustic_core::repofile::{BlobType, NodeType};
use rustic_core::{BlobId, DataId};
use sha2::{Digest, Sha256};

use crate::meter::Step;
use crate::repository::Indexed;
use crate::tree::Walk;
use crate::{BackupError, Entry, Meter, Repository, Snapshot};

/// What was brought back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Files written.
    pub files: u64,
    /// Files that an earlier restore had written already.
    pub there: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Files whose owner could not be set, because only root may.
    pub unowned: u64,
}

/// What was read again from the disk and held against the checksums of the snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Files that are what was saved.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Files that are not.
    pub wrong: Vec<PathBuf>,
}

impl Repository {
    /// Brings back what a snapshot holds at and below some paths, all of it without any, below a directory: `/etc/postfix` comes to
    /// `into/etc/postfix`. Killed and started again, it goes on. Owners are those of this host that have the same names.
    ///
    /// # Errors
    /// When something cannot be read there or written here.
    pub fn restore(
        &self,
        snapshot: &Snapshot,
        paths: &[PathBuf],
        into: &Path,
        meter: &Meter,
    ) -> Result<Restored, BackupError> {
        let indexed = self.indexed()?;
        let walk = || Walk::of(self, &indexed, snapshot, paths);
        let bytes = match paths {
            [] => snapshot.bytes,
            _ => walk()?.flatten().filter(Entry::is_file).map(|entry| entry.size()).sum(),
        };
        meter.tell(Step::Total(bytes));
        let mut restore = Restore {
            repository: self,
            indexed: &indexed,
            into,
            owners: Owners::of_host(),
            links: BTreeMap::new(),
            done: Restored::default(),
            meter,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(into)
            .map_err(|error| BackupError::of_io("make", into, error))?;
        let mut directories = Vec::new();
        for entry in walk()? {
            let entry = entry?;
            restore.write(&entry)?;
            if entry.is_directory() {
                directories.push(entry);
            }
        }
        // Directories last: what is written into them changes their times, and their modes may forbid it.
        for entry in directories.iter().rev() {
            restore.finish(entry)?;
        }
        Ok(restore.done)
    }

    /// Reads what was restored and holds it against the checksums of the snapshot: those that were made when it was saved.
    ///
    /// # Errors
    /// When the snapshot cannot be read. A file that differs is no error, and told.
    pub fn verify(
        &self,
        snapshot: &Snapshot,
        paths: &[PathBuf],
        below: &Path,
    ) -> Result<Verified, BackupError> {
        let indexed = self.indexed()?;
        let mut verified = Verified::default();
        for entry in Walk::of(self, &indexed, snapshot, paths)? {
            let entry = entry?;
            if !entry.is_file() {
                continue;
            }
            let lengths = self.lengths(&indexed, &entry)?;
            match is_as_saved(
                &place_of(below, &entry.path),
                entry.node.content.as_deref().unwrap_or_default(),
                &lengths,
            ) {
                Ok(true) => {
                    verified.files += 1;
                    verified.bytes += entry.size();
                }
                Ok(false) | Err(_) => verified.wrong.push(entry.path),
            }
        }
        Ok(verified)
    }

    /// The lengths of the parts of a file.
    fn lengths(&self, indexed: &Indexed, entry: &Entry) -> Result<Vec<u32>, BackupError> {
        let ids = entry.node.content.iter().flatten();
        ids.map(|id| self.ask(|_| indexed.get_index_entry(id)).map(|found| found.location.data_length()))
            .collect()
    }

    /// The bytes of a file, part by part, each held against its checksum.
    pub(crate) fn bytes_of(
        &self,
        indexed: &Indexed,
        entry: &Entry,
        take: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), Copying> {
        for id in entry.node.content.iter().flatten() {
            let bytes = self.ask(|_| indexed.get_blob_cached(&BlobId::from(*id), BlobType::Data))?;
            if !is_part(&bytes, id) {
                return Err(Copying::Source(BackupError::Damaged {
                    place: self.place().to_path_buf(),
                    detail: format!("{} holds other bytes than were saved", entry.path.display()),
                }));
            }
            take(&bytes).map_err(Copying::Target)?;
        }
        Ok(())
    }
}

/// On which side copying failed.
pub(crate) enum Copying {
    Source(BackupError),
    Target(io::Error),
}

impl From<BackupError> for Copying {
    fn from(error: BackupError) -> Self {
        Self::Source(error)
    }
}

/// Parts are named by the SHA-256 of their bytes.
fn is_part(bytes: &[u8], id: &DataId) -> bool {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let name = id.to_hex();
    hex == *name
}

fn is_as_saved(path: &Path, parts: &[DataId], lengths: &[u32]) -> io::Result<bool> {
    let mut file = OpenOptions::new().read(true).custom_flags(no_follow()).open(path)?;
    for (id, length) in parts.iter().zip(lengths) {
        let mut bytes = Vec::new();
        Read::by_ref(&mut file).take(u64::from(*length)).read_to_end(&mut bytes)?;
        if !is_part(&bytes, id) {
            return Ok(false);
        }
    }
    Ok(file.read(&mut [0])? == 0)
}

fn no_follow() -> i32 {
    i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0)
}

fn place_of(into: &Path, path: &Path) -> PathBuf {
    into.join(path.strip_prefix("/").unwrap_or(path))
}

/// A restore that is going on.
struct Restore<'a> {
    repository: &'a Repository,
    indexed: &'a Indexed,
    into: &'a Path,
    owners: Owners,
    /// The first name of every file that has several.
    links: BTreeMap<(u64, u64), PathBuf>,
    done: Restored,
    meter: &'a Meter,
}

impl Restore<'_> {
    fn write(&mut self, entry: &Entry) -> Result<(), BackupError> {
        let target = place_of(self.into, &entry.path);
        let failed = |error| BackupError::of_io("write", &target, error);
        match &entry.node.node_type {
            NodeType::Dir => match DirBuilder::new().mode(0o700).create(&target) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    // Never through a link that somebody put there.
                    let found = fs::symlink_metadata(&target).map_err(failed)?;
                    if found.is_dir() { Ok(()) } else { Err(failed(error)) }
                }
                made => made.map_err(failed),
            },
            NodeType::Symlink { .. } => {
                remove(&target)
                    .and_then(|()| symlink(entry.node.node_type.to_link(), &target))
                    .map_err(failed)?;
                self.own(entry, &target);
                Ok(())
            }
            NodeType::File => self.file(entry, &target),
            // Devices, pipes and sockets are made by programs.
            _ => Ok(()),
        }
    }

    fn file(&mut self, entry: &Entry, target: &Path) -> Result<(), BackupError> {
        let failed = |error| BackupError::of_io("write", target, error);
        if is_there(entry, target) {
            self.done.there += 1;
            self.meter.tell(Step::Advance(entry.size()));
            return Ok(());
        }
        if let Some(first) = self.first_name(entry, target) {
            return remove(target).and_then(|()| fs::hard_link(first, target)).map_err(failed);
        }
        let half = target.with_file_name(".mailward-part");
        remove(&half).map_err(failed)?;
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&half).map_err(failed)?;
        let (meter, bytes) = (self.meter, &mut self.done.bytes);
        let copied = self.repository.bytes_of(self.indexed, entry, &mut |part| {
            file.write_all(part)?;
            let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
            *bytes += length;
            meter.tell(Step::Advance(length));
            Ok(())
        });
        copied.map_err(|error| {
            // Whatever is left of it is written over by the next try.
            let _ = fs::remove_file(&half);
            match error {
                Copying::Source(error) => error,
                Copying::Target(error) => failed(error),
            }
        })?;
        self.own(entry, &half);
        set(entry, &half, &file).and_then(|()| fs::rename(&half, target)).map_err(failed)?;
        self.done.files += 1;
        Ok(())
    }

    /// Where the same file was restored already under another name.
    fn first_name(&mut self, entry: &Entry, target: &Path) -> Option<PathBuf> {
        let meta = &entry.node.meta;
        if meta.links < 2 || meta.inode == 0 || meta.device_id == 0 {
            return None;
        }
        let first = self.links.entry((meta.device_id, meta.inode)).or_insert_with(|| target.to_path_buf());
        (first != target).then(|| first.clone())
    }

    fn finish(&mut self, entry: &Entry) -> Result<(), BackupError> {
        let target = place_of(self.into, &entry.path);
        self.own(entry, &target);
        let set = File::open(&target).and_then(|directory| set(entry, &target, &directory));
        set.map_err(|error| BackupError::of_io("set the mode of", &target, error))
    }

    fn own(&mut self, entry: &Entry, target: &Path) {
        let meta = &entry.node.meta;
        let user = Owners::number(&self.owners.users, meta.user.as_deref(), meta.uid);
        let group = Owners::number(&self.owners.groups, meta.group.as_deref(), meta.gid);
        if lchown(target, user, group).is_err() {
            self.done.unowned += 1;
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether an earlier restore wrote the file: it gets its time last, and its name after that.
fn is_there(entry: &Entry, target: &Path) -> bool {
    let found = fs::symlink_metadata(target).ok();
    let same = |found: fs::Metadata| {
        let time =
            i32::try_from(found.mtime_nsec()).ok().and_then(|nano| Timestamp::new(found.mtime(), nano).ok());
        found.is_file() && found.len() == entry.size() && time == entry.node.meta.mtime
    };
    found.is_some_and(same)
}

/// Mode and time, in this order after the owner: chown(2) takes set-id bits away.
fn set(entry: &Entry, path: &Path, file: &File) -> io::Result<()> {
    let mode = entry.node.meta.mode.unwrap_or(0o600);
    let special = [(1 << 23, 0o4000), (1 << 22, 0o2000), (1 << 20, 0o1000)];
    let bits: u32 = special.iter().filter(|(go, _)| mode & go != 0).map(|(_, bit)| bit).sum();
    fs::set_permissions(path, fs::Permissions::from_mode(bits | (mode & 0o777)))?;
    match entry.node.meta.mtime.map(since_epoch) {
        Some(time) => file.set_modified(time),
        None => Ok(()),
    }
}

fn since_epoch(time: Timestamp) -> SystemTime {
    let seconds = Duration::from_secs(time.as_second().unsigned_abs());
    let nanoseconds = Duration::from_nanos(u64::from(time.subsec_nanosecond().unsigned_abs()));
    if time.as_second() < 0 || time.subsec_nanosecond() < 0 {
        SystemTime::UNIX_EPOCH - seconds - nanoseconds
    } else {
        SystemTime::UNIX_EPOCH + seconds + nanoseconds
    }
}

/// Numbers of users and groups of this host, by name.
struct Owners {
    users: BTreeMap<String, u32>,
    groups: BTreeMap<String, u32>,
}

impl Owners {
    fn of_host() -> Self {
        Self { users: named("/etc/passwd"), groups: named("/etc/group") }
    }

    /// The number that the name has here; where there is none of that name, the number that it had there.
    fn number(here: &BTreeMap<String, u32>, name: Option<&str>, there: Option<u32>) -> Option<u32> {
        name.and_then(|name| here.get(name).copied()).or(there)
    }
}

fn named(path: &str) -> BTreeMap<String, u32> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let entry = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        Some((name, fields.nth(1)?.parse().ok()?))
    };
    text.lines().filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_mapped_by_name() {
        let here = BTreeMap::from([("vmail".to_owned(), 1001)]);
        for (name, there, number) in [
            (Some("vmail"), Some(5000), Some(1001)),
            (Some("somebody"), Some(5000), Some(5000)),
            (None, Some(5000), Some(5000)),
            (None, None, None),
        ] {
            assert_eq!(Owners::number(&here, name, there), number, "{name:?}");
        }
    }
}
