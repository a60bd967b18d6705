//! A connection with a deadline, read by lines or by bytes.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::reply::{self, Reply};

/// A connection; everything on it ends at its deadline.
#[derive(Debug)]
pub(super) struct Link {
    stream: TcpStream,
    until: Instant,
    /// Read, and not asked for yet.
    ahead: Vec<u8>,
    /// All bytes that came since TLS began, up to a bound.
    pub(super) seen: Vec<u8>,
}

const LONGEST_LINE: usize = 4096;

impl Link {
    pub(super) fn open(to: SocketAddr, wait: Duration) -> io::Result<Self> {
        let until = Instant::now() + wait;
        let stream = TcpStream::connect_timeout(&to, wait)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, until, ahead: Vec::new(), seen: Vec::new() })
    }

    /// The address of this end, as a mail domain (RFC 5321 4.1.3).
    pub(super) fn own_domain(&self) -> String {
        match self.stream.local_addr() {
            Ok(SocketAddr::V4(own)) => format!("[{}]", own.ip()),
            Ok(SocketAddr::V6(own)) => format!("[IPv6:{}]", own.ip()),
            Err(_) => "localhost".to_owned(),
        }
    }

    /// Never waits longer than `wait` from now on.
    pub(super) fn hurry(&mut self, wait: Duration) {
        self.until = self.until.min(Instant::now() + wait);
    }

    /// Waits for `wait` from now on, whatever was said before.
    pub(super) fn extend(&mut self, wait: Duration) {
        self.until = Instant::now() + wait;
    }

    /// How many bytes come back to a heartbeat beyond what it may say: type, length and padding.
    pub(super) fn leaked(&mut self, heartbeat: &[u8]) -> u32 {
        let mut came = Vec::new();
        let mut some = [0; 4096];
        if self.write_all(heartbeat).is_ok() {
            while came.len() < 20_000 {
                match self.read(&mut some) {
                    Ok(count) if count > 0 => came.extend(some.iter().take(count)),
                    _ => break,
                }
            }
        }
        let leaked = if came.first() == Some(&24) { came.len().saturating_sub(5 + 3 + 16) } else { 0 };
        u32::try_from(leaked).unwrap_or(u32::MAX)
    }

    /// The next line without its end.
    pub(super) fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.ahead.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.ahead.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            if self.ahead.len() > LONGEST_LINE {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a line without an end"));
            }
            let mut some = [0; 2048];
            let count = self.receive(&mut some)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.ahead.extend(some.iter().take(count));
        }
    }

    /// Sends a line of a text protocol.
    pub(super) fn say(&mut self, line: &str) -> io::Result<()> {
        self.write_all(format!("{line}\r\n").as_bytes())
    }

    /// Sends a hello, or anything else, and reads the answer to it.
    pub(super) fn ask(&mut self, bytes: &[u8]) -> Reply {
        if self.write_all(bytes).is_err() {
            return Reply::Closed;
        }
        self.reply()
    }

    /// Reads an answer of TLS.
    pub(super) fn reply(&mut self) -> Reply {
        let mut came = Vec::new();
        let mut some = [0; 4096];
        loop {
            match self.read(&mut some) {
                Ok(0) => return reply::read(&came).unwrap_or(Reply::Closed),
                Ok(count) => came.extend(some.iter().take(count)),
                Err(error) if is_late(&error) => return reply::read(&came).unwrap_or(Reply::Silent),
                Err(_) => return reply::read(&came).unwrap_or(Reply::Closed),
            }
            if let Some(reply) = reply::read(&came) {
                return reply;
            }
        }
    }

    fn receive(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        self.stream.read(into)
    }
}

impl Read for Link {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = if self.ahead.is_empty() {
            self.receive(into)?
        } else {
            let count = self.ahead.len().min(into.len());
            for (to, from) in into.iter_mut().zip(self.ahead.drain(..count)) {
                *to = from;
            }
            count
        };
        if self.seen.len() < reply::MOST {
            self.seen.extend(into.iter().take(count));
        }
        Ok(count)
    }
}

impl Write for Link {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_write_timeout(Some(left))?;
        self.stream.write(from)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Whether a read ended because of the deadline.
pub(super) fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock)
}
