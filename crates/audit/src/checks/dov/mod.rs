//! Dovecot, IMAP, POP3, Sieve.

mod cleartext;
mod database;
mod history;
mod live;
mod logging;
mod login;
mod mail;
mod sockets;

use crate::dovecot::Dovecot;
use crate::facts::Deployment;
use crate::{Check, NotYet, Remedy, Server};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[
    &cleartext::DOV_001,
    &cleartext::DOV_002,
    &cleartext::DOV_003,
    &logging::DOV_004,
    &logging::DOV_005,
    &login::DOV_006,
    &login::DOV_007,
    &cleartext::DOV_008,
    &mail::DOV_009,
    &login::DOV_010,
    &database::DOV_011,
    &database::DOV_012,
    &sockets::DOV_013,
    &sockets::DOV_014,
    &login::DOV_015,
    &mail::DOV_016,
    &mail::DOV_017,
    &database::DOV_018,
    &history::DOV_019,
    &history::DOV_020,
    &database::DOV_021,
    &logging::DOV_022,
    &live::DOV_023,
    &cleartext::DOV_024,
    &login::DOV_025,
];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[];

/// Where docker-mailserver takes Dovecot's settings from.
const DMS_FILE: &str = "docker-data/dms/config/dovecot.cf";

/// Sets a setting to a value, both in the words of 2.4.
pub(crate) fn set(server: &Server<'_>, dovecot: &Dovecot, name: &str, value: &str, advice: &str) -> Remedy {
    let own = dovecot.change::<&str>(&[], name, value);
    // Where all have the right value, a section of its own has the wrong one.
    let narrower = dovecot.narrower(name).into_iter();
    let wrong = narrower
        .filter(|(blocks, now)| *now != value && !blocks.iter().any(|block| block.starts_with("remote")));
    let narrower: Vec<_> = wrong.map(|(blocks, _)| dovecot.change(blocks, name, value)).collect();
    let is_right = dovecot.explicit(name).is_none_or(|now| now == value);
    let changes = if is_right && !narrower.is_empty() { narrower } else { vec![own] };
    let remedy = Remedy::new(advice).changes(changes);
    applied(server, remedy, &format!("doveconf {}", dovecot.name(name)))
}

/// With the commands that put a change of Dovecot's configuration in force and prove it.
pub(crate) fn applied(server: &Server<'_>, remedy: Remedy, prove: &str) -> Remedy {
    let prefix = server.facts.about.prefix.iter().map(|word| format!("{word} ")).collect::<String>();
    // docker-mailserver copies dovecot.cf into a new container only.
    let apply = match server.facts.about.deployment {
        Deployment::DockerMailserver => "docker compose up -d --force-recreate".to_owned(),
        Deployment::Plain => format!("{prefix}doveadm reload"),
    };
    remedy.apply(apply).prove(format!("{prefix}{prove}"))
}

/// The file of Dovecot's configuration to add to.
pub(crate) fn file(server: &Server<'_>) -> &'static str {
    match server.facts.about.deployment {
        Deployment::DockerMailserver => DMS_FILE,
        Deployment::Plain => "/etc/dovecot/local.conf",
    }
}
