//! SPF.

mod form;
mod limits;
mod policy;
mod unused;

use super::dns::{domains, each_domain};
use crate::check::not_applicable;
use crate::records::spf::{Tree, is_meant, is_record, tree};
use crate::{Check, Finding, Judged, NotYet, Server, Untold};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[
    &form::SPF_001,
    &form::SPF_002,
    &form::SPF_003,
    &limits::SPF_004,
    &limits::SPF_005,
    &policy::SPF_006,
    &policy::SPF_007,
    &limits::SPF_008,
    &policy::SPF_009,
    &policy::SPF_010,
    &policy::SPF_011,
    &form::SPF_012,
    &limits::SPF_013,
    &policy::SPF_014,
    &form::SPF_015,
    &unused::SPF_016,
];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[];

/// Judges the record of each domain that has one, with all that it includes.
fn each_record(
    server: &Server<'_>,
    shown: &str,
    judge: impl Fn(&str, &Tree) -> Result<Option<Finding>, Untold>,
) -> Judged {
    server.facts.dns.resolver.get()?;
    each_domain(server, shown, |dns, domain| {
        let tree = tree(dns, domain);
        if tree.own().is_none() {
            tree.complete()?;
            return not_applicable(format!("{domain} has no SPF record, or several"));
        }
        judge(domain, &tree)
    })
}

/// The texts that are SPF records, and those that are meant to be.
fn records_of<'a>(server: &Server<'a>, domain: &str) -> Result<(Vec<&'a str>, Vec<&'a str>), Untold> {
    let texts = server.facts.dns.records("TXT", domain)?.iter().map(String::as_str);
    let meant: Vec<&str> = texts.filter(|text| is_record(text) || is_meant(text)).collect();
    Ok(meant.into_iter().partition(|text| is_record(text)))
}

/// A record that fits most: the domain's exchangers and nobody else.
fn usual(domain: &str) -> String {
    format!("{domain}. IN TXT \"v=spf1 mx -all\"")
}

/// As [`each_record`], for what needs no record.
fn each_name(
    server: &Server<'_>,
    shown: &str,
    judge: impl Fn(&str) -> Result<Option<Finding>, Untold>,
) -> Judged {
    super::dns::each(domains(server)?, shown, |domain| judge(domain))
}
