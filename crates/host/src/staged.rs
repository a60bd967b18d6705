//! Files that are made whole beside the ones they are to replace, and put in place by one rename: what may fail for want of space
//! fails before anything is changed.

use std::fs::{self, File, FileTimes, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{Mode, OFlags, ResolveFlags, XattrFlags};

/// What a file is besides its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// When it was read and when it was written last; none is now.
    pub times: Option<(SystemTime, SystemTime)>,
}

/// What stands in the name of every copy.
const MARK: &str = ".mailward-";

/// Where a copy lies beside its file: hidden, and ending as what editors leave, which logrotate(8), run-parts(8) and cron(8) do not
/// read in their folders.
#[must_use]
pub fn beside(target: &Path, what: &str) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!(".{name}{MARK}{what}~"))
}

/// Whether a file's name is that of a copy beside another.
#[must_use]
pub fn is_beside(name: &str) -> bool {
    name.starts_with('.') && name.contains(MARK) && name.ends_with('~')
}

/// Writes a new file and syncs it. It takes the extended attributes of `like`, the access control list among them.
///
/// # Errors
/// When it is there already, or cannot be made; nothing is left behind then.
pub fn stage(path: &Path, bytes: &[u8], attributes: &Attributes, like: Option<&Path>) -> io::Result<()> {
    // Nobody else may read it before owner and mode are right.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let filled = fill(&mut file, bytes, attributes, like);
    if filled.is_err() {
        // Nothing more can be done about a file that cannot even be removed.
        let _ = fs::remove_file(path);
    }
    filled
}

fn fill(file: &mut File, bytes: &[u8], attributes: &Attributes, like: Option<&Path>) -> io::Result<()> {
    file.write_all(bytes)?;
    fchown(&*file, Some(attributes.uid), Some(attributes.gid))?;
    if let Some(like) = like {
        copy_extended(like, file)?;
    }
    file.set_permissions(Permissions::from_mode(attributes.mode))?;
    if let Some((accessed, modified)) = attributes.times {
        file.set_times(FileTimes::new().set_accessed(accessed).set_modified(modified))?;
    }
    file.sync_all()
}

/// A file system without extended attributes has none to copy.
fn copy_extended(from: &Path, to: &File) -> io::Result<()> {
    let Ok(from) = File::open(from) else { return Ok(()) };
    let mut names = vec![0; 64 << 10];
    let Ok(length) = rustix::fs::flistxattr(&from, &mut names) else { return Ok(()) };
    for name in
        names.get(..length).unwrap_or_default().split(|byte| *byte == 0).filter(|name| !name.is_empty())
    {
        let mut value = vec![0; 64 << 10];
        let length = rustix::fs::fgetxattr(&from, name, &mut value)?;
        rustix::fs::fsetxattr(to, name, value.get(..length).unwrap_or_default(), XattrFlags::empty())?;
    }
    Ok(())
}

/// Puts a staged file in the place of another, or where none was.
///
/// # Errors
/// When it cannot be renamed, or the directory cannot be synced (then it is in place, and may not survive a power failure).
pub fn place(staged: &Path, target: &Path) -> io::Result<()> {
    fs::rename(staged, target)?;
    sync_directory_of(target)
}

/// Removes a file; one that is not there is removed already.
///
/// # Errors
/// When it cannot be removed, or the directory cannot be synced.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        removed => removed?,
    }
    sync_directory_of(path)
}

/// Says who owns a file or directory, and who may do what with it. No symbolic link is followed, in the middle of the path
/// neither: whoever owns a directory of mail could lead us to a file of the system.
///
/// # Errors
/// When it cannot be changed.
pub fn own(path: &Path, attributes: &Attributes) -> io::Result<()> {
    let flags = OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = rustix::fs::openat2(rustix::fs::CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS)?;
    let (uid, gid) = (owner(attributes.uid)?, group(attributes.gid)?);
    rustix::fs::chownat(file.as_fd(), "", Some(uid), Some(gid), rustix::fs::AtFlags::EMPTY_PATH)?;
    // chown(2) takes the set-user-ID bit away, so the mode comes after it; a descriptor of this kind is changed through /proc (open(2), O_PATH).
    fs::set_permissions(
        format!("/proc/self/fd/{}", file.as_raw_fd()),
        Permissions::from_mode(attributes.mode),
    )
}

fn owner(number: u32) -> io::Result<rustix::fs::Uid> {
    if number == u32::MAX {
        Err(io::ErrorKind::InvalidInput.into())
    } else {
        Ok(rustix::fs::Uid::from_raw(number))
    }
}

fn group(number: u32) -> io::Result<rustix::fs::Gid> {
    if number == u32::MAX {
        Err(io::ErrorKind::InvalidInput.into())
    } else {
        Ok(rustix::fs::Gid::from_raw(number))
    }
}

/// Makes what happened to the names in a file's directory survive a power failure.
///
/// # Errors
/// When the disk says so.
pub fn sync_directory_of(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_told_by_their_names() {
        let copy = beside(Path::new("/etc/logrotate.d/rsyslog"), "old");
        assert_eq!(copy, Path::new("/etc/logrotate.d/.rsyslog.mailward-old~"));
        assert!(is_beside(".rsyslog.mailward-old~"));
        for name in ["rsyslog", "rsyslog~", ".rsyslog.swp", "x.mailward-old~", ".x.mailward-old"] {
            assert!(!is_beside(name), "{name}");
        }
    }
}
