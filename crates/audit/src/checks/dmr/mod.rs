//! DMARC.

mod policy;
mod record;
mod reports;

pub(crate) use policy::aligned;

use super::dns::each_domain;
use crate::check::not_applicable;
use crate::facts::Dns;
use crate::records::dmarc::{Found, discover};
use crate::{Check, Finding, Judged, NotYet, Remedy, Server, Untold};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[
    &record::DMR_001,
    &record::DMR_002,
    &record::DMR_003,
    &policy::DMR_004,
    &policy::DMR_005,
    &policy::DMR_006,
    &reports::DMR_007,
    &reports::DMR_008,
    &reports::DMR_009,
    &record::DMR_010,
    &policy::DMR_011,
    &record::DMR_012,
    &policy::DMR_013,
    &reports::DMR_014,
];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[];

/// Judges the record that holds for each mail domain.
fn each_record(
    server: &Server<'_>,
    shown: &str,
    judge: impl Fn(&Dns, &str, &Found) -> Result<Option<Finding>, Untold>,
) -> Judged {
    each_domain(server, shown, |dns, domain| match discover(dns, domain)? {
        Some(found) => judge(dns, domain, &found),
        None => not_applicable(format!("no DMARC record holds for {domain}")),
    })
}

/// Where a record stands.
fn place(domain: &str) -> String {
    format!("dig TXT _dmarc.{domain}")
}

/// Publish a record instead of another.
fn instead(advice: &str, found: &Found, record: &str) -> Remedy {
    let name = format!("_dmarc.{}. IN TXT", found.domain);
    Remedy::new(advice)
        .edit("DNS", &[&format!("{name} \"{}\"", found.text)], &[&format!("{name} \"{record}\"")])
        .apply("publish it where the zone is kept")
        .prove(format!("dig +short TXT _dmarc.{}", found.domain))
}

/// A record with a tag set to a value, added at the end if it has none; without it where there is no value.
fn with(text: &str, tag: &str, value: Option<&str>) -> String {
    let is_tag =
        |part: &&str| part.split_once('=').is_some_and(|(name, _)| name.trim().eq_ignore_ascii_case(tag));
    let parts = || text.split(';').map(str::trim).filter(|part| !part.is_empty());
    let known = parts().any(|part| is_tag(&part));
    let mut new: Vec<String> = parts()
        .filter_map(|part| match (is_tag(&part), value) {
            (true, Some(value)) => Some(format!("{tag}={value}")),
            (true, None) => None,
            (false, _) => Some(part.to_owned()),
        })
        .collect();
    if let (false, Some(value)) = (known, value) {
        new.push(format!("{tag}={value}"));
    }
    new.join("; ")
}
