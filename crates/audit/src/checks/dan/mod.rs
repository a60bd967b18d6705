//! DANE.

mod matching;
mod publication;

use super::dns::exchangers;
use crate::check::not_applicable;
use crate::facts::{Dns, TlsPort};
use crate::records::tlsa::Tlsa;
use crate::{Check, Finding, Judged, NotYet, Server, Untold};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[
    &matching::DAN_001,
    &publication::DAN_002,
    &publication::DAN_003,
    &publication::DAN_004,
    &matching::DAN_005,
    &publication::DAN_006,
    &publication::DAN_007,
];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[];

/// Where the TLSA records of an exchanger are.
fn name(host: &str) -> String {
    format!("_25._tcp.{host}")
}

/// Judges each exchanger that has TLSA records.
fn each_record(
    server: &Server<'_>,
    shown: &str,
    judge: impl Fn(&Dns, &str, &[Tlsa]) -> Result<Option<Finding>, Untold>,
) -> Judged {
    super::dns::each(exchangers(server)?, shown, |host| {
        let dns = &server.facts.dns;
        let records = dns.records("TLSA", &name(&host))?;
        if records.is_empty() {
            return not_applicable(format!("{host} has no TLSA record"));
        }
        let records: Vec<Tlsa> = records.iter().filter_map(|record| Tlsa::read(record)).collect();
        judge(dns, &host, &records)
    })
}

/// What port 25 of a host showed.
fn port<'a>(server: &Server<'a>, host: &str) -> Result<&'a TlsPort, Untold> {
    let port = server.facts.tls.iter().find(|port| port.port == 25 && port.host.eq_ignore_ascii_case(host));
    port.map_or_else(|| super::dns::untold(format!("port 25 of {host} was not looked at")), Ok)
}
