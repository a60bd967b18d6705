//! Who is connected, and how that is ended.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use mailward_account::{Session, Smtpd, connections, who};
use mailward_host::process::{self, Process, Socket};

use super::Server;
use super::log::Users;

/// Open sessions.
#[derive(Debug, Default)]
pub(crate) struct Connected {
    /// Of Dovecot, with their accounts.
    pub(crate) dovecot: Vec<Session>,
    /// Of Postfix, on the ports where clients log in.
    pub(crate) smtp: Vec<SmtpSession>,
}

/// An open connection to one of Postfix's services on which clients log in.
#[derive(Clone, Debug)]
pub(crate) struct SmtpSession {
    /// Whose it is; Postfix says it only once a message begins.
    pub(crate) name: Option<String>,
    /// The service in master.cf.
    pub(crate) service: String,
    /// The process, by the number that its log lines have.
    pub(crate) pid: u32,
    /// The client.
    pub(crate) client: SocketAddr,
    holder: i32,
    socket: Socket,
}

/// Sessions that were ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Of Dovecot.
    pub(crate) dovecot: usize,
    /// Of Postfix.
    pub(crate) smtp: usize,
}

/// Dovecot looks at a passwd-file once a second (db-passwd-file.c compares whole seconds), so a login right after a change may still be judged
/// by the old one. Sessions are ended at once, and once more after that second.
pub(super) const SECOND_LOOK: Duration = Duration::from_millis(1_050);

/// What `doveadm kick` ends with when there is nobody to kick (EX_NOUSER).
const NOBODY: i32 = 67;
const NOBODY_OF_OLD: i32 = 68;

impl Server {
    /// Who is connected. What cannot be seen is told in `notes`.
    pub(crate) fn connected(&self, notes: &mut Vec<String>) -> Connected {
        let told = |notes: &mut Vec<String>, what: &str, error: anyhow::Error| {
            notes.push(format!("{what} cannot be seen: {error:#}"));
        };
        let dovecot = self.dovecot_sessions().unwrap_or_else(|error| {
            told(notes, "Dovecot's sessions", error);
            Vec::new()
        });
        let smtp = self.smtp_sessions().unwrap_or_else(|error| {
            told(notes, "Postfix's sessions", error);
            Vec::new()
        });
        Connected { dovecot, smtp }
    }

    /// Ends the sessions of some accounts, aliases among them. What could not be ended is told in `notes`.
    pub(crate) fn end_sessions(&self, names: &[String], notes: &mut Vec<String>) -> Ended {
        let begun = Instant::now();
        let mut ended = self.end_once(names, notes);
        thread::sleep(SECOND_LOOK.saturating_sub(begun.elapsed()));
        let again = self.end_once(names, &mut Vec::new());
        ended.dovecot += again.dovecot;
        ended.smtp += again.smtp;
        ended
    }

    fn end_once(&self, names: &[String], notes: &mut Vec<String>) -> Ended {
        let mut ended = Ended::default();
        match self.kick(names) {
            Ok(kicked) => ended.dovecot = kicked,
            Err(error) => {
                notes.push(format!("Dovecot's sessions were not ended: {error:#}; `doveadm kick` does it"));
            }
        }
        match self.cut(names) {
            Ok(cut) => ended.smtp = cut,
            Err(error) => notes.push(format!(
                "Postfix's sessions were not ended: {error:#}; `postfix stop` and `postfix start` do it"
            )),
        }
        ended
    }

    /// Dovecot ends its sessions itself; how many there were.
    fn kick(&self, names: &[String]) -> anyhow::Result<usize> {
        let open = self.dovecot_sessions()?;
        let mut kicked = 0;
        for name in names {
            let count = open.iter().filter(|session| session.name.eq_ignore_ascii_case(name)).count();
            // doveadm takes patterns for names, and options for what begins with a hyphen.
            if name.contains(['*', '?']) || name.starts_with('-') {
                bail!("{} cannot be given to doveadm as a name", name.escape_debug());
            }
            let output = self.run(&["doveadm", "kick", name], b"")?;
            match output.status.code() {
                Some(0) => kicked += count,
                Some(NOBODY | NOBODY_OF_OLD) => {}
                _ => bail!("doveadm kick: {}", super::complaint(&output)),
            }
        }
        Ok(kicked)
    }

    /// Shuts down every connection on which one of these may be logged in: all, but those on which somebody else has begun a message. Mail programs
    /// connect again by themselves, and a message that was on its way is sent again.
    ///
    /// A log that is late may show a session of before that the same process had with the same client; the second look sees the new one.
    fn cut(&self, names: &[String]) -> anyhow::Result<usize> {
        let is_meant = |session: &SmtpSession| {
            session
                .name
                .as_ref()
                .is_none_or(|name| names.iter().any(|other| other.eq_ignore_ascii_case(name)))
        };
        let mut cut = 0;
        for session in self.smtp_sessions()?.iter().filter(|session| is_meant(session)) {
            let done = process::cut(session.holder, session.socket);
            cut +=
                usize::from(done.context("may not reach into Postfix's process (CAP_SYS_PTRACE); be root")?);
        }
        Ok(cut)
    }

    fn dovecot_sessions(&self) -> anyhow::Result<Vec<Session>> {
        Ok(who(&self.say(&["doveadm", "-f", "tab", "who", "-1"])?))
    }

    fn smtp_sessions(&self) -> anyhow::Result<Vec<SmtpSession>> {
        let main = self.say(&["postconf", "-xh", "smtpd_sasl_auth_enable"])?.trim() == "yes";
        let users = Users::of(&self.logs);
        let mut sessions = Vec::new();
        for (process, smtpd) in self.smtpds()? {
            if smtpd.authenticates.unwrap_or(main) {
                // One that ended meanwhile has no session.
                sessions.extend(session(&process, &smtpd, &users).unwrap_or_default());
            }
        }
        Ok(sessions)
    }

    /// The smtpds of this server, not those of other containers of the host.
    fn smtpds(&self) -> anyhow::Result<Vec<(Process, Smtpd)>> {
        let namespace = self.namespace()?;
        let seen = process::all(|words| words.first().is_some_and(|word| !word.is_empty()))?;
        let here: Vec<Process> = seen.into_iter().filter(|process| process.namespace == namespace).collect();
        if here.is_empty() {
            bail!(
                "the processes of the mail server cannot be seen from here; be root on the machine that it runs on"
            );
        }
        let smtpd = |process: Process| {
            let words: Vec<&str> = process.words.iter().map(String::as_str).collect();
            Smtpd::of(&words).map(|smtpd| (process, smtpd))
        };
        Ok(here.into_iter().filter_map(smtpd).collect())
    }

    fn namespace(&self) -> anyhow::Result<u64> {
        if self.place.is_here() {
            return Ok(process::namespace()?);
        }
        let said = self.say(&["stat", "-L", "-c", "%i", "/proc/self/ns/pid"])?;
        said.trim().parse().context("stat of a pid namespace gave no number")
    }
}

/// The client that a process talks to: smtpd has one at a time.
fn session(process: &Process, smtpd: &Smtpd, users: &Users) -> std::io::Result<Vec<SmtpSession>> {
    let sockets = process::sockets(process.pid)?;
    let tables = process::tcp_tables(process.pid)?;
    let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
    let open = connections(&tables);
    let held = sockets.into_iter().filter_map(|socket| {
        let connection = open.iter().find(|connection| connection.inode == socket.inode)?;
        let pid = u32::try_from(process.inner).unwrap_or(0);
        Some(SmtpSession {
            name: users.who(pid, connection.client.ip()).map(str::to_owned),
            service: smtpd.service.clone(),
            pid,
            client: connection.client,
            holder: process.pid,
            socket,
        })
    });
    Ok(held.collect())
}
