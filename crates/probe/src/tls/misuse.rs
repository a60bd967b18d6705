//! What no client should send, and what a server should not accept.

use std::time::Duration;

use mailward_audit::facts::{Known, Suite, SuiteClass, TlsVersion};
use rustls::version::{TLS12, TLS13};

use super::course::{Course, Stop, below_tls13, groups12};
use super::dialogue::{answers_to_injected, injected};
use super::hello::OLD_SIGNATURES;
use super::link::Link;
use super::reply::{Flight, Reply};
use super::robot::{self, Padding};
use super::session;

impl Course<'_> {
    /// What no client should send, on a connection that has told what it had to tell.
    pub(super) fn misbehave(&mut self, link: &mut Link, flight: &Flight, first: bool) {
        if first {
            self.port.early_ccs = early_ccs(link, flight);
        } else if flight.heartbeat && matches!(self.port.heartbleed, Known::Unasked) {
            self.port.heartbleed = heartbleed(link, flight);
        } else if let (true, Some(key)) = (flight.suite.is_some_and(Suite::is_rsa_exchange), &self.rsa) {
            self.right = Some(answer_to(link, flight, key, Padding::Right));
        }
    }

    pub(super) fn fallback(&mut self) -> Result<(), Stop> {
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
    pub(super) fn old_signatures(&mut self) -> Result<(), Stop> {
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

    pub(super) fn weak_curves(&mut self) -> Result<(), Stop> {
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
    pub(super) fn injection(&mut self) -> Result<(), Stop> {
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
    pub(super) fn robot(&mut self) -> Result<(), Stop> {
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
