//! The order of the connections, and why it ends.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mailward_audit::facts::{Group, Known, Suite, SuiteClass, Suites, TlsPort, TlsVersion};
use rustls::version::{TLS12, TLS13};

use super::dialogue::{NoTls, injected, start_tls};
use super::hello::{Hello, SIGNATURES};
use super::link::Link;
use super::reply::{Flight, Reply};
use super::session::{self, Session};
use super::{Options, Target};

/// A port under way.
pub(super) struct Course<'a> {
    pub(super) target: &'a Target,
    pub(super) options: &'a Options,
    pub(super) now: Duration,
    began: Instant,
    pub(super) port: TlsPort,
    /// What was offered with TLS 1.2 and what was chosen from it.
    pub(super) choices: Vec<(Vec<Suite>, Suite)>,
    /// The leaf of the RSA chain, for the padding oracle.
    pub(super) rsa: Option<(Vec<u8>, Vec<u8>)>,
    /// How a right padding was answered.
    pub(super) right: Option<String>,
    /// A group that is known to be accepted.
    pub(super) good_group: Option<Group>,
}

/// Why nothing more can be asked.
#[derive(Debug)]
pub(super) enum Stop {
    /// All the connections allowed are used.
    Spent,
    /// The port has been looked at for as long as is allowed.
    Late,
    /// The server does not want more, or is not there.
    Ended(String),
    /// There is no TLS to look at.
    NoTls,
}

pub(super) const NO_FLIGHT: &str = "the server did not answer a ClientHello in time";

impl<'a> Course<'a> {
    pub(super) fn new(target: &'a Target, options: &'a Options, began: Instant, now: Duration) -> Self {
        let port = TlsPort {
            host: target.host.clone(),
            address: target.address.to_string(),
            port: target.port,
            service: target.service,
            starttls: target.starttls,
            ..TlsPort::default()
        };
        Self {
            target,
            options,
            now,
            began,
            port,
            choices: Vec::new(),
            rsa: None,
            right: None,
            good_group: None,
        }
    }

    pub(super) fn run(mut self) -> TlsPort {
        match self.all() {
            Ok(()) | Err(Stop::NoTls) => {}
            Err(Stop::Spent) => {
                self.unlearnt(&format!("all {} connections allowed were used", self.options.connections));
            }
            Err(Stop::Late) => self.end("the time allowed for the port was used up"),
            Err(Stop::Ended(why)) => self.end(&why),
        }
        self.port
    }

    /// What decides about weaknesses first, what completes lists last.
    fn all(&mut self) -> Result<(), Stop> {
        self.whole_handshake()?;
        self.tls13()?;
        self.older_versions()?;
        self.ssl2()?;
        self.classes()?;
        self.fallback()?;
        self.old_signatures()?;
        self.weak_curves()?;
        self.injection()?;
        self.robot()?;
        self.preference()?;
        self.rest_of_suites()?;
        self.preference()?;
        self.rest_of_groups()
    }

    fn end(&mut self, why: &str) {
        self.unlearnt(why);
        self.port.stopped = Some(why.to_owned());
    }

    /// A connection on which TLS is about to begin.
    pub(super) fn open(&mut self, with: &str) -> Result<Link, Stop> {
        if self.port.connections >= self.options.connections {
            return Err(Stop::Spent);
        }
        let left = self.options.deadline.saturating_sub(self.began.elapsed());
        if left.is_zero() {
            return Err(Stop::Late);
        }
        self.port.connections += 1;
        let to = SocketAddr::new(self.target.address, self.target.port);
        let mut link = Link::open(to, self.options.answer.min(left))
            .map_err(|error| Stop::Ended(format!("no connection to {to}: {error}")))?;
        if self.target.starttls {
            start_tls(&mut link, self.target.service, with).map_err(|why| self.no_tls(&why))?;
            self.port.offered = Known::Is(true);
        }
        Ok(link)
    }

    fn no_tls(&mut self, why: &NoTls) -> Stop {
        match why {
            NoTls::NotOffered => {
                self.port.offered = Known::Is(false);
                Stop::NoTls
            }
            other => Stop::Ended(other.to_string()),
        }
    }

    /// Asks, and keeps what the answer tells besides.
    pub(super) fn ask(&mut self, hello: &Hello) -> Result<Option<Box<Flight>>, Stop> {
        self.ask_and(hello, |_, _, _| ())
    }

    /// The same, and goes on with the connection when there was a flight.
    pub(super) fn ask_and(
        &mut self,
        hello: &Hello,
        then: impl FnOnce(&mut Self, &mut Link, &Flight),
    ) -> Result<Option<Box<Flight>>, Stop> {
        let mut link = self.open("")?;
        match link.ask(&hello.bytes()) {
            Reply::Flight(flight) => {
                self.learn(hello, &flight);
                then(self, &mut link, &flight);
                Ok(Some(flight))
            }
            Reply::Alert(_) | Reply::Closed => Ok(None),
            Reply::Silent => Err(Stop::Ended(NO_FLIGHT.to_owned())),
            Reply::Foreign(text) => {
                Err(Stop::Ended(format!("the server answered a ClientHello with `{text}`")))
            }
        }
    }

    pub(super) fn hello(&self, version: TlsVersion, suites: Vec<Suite>, groups: Vec<Group>) -> Hello {
        let name = self.target.host.parse::<std::net::IpAddr>().is_err().then(|| self.target.host.clone());
        Hello { version, suites, groups, signatures: SIGNATURES, name, fallback: false, compression: false }
    }

    pub(super) fn server_name(&self) -> Option<&'a str> {
        let host = self.target.host.as_str();
        host.parse::<std::net::IpAddr>().is_err().then_some(host)
    }

    fn whole_handshake(&mut self) -> Result<(), Stop> {
        let link = self.open("")?;
        let (_, bye) = injected(self.target.service);
        match session::hold(link, self.server_name(), &[&TLS13, &TLS12], bye) {
            Ok(session) => self.learn_session(&session),
            // Versions and suites that rustls does not speak, or no TLS at all: told apart below.
            Err(_) => self.greeting_in_the_clear()?,
        }
        Ok(())
    }

    /// Where the first byte should be TLS, some servers greet.
    fn greeting_in_the_clear(&mut self) -> Result<(), Stop> {
        if self.target.starttls {
            return Ok(());
        }
        let mut link = self.open("")?;
        let hello = self.hello(TlsVersion::Tls12, below_tls13().collect(), groups12().collect());
        match link.ask(&hello.bytes()) {
            Reply::Foreign(text) => {
                self.port.offered = Known::Is(false);
                self.port.plain_greeting = Known::Is(text);
                Err(Stop::NoTls)
            }
            Reply::Silent => Err(Stop::Ended(NO_FLIGHT.to_owned())),
            Reply::Flight(flight) => {
                self.learn(&hello, &flight);
                Ok(())
            }
            Reply::Alert(_) | Reply::Closed => Ok(()),
        }
    }

    fn learn_session(&mut self, session: &Session) {
        self.port.offered = Known::Is(true);
        let Some(version) = session.version else { return };
        self.accept_version(version);
        if let Some(suite) = session.suite {
            self.accept_suite(version, suite);
        }
        if let Some(group) = session.group {
            self.accept_group(group);
        }
        self.learn_chain(&session.certificates, self.server_name().is_some());
        self.learn_stapled(&session.stapled);
        self.port.asks_client_certificate = Known::Is(session.asks_certificate);
        if version == TlsVersion::Tls13 {
            self.port.early_data = Known::Is(session.early_data.unwrap_or(0));
        } else {
            self.port.ticket_lifetime = Known::Is(session.ticket_lifetime);
        }
    }

    /// The accepted suites of TLS 1.2 whose class is such.
    pub(super) fn met12(&self, is: impl Fn(SuiteClass) -> bool) -> Vec<Suite> {
        let accepted = self.port.suites.get(&TlsVersion::Tls12).map(|suites| suites.accepted.as_slice());
        let such = |suite: &&Suite| suite.class().is_some_and(&is);
        accepted.unwrap_or_default().iter().filter(such).copied().collect()
    }

    pub(super) fn suites(&mut self, version: TlsVersion) -> &mut Suites {
        self.port.suites.entry(version).or_default()
    }
}

pub(super) fn groups13() -> impl Iterator<Item = Group> {
    Group::all().filter(|group| group.is_for_tls13())
}

pub(super) fn groups12() -> impl Iterator<Item = Group> {
    Group::all().filter(|group| group.is_for_tls12())
}

/// All suites of before TLS 1.3, the weakest classes first.
pub(super) fn below_tls13() -> impl Iterator<Item = Suite> {
    SuiteClass::ALL.into_iter().filter(|class| *class != SuiteClass::Tls13).flat_map(SuiteClass::suites)
}
