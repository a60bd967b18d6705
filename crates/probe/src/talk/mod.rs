//! Talks to a port as a stranger would: what is offered before and inside of TLS, and what the server refuses.
//!
//! No message is sent but by [`trial()`] and, to nobody, by [`smoke()`]; nobody logs in, and a 421 ends the talk. Every connection has a deadline.

mod follow;
mod imap;
mod line;
mod smoke;
mod smtp;
mod trial;

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mailward_audit::Known;
use mailward_audit::facts::{MailService, Talk, Tried};

use line::Connection;
pub use smoke::{Mail, Works, smoke};
pub use trial::{Mailing, trial};

/// A port to talk to.
#[derive(Clone, Debug)]
pub struct Target {
    /// The name that was asked for; it is sent as SNI if it is one.
    pub host: String,
    /// The address and port.
    pub address: SocketAddr,
    /// What is spoken there.
    pub service: MailService,
    /// Whether the connection begins with TLS.
    pub implicit_tls: bool,
}

/// What to say.
#[derive(Clone, Debug)]
pub struct Manners {
    /// The name to say in EHLO.
    pub hello: String,
    /// Domains that the server is thought to serve, for `RCPT TO:<postmaster@…>`.
    pub domains: Vec<String>,
    /// How long one connection may take.
    pub deadline: Duration,
}

/// The usual ports of a mail server.
pub const PORTS: [(u16, MailService, bool); 8] = [
    (25, MailService::Smtp, false),
    (587, MailService::Submission, false),
    (465, MailService::Submission, true),
    (143, MailService::Imap, false),
    (993, MailService::Imap, true),
    (110, MailService::Pop3, false),
    (995, MailService::Pop3, true),
    (4190, MailService::Sieve, false),
];

/// Talks to a port.
#[must_use]
pub fn talk(target: &Target, manners: &Manners) -> Talk {
    let mut speaker = Speaker { target, manners, talk: begin(target) };
    let told = match target.service {
        MailService::Smtp => smtp::server(&mut speaker),
        MailService::Submission => smtp::submission(&mut speaker),
        MailService::Imap => imap::imap(&mut speaker),
        MailService::Pop3 => imap::pop3(&mut speaker),
        MailService::Sieve => imap::sieve(&mut speaker),
    };
    let mut talk = speaker.talk;
    if let Err(Ended(why)) = told {
        if talk.greeting == Known::Unasked {
            talk.greeting = Known::Unread(why.clone());
        }
        talk.ended = why;
    }
    talk
}

/// Tries a wrong password for an account of the operator's and for one that nobody has, at an IMAP port that begins with TLS: two
/// failed logins, which the server may count.
#[must_use]
pub fn wrong_passwords(target: &Target, manners: &Manners, account: &str) -> Vec<Tried> {
    let mut speaker = Speaker { target, manners, talk: begin(target) };
    if target.service == MailService::Imap && target.implicit_tls {
        // What was tried before it ended is kept.
        let _ = imap::wrong_passwords(&mut speaker, account);
    }
    speaker.talk.tried
}

fn begin(target: &Target) -> Talk {
    Talk {
        host: target.host.clone(),
        address: target.address.ip().to_string(),
        port: target.address.port(),
        service: target.service,
        implicit_tls: target.implicit_tls,
        ..Talk::default()
    }
}

/// Why a talk is over before everything was said.
struct Ended(String);

/// A mailbox that nobody has.
const NOBODY: &str = "mailward-audit-no-such-mailbox-7c1f";

const CLOSED: &str = "the server closed the connection";

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        Self(match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => "no answer in time".to_owned(),
            // One that had more to read than it wanted resets instead.
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => CLOSED.to_owned(),
            _ => error.to_string(),
        })
    }
}

/// A talk as it goes on.
struct Speaker<'a> {
    target: &'a Target,
    manners: &'a Manners,
    talk: Talk,
}

impl Speaker<'_> {
    /// Connects, and begins TLS where the port does.
    fn connect(&mut self) -> Result<Connection, Ended> {
        let begun = Instant::now();
        let connected = Connection::open(self.target.address, begun + self.manners.deadline);
        self.talk.connections += 1;
        let mut connection = match connected {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                self.talk.greeting = Known::Absent;
                return Err(Ended("nobody listens".to_owned()));
            }
            connected => connected?,
        };
        self.talk.source = connection.source().map(|source| source.ip().to_string()).unwrap_or_default();
        if self.target.implicit_tls {
            connection.secure(&self.target.host)?;
        }
        Ok(connection)
    }

    /// Keeps the greeting of the first connection.
    fn greeted(&mut self, greeting: &str, begun: Instant) {
        if self.talk.greeting == Known::Unasked {
            self.talk.greeting = Known::Is(greeting.to_owned());
            self.talk.greeting_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        }
    }

    fn tried(&mut self, name: &str, secured: bool, sent: &[&str], reply: &str) {
        self.talk.tried.push(Tried {
            name: name.to_owned(),
            secured,
            sent: sent.iter().map(|line| (*line).to_owned()).collect(),
            reply: reply.to_owned(),
        });
    }
}
