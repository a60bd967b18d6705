//! SMTP behaviour: who may send what to whom, what strangers are told, and what malformed mail may do.

mod limits;
mod login;
mod recipients;
mod relay;
mod smuggling;
mod stranger;

use crate::facts::{MailService, Talk};
use crate::postfix::{Postfix, Service};
use crate::{Check, NotYet, Server, Untold};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[
    &relay::SMT_001,
    &relay::SMT_002,
    &relay::SMT_003,
    &login::SMT_004,
    &login::SMT_005,
    &login::SMT_006,
    &stranger::SMT_007,
    &stranger::SMT_008,
    &stranger::SMT_009,
    &stranger::SMT_010,
    &stranger::SMT_011,
    &stranger::SMT_012,
    &stranger::SMT_013,
    &smuggling::SMT_014,
    &smuggling::SMT_015,
    &smuggling::SMT_016,
    &recipients::SMT_017,
    &login::SMT_018,
    &login::SMT_019,
    &login::SMT_020,
    &recipients::SMT_021,
    &recipients::SMT_022,
    &recipients::SMT_023,
    &limits::SMT_024,
    &limits::SMT_025,
    &limits::SMT_026,
    &limits::SMT_027,
    &stranger::SMT_028,
    &limits::SMT_029,
    &relay::SMT_030,
];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[];

/// The services at which strangers can hand in mail.
fn internet_services<'p>(postfix: &'p Postfix<'_>) -> Result<Vec<&'p Service>, Untold> {
    Ok(postfix.smtpd().filter(|service| relay::faces_strangers(postfix, service)).collect())
}

/// The talks with ports of a service that answered.
fn talks<'s>(server: &'s Server<'_>, service: MailService) -> impl Iterator<Item = &'s Talk> {
    server.facts.talks.iter().filter(move |talk| talk.service == service && talk.greeting.known().is_some())
}

/// Whether the server trusts the address that we talked from; none if that is not known. A server trusts itself
/// (Dovecot and Postfix both), and whoever is in mynetworks.
fn trusted_source(server: &Server<'_>, talk: &Talk) -> Option<bool> {
    if server.facts.about.remote {
        return Some(false);
    }
    if talk.source == talk.address {
        return Some(true);
    }
    let source = talk.source.parse().ok()?;
    server.postfix().ok()?.networks(None).ok()?.contains(source)
}
