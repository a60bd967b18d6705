//! What a TLS port does, learnt in at most 25 connections. A connection tells one suite and one group that a server accepts, or that
//! it accepts none of those offered; so classes of suites that share a weakness are asked for together, what was found is left out the
//! next time, groups are eliminated in the same hellos, and malformed messages ride on connections that have already told what
//! they had to tell. Long lists of harmless suites may stay incomplete, and say so.

mod certificate;
mod course;
mod cursor;
mod dh;
mod dialogue;
mod flaw;
mod hello;
mod learn;
mod link;
mod lists;
mod misuse;
mod reply;
mod robot;
mod session;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime};

use mailward_audit::facts::{Facts, Known, MailProtocol, TlsPort};

pub use certificate::{Roots, certificates, key};
use course::Course;

/// A port to look at.
#[derive(Clone, Debug)]
pub struct Target {
    /// The name to ask for (SNI); an address where there is no name.
    pub host: String,
    /// The address to connect to.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
    /// What is spoken there.
    pub service: MailProtocol,
    /// Whether TLS is asked for with STARTTLS; otherwise it begins with the first byte.
    pub starttls: bool,
}

/// How far a probe may go.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long the whole port may take.
    pub deadline: Duration,
    /// How long one connection may take.
    pub answer: Duration,
    /// How many connections may be opened.
    pub connections: u32,
    /// Roots that count as trusted.
    pub roots: Roots,
}

impl Options {
    /// 25 connections, 10 seconds each since postscreen makes strangers wait for six, 30 in all.
    #[must_use]
    pub const fn new(roots: Roots) -> Self {
        Self { deadline: Duration::from_secs(30), answer: Duration::from_secs(10), connections: 25, roots }
    }
}

/// Looks at a port. What could not be learnt says why; a probe never fails as a whole.
#[must_use]
pub fn probe(target: &Target, options: &Options) -> TlsPort {
    let began = Instant::now();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut port = Course::new(target, options, began, now).run();
    port.millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    port
}

/// Reads the certificates and the public halves of the keys that the effective configuration names.
pub fn read_files(facts: &mut Facts, read: &dyn Fn(&str) -> Known<String>) {
    for file in mailward_audit::tls_files(facts) {
        let text = read(&file.path);
        if file.certificate {
            facts.certificates.insert(file.path.clone(), parsed(&text, certificates));
        }
        if file.key {
            facts.keys.insert(file.path, parsed(&text, key));
        }
    }
}

fn parsed<T>(text: &Known<String>, parse: impl Fn(&[u8]) -> Known<T>) -> Known<T> {
    match text {
        Known::Is(text) => parse(text.as_bytes()),
        Known::Absent => Known::Absent,
        Known::Unread(why) => Known::Unread(why.clone()),
        Known::Unasked => Known::Unasked,
    }
}
