//! A mail log as rsyslog writes it for Postfix and Dovecot, rotated as logrotate(8) does.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use mailward_model::Timestamp;

use super::random::Random;

/// The log and what was written to it.
pub(crate) struct MailLog {
    path: PathBuf,
    file: File,
    /// The connection that was begun last, if it is open: its process and host.
    open: Option<(u64, u64)>,
    /// Lines so far.
    pub(crate) lines: u64,
    /// Failed logins so far: the n-th tries the account `g<n>@example.org`.
    pub(crate) failures: u64,
}

/// The n-th attacker, of the networks for tests of devices (RFC 2544): each /24 in turn.
pub(crate) fn source(n: u32) -> IpAddr {
    let first = u32::from(Ipv4Addr::new(198, 18, 0, 1));
    Ipv4Addr::from(first + (n % 512) * 256 + n / 512).into()
}

/// Now, by the clock.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_micros(since.as_micros() as i64)
}

impl MailLog {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.into(), file: open(path), open: None, lines: 0, failures: 0 }
    }

    /// A failed login, by Dovecot or Postfix.
    pub(crate) fn failure(&mut self, from: IpAddr) {
        let line = self.failure_line(from);
        self.write(&line);
    }

    /// Several lines in one write, of which the last may come in two.
    pub(crate) fn failures(&mut self, from: impl Iterator<Item = IpAddr>) {
        let lines: Vec<String> = from.map(|from| self.failure_line(from)).collect();
        self.lines += lines.len() as u64;
        self.file.write_all(lines.concat().as_bytes()).unwrap();
    }

    /// A login, mail that comes and goes, or a line of no meaning.
    pub(crate) fn daily_life(&mut self, random: &mut Random) {
        let (n, at) = (self.lines, now());
        let host = 1 + random.below(50);
        let line = match (random.below(4), self.open.take()) {
            (_, Some((process, host))) => format!(
                "{at} mail postfix/smtpd[{process}]: disconnect from mx{host}.example.net[192.0.2.{host}] ehlo=1 mail=1 \
                 rcpt=1 data=1 quit=1 commands=5\n"
            ),
            (0, None) => format!(
                "{at} mail dovecot: imap-login: Login: user=<anna@example.org>, method=PLAIN, rip=203.0.113.{host}, \
                 lip=192.0.2.10, mpid={n}, TLS, session=<aB{n:06}uLjLAHEC>\n"
            ),
            (1, None) => {
                self.open = Some((n, host));
                format!("{at} mail postfix/smtpd[{n}]: connect from mx{host}.example.net[192.0.2.{host}]\n")
            }
            (2, None) => format!("{at} mail postfix/qmgr[{n}]: {n:010X}: removed\n"),
            (_, None) => format!("{at} mail CRON[{n}]: (root) CMD (rip=198.18.255.1 is text)\n"),
        };
        let at = random.below(line.len() as u64) as usize;
        // Every now and then a reader sees half a line.
        if random.one_in(20) {
            self.file.write_all(&line.as_bytes()[..at]).unwrap();
            self.file.write_all(&line.as_bytes()[at..]).unwrap();
            self.lines += 1;
        } else {
            self.write(&line);
        }
    }

    /// `create`: the log is renamed, the writer goes on in it a while and then opens the new one.
    pub(crate) fn rotate_by_rename(&mut self, random: &mut Random) {
        self.shift();
        fs::rename(&self.path, self.numbered(1)).unwrap();
        let fresh = open(&self.path);
        for _ in 0..random.below(4) {
            self.daily_life(random);
        }
        self.file = fresh;
    }

    /// `copytruncate`.
    pub(crate) fn rotate_by_copy(&mut self) {
        self.shift();
        fs::copy(&self.path, self.numbered(1)).unwrap();
        self.file.set_len(0).unwrap();
    }

    /// Every older one gets the next number; none is removed, so that nothing unread is.
    fn shift(&self) {
        let oldest = (1..).find(|n| !self.numbered(*n).exists()).unwrap();
        for n in (1..oldest).rev() {
            fs::rename(self.numbered(n), self.numbered(n + 1)).unwrap();
        }
    }

    fn numbered(&self, n: u32) -> PathBuf {
        PathBuf::from(format!("{}.{n}", self.path.display()))
    }

    fn failure_line(&mut self, from: IpAddr) -> String {
        self.failures += 1;
        let (n, at) = (self.failures, now());
        if n.is_multiple_of(3) {
            return format!(
                "{at} mail postfix/submission/smtpd[{n}]: warning: unknown[{from}]: SASL LOGIN authentication failed: \
                 (reason unavailable), sasl_username=g{n}@example.org\n"
            );
        }
        format!(
            "{at} mail dovecot: imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): \
             user=<g{n}@example.org>, method=PLAIN, rip={from}, lip=192.0.2.10, TLS: Connection closed, \
             session=<cD{n:08}jGM2RC>\n"
        )
    }

    fn write(&mut self, line: &str) {
        self.lines += 1;
        self.file.write_all(line.as_bytes()).unwrap();
    }
}

fn open(path: &Path) -> File {
    OpenOptions::new().append(true).create(true).open(path).unwrap()
}
