//! A TCP connection from a chosen address, in the clear or under TLS, that says how it failed.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_linger, set_socket_timeout};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, ipproto, socket_with};
use rustls::{ClientConnection, StreamOwned};

use super::tls::Trust;
use crate::topology::mail_for;

/// Why a connection could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No answer: dropped on the way.
    Timeout,
    /// Reset: nobody listens, or a firewall says so.
    Refused,
    /// An ICMP error.
    Unreachable,
}

/// How an exchange failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The connection could not be opened.
    Blocked(Refusal),
    /// The connection is open, but no answer came in time: what a ban does to it.
    Stalled,
    /// The server ended the connection.
    Closed,
    /// The TLS handshake failed.
    Tls(String),
    /// An honest user did not get what he needed.
    Hindered(String),
    /// The lab itself failed.
    Lab(String),
}

impl core::fmt::Display for Trouble {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Blocked(Refusal::Timeout) => f.write_str("no connection: no answer"),
            Self::Blocked(Refusal::Refused) => f.write_str("no connection: refused"),
            Self::Blocked(Refusal::Unreachable) => f.write_str("no connection: unreachable"),
            Self::Stalled => f.write_str("silence in an open connection"),
            Self::Closed => f.write_str("the server closed the connection"),
            Self::Tls(what) => write!(f, "TLS: {what}"),
            Self::Hindered(what) => f.write_str(what),
            Self::Lab(what) => write!(f, "the lab failed: {what}"),
        }
    }
}

impl std::error::Error for Trouble {}

impl Trouble {
    fn of_exchange(error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Self::Stalled,
            _ => Self::Closed,
        }
    }

    pub(super) fn of_handshake(error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Self::Stalled,
            ErrorKind::InvalidData => Self::Tls(error.to_string()),
            _ => Self::Closed,
        }
    }

    fn of_connect(error: Errno) -> Self {
        match error {
            // connect(2) with a send time limit ends so.
            Errno::INPROGRESS | Errno::AGAIN | Errno::TIMEDOUT => Self::Blocked(Refusal::Timeout),
            Errno::CONNREFUSED | Errno::CONNRESET => Self::Blocked(Refusal::Refused),
            Errno::HOSTUNREACH | Errno::NETUNREACH | Errno::ACCESS | Errno::PERM => {
                Self::Blocked(Refusal::Unreachable)
            }
            _ => Self::Lab(error.to_string()),
        }
    }
}

/// How long a client waits.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// For a connection.
    pub connect: Duration,
    /// For an answer.
    pub answer: Duration,
}

impl Times {
    /// Attackers are impatient: what does not answer is given up.
    pub const ATTACKER: Self = Self { connect: Duration::from_secs(3), answer: Duration::from_secs(20) };
    /// Mail clients wait longer.
    pub const HONEST: Self = Self { connect: Duration::from_secs(6), answer: Duration::from_secs(30) };
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    /// Between the two, while a handshake runs or after it failed.
    Gone,
}

/// An open connection to the mail host.
#[derive(Debug)]
pub struct Conn {
    stream: Stream,
    buffer: Vec<u8>,
    answer: Duration,
}

impl Conn {
    /// Connects to a port of the mail host.
    ///
    /// # Errors
    /// [`Trouble::Blocked`] when it cannot be opened.
    pub fn open(source: IpAddr, port: u16, times: Times) -> Result<Self, Trouble> {
        let stream = connected(source, SocketAddr::new(mail_for(source), port), times.connect)
            .map_err(Trouble::of_connect)?;
        let limits = stream
            .set_read_timeout(Some(times.answer))
            .and_then(|()| stream.set_write_timeout(Some(times.answer)))
            .and_then(|()| stream.set_nodelay(true));
        limits.map_err(|error| Trouble::Lab(error.to_string()))?;
        Ok(Self { stream: Stream::Plain(stream), buffer: Vec::new(), answer: times.answer })
    }

    /// Goes on under TLS.
    ///
    /// # Errors
    /// When the handshake fails; the connection is gone then.
    pub fn start_tls(&mut self, trust: &Trust) -> Result<(), Trouble> {
        match std::mem::replace(&mut self.stream, Stream::Gone) {
            Stream::Plain(stream) => {
                self.stream = Stream::Tls(Box::new(trust.start(stream)?));
                Ok(())
            }
            _ => Err(Trouble::Lab("TLS within TLS".to_owned())),
        }
    }

    /// Writes bytes as they are.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        let sent = match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(bytes),
            Stream::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
            Stream::Gone => return Err(Trouble::Closed),
        };
        sent.map_err(|error| Trouble::of_exchange(&error))
    }

    /// Writes a line.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn line(&mut self, text: &str) -> Result<(), Trouble> {
        self.send(format!("{text}\r\n").as_bytes())
    }

    /// Reads a line, without its end.
    ///
    /// # Errors
    /// [`Trouble::Stalled`] when none comes in time, [`Trouble::Closed`] when the server ends the connection.
    pub fn read_line(&mut self) -> Result<String, Trouble> {
        let end = Instant::now() + self.answer;
        loop {
            if let Some(at) = self.buffer.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=at).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned());
            }
            if Instant::now() >= end {
                return Err(Trouble::Stalled);
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> Result<(), Trouble> {
        let mut chunk = [0; 4096];
        let read = match &mut self.stream {
            Stream::Plain(stream) => stream.read(&mut chunk),
            Stream::Tls(stream) => stream.read(&mut chunk),
            Stream::Gone => return Err(Trouble::Closed),
        };
        match read {
            Ok(0) => Err(Trouble::Closed),
            Ok(length) => {
                self.buffer.extend(chunk.iter().take(length));
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(Trouble::of_exchange(&error)),
        }
    }

    /// Waits less, or longer, for answers from now on.
    pub fn set_patience(&mut self, answer: Duration) {
        self.answer = answer;
        let stream = match &self.stream {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => stream.get_ref(),
            Stream::Gone => return,
        };
        // Only a zero limit is refused.
        let _ = stream.set_read_timeout(Some(answer));
    }

    /// Reads whatever comes until the server ends the connection or falls silent.
    pub fn drain(&mut self, patience: Duration) {
        self.set_patience(patience);
        while self.read_line().is_ok() {}
    }

    /// Says goodbye to TLS, as honest clients do, and closes.
    pub fn close(mut self) {
        if let Stream::Tls(stream) = &mut self.stream {
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    }

    /// Closes with a reset instead of an orderly end.
    pub fn reset(self) {
        if let Stream::Plain(stream) = &self.stream {
            let _ = set_socket_linger(stream, Some(Duration::ZERO));
        }
    }
}

fn connected(source: IpAddr, to: SocketAddr, limit: Duration) -> Result<TcpStream, Errno> {
    let family = if source.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, Some(ipproto::TCP))?;
    bind(&socket, &SocketAddr::new(source, 0))?;
    set_socket_timeout(&socket, Timeout::Send, Some(limit))?;
    connect(&socket, &to)?;
    Ok(TcpStream::from(socket))
}
