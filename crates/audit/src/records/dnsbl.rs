//! Block lists in the DNS (RFC 5782): how Postfix names them, which are gone, and what their answers mean.

use std::net::{IpAddr, Ipv4Addr};

use super::is_within;
use crate::postfix::restrictions::LISTS;
use crate::{Server, Untold};

/// What a list is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Addresses of clients.
    Address,
    /// Domains of senders, HELO names, links.
    Domain,
}

/// What an entry does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Adds to postscreen's score.
    Score(i32),
    /// Refuses by itself.
    Reject,
    /// Lets through by itself.
    Permit,
}

/// A list where a configuration uses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// Its zone.
    pub zone: String,
    /// Which answers count, as written after `=`; none if all do.
    pub filter: Option<String>,
    /// What it does.
    pub effect: Effect,
    /// What it is about.
    pub scope: Scope,
    /// The entry as it stands.
    pub text: String,
}

/// The lists of `postscreen_dnsbl_sites`.
#[must_use]
pub fn in_postscreen(value: &str) -> Vec<Use> {
    let entries = value.split([',', ' ', '\t', '\n']).filter(|entry| !entry.is_empty());
    entries
        .map(|text| {
            let (site, weight) = text.rsplit_once('*').unwrap_or((text, "1"));
            let weight = weight.parse().unwrap_or(1);
            entry(site, Effect::Score(weight), Scope::Address, text.to_owned())
        })
        .collect()
}

/// The lists of a restriction list.
#[must_use]
pub fn in_restrictions(value: &str) -> Vec<Use> {
    let words: Vec<&str> = value.split([',', ' ', '\t', '\n']).filter(|word| !word.is_empty()).collect();
    words
        .windows(2)
        .filter_map(|pair| {
            let [name, site] = pair else { return None };
            let (effect, scope) = match *name {
                "reject_rbl_client" => (Effect::Reject, Scope::Address),
                "permit_dnswl_client" => (Effect::Permit, Scope::Address),
                "permit_rhswl_client" => (Effect::Permit, Scope::Domain),
                name if name.starts_with("reject_rhsbl_") => (Effect::Reject, Scope::Domain),
                _ => return None,
            };
            Some(entry(site, effect, scope, format!("{name} {site}")))
        })
        .collect()
}

fn entry(site: &str, effect: Effect, scope: Scope, text: String) -> Use {
    let (zone, filter) = match site.split_once('=') {
        Some((zone, filter)) => (zone, Some(filter.to_owned())),
        None => (site, None),
    };
    Use { zone: zone.trim_end_matches('.').to_ascii_lowercase(), filter, effect, scope, text }
}

/// Lists that closed, and when. Some answer everything since.
const GONE: &[(&str, &str)] = &[
    ("sorbs.net", "closed June 2024"),
    ("ordb.org", "closed December 2006; answered everything in 2008"),
    ("njabl.org", "closed March 2013"),
    ("ahbl.org", "closed January 2015; answered everything afterwards"),
    ("dsbl.org", "closed March 2009"),
    ("spamcannibal.org", "closed May 2018; answered everything afterwards"),
    ("opm.blitzed.org", "closed May 2006"),
    ("blackholes.five-ten-sg.com", "closed May 2012"),
    ("rfc-ignorant.org", "closed November 2012"),
    ("ix.dnsbl.manitu.net", "closed January 2025"),
    ("blackholes.easynet.nl", "closed December 2003"),
    ("dnsbl.cyberlogic.net", "closed 2014"),
    ("mail-abuse.org", "the public zones closed long ago"),
    ("mail-abuse.com", "the public zones closed long ago"),
];

/// When a list closed, if it did.
#[must_use]
pub fn gone(zone: &str) -> Option<&'static str> {
    GONE.iter().find(|(name, _)| is_within(zone, name)).map(|(_, when)| *when)
}

/// Lists that list whole networks or much else that is no spam, by their operators' own words.
const BROAD: &[(&str, &str)] = &[
    ("dnsbl-2.uceprotect.net", "lists networks because of some of their addresses"),
    ("dnsbl-3.uceprotect.net", "lists whole providers"),
    ("dyna.spamrats.com", "lists addresses by the form of their names"),
    ("noptr.spamrats.com", "lists addresses without a name"),
    ("all.spamrats.com", "lists addresses by the form of their names, too"),
    ("dul.dnsbl.sorbs.net", "listed networks that look dynamic"),
    ("dnsbl.spfbl.net", "lists addresses without a name of their own, too"),
    ("block.ascams.com", "lists networks"),
    ("backscatter.spameatingmonkey.net", "lists servers that send bounces"),
    ("ips.backscatterer.org", "lists servers that send bounces"),
];

/// Why a list should not decide alone, if it should not.
#[must_use]
pub fn broad(zone: &str) -> Option<&'static str> {
    BROAD.iter().find(|(name, _)| *name == zone).map(|(_, why)| *why)
}

/// Lists that are asked about the server's addresses even if it does not use them.
pub const ADDRESS_LISTS: &[&str] =
    &["zen.spamhaus.org", "bl.spamcop.net", "b.barracudacentral.org", "psbl.surriel.com"];

/// Lists that are asked about domains, with the name that must be listed.
pub const DOMAIN_LISTS: &[(&str, &str)] = &[
    ("dbl.spamhaus.org", "dbltest.com"),
    ("multi.surbl.org", "test.surbl.org"),
    ("multi.uribl.com", "test.uribl.com"),
];

/// What an answer of a list means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// It is listed, with these codes.
    Listed(Vec<Ipv4Addr>),
    /// It is not.
    Clean,
    /// The list refuses to answer: the resolver is public, or asks too much.
    Refused(Ipv4Addr),
    /// It answers with something that no list answers with: a parked zone.
    Strange(String),
}

/// What the records of an answer mean.
#[must_use]
pub fn meaning(zone: &str, records: &[String]) -> Meaning {
    let codes: Vec<Ipv4Addr> = records.iter().filter_map(|record| record.parse().ok()).collect();
    if let Some(code) = codes.iter().find(|code| refusal(zone, **code)) {
        return Meaning::Refused(*code);
    }
    match codes.iter().find(|code| !code.is_loopback()) {
        Some(code) => Meaning::Strange(code.to_string()),
        None if codes.is_empty() => Meaning::Clean,
        None => Meaning::Listed(codes),
    }
}

/// 127.255.255.0/24 is Spamhaus' and others' error; dnswl.org says 127.0.0.255, the URI lists 127.0.0.1.
fn refusal(zone: &str, code: Ipv4Addr) -> bool {
    match code.octets() {
        [127, 255, 255, _] => true,
        [127, 0, 0, 255] => is_within(zone, "dnswl.org"),
        [127, 0, 0, 1] => is_within(zone, "uribl.com") || is_within(zone, "surbl.org"),
        _ => false,
    }
}

/// Whether a filter lets an address through: `127.0.0.[2..11]`, `127.0.[0..255].[1;3]` (postconf(5), postscreen_dnsbl_sites).
#[must_use]
pub fn allows(filter: &str, code: Ipv4Addr) -> bool {
    let parts = octets(filter);
    parts.len() == 4 && parts.iter().zip(code.octets()).all(|(part, octet)| allows_octet(part, octet))
}

/// Splits at dots outside of brackets.
fn octets(filter: &str) -> Vec<&str> {
    let mut inside = false;
    filter
        .split(|c| {
            inside = (inside || c == '[') && c != ']';
            c == '.' && !inside
        })
        .collect()
}

fn allows_octet(part: &str, octet: u8) -> bool {
    let Some(list) = part.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else {
        return part.parse() == Ok(octet);
    };
    list.split(';').any(|item| match item.split_once("..") {
        Some((from, to)) => {
            matches!((from.parse::<u8>(), to.parse::<u8>()), (Ok(from), Ok(to)) if (from..=to).contains(&octet))
        }
        None => item.parse() == Ok(octet),
    })
}

/// The name under which a list knows an address.
#[must_use]
pub fn name_of(address: IpAddr, zone: &str) -> String {
    format!("{}.{zone}", super::address::reversed(address))
}

/// The address that every list lists (RFC 5782 5), as a name in a zone.
#[must_use]
pub fn listed_test(zone: &str) -> String {
    format!("2.0.0.127.{zone}")
}

/// The address that no list lists.
#[must_use]
pub fn clean_test(zone: &str) -> String {
    format!("1.0.0.127.{zone}")
}

/// The lists that a server's Postfix uses, with where.
///
/// # Errors
/// When its configuration is not known.
pub fn used(server: &Server<'_>) -> Result<Vec<(Use, String)>, Untold> {
    let postfix = server.postfix()?;
    let mut found: Vec<(Use, String)> = Vec::new();
    if postfix.postscreen().is_some() {
        let sites = postfix.in_main("postscreen_dnsbl_sites")?;
        found.extend(
            in_postscreen(&sites.value)
                .into_iter()
                .map(|list| (list, format!("postscreen_dnsbl_sites ({})", sites.place))),
        );
    }
    for service in postfix.smtpd() {
        for parameter in LISTS {
            let Ok(effective) = postfix.in_service(service, parameter) else { continue };
            let place = format!("{parameter} ({})", effective.place);
            found.extend(in_restrictions(&effective.value).into_iter().map(|list| (list, place.clone())));
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|(list, place)| seen.insert((list.text.clone(), place.clone())));
    Ok(found)
}
