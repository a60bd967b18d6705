//! Names, addresses, trust.

mod address;
mod authority;
mod exchanger;
mod resolver;
mod signed;
mod zone;

pub(crate) use resolver::slow;

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::check::not_applicable;
use crate::facts::Dns;
use crate::records::address::special;
use crate::{Check, Finding, Judged, NotYet, Outcome, Remedy, Server, Untold, questions};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[
    &exchanger::DNS_001,
    &exchanger::DNS_002,
    &exchanger::DNS_003,
    &exchanger::DNS_004,
    &exchanger::DNS_005,
    &exchanger::DNS_006,
    &address::DNS_007,
    &address::DNS_008,
    &address::DNS_009,
    &address::DNS_010,
    &address::DNS_011,
    &signed::DNS_012,
    &signed::DNS_013,
    &signed::DNS_014,
    &authority::DNS_015,
    &authority::DNS_016,
    &zone::DNS_017,
    &zone::DNS_018,
    &zone::DNS_019,
    &zone::DNS_020,
    &zone::DNS_021,
    &resolver::DNS_022,
    &resolver::DNS_023,
    &exchanger::DNS_024,
    &resolver::DNS_026,
];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[NotYet {
    id: "DNS-025",
    title: "Route of the MX prefix not covered by a valid ROA",
    because: "no answer of the DNS says it; it takes RPKI data, which the audit does not fetch",
}];

/// The mail domains.
///
/// # Errors
/// When none is known.
pub(crate) fn domains<'a>(server: &Server<'a>) -> Result<&'a [String], Untold> {
    let dns = &server.facts.dns;
    if dns.domains.is_empty() {
        dns.resolver.get()?;
        return not_applicable("no mail domain is known; name one with --domain");
    }
    Ok(&dns.domains)
}

/// The mail domains' exchangers, without null MX and what is no name.
///
/// # Errors
/// When no domain is known, or the DNS does not tell.
pub(crate) fn exchangers(server: &Server<'_>) -> Result<BTreeSet<String>, Untold> {
    let mut hosts = BTreeSet::new();
    for domain in domains(server)? {
        let all = server.facts.dns.exchangers(domain)?;
        hosts.extend(all.into_iter().map(|(_, host)| host).filter(|host| host != "."));
    }
    if hosts.is_empty() { not_applicable("no mail domain has an MX record") } else { Ok(hosts) }
}

/// The addresses that the Internet sees.
///
/// # Errors
/// When none is known.
pub(crate) fn addresses(server: &Server<'_>) -> Result<Vec<IpAddr>, Untold> {
    let dns = &server.facts.dns;
    let found: Vec<IpAddr> =
        questions::addresses(dns).into_iter().filter(|address| special(*address).is_none()).collect();
    if found.is_empty() {
        dns.resolver.get()?;
        return not_applicable("no public address of the server is known; name one with --address");
    }
    Ok(found)
}

/// The name that the server gives when it sends.
///
/// # Errors
/// When none is known.
pub(crate) fn helo(server: &Server<'_>) -> Result<String, Untold> {
    let configured = server.postfix().ok().and_then(|postfix| postfix.value("smtp_helo_name"));
    let known =
        configured.filter(|name| name.contains('.')).or_else(|| server.facts.dns.hosts.first().cloned());
    match known {
        Some(name) => Ok(name.to_ascii_lowercase()),
        None => {
            server.facts.dns.resolver.get()?;
            not_applicable("the server's name is not known; name it with --host")
        }
    }
}

/// Judges each by itself: a finding for each that has the weakness; what could not be told of one does not hide it in another.
pub(crate) fn each<T>(
    all: impl IntoIterator<Item = T>,
    shown: &str,
    mut judge: impl FnMut(T) -> Result<Option<Finding>, Untold>,
) -> Judged {
    let (mut findings, mut untold, mut passed) = (Vec::new(), None, false);
    for one in all {
        match judge(one) {
            Ok(Some(finding)) => findings.push(finding),
            Ok(None) => passed = true,
            Err(could_not @ Untold::CouldNotTell(_)) => untold = Some(could_not),
            Err(other) => untold = untold.or(Some(other)),
        }
    }
    match untold {
        Some(Untold::CouldNotTell(why)) if findings.is_empty() => Err(Untold::CouldNotTell(why)),
        Some(why) if findings.is_empty() && !passed => Err(why),
        None if findings.is_empty() && !passed => not_applicable("there is nothing that it is about"),
        _ => Ok(Outcome::of(findings, shown)),
    }
}

/// Judges each mail domain.
pub(crate) fn each_domain(
    server: &Server<'_>,
    shown: &str,
    judge: impl Fn(&Dns, &str) -> Result<Option<Finding>, Untold>,
) -> Judged {
    each(domains(server)?, shown, |domain| judge(&server.facts.dns, domain))
}

/// Judges each exchanger.
pub(crate) fn each_exchanger(
    server: &Server<'_>,
    shown: &str,
    judge: impl Fn(&Dns, &str) -> Result<Option<Finding>, Untold>,
) -> Judged {
    each(exchangers(server)?, shown, |host| judge(&server.facts.dns, &host))
}

/// Judges each exchanger that is this server, by name or address; another's zone is not ours to mend.
pub(crate) fn each_own_exchanger(
    server: &Server<'_>,
    shown: &str,
    judge: impl Fn(&Dns, &str) -> Result<Option<Finding>, Untold>,
) -> Judged {
    let dns = &server.facts.dns;
    let own = addresses(server).unwrap_or_default();
    each_exchanger(server, shown, |_, host| {
        let named = dns.hosts.iter().any(|name| name.eq_ignore_ascii_case(host));
        let nothing_known = own.is_empty() && dns.hosts.is_empty();
        let ours =
            nothing_known || named || dns.addresses_of(host)?.iter().any(|address| own.contains(address));
        if !ours {
            return not_applicable(format!("{host} is another server"));
        }
        judge(dns, host)
    })
}

/// That something could not be told.
pub(crate) fn untold<T>(why: impl Into<String>) -> Result<T, Untold> {
    crate::check::could_not_tell(why)
}

/// A record to publish, and how to see it.
pub(crate) fn publish(advice: &str, record: &str) -> Remedy {
    let mut words = record.split_whitespace();
    let (name, kind) = (words.next().unwrap_or_default(), words.nth(1).unwrap_or_default());
    Remedy::new(advice)
        .add("DNS", &[record])
        .apply("publish it where the zone is kept")
        .prove(format!("dig +short {kind} {name}"))
}

/// Whether a domain says that it takes no mail (RFC 7505).
pub(crate) fn is_parked(dns: &Dns, domain: &str) -> Result<bool, Untold> {
    let all = dns.exchangers(domain)?;
    Ok(!all.is_empty() && all.iter().all(|(_, host)| host == "."))
}
