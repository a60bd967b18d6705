//! A syslog receiver that writes files as Debian's rsyslogd does.
//!
//! Like rsyslogd on its local socket, it stamps the time of receipt and writes control characters as `#ooo`, so that
//! one datagram is one line.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context as _, Result};
use jiff::Zoned;
use serde::{Deserialize, Serialize};

/// How the log's time stamps look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// `2026-03-01T09:30:00.123456+00:00`, Debian 12's default.
    #[default]
    Rfc3339,
    /// `Mar  1 09:30:00`, the default before.
    Traditional,
}

/// Listens at `sockets` and writes `mail.log`, `auth.log` and `syslog` into a folder.
pub(crate) struct Receiver {
    files: Mutex<Files>,
    folder: PathBuf,
    format: LogFormat,
    host: String,
}

struct Files {
    mail: File,
    auth: File,
    other: File,
}

impl Receiver {
    pub(crate) fn start(
        folder: &Path,
        format: LogFormat,
        host: &str,
        sockets: &[&Path],
    ) -> Result<Arc<Self>> {
        let files = Mutex::new(Files::open(folder)?);
        let receiver = Arc::new(Self { files, folder: folder.to_owned(), format, host: host.to_owned() });
        for path in sockets {
            let socket = UnixDatagram::bind(path).with_context(|| format!("binding {}", path.display()))?;
            fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
            // Bursts wait here instead of blocking Postfix; where the kernel refuses, its default has to do.
            let _ = rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, 8 << 20);
            let receiver = Arc::clone(&receiver);
            thread::spawn(move || receiver.receive(&socket));
        }
        Ok(receiver)
    }

    /// Opens the files anew, as rsyslogd does on HUP after a rotation.
    pub(crate) fn reopen(&self) -> Result<()> {
        *self.lock() = Files::open(&self.folder)?;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn receive(&self, socket: &UnixDatagram) {
        let mut buffer = vec![0; 65536];
        while let Ok(length) = socket.recv(&mut buffer) {
            let datagram = buffer.get(..length).unwrap_or_default();
            let (facility, line) = self.line(datagram, &Zoned::now());
            let mut files = self.lock();
            let file = match facility {
                2 => &mut files.mail,
                4 | 10 => &mut files.auth,
                _ => &mut files.other,
            };
            let _ = file.write_all(&line);
        }
    }

    fn line(&self, datagram: &[u8], now: &Zoned) -> (u8, Vec<u8>) {
        let (priority, text) = priority(datagram);
        let text = without_stamp(text);
        let stamp = match self.format {
            LogFormat::Rfc3339 => now.strftime("%Y-%m-%dT%H:%M:%S.%6f%:z"),
            LogFormat::Traditional => now.strftime("%b %e %H:%M:%S"),
        };
        let mut line = format!("{stamp} {} ", self.host).into_bytes();
        for &byte in text {
            match byte {
                0..32 | 127 => line.extend(format!("#{byte:03o}").bytes()),
                _ => line.push(byte),
            }
        }
        line.push(b'\n');
        (priority / 8, line)
    }
}

impl Files {
    fn open(folder: &Path) -> Result<Self> {
        let open = |name: &str| {
            let path = folder.join(name);
            let file = OpenOptions::new().create(true).append(true).open(&path);
            file.with_context(|| format!("opening {}", path.display()))
        };
        Ok(Self { mail: open("mail.log")?, auth: open("auth.log")?, other: open("syslog")? })
    }
}

/// `<22>text` → 22 and the text; without one, user.notice (RFC 3164, 4.3.3).
fn priority(datagram: &[u8]) -> (u8, &[u8]) {
    let parsed = || {
        let rest = datagram.strip_prefix(b"<")?;
        let end = rest.iter().take(4).position(|&byte| byte == b'>')?;
        let number = str::from_utf8(rest.get(..end)?).ok()?.parse().ok()?;
        Some((number, rest.get(end + 1..)?))
    };
    parsed().unwrap_or((13, datagram))
}

/// Takes off `Mmm dd hh:mm:ss ` and what ends the datagram.
fn without_stamp(text: &[u8]) -> &[u8] {
    let stamped = text.get(3) == Some(&b' ')
        && text.get(6) == Some(&b' ')
        && text.get(9) == Some(&b':')
        && text.get(12) == Some(&b':')
        && text.get(15) == Some(&b' ');
    let text = if stamped { text.get(16..).unwrap_or_default() } else { text };
    let text = text.strip_suffix(b"\0").unwrap_or(text);
    text.strip_suffix(b"\n").unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(format: LogFormat, datagram: &[u8], facility: u8, want: &str) {
        let folder = tempfile::tempdir().unwrap();
        let receiver = Receiver::start(folder.path(), format, "mail", &[]).unwrap();
        let now: Zoned = "2026-03-01T09:30:00.123456+02:00[+02:00]".parse().unwrap();
        let (got, line) = receiver.line(datagram, &now);
        assert_eq!((got, str::from_utf8(&line).unwrap()), (facility, want));
    }

    #[test]
    fn lines_look_like_rsyslogs() {
        let datagram = b"<22>Mar  1 07:29:59 postfix/smtpd[7]: connect from x[192.0.2.1]";
        check(
            LogFormat::Rfc3339,
            datagram,
            2,
            "2026-03-01T09:30:00.123456+02:00 mail postfix/smtpd[7]: connect from x[192.0.2.1]\n",
        );
        check(
            LogFormat::Traditional,
            datagram,
            2,
            "Mar  1 09:30:00 mail postfix/smtpd[7]: connect from x[192.0.2.1]\n",
        );
    }

    #[test]
    fn one_datagram_is_one_line() {
        check(LogFormat::Traditional, b"<86>a: b\nc\td\0", 10, "Mar  1 09:30:00 mail a: b#012c#011d\n");
        check(LogFormat::Traditional, b"bare\n", 1, "Mar  1 09:30:00 mail bare\n");
        check(LogFormat::Traditional, b"<x>odd", 1, "Mar  1 09:30:00 mail <x>odd\n");
        check(LogFormat::Traditional, b"", 1, "Mar  1 09:30:00 mail \n");
    }

    #[test]
    fn a_rotated_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("log");
        let receiver = Receiver::start(folder.path(), LogFormat::Rfc3339, "mail", &[&socket]).unwrap();
        let log = folder.path().join("mail.log");
        fs::rename(&log, folder.path().join("mail.log.1")).unwrap();
        receiver.reopen().unwrap();
        let client = UnixDatagram::unbound().unwrap();
        client.send_to(b"<22>new", &socket).unwrap();
        while fs::read(&log).unwrap().is_empty() {
            thread::yield_now();
        }
        assert!(fs::read(folder.path().join("mail.log.1")).unwrap().is_empty());
    }
}
