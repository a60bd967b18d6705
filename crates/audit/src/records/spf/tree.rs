//! What a domain's record comes to with all that it includes, whoever sends: look-ups, voids, loops, dead ends.

use std::collections::BTreeSet;

use super::{Mechanism, Placed, Problem, Record, Subject, Term, expand, is_record};
use crate::Untold;
use crate::facts::Dns;

/// How many terms that need a look-up a record may have in all (RFC 7208 4.6.4).
pub const LOOKUPS: usize = 10;
/// How many look-ups may find nothing.
pub const VOIDS: usize = 2;
/// Where counting ends: a record is as broken with forty as with four hundred.
const ENOUGH: usize = 40;

/// A record that takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The domain that has it.
    pub domain: String,
    /// The terms that led there: `include:a.example`, `redirect=b.example`.
    pub via: Vec<String>,
    /// Its text.
    pub text: String,
    /// What it says.
    pub record: Record,
    /// Look-ups made for it and all below it.
    pub lookups: usize,
}

/// What a record comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// The records that take part, the domain's own first.
    pub parts: Vec<Part>,
    /// Look-ups in all.
    pub lookups: usize,
    /// The term that goes over the limit, with its domain.
    pub crossing: Option<String>,
    /// Look-ups that found nothing.
    pub voids: Vec<String>,
    /// Records with a wrong term, by domain.
    pub syntax: Vec<(String, Problem)>,
    /// Includes and redirects that lead back to where they came from.
    pub loops: Vec<String>,
    /// Includes and redirects to domains without a record, or with several.
    pub dead_ends: Vec<String>,
    /// `mx` terms with more than ten exchangers.
    pub many_exchangers: Vec<String>,
    /// Questions that were not asked yet.
    pub missing: BTreeSet<String>,
    /// What the DNS did not tell.
    pub untold: Option<Untold>,
}

/// Follows a domain's record; none in `parts` if it has none, or several.
#[must_use]
pub fn tree(dns: &Dns, domain: &str) -> Tree {
    let mut walk = Walk { dns, tree: Tree::default() };
    if let Some(text) = walk.record_of(domain, None) {
        walk.follow(domain, text, &[]);
    }
    walk.tree
}

impl Tree {
    /// The domain's own record.
    #[must_use]
    pub fn own(&self) -> Option<&Part> {
        self.parts.first()
    }

    /// Whether all was told.
    ///
    /// # Errors
    /// When something was not.
    pub fn complete(&self) -> Result<(), Untold> {
        if let Some(question) = self.missing.first() {
            return Err(Untold::CouldNotTell(format!("{question} was not asked of the DNS")));
        }
        self.untold.clone().map_or(Ok(()), Err)
    }
}

struct Walk<'a> {
    dns: &'a Dns,
    tree: Tree,
}

impl<'a> Walk<'a> {
    fn ask(&mut self, kind: &str, name: &str) -> Option<&'a [String]> {
        if !self.dns.answers.contains_key(&Dns::question(kind, name)) {
            self.tree.missing.insert(Dns::question(kind, name));
            return None;
        }
        match self.dns.records(kind, name) {
            Ok(records) => Some(records),
            Err(untold) => {
                self.tree.untold.get_or_insert(untold);
                None
            }
        }
    }

    /// The one SPF record of a domain; what led there is at fault if there is none.
    fn record_of(&mut self, domain: &str, via: Option<&str>) -> Option<&'a str> {
        let texts = self.ask("TXT", domain)?;
        let mut records = texts.iter().filter(|text| is_record(text));
        let (first, second) = (records.next(), records.next());
        match (first, second, via) {
            (Some(text), None, _) => return Some(text),
            (Some(_), Some(_), Some(via)) => {
                self.tree.dead_ends.push(format!("{via}: {domain} has several SPF records"));
            }
            (None, _, Some(via)) => self.tree.dead_ends.push(format!("{via}: {domain} has no SPF record")),
            _ => {}
        }
        if texts.is_empty() && via.is_some() {
            self.tree.voids.push(format!("TXT {domain}"));
        }
        None
    }

    fn follow(&mut self, domain: &str, text: &str, via: &[String]) {
        let record = Record::read(text);
        let place = self.tree.parts.len();
        let before = self.tree.lookups;
        self.tree.syntax.extend(record.problems.iter().map(|problem| (domain.to_owned(), problem.clone())));
        let part =
            Part { domain: domain.to_owned(), via: via.to_vec(), text: text.to_owned(), record, lookups: 0 };
        self.tree.parts.push(part.clone());
        let redirect = part.record.redirect().map(str::to_owned);
        for placed in &part.record.terms {
            match &placed.term {
                Term::Directive(_, Mechanism::All) => break,
                Term::Directive(_, mechanism) => self.directive(domain, mechanism, placed, via),
                Term::Redirect(_) | Term::Explanation(_) | Term::Other => {}
            }
        }
        if let Some(target) = redirect {
            self.branch(domain, &target, &format!("redirect={target}"), via);
        }
        let lookups = self.tree.lookups - before;
        if let Some(part) = self.tree.parts.get_mut(place) {
            part.lookups = lookups;
        }
    }

    fn count(&mut self, domain: &str, term: &str) {
        self.tree.lookups += 1;
        if self.tree.lookups == LOOKUPS + 1 {
            self.tree.crossing = Some(format!("{term} in the record of {domain}"));
        }
    }

    fn directive(&mut self, domain: &str, mechanism: &Mechanism, placed: &Placed, via: &[String]) {
        match mechanism {
            Mechanism::All | Mechanism::Ip4(..) | Mechanism::Ip6(..) => {}
            Mechanism::Include(target) => self.branch(domain, target, &placed.text, via),
            Mechanism::A(spec, ..) => {
                self.count(domain, &placed.text);
                if let Some(name) = resolve(spec.as_deref(), domain) {
                    self.address(&name);
                }
            }
            Mechanism::Mx(spec, ..) => {
                self.count(domain, &placed.text);
                if let Some(name) = resolve(spec.as_deref(), domain) {
                    self.exchangers(&name, &placed.text);
                }
            }
            Mechanism::Exists(_) | Mechanism::Ptr(_) => self.count(domain, &placed.text),
        }
    }

    fn branch(&mut self, domain: &str, spec: &str, term: &str, via: &[String]) {
        self.count(domain, term);
        let Some(target) = resolve(Some(spec), domain) else { return };
        let path: Vec<String> = via.iter().cloned().chain([term.to_owned()]).collect();
        let above = self.tree.parts.iter().take(1).map(|part| part.domain.clone());
        let ancestors: Vec<String> = above.chain(via.iter().filter_map(|term| named(term))).collect();
        if ancestors.iter().any(|ancestor| ancestor.eq_ignore_ascii_case(&target))
            || domain.eq_ignore_ascii_case(&target)
        {
            self.tree.loops.push(format!("{term} in the record of {domain}"));
            return;
        }
        if self.tree.lookups > ENOUGH {
            return;
        }
        if let Some(text) = self.record_of(&target, Some(&format!("{term} in the record of {domain}"))) {
            self.follow(&target, text, &path);
        }
    }

    /// A name without an address of either family is void for every sender.
    fn address(&mut self, name: &str) {
        let (four, six) = (self.ask("A", name), self.ask("AAAA", name));
        if four.is_some_and(<[_]>::is_empty) && six.is_some_and(<[_]>::is_empty) {
            self.tree.voids.push(format!("A and AAAA {name}"));
        }
    }

    fn exchangers(&mut self, name: &str, term: &str) {
        let Some(records) = self.ask("MX", name) else { return };
        if records.is_empty() {
            self.tree.voids.push(format!("MX {name}"));
        }
        if records.len() > LOOKUPS {
            self.tree.many_exchangers.push(format!("{term}: {name} has {} exchangers", records.len()));
        }
        for record in records.iter().take(LOOKUPS) {
            if let Some((_, host)) = record.split_once(' ').filter(|(_, host)| *host != ".") {
                self.ask("A", host);
                self.ask("AAAA", host);
            }
        }
    }
}

fn resolve(spec: Option<&str>, domain: &str) -> Option<String> {
    let nobody = Subject { address: None, sender: format!("postmaster@{domain}"), helo: domain.to_owned() };
    let name = spec.map_or(Some(domain.to_owned()), |spec| expand(spec, domain, &nobody))?;
    Some(name.trim_end_matches('.').to_owned())
}

fn named(term: &str) -> Option<String> {
    let (_, name) = term.split_once([':', '='])?;
    Some(name.trim_end_matches('.').to_ascii_lowercase())
}
