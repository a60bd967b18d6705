//! The order of the connections, and why it ends.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mailward_audit::facts::{
    Group, GroupKind, Known, Preference, Suite, SuiteClass, Suites, TlsPort, TlsVersion,
};
use rustls::version::{TLS12, TLS13};

use super::dialogue::{NoTls, answers_to_injected, injected, start_tls};
use super::hello::{self, Hello, OLD_SIGNATURES, SIGNATURES};
use super::link::Link;
use super::reply::{Flight, Reply};
use super::robot::{self, Padding};
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
    right: Option<String>,
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

const NO_FLIGHT: &str = "the server did not answer a ClientHello in time";

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
    fn open(&mut self, with: &str) -> Result<Link, Stop> {
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
    fn ask(&mut self, hello: &Hello) -> Result<Option<Box<Flight>>, Stop> {
        self.ask_and(hello, |_, _, _| ())
    }

    /// The same, and goes on with the connection when there was a flight.
    fn ask_and(
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

    fn hello(&self, version: TlsVersion, suites: Vec<Suite>, groups: Vec<Group>) -> Hello {
        let name = self.target.host.parse::<std::net::IpAddr>().is_err().then(|| self.target.host.clone());
        Hello { version, suites, groups, signatures: SIGNATURES, name, fallback: false, compression: false }
    }

    fn server_name(&self) -> Option<&'a str> {
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

    /// The suites and the groups of TLS 1.3 are eliminated in the same hellos.
    fn tls13(&mut self) -> Result<(), Stop> {
        let version = TlsVersion::Tls13;
        let suites13: Vec<_> = SuiteClass::Tls13.suites().collect();
        if self.port.versions.get(&version) != Some(&Known::Is(true)) {
            let hello = self.hello(version, suites13.clone(), groups13().collect());
            if self.ask(&hello)?.is_none() {
                self.port.versions.insert(version, Known::Is(false));
                return Ok(());
            }
        }
        let hybrids: Vec<_> = groups13().filter(|group| group.is_hybrid()).collect();
        if !hybrids.iter().any(|group| self.port.groups.accepted.contains(group)) {
            let hello = self.hello(version, suites13, hybrids.clone());
            if self.ask(&hello)?.is_none() {
                self.port.groups.refused.extend(hybrids);
            }
        }
        self.rest_of_tls13()
    }

    fn rest_of_tls13(&mut self) -> Result<(), Stop> {
        let version = TlsVersion::Tls13;
        while !self.suites(version).complete {
            let suites: Vec<_> = SuiteClass::Tls13
                .suites()
                .filter(|suite| !self.suites(version).accepted.contains(suite))
                .collect();
            let groups = self.groups_to_try();
            let hello = self.hello(version, suites.clone(), groups.clone());
            if !suites.is_empty() && self.ask(&hello)?.is_some() {
                continue;
            }
            let certain: Vec<_> = self.good_group.into_iter().collect();
            let uncertain = groups != certain;
            if uncertain && !suites.is_empty() && self.ask(&self.hello(version, suites, certain))?.is_some() {
                self.port.groups.refused.extend(groups);
                continue;
            }
            self.suites(version).complete = true;
        }
        Ok(())
    }

    /// Groups of TLS 1.3 that are not decided yet, a kind at a time; the one that is known to work when all are, or when
    /// the usual suites are found and nothing more is likely to be accepted.
    fn groups_to_try(&self) -> Vec<Group> {
        let known = &self.port.groups;
        let finite = |group: &Group| matches!(group.kind(), Some(GroupKind::FiniteField(_)));
        let open = |wanted: bool| {
            let decided = |group: &Group| known.accepted.contains(group) || known.refused.contains(group);
            groups13().filter(move |group| !decided(group) && finite(group) == wanted).collect::<Vec<_>>()
        };
        let met = |wanted: bool| {
            let met = known.accepted.iter().filter(|group| group.is_for_tls13() && finite(group) == wanted);
            met.count() > usize::from(!wanted)
        };
        let usual = self.port.suites.get(&TlsVersion::Tls13).is_some_and(|suites| suites.accepted.len() >= 3);
        let tried =
            [false, true].into_iter().filter(|wanted| !met(*wanted)).map(open).find(|open| !open.is_empty());
        tried.filter(|_| !usual).unwrap_or_else(|| self.good_group.into_iter().collect())
    }

    /// A server answers with the newest version it has up to the one offered, so each answer rules out those in between.
    fn older_versions(&mut self) -> Result<(), Stop> {
        let mut newest = Some(TlsVersion::Tls11);
        while let Some(version) = newest {
            let suites = below_tls13().filter(|suite| !suite.is_aead()).collect();
            let met = self
                .ask(&self.hello(version, suites, groups12().collect()))?
                .and_then(|flight| flight.version);
            for refused in
                TlsVersion::ALL.into_iter().filter(|old| *old > TlsVersion::Ssl2 && *old <= version)
            {
                if met.is_none_or(|met| refused > met) {
                    self.port.versions.insert(refused, Known::Is(false));
                }
            }
            newest = met.and_then(|met| {
                TlsVersion::ALL.into_iter().rev().find(|old| *old < met && *old > TlsVersion::Ssl2)
            });
        }
        Ok(())
    }

    fn ssl2(&mut self) -> Result<(), Stop> {
        let mut link = self.open("")?;
        let answer = match link.ask(&hello::ssl2()) {
            Reply::Flight(flight) => Known::Is(flight.version == Some(TlsVersion::Ssl2)),
            Reply::Silent => Known::Unread(NO_FLIGHT.to_owned()),
            Reply::Alert(_) | Reply::Closed | Reply::Foreign(_) => Known::Is(false),
        };
        self.port.versions.insert(TlsVersion::Ssl2, answer);
        Ok(())
    }

    /// Which classes of suites are accepted in TLS 1.2: all that are left are offered, the weakest first.
    fn classes(&mut self) -> Result<(), Stop> {
        let version = TlsVersion::Tls12;
        let mut open: Vec<_> =
            SuiteClass::ALL.into_iter().filter(|class| *class != SuiteClass::Tls13).collect();
        let mut first = true;
        let mut without_dhe = false;
        while !open.is_empty() {
            let offered = open.iter().filter(|class| !(without_dhe && class.is_dhe()));
            let suites = offered.flat_map(|class| class.suites()).collect();
            let mut hello = self.hello(version, suites, groups12().collect());
            hello.compression = true;
            // Without a name, until it was seen what such a client gets.
            let nameless = self.port.chains.iter().all(|chain| chain.sni);
            let name = hello.name.take_if(|_| nameless);
            let mut flight =
                self.ask_and(&hello, |course, link, flight| course.misbehave(link, flight, first))?;
            if first && flight.is_none() && name.is_some() {
                hello.name = name;
                flight = self.ask_and(&hello, |course, link, flight| course.misbehave(link, flight, true))?;
            }
            first = false;
            match flight.filter(|flight| flight.version == Some(version)).and_then(|flight| flight.class()) {
                Some(class) => open.retain(|other| *other != class),
                // A server without parameters may have chosen DHE and failed: once more without.
                None if !without_dhe && open.iter().any(|class| class.is_dhe()) => without_dhe = true,
                None => break,
            }
        }
        if self.port.heartbeat == Known::Is(false) {
            self.port.heartbleed = Known::Is(0);
        }
        let accepted = !self.suites(version).accepted.is_empty();
        self.port.versions.insert(version, Known::Is(accepted));
        if accepted {
            self.suites(version).refused = open;
        } else {
            self.port.suites.remove(&version);
        }
        Ok(())
    }

    /// What no client should send, on a connection that has told what it had to tell.
    fn misbehave(&mut self, link: &mut Link, flight: &Flight, first: bool) {
        if first {
            self.port.early_ccs = early_ccs(link, flight);
        } else if flight.heartbeat && matches!(self.port.heartbleed, Known::Unasked) {
            self.port.heartbleed = heartbleed(link, flight);
        } else if let (true, Some(key)) = (flight.suite.is_some_and(Suite::is_rsa_exchange), &self.rsa) {
            self.right = Some(answer_to(link, flight, key, Padding::Right));
        }
    }

    fn fallback(&mut self) -> Result<(), Stop> {
        let mut old = TlsVersion::ALL.into_iter().rev().filter(|version| {
            (TlsVersion::Ssl3..=TlsVersion::Tls12).contains(version)
                && self.port.versions.get(version) == Some(&Known::Is(true))
        });
        let (Some(_), Some(version)) = (old.next(), old.next()) else {
            self.port.fallback_scsv = Known::Absent;
            return Ok(());
        };
        let mut hello = self.hello(version, below_tls13().collect(), groups12().collect());
        hello.fallback = true;
        let mut link = self.open("")?;
        self.port.fallback_scsv = match link.ask(&hello.bytes()) {
            Reply::Alert(86) => Known::Is(true),
            Reply::Flight(_) => Known::Is(false),
            _ => Known::Unread("the answer to TLS_FALLBACK_SCSV was neither yes nor no".to_owned()),
        };
        Ok(())
    }

    /// Offers the accepted suites that need a signature, in the opposite order of the classes, with old hashes only.
    fn old_signatures(&mut self) -> Result<(), Stop> {
        let suites =
            self.met12(|class| class.is_ecdhe() || class.is_dhe()).into_iter().rev().collect::<Vec<_>>();
        if suites.is_empty() {
            self.port.sha1_signature = Known::Absent;
            return Ok(());
        }
        let mut hello = self.hello(TlsVersion::Tls12, suites, groups12().collect());
        hello.signatures = OLD_SIGNATURES;
        let flight = self.ask(&hello)?;
        self.port.sha1_signature = Known::Is(flight.is_some());
        self.judge_preference();
        Ok(())
    }

    fn weak_curves(&mut self) -> Result<(), Stop> {
        let suites = self.met12(SuiteClass::is_ecdhe);
        let mut weak: Vec<_> = groups12().filter(|group| group.is_weak_curve()).collect();
        if suites.is_empty() {
            self.port.groups.refused.extend(weak);
            return Ok(());
        }
        while let Some(flight) = self.ask(&self.hello(TlsVersion::Tls12, suites.clone(), weak.clone()))? {
            let before = weak.len();
            weak.retain(|group| Some(*group) != flight.group);
            if weak.is_empty() || weak.len() == before {
                break;
            }
        }
        self.port.groups.refused.extend(weak);
        Ok(())
    }

    /// A command in the packet of STARTTLS; in TLS 1.2, where the lifetime of a ticket can be read.
    fn injection(&mut self) -> Result<(), Stop> {
        let (early, bye) = injected(self.target.service);
        let old = self.port.versions.get(&TlsVersion::Tls12) == Some(&Known::Is(true));
        let versions = if old { [&TLS12] } else { [&TLS13] };
        if !self.target.starttls {
            self.port.starttls_injected = Known::Absent;
            if !old {
                return Ok(());
            }
        }
        let link = match self.open(early) {
            Err(Stop::Ended(_)) if self.target.starttls => {
                self.port.starttls_injected = Known::Is(0);
                return Ok(());
            }
            link => link?,
        };
        let session = session::hold(link, self.server_name(), &versions, bye);
        if let Ok(session) = &session
            && old
        {
            self.port.ticket_lifetime = Known::Is(session.ticket_lifetime);
        }
        if self.target.starttls {
            let said = session.map(|session| session.said).unwrap_or_default();
            self.port.starttls_injected = Known::Is(answers_to_injected(self.target.service, &said));
        }
        Ok(())
    }

    /// Five paddings; a difference is asked for a second time.
    fn robot(&mut self) -> Result<(), Stop> {
        let suites = self.suites(TlsVersion::Tls12).accepted.clone();
        let suites: Vec<_> = suites.into_iter().filter(|suite| suite.is_rsa_exchange()).collect();
        let (Some(key), false) = (self.rsa.clone(), suites.is_empty()) else {
            self.port.robot = Known::Absent;
            return Ok(());
        };
        self.port.robot = Known::Unread("the five messages that tell were not all sent".to_owned());
        let right = match self.right.take() {
            Some(right) => right,
            None => self.pad(&key, &suites, Padding::Right)?,
        };
        let mut told = None;
        for padding in Padding::ALL.into_iter().skip(1) {
            let answer = self.pad(&key, &suites, padding)?;
            if answer != right
                && self.pad(&key, &suites, padding)? == answer
                && self.pad(&key, &suites, Padding::Right)? == right
            {
                told = Some(format!("{padding:?}: {answer}, but a right padding: {right}"));
                break;
            }
        }
        self.port.robot = Known::Is(told);
        Ok(())
    }

    /// How the server answers a padding.
    fn pad(&mut self, key: &(Vec<u8>, Vec<u8>), suites: &[Suite], padding: Padding) -> Result<String, Stop> {
        let mut answer = "no handshake".to_owned();
        let hello = self.hello(TlsVersion::Tls12, suites.to_vec(), groups12().collect());
        self.ask_and(&hello, |_, link, flight| {
            answer = answer_to(link, flight, key, padding);
        })?;
        Ok(answer)
    }

    /// If what was chosen so far does not tell: the two that are known, the other way round.
    fn preference(&mut self) -> Result<(), Stop> {
        let known = matches!(self.port.preference, Known::Is(_));
        if known || self.judge_preference() {
            return Ok(());
        }
        let accepted: Vec<_> = self.suites(TlsVersion::Tls12).accepted.iter().rev().copied().collect();
        if accepted.len() > 1 {
            self.ask(&self.hello(TlsVersion::Tls12, accepted, groups12().collect()))?;
            self.judge_preference();
        }
        Ok(())
    }

    /// Whether it could be judged.
    pub(super) fn judge_preference(&mut self) -> bool {
        let accepted = self.suites(TlsVersion::Tls12).accepted.clone();
        let works = |suite: &Suite| accepted.contains(suite);
        let server = self.choices.iter().any(|(offered, chosen)| {
            offered.iter().filter(|suite| works(suite)).any(|suite| suite != chosen)
                && offered.iter().find(|suite| works(suite)) != Some(chosen)
        });
        let client = self.choices.iter().any(|(offered, chosen)| {
            let after: Vec<_> = offered.iter().skip_while(|suite| *suite != chosen).skip(1).collect();
            self.choices.iter().any(|(_, other)| after.contains(&other) && self.beats(*other, *chosen))
        });
        self.port.preference = match (server, client) {
            (true, _) => Known::Is(Preference::Server),
            (_, true) => Known::Is(Preference::Client),
            _ => return false,
        };
        true
    }

    /// Whether one was chosen where the other was offered too.
    fn beats(&self, one: Suite, other: Suite) -> bool {
        self.choices.iter().any(|(offered, chosen)| *chosen == one && offered.contains(&other))
    }

    /// The suites that nobody asked for by themselves: of the classes that are there, the weakest first.
    fn rest_of_suites(&mut self) -> Result<(), Stop> {
        let mut old = TlsVersion::ALL.into_iter().rev().filter(|version| {
            *version < TlsVersion::Tls13 && self.port.versions.get(version) == Some(&Known::Is(true))
        });
        let Some(version) = old.next().filter(|version| *version > TlsVersion::Ssl2) else { return Ok(()) };
        while !self.suites(version).complete {
            let known = self.suites(version).clone();
            let open = |suite: &Suite| {
                !known.accepted.contains(suite)
                    && suite.class().is_some_and(|class| !known.refused.contains(&class))
            };
            let suites: Vec<_> = below_tls13().filter(open).collect();
            let curves = self.open_curves(version, &suites);
            let mut flight = None;
            if !curves.is_empty() {
                flight = self.ask(&self.hello(version, suites.clone(), curves.clone()))?;
            }
            if flight.is_none() {
                flight = self.ask(&self.hello(version, suites, groups12().collect()))?;
                if flight.as_ref().is_some_and(|flight| flight.group.is_some()) {
                    self.port.groups.refused.extend(curves);
                }
            }
            if flight.is_none_or(|flight| flight.version != Some(version)) {
                self.suites(version).complete = true;
            }
        }
        Ok(())
    }

    /// Usual curves that are not decided yet, when each of the suites needs one: rare ones would be refused more often than not,
    /// and a refusal costs a connection here.
    fn open_curves(&self, version: TlsVersion, suites: &[Suite]) -> Vec<Group> {
        let all = suites.iter().all(|suite| suite.class().is_some_and(SuiteClass::is_ecdhe));
        let known = &self.port.groups;
        let decided = |group: &Group| known.accepted.contains(group) || known.refused.contains(group);
        let open = groups12().filter(|group| group.is_for_tls13() && !decided(group));
        if all && version == TlsVersion::Tls12 { open.collect() } else { Vec::new() }
    }

    /// Groups that are not decided yet, of TLS 1.3 and of TLS 1.2.
    fn rest_of_groups(&mut self) -> Result<(), Stop> {
        let curves = self.met12(SuiteClass::is_ecdhe);
        let new = self.port.versions.get(&TlsVersion::Tls13) == Some(&Known::Is(true));
        let suites13 = SuiteClass::Tls13.suites().collect();
        self.rest_of_groups_of(TlsVersion::Tls12, &curves, Group::is_for_tls12)?;
        let suites = if new { suites13 } else { Vec::new() };
        self.rest_of_groups_of(TlsVersion::Tls13, &suites, Group::is_for_tls13)
    }

    fn rest_of_groups_of(
        &mut self,
        version: TlsVersion,
        suites: &[Suite],
        is: fn(Group) -> bool,
    ) -> Result<(), Stop> {
        loop {
            let known = &self.port.groups;
            let decided = |group: &Group| known.accepted.contains(group) || known.refused.contains(group);
            let open: Vec<_> = Group::all().filter(|group| is(*group) && !decided(group)).collect();
            if open.is_empty() || suites.is_empty() {
                return Ok(());
            }
            let flight = self.ask(&self.hello(version, suites.to_vec(), open.clone()))?;
            if flight.is_none_or(|flight| flight.group.is_none_or(|group| !open.contains(&group))) {
                self.port.groups.refused.extend(open);
                return Ok(());
            }
        }
    }

    /// The accepted suites of TLS 1.2 whose class is such.
    fn met12(&self, is: impl Fn(SuiteClass) -> bool) -> Vec<Suite> {
        let accepted = self.port.suites.get(&TlsVersion::Tls12).map(|suites| suites.accepted.as_slice());
        let such = |suite: &&Suite| suite.class().is_some_and(&is);
        accepted.unwrap_or_default().iter().filter(such).copied().collect()
    }

    pub(super) fn suites(&mut self, version: TlsVersion) -> &mut Suites {
        self.port.suites.entry(version).or_default()
    }
}

fn groups13() -> impl Iterator<Item = Group> {
    Group::all().filter(|group| group.is_for_tls13())
}

fn groups12() -> impl Iterator<Item = Group> {
    Group::all().filter(|group| group.is_for_tls12())
}

/// All suites of before TLS 1.3, the weakest classes first.
fn below_tls13() -> impl Iterator<Item = Suite> {
    SuiteClass::ALL.into_iter().filter(|class| *class != SuiteClass::Tls13).flat_map(SuiteClass::suites)
}

/// How the server answers a padding, on a connection on which it waits for one.
fn answer_to(link: &mut Link, flight: &Flight, key: &(Vec<u8>, Vec<u8>), padding: Padding) -> String {
    link.hurry(Duration::from_secs(2));
    let version = flight.version.unwrap_or(TlsVersion::Tls12);
    match link.ask(&robot::finish(key, padding, version)) {
        Reply::Alert(alert) => format!("alert {alert}"),
        Reply::Closed => "closed".to_owned(),
        Reply::Silent => "silence".to_owned(),
        Reply::Flight(_) | Reply::Foreign(_) => "something else".to_owned(),
    }
}

/// A library that was mended refuses the message; one that was not takes it, and then fails to decrypt what follows.
fn early_ccs(link: &mut Link, flight: &Flight) -> Known<bool> {
    let version = flight.version.unwrap_or(TlsVersion::Tls12);
    link.hurry(Duration::from_secs(2));
    match link.ask(&robot::record(20, version, &[1])) {
        Reply::Alert(_) | Reply::Closed => Known::Is(false),
        Reply::Foreign(_) | Reply::Flight(_) => Known::Unread("the answer made no sense".to_owned()),
        Reply::Silent => {
            link.extend(Duration::from_secs(2));
            match link.ask(&robot::record(22, version, &[0x17; 64])) {
                // bad_record_mac, decryption_failed, decrypt_error
                Reply::Alert(20 | 21 | 51) => Known::Is(true),
                Reply::Alert(_) | Reply::Closed => Known::Is(false),
                _ => Known::Unread("the answer made no sense".to_owned()),
            }
        }
    }
}

/// A heartbeat of three bytes that claims to have 16384; what comes back is counted, and dropped.
fn heartbleed(link: &mut Link, flight: &Flight) -> Known<u32> {
    let version = flight.version.unwrap_or(TlsVersion::Tls12);
    link.hurry(Duration::from_secs(2));
    Known::Is(link.leaked(&robot::record(24, version, &[1, 0x40, 0])))
}
