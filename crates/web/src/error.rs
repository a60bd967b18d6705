//! What can go wrong with the control socket.

use std::io;
use std::path::{Path, PathBuf};

/// Why the control socket could not be served or reached.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// Nobody listens.
    #[error("the daemon is not running: nobody listens on {}. Start it: systemctl start mailward; if it does not stay: journalctl -u mailward -n 50", path.display())]
    NotRunning {
        /// The socket.
        path: PathBuf,
    },
    /// The socket does not let us in.
    #[error("no permission for {}. Run the command as root (sudo), or join the socket's group: ls -l {0}", path.display())]
    Denied {
        /// The socket.
        path: PathBuf,
    },
    /// Too many wait to be connected.
    #[error("the daemon has too many connections on {}. Try again in some seconds; who has them: ss -xp src {0}", path.display())]
    Crowded {
        /// The socket.
        path: PathBuf,
    },
    /// The daemon took too long.
    #[error("the daemon gave no answer on {} within {seconds} s. Try again; if it stays so: journalctl -u mailward -n 50", path.display())]
    Late {
        /// The socket.
        path: PathBuf,
        /// How long we waited.
        seconds: u64,
    },
    /// The other end does not speak as it should, or went away in the middle.
    #[error("{} gave no proper answer ({detail}). Is it mailward's? Try again; if it stays so: systemctl status mailward", path.display())]
    Garbled {
        /// The socket.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// The daemon refused to open a stream.
    #[error("the daemon refused: {reason} (status {status})")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Its reason.
        reason: String,
    },
    /// Another daemon serves this socket.
    #[error("{} is served by another daemon, and there can be one. See: systemctl status mailward; fuser -v {0}", path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// Something else stands where the socket should be.
    #[error("{} exists and is no socket, so it stays. Move it away, or set another control socket in mailward.toml", path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// The system refuses something else.
    #[error("cannot {doing} {}: {detail}. See: ls -ld {}", path.display(), folder(path).display())]
    Io {
        /// What was to be done.
        doing: &'static str,
        /// The socket.
        path: PathBuf,
        /// What the system says.
        detail: String,
    },
}

impl WebError {
    /// Whether the same call may succeed in a moment.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Crowded { .. } | Self::Late { .. } | Self::Garbled { .. })
    }

    pub(crate) fn of_connecting(error: &io::Error, path: &Path) -> Self {
        let path = path.to_path_buf();
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Self::NotRunning { path },
            io::ErrorKind::PermissionDenied => Self::Denied { path },
            // unix(7): the backlog of a listening socket is full.
            io::ErrorKind::WouldBlock => Self::Crowded { path },
            _ => Self::Io { doing: "connect to", path, detail: error.to_string() },
        }
    }

    pub(crate) fn of_serving(error: &io::Error, doing: &'static str, path: &Path) -> Self {
        Self::Io { doing, path: path.into(), detail: error.to_string() }
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
