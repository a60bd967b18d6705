//! SPF (RFC 7208) as a pure function: it is told what the DNS says, or tells what it has to know first.

mod macros;
mod record;

use core::net::IpAddr;
use std::rc::Rc;

use mailward_model::Network;

use crate::policy::Spf;
use record::{Mechanism, Record, Term};

pub use record::is_spf;

/// A question to the DNS; names are lower case and without a dot at their end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Lookup {
    /// The texts of a name.
    Texts(String),
    /// Its addresses, of the family of the client; for `exists` of the other one, too.
    Addresses {
        /// The name.
        name: String,
        /// IPv6 and not IPv4.
        v6: bool,
    },
    /// Its mail servers.
    MailServers(String),
}

/// What the DNS says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The SPF record among the texts of a name.
    Record(Rc<Published>),
    /// Addresses.
    Addresses(Vec<IpAddr>),
    /// Names of mail servers.
    Names(Vec<String>),
    /// It did not answer.
    Nothing,
}

/// The SPF record of a name. It is read once, although a check begins anew with everything that it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published(Result<Option<Record>, ()>);

impl Published {
    /// Out of the texts of the name, the strings of each joined.
    pub fn of<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut records = texts.filter(|text| is_spf(text));
        Self(match (records.next(), records.next()) {
            (None, _) => Ok(None),
            (Some(text), None) => Record::read(text).map(Some).ok_or(()),
            (Some(_), Some(_)) => Err(()),
        })
    }
}

/// Who wants to send in whose name.
#[derive(Clone, Copy, Debug)]
pub struct Sending<'a> {
    /// The client's address.
    pub client: IpAddr,
    /// Its name, confirmed forward and back; empty where it has none.
    pub name: &'a str,
    /// What it calls itself.
    pub helo: &'a str,
    /// The envelope sender; empty for a bounce, which is judged by its HELO.
    pub sender: &'a str,
}

/// Mechanisms that ask the DNS, in all (RFC 7208 section 4.6.4).
const LOOKUPS: u32 = 10;
/// Of those, answers that there is nothing.
const VOID: u32 = 2;
/// Mail servers of a name that are looked at.
const MAIL_SERVERS: usize = 10;

/// Why there is no result.
enum Stop {
    /// This has to be known first.
    Unknown(Lookup),
    /// The record is wrong, or the DNS does not answer: there is nothing to go by.
    Error,
}

/// What the SPF record of the sender's domain says. Records that are wrong and a DNS that does not answer say nothing.
///
/// # Errors
/// What has to be known first.
pub fn check(sending: &Sending<'_>, known: &dyn Fn(&Lookup) -> Option<Found>) -> Result<Spf, Lookup> {
    let (local, domain) = match sending.sender.rsplit_once('@') {
        Some((local, domain)) => (local, domain),
        None => ("postmaster", sending.helo),
    };
    let domain = domain.trim_end_matches('.').to_ascii_lowercase();
    if !is_name(&domain) {
        return Ok(Spf::None);
    }
    let mut checking = Checking { sending, local, known, lookups: 0, void: 0 };
    match checking.domain(&domain) {
        Ok(result) => Ok(result),
        Err(Stop::Error) => Ok(Spf::None),
        Err(Stop::Unknown(lookup)) => Err(lookup),
    }
}

struct Checking<'a> {
    sending: &'a Sending<'a>,
    local: &'a str,
    known: &'a dyn Fn(&Lookup) -> Option<Found>,
    lookups: u32,
    void: u32,
}

impl Checking<'_> {
    /// What the record of a domain says (section 4).
    fn domain(&mut self, domain: &str) -> Result<Spf, Stop> {
        let Found::Record(published) = self.ask(Lookup::Texts(domain.to_owned()))? else {
            return Err(Stop::Error);
        };
        let Some(record) = published.0.as_ref().map_err(|()| Stop::Error)? else { return Ok(Spf::None) };
        for Term { result, mechanism } in &record.terms {
            if self.matches(mechanism, domain)? {
                return Ok(*result);
            }
        }
        let Some(redirect) = &record.redirect else { return Ok(Spf::None) };
        self.count()?;
        let target = self.expand(redirect, domain)?;
        self.domain(&target)
    }

    fn matches(&mut self, mechanism: &Mechanism, domain: &str) -> Result<bool, Stop> {
        match mechanism {
            Mechanism::All => Ok(true),
            Mechanism::Network(network) => Ok(network.contains(self.sending.client)),
            Mechanism::Address { domain: name, v4, v6 } => {
                self.count()?;
                let name = self.target(name.as_deref(), domain)?;
                self.has_address(name, *v4, *v6)
            }
            Mechanism::MailServers { domain: name, v4, v6 } => {
                self.count()?;
                let name = self.target(name.as_deref(), domain)?;
                let Found::Names(names) = self.ask(Lookup::MailServers(name))? else {
                    return Err(Stop::Error);
                };
                self.note_void(names.is_empty())?;
                for name in names.into_iter().take(MAIL_SERVERS) {
                    if self.has_address(name, *v4, *v6)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Mechanism::Include(name) => {
                self.count()?;
                let name = self.expand(name, domain)?;
                Ok(self.domain(&name)? == Spf::Pass)
            }
            Mechanism::Exists(name) => {
                self.count()?;
                let name = self.expand(name, domain)?;
                let found = self.ask(Lookup::Addresses { name, v6: false })?;
                let Found::Addresses(addresses) = found else { return Err(Stop::Error) };
                self.note_void(addresses.is_empty())?;
                Ok(!addresses.is_empty())
            }
            // Section 5.5. The mail server has confirmed the name before; of an address with several names it knows one.
            Mechanism::Pointer(name) => {
                self.count()?;
                let name = self.target(name.as_deref(), domain)?;
                Ok(is_within(self.sending.name, &name))
            }
        }
    }

    fn has_address(&mut self, name: String, v4: u8, v6: u8) -> Result<bool, Stop> {
        let client = self.sending.client;
        let found = self.ask(Lookup::Addresses { name, v6: client.is_ipv6() })?;
        let Found::Addresses(addresses) = found else { return Err(Stop::Error) };
        self.note_void(addresses.is_empty())?;
        let prefix = if client.is_ipv6() { v6 } else { v4 };
        Ok(addresses.into_iter().any(|address| Network::around(address, prefix).contains(client)))
    }

    fn target(&self, name: Option<&str>, domain: &str) -> Result<String, Stop> {
        name.map_or_else(|| Ok(domain.to_owned()), |name| self.expand(name, domain))
    }

    fn expand(&self, text: &str, domain: &str) -> Result<String, Stop> {
        let name = macros::expand(text, self.sending, self.local, domain).ok_or(Stop::Error)?;
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        is_name(&name).then_some(name).ok_or(Stop::Error)
    }

    fn count(&mut self) -> Result<(), Stop> {
        self.lookups += 1;
        if self.lookups > LOOKUPS { Err(Stop::Error) } else { Ok(()) }
    }

    fn note_void(&mut self, is_void: bool) -> Result<(), Stop> {
        self.void += u32::from(is_void);
        if self.void > VOID { Err(Stop::Error) } else { Ok(()) }
    }

    fn ask(&self, lookup: Lookup) -> Result<Found, Stop> {
        match (self.known)(&lookup) {
            Some(Found::Nothing) => Err(Stop::Error),
            Some(found) => Ok(found),
            None => Err(Stop::Unknown(lookup)),
        }
    }
}

fn is_within(name: &str, domain: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn is_name(name: &str) -> bool {
    let is_label =
        |label: &str| !label.is_empty() && label.len() <= 63 && label.bytes().all(|b| b.is_ascii_graphic());
    name.len() <= 253 && name.contains('.') && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests;
