//! Which domains Postfix takes mail for, and as what. See ADDRESS_CLASS_README.

use super::{Postfix, Service, Table, elements};
use crate::Untold;
use crate::check::could_not_tell;

/// What Postfix takes a domain's mail for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// `mydestination`: users of the system.
    Local,
    /// `virtual_alias_domains`: every address is an alias.
    VirtualAlias,
    /// `virtual_mailbox_domains`: mailboxes.
    VirtualMailbox,
    /// `relay_domains`: other servers have the mailboxes.
    Relay,
}

/// The domains that a parameter names.
#[derive(Debug, Default)]
pub struct Domains {
    /// Their names, in lower case, each with the place that names it.
    pub named: Vec<(String, String)>,
    /// Names taken out (`!name`).
    pub except: Vec<String>,
    /// Elements whose names are not known.
    pub unread: Vec<String>,
    /// Whether a name stands for its subdomains too.
    pub with_subdomains: bool,
    /// Tables of patterns.
    pub patterns: Vec<Table>,
}

impl Class {
    /// All, in the order in which Postfix decides.
    pub const ALL: [Self; 4] = [Self::Local, Self::VirtualAlias, Self::VirtualMailbox, Self::Relay];

    /// The parameter that names its domains.
    #[must_use]
    pub const fn parameter(self) -> &'static str {
        match self {
            Self::Local => "mydestination",
            Self::VirtualAlias => "virtual_alias_domains",
            Self::VirtualMailbox => "virtual_mailbox_domains",
            Self::Relay => "relay_domains",
        }
    }
}

impl Domains {
    /// Where a domain is named; none in the answer if it is not.
    ///
    /// # Errors
    /// When it could be in something that is not known.
    pub fn place_of(&self, domain: &str) -> Result<Option<&str>, Untold> {
        let domain = domain.to_ascii_lowercase();
        if self.except.contains(&domain) {
            return Ok(None);
        }
        let is = |name: &str| {
            name == domain
                || self.with_subdomains && below(&domain, name)
                || name.strip_prefix('.').is_some_and(|parent| below(&domain, parent))
        };
        match self.named.iter().find(|(name, _)| is(name)) {
            Some((_, place)) => Ok(Some(place)),
            None => self.pattern_for(&domain),
        }
    }

    fn pattern_for(&self, domain: &str) -> Result<Option<&str>, Untold> {
        for table in &self.patterns {
            if table.find(domain)?.is_some() {
                return Ok(Some(&table.name));
            }
        }
        match self.unread.first() {
            Some(element) => could_not_tell(format!("whether {element} has {domain} is not known")),
            None => Ok(None),
        }
    }
}

fn below(domain: &str, parent: &str) -> bool {
    domain.strip_suffix(parent).is_some_and(|rest| rest.ends_with('.'))
}

impl Postfix<'_> {
    /// What Postfix takes a domain's mail for, and where that stands; none for a domain of others.
    ///
    /// # Errors
    /// When a table that may have it is not known.
    pub fn class_of(
        &self,
        service: Option<&Service>,
        domain: &str,
    ) -> Result<Option<(Class, String)>, Untold> {
        let literal = domain.starts_with('[') && domain.ends_with(']');
        if literal {
            let inner = domain.trim_matches(['[', ']']).trim_start_matches("IPv6:");
            return Ok(self.own_address(inner)?.then(|| (Class::Local, "inet_interfaces".to_owned())));
        }
        let mut unknown = None;
        for class in Class::ALL {
            match self.domains(service, class)?.place_of(domain) {
                Ok(Some(place)) => return Ok(Some((class, place.to_owned()))),
                Ok(None) => {}
                Err(why) => unknown = Some(why),
            }
        }
        unknown.map_or(Ok(None), Err)
    }

    /// The domains of a class.
    ///
    /// # Errors
    /// When the parameter's default is not known.
    pub fn domains(&self, service: Option<&Service>, class: Class) -> Result<Domains, Untold> {
        let effective = match service {
            Some(service) => self.in_service(service, class.parameter())?,
            None => self.in_main(class.parameter())?,
        };
        let mut domains = Domains {
            with_subdomains: class == Class::Relay && self.parents_match(class.parameter()),
            ..Domains::default()
        };
        self.add_domains(&mut domains, &effective.value, &effective.place, 10);
        Ok(domains)
    }

    /// The domains that this server has mailboxes or aliases for, as far as they are known.
    #[must_use]
    pub fn own_domains(&self) -> Vec<String> {
        let own = [Class::Local, Class::VirtualAlias, Class::VirtualMailbox];
        let known = own.into_iter().filter_map(|class| self.domains(None, class).ok());
        known.flat_map(|domains| domains.named).map(|(name, _)| name).collect()
    }

    /// Whether `parent_domain_matches_subdomains` has a parameter.
    #[must_use]
    pub fn parents_match(&self, parameter: &str) -> bool {
        let list = self.value("parent_domain_matches_subdomains").unwrap_or_default();
        elements(&list).contains(&parameter)
    }

    /// Whether a client is this machine, as far as its addresses are known.
    pub(super) fn is_own_address(&self, client: std::net::IpAddr) -> bool {
        let client = client.to_string();
        matches!(client.as_str(), "127.0.0.1" | "::1") || self.own_address(&client) == Ok(true)
    }

    fn own_address(&self, literal: &str) -> Result<bool, Untold> {
        let Ok(address) = literal.parse::<std::net::IpAddr>() else { return Ok(false) };
        let interfaces = self.facts.host.addresses.get()?;
        let is = |network: &str| network.split('/').next().and_then(|own| own.parse().ok()) == Some(address);
        Ok(interfaces.iter().any(|interface| is(&interface.network)))
    }

    fn add_domains(&self, domains: &mut Domains, list: &str, place: &str, depth: usize) {
        for element in elements(list) {
            if let Some(excepted) = element.strip_prefix('!') {
                domains.except.push(excepted.to_ascii_lowercase());
            } else if element.starts_with('/') && depth > 0 {
                match self.list_file(element) {
                    Ok(text) => self.add_domains(domains, &text, element, depth - 1),
                    Err(_) => domains.unread.push(element.to_owned()),
                }
            } else if element.contains(':') {
                self.add_table(domains, element);
            } else {
                domains.named.push((element.to_ascii_lowercase(), place.to_owned()));
            }
        }
    }

    /// A table's keys are domains; in `virtual_alias_maps` and the like they are mixed with addresses.
    fn add_table(&self, domains: &mut Domains, name: &str) {
        let Ok(table) = self.table(name) else {
            domains.unread.push(name.to_owned());
            return;
        };
        if table.whole_only() {
            domains.patterns.push(table);
            return;
        }
        for entry in table.entries.iter().filter(|entry| !entry.key.contains('@')) {
            domains.named.push((entry.key.to_ascii_lowercase(), table.place(entry)));
        }
    }
}
