//! MTA-STS.

mod change;
mod policy;
mod record;

use super::dns::each_domain;
use crate::check::{could_not_tell, not_applicable};
use crate::facts::{AnnouncedPolicy, Dns, Fetched, Known};
use crate::records::sts::{Policy, id, is_meant, url};
use crate::{Check, Facts, Finding, Judged, NotYet, Server, Untold};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[
    &record::STS_001,
    &record::STS_002,
    &record::STS_003,
    &policy::STS_004,
    &policy::STS_005,
    &policy::STS_006,
    &policy::STS_007,
    &change::STS_008,
];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[];

/// The texts at `_mta-sts` that are meant as records; none means that the domain does not take part.
fn announced<'a>(dns: &'a Dns, domain: &str) -> Result<Vec<&'a str>, Untold> {
    let texts = dns.records("TXT", &format!("_mta-sts.{domain}"))?;
    let meant: Vec<&str> = texts.iter().map(String::as_str).filter(|text| is_meant(text)).collect();
    if meant.is_empty() { not_applicable(format!("{domain} does not announce MTA-STS")) } else { Ok(meant) }
}

fn fetched<'a>(dns: &'a Dns, domain: &str) -> Result<&'a Fetched, Untold> {
    let url = url(domain);
    match dns.fetched.get(&url) {
        Some(Known::Is(fetched)) => Ok(fetched),
        Some(other) => other.get(),
        None => could_not_tell(format!("{url} was not fetched")),
    }
}

/// A domain's policy as it is, for a later audit to compare with.
#[must_use]
pub fn announced_policy(facts: &Facts, domain: &str) -> Option<AnnouncedPolicy> {
    let records = announced(&facts.dns, domain).ok()?;
    let [record] = records.as_slice() else { return None };
    let fetched = fetched(&facts.dns, domain).ok().filter(|fetched| fetched.status == 200)?;
    Some(AnnouncedPolicy {
        id: id(record).ok()?,
        text: fetched.body.clone(),
        taken: facts.about.taken.clone(),
    })
}

/// Judges each policy that was fetched.
fn each_policy(
    server: &Server<'_>,
    shown: &str,
    judge: impl Fn(&Dns, &str, &Policy) -> Result<Option<Finding>, Untold>,
) -> Judged {
    each_domain(server, shown, |dns, domain| {
        announced(dns, domain)?;
        let fetched = fetched(dns, domain)?;
        if fetched.status != 200 || !fetched.certificate.is_empty() {
            return not_applicable(format!("the policy of {domain} cannot be fetched"));
        }
        judge(dns, domain, &Policy::read(&fetched.body))
    })
}
