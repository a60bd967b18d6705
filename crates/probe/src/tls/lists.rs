//! Versions, suites and groups: which are accepted, in as few hellos as can be.

use mailward_audit::facts::{Group, GroupKind, Known, Preference, Suite, SuiteClass, TlsVersion};

use super::course::{Course, NO_FLIGHT, Stop, below_tls13, groups12, groups13};
use super::hello;
use super::reply::Reply;

impl Course<'_> {
    /// The suites and the groups of TLS 1.3 are eliminated in the same hellos.
    pub(super) fn tls13(&mut self) -> Result<(), Stop> {
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
    pub(super) fn older_versions(&mut self) -> Result<(), Stop> {
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

    pub(super) fn ssl2(&mut self) -> Result<(), Stop> {
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
    pub(super) fn classes(&mut self) -> Result<(), Stop> {
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

    /// If what was chosen so far does not tell: the two that are known, the other way round.
    pub(super) fn preference(&mut self) -> Result<(), Stop> {
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
    pub(super) fn rest_of_suites(&mut self) -> Result<(), Stop> {
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
    pub(super) fn rest_of_groups(&mut self) -> Result<(), Stop> {
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
}
