//! A connection, of either kind, with patience.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

/// A connection.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    /// Reads what is there; 0 bytes are the end. Whoever is silent for longer than that is gone.
    pub(crate) async fn read(&mut self, into: &mut [u8], patience: Duration) -> io::Result<usize> {
        let read = async {
            match self {
                Self::Tcp(stream) => stream.read(into).await,
                Self::Unix(stream) => stream.read(into).await,
            }
        };
        timeout(patience, read).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Writes all of it; who does not read is gone.
    pub(crate) async fn write(&mut self, bytes: &[u8], patience: Duration) -> io::Result<()> {
        let write = async {
            match self {
                Self::Tcp(stream) => stream.write_all(bytes).await,
                Self::Unix(stream) => stream.write_all(bytes).await,
            }
        };
        timeout(patience, write).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}
