//! The socket in the file system: made by one daemon at a time, and never open wider than it should be.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with};

use crate::WebError;

/// A listening socket. The file goes when this does.
pub(crate) struct Socket {
    pub(crate) path: PathBuf,
    /// Held for life. A lock and not a look at the socket: it ends with the process, however that ends.
    lock: File,
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Whatever is there, it is ours to remove: we still hold the lock. If it is gone already, so much the better.
        let _ = fs::remove_file(&self.path);
        // Closing is not enough: a process that is just being started may hold a copy until its exec.
        let _ = self.lock.unlock();
    }
}

impl Socket {
    /// Makes the socket in place of one that a dead daemon left.
    pub(crate) fn listen(
        path: &Path,
        mode: u32,
        group: Option<u32>,
    ) -> Result<(Self, UnixListener), WebError> {
        let failed = |doing| move |error: io::Error| WebError::of_serving(&error, doing, path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed("make the folder of"))?;
        }
        let lock = lock(path)?;
        refuse_others(path)?;
        let fresh = with_suffix(path, ".new");
        let listener = make(&fresh, mode, group).map_err(failed("make the control socket"))?;
        // Replaces the old one at once: no moment without a socket, none with another mode.
        fs::rename(&fresh, path).map_err(failed("make the control socket"))?;
        Ok((Self { path: path.into(), lock }, listener))
    }
}

fn lock(path: &Path) -> Result<File, WebError> {
    let failed = |error: io::Error| WebError::of_serving(&error, "lock the control socket", path);
    let mut open = OpenOptions::new();
    let open = open.write(true).create(true).truncate(false).mode(0o600);
    let file = open.open(with_suffix(path, ".lock")).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(WebError::InUse { path: path.into() }),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Refuses what is no socket, and a socket on which somebody without our lock listens.
fn refuse_others(path: &Path) -> Result<(), WebError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(WebError::of_serving(&error, "look at", path)),
        Ok(found) if !found.file_type().is_socket() => Err(WebError::NotASocket { path: path.into() }),
        Ok(_) if UnixStream::connect(path).is_ok() => Err(WebError::InUse { path: path.into() }),
        Ok(_) => Ok(()),
    }
}

/// It listens only after its mode and group are set, so nobody slips in before.
fn make(path: &Path, mode: u32, group: Option<u32>) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    if group.is_some() {
        std::os::unix::fs::chown(path, None, group)?;
    }
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    listen(&socket, BACKLOG)?;
    Ok(socket.into())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.into();
    name.push(suffix);
    name.into()
}

/// So many may wait to be accepted.
const BACKLOG: i32 = 128;
