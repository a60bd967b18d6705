//! What a domain's record says of an address: check_host() of RFC 7208 4.

use std::net::IpAddr;

use super::super::{address, is_within};
use super::{LOOKUPS, Mechanism, Qualifier, Record, Subject, Term, VOIDS, expand, is_record};
use crate::facts::Dns;

/// What the record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is no record.
    None,
    /// It says nothing of the address; the term that matched, if one did.
    Neutral(Option<String>),
    /// It may send, because of a term.
    Pass(String),
    /// It may not, because of a term.
    Fail(String),
    /// It may hardly, because of a term.
    SoftFail(String),
    /// The record is broken; how.
    Broken(String),
    /// The DNS did not tell; why.
    Untold(String),
    /// A question that was not asked yet.
    Missing(String),
}

/// Asks a domain's record of a subject.
#[must_use]
pub fn check(dns: &Dns, domain: &str, subject: &Subject) -> Verdict {
    let Some(address) = subject.address else { return Verdict::Untold("no address to ask about".to_owned()) };
    let mut state = State { dns, subject, address: address.to_canonical(), lookups: 0, voids: 0 };
    state.domain(domain).unwrap_or_else(|end| end)
}

struct State<'a> {
    dns: &'a Dns,
    subject: &'a Subject,
    address: IpAddr,
    lookups: usize,
    voids: usize,
}

impl<'a> State<'a> {
    fn ask(&mut self, kind: &str, name: &str) -> Result<&'a [String], Verdict> {
        let question = Dns::question(kind, name);
        if !self.dns.answers.contains_key(&question) {
            return Err(Verdict::Missing(question));
        }
        self.dns.records(kind, name).map_err(|_| Verdict::Untold(question))
    }

    fn counted(&mut self, kind: &str, name: &str) -> Result<&'a [String], Verdict> {
        let records = self.ask(kind, name)?;
        if records.is_empty() {
            self.voids += 1;
            if self.voids > VOIDS {
                return Err(Verdict::Broken(format!(
                    "more than {VOIDS} look-ups find nothing, the last is {kind} {name}"
                )));
            }
        }
        Ok(records)
    }

    fn count(&mut self, term: &str) -> Result<(), Verdict> {
        self.lookups += 1;
        if self.lookups > LOOKUPS {
            return Err(Verdict::Broken(format!("more than {LOOKUPS} look-ups, the last is {term}")));
        }
        Ok(())
    }

    /// `Err` ends the whole evaluation.
    fn domain(&mut self, domain: &str) -> Result<Verdict, Verdict> {
        let texts = self.ask("TXT", domain)?;
        let mut records = texts.iter().filter(|text| is_record(text));
        let text = match (records.next(), records.next()) {
            (Some(text), None) => text,
            (None, _) => return Ok(Verdict::None),
            _ => return Err(Verdict::Broken(format!("{domain} has several SPF records"))),
        };
        let record = Record::read(text);
        if let Some(problem) = record.problems.first() {
            return Err(Verdict::Broken(format!("{domain}: {problem}")));
        }
        for placed in &record.terms {
            let Term::Directive(qualifier, mechanism) = &placed.term else { continue };
            if self.matches(mechanism, domain, &placed.text)? {
                return Ok(verdict(*qualifier, format!("{} in the record of {domain}", placed.text)));
            }
        }
        match record.redirect().and_then(|target| expand(target, domain, self.subject)) {
            Some(target) => {
                self.count(&format!("redirect={target}"))?;
                match self.domain(&target)? {
                    Verdict::None => {
                        Err(Verdict::Broken(format!("redirect={target}, which has no SPF record")))
                    }
                    verdict => Ok(verdict),
                }
            }
            None => Ok(Verdict::Neutral(None)),
        }
    }

    fn matches(&mut self, mechanism: &Mechanism, domain: &str, term: &str) -> Result<bool, Verdict> {
        match mechanism {
            Mechanism::All => Ok(true),
            Mechanism::Ip4(network, prefix) => {
                Ok(address::contains((*network).into(), *prefix, self.address))
            }
            Mechanism::Ip6(network, prefix) => {
                Ok(address::contains((*network).into(), *prefix, self.address))
            }
            Mechanism::Include(target) => self.include(target, domain, term),
            Mechanism::A(spec, four, six) => {
                self.count(term)?;
                let name = self.name(spec.as_deref(), domain);
                let kind = self.family();
                let found = self.counted(kind, &name)?;
                Ok(self.among(found, *four, *six))
            }
            Mechanism::Mx(spec, four, six) => self.exchangers(spec.as_deref(), domain, term, (*four, *six)),
            Mechanism::Exists(spec) => {
                self.count(term)?;
                let name = self.name(Some(spec), domain);
                Ok(!self.counted("A", &name)?.is_empty())
            }
            Mechanism::Ptr(spec) => self.pointers(spec.as_deref(), domain, term),
        }
    }

    fn include(&mut self, target: &str, domain: &str, term: &str) -> Result<bool, Verdict> {
        self.count(term)?;
        let target = self.name(Some(target), domain);
        match self.domain(&target)? {
            Verdict::Pass(_) => Ok(true),
            Verdict::None => Err(Verdict::Broken(format!("{term}: {target} has no SPF record"))),
            _ => Ok(false),
        }
    }

    fn exchangers(
        &mut self,
        spec: Option<&str>,
        domain: &str,
        term: &str,
        (four, six): (u8, u8),
    ) -> Result<bool, Verdict> {
        self.count(term)?;
        let name = self.name(spec, domain);
        let records = self.counted("MX", &name)?;
        if records.len() > LOOKUPS {
            return Err(Verdict::Broken(format!("{term}: {name} has more than {LOOKUPS} exchangers")));
        }
        for record in records {
            let Some((_, host)) = record.split_once(' ').filter(|(_, host)| *host != ".") else { continue };
            let kind = self.family();
            let found = self.ask(kind, host)?;
            if self.among(found, four, six) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Failures of these look-ups only mean that nothing matches (RFC 7208 5.5).
    fn pointers(&mut self, spec: Option<&str>, domain: &str, term: &str) -> Result<bool, Verdict> {
        self.count(term)?;
        let wanted = self.name(spec, domain);
        let pointer = address::pointer(self.address);
        for name in self.ask("PTR", &pointer)?.iter().take(LOOKUPS).filter(|name| is_within(name, &wanted)) {
            let kind = self.family();
            let found = self.ask(kind, name)?;
            if self.among(found, 32, 128) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn name(&self, spec: Option<&str>, domain: &str) -> String {
        let name = spec.and_then(|spec| expand(spec, domain, self.subject));
        name.unwrap_or_else(|| domain.to_owned()).trim_end_matches('.').to_owned()
    }

    fn family(&self) -> &'static str {
        if self.address.is_ipv4() { "A" } else { "AAAA" }
    }

    fn among(&self, records: &[String], four: u8, six: u8) -> bool {
        let prefix = if self.address.is_ipv4() { four } else { six };
        records
            .iter()
            .filter_map(|record| record.parse().ok())
            .any(|found| address::contains(found, prefix, self.address))
    }
}

fn verdict(qualifier: Qualifier, term: String) -> Verdict {
    match qualifier {
        Qualifier::Pass => Verdict::Pass(term),
        Qualifier::Fail => Verdict::Fail(term),
        Qualifier::SoftFail => Verdict::SoftFail(term),
        Qualifier::Neutral => Verdict::Neutral(Some(term)),
    }
}
