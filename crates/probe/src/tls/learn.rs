//! What every answer tells besides what was asked.

use mailward_audit::facts::{Chain, Group, Known, Suite, TlsVersion};

use super::course::Course;
use super::hello::Hello;
use super::reply::Flight;
use super::{certificate, dh};

impl Course<'_> {
    pub(super) fn learn(&mut self, hello: &Hello, flight: &Flight) {
        let (Some(version), Some(suite)) = (flight.version, flight.suite) else { return };
        self.port.offered = Known::Is(true);
        self.accept_version(version);
        self.accept_suite(version, suite);
        if let Some(group) = flight.group {
            self.accept_group(group);
        }
        if version == TlsVersion::Tls12 {
            self.choices.push((hello.suites.clone(), suite));
        }
        if version < TlsVersion::Tls13 {
            self.learn_old(hello, flight, suite);
        }
    }

    /// What is in the clear before TLS 1.3.
    fn learn_old(&mut self, hello: &Hello, flight: &Flight, suite: Suite) {
        if hello.version > TlsVersion::Ssl3 {
            self.port.secure_renegotiation = Known::Is(flight.secure_renegotiation);
            self.port.extended_master_secret = Known::Is(flight.extended_master_secret);
            if hello.compression {
                self.port.compression = Known::Is(flight.compression);
            }
            let met = self.port.heartbeat == Known::Is(true);
            self.port.heartbeat = Known::Is(met || flight.heartbeat);
        }
        if let Some(prime) = &flight.prime {
            self.learn_prime(prime, suite);
        }
        if flight.asks_certificate || self.port.asks_client_certificate == Known::Unasked {
            self.port.asks_client_certificate = Known::Is(flight.asks_certificate);
        }
        self.learn_chain(&flight.certificates, hello.name.is_some());
        self.learn_stapled(flight.stapled.as_deref().unwrap_or_default());
    }

    fn learn_prime(&mut self, prime: &[u8], suite: Suite) {
        let group = dh::group(prime);
        let met = self.port.dh.iter().any(|met| (met.bits, &met.known_as) == (group.bits, &group.known_as));
        if !met {
            self.port.dh.push(mailward_audit::facts::DhGroup { suite: Some(suite), ..group });
        }
    }

    pub(super) fn accept_version(&mut self, version: TlsVersion) {
        self.port.versions.insert(version, Known::Is(true));
    }

    pub(super) fn accept_suite(&mut self, version: TlsVersion, suite: Suite) {
        let accepted = &mut self.suites(version).accepted;
        if !accepted.contains(&suite) {
            accepted.push(suite);
        }
    }

    pub(super) fn accept_group(&mut self, group: Group) {
        if group.is_for_tls13() {
            self.good_group = self.good_group.or(Some(group));
        }
        if !self.port.groups.accepted.contains(&group) {
            self.port.groups.accepted.push(group);
        }
    }

    pub(super) fn learn_chain(&mut self, ders: &[Vec<u8>], sni: bool) {
        let certificates: Vec<_> = ders.iter().filter_map(|der| certificate::certificate(der)).collect();
        let Some(leaf) = certificates.first() else { return };
        if self.rsa.is_none() {
            self.rsa = ders.first().and_then(|der| certificate::rsa_key(der));
        }
        let same = |chain: &Chain| {
            chain.sni == sni && chain.certificates.first().is_some_and(|met| met.sha256 == leaf.sha256)
        };
        if !self.port.chains.iter().any(same) {
            let trust = certificate::trust(ders, self.now, &self.options.roots);
            self.port.chains.push(Chain { sni, certificates, trust });
        }
    }

    pub(super) fn learn_stapled(&mut self, response: &[u8]) {
        let status = certificate::ocsp_status(response).map(str::to_owned);
        if status.is_some() || self.port.stapled == Known::Unasked {
            self.port.stapled = Known::Is(status);
        }
    }

    /// Everything that nobody has an answer to, for a reason.
    pub(super) fn unlearnt(&mut self, why: &str) {
        let port = &mut self.port;
        for version in TlsVersion::ALL {
            mark(port.versions.entry(version).or_default(), why);
        }
        mark(&mut port.offered, why);
        mark(&mut port.preference, why);
        mark(&mut port.sha1_signature, why);
        mark(&mut port.secure_renegotiation, why);
        mark(&mut port.compression, why);
        mark(&mut port.fallback_scsv, why);
        mark(&mut port.extended_master_secret, why);
        mark(&mut port.heartbeat, why);
        mark(&mut port.heartbleed, why);
        mark(&mut port.early_ccs, why);
        mark(&mut port.robot, why);
        mark(&mut port.early_data, why);
        mark(&mut port.ticket_lifetime, why);
        mark(&mut port.starttls_injected, why);
        mark(&mut port.asks_client_certificate, why);
        mark(&mut port.stapled, why);
    }
}

fn mark<T>(fact: &mut Known<T>, why: &str) {
    if matches!(fact, Known::Unasked) {
        *fact = Known::Unread(why.to_owned());
    }
}
