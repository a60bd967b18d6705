//! Where it is listened.

use std::fmt;
use std::fs::{self, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::GateError;

/// A place to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// TCP.
    Tcp(SocketAddr),
    /// A unix socket.
    Unix {
        /// Its path.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix { path, .. } => path.display().fmt(f),
        }
    }
}

/// A socket that listens. The file of a unix socket stays: whoever asks meanwhile is refused at once, and the next gate replaces it.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener),
}

/// Listens wherever it can, and tells where it cannot.
pub(crate) fn bind_all(endpoints: &[Endpoint], closed: &mut Vec<GateError>) -> Vec<Listener> {
    endpoints.iter().filter_map(|endpoint| bind(endpoint).map_err(|error| closed.push(error)).ok()).collect()
}

fn bind(endpoint: &Endpoint) -> Result<Listener, GateError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AddrInUse => GateError::Taken { endpoint: endpoint.clone() },
        _ => GateError::Listen { endpoint: endpoint.clone(), error },
    };
    match endpoint {
        Endpoint::Tcp(address) => {
            let listener = std::net::TcpListener::bind(address).map_err(failed)?;
            listener.set_nonblocking(true).map_err(failed)?;
            Ok(Listener::Tcp(listener))
        }
        Endpoint::Unix { path, mode } => {
            make_room(endpoint, path)?;
            let fresh = path.with_extension("new");
            let _ = fs::remove_file(&fresh);
            let listener = std::os::unix::net::UnixListener::bind(&fresh).map_err(failed)?;
            listener.set_nonblocking(true).map_err(failed)?;
            fs::set_permissions(&fresh, Permissions::from_mode(*mode)).map_err(failed)?;
            // Replaces the old one at once: no moment without a socket, none with another mode.
            fs::rename(&fresh, path).map_err(failed)?;
            Ok(Listener::Unix(listener))
        }
    }
}

/// Refuses what is no socket, and a socket on which somebody listens.
fn make_room(endpoint: &Endpoint, path: &Path) -> Result<(), GateError> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            Err(GateError::NoSocket { endpoint: endpoint.clone() })
        }
        Ok(_) if UnixStream::connect(path).is_ok() => Err(GateError::Taken { endpoint: endpoint.clone() }),
        _ => Ok(()),
    }
}
