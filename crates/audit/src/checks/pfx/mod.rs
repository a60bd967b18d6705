//! Postfix configuration.

mod classes;
mod delivery;
mod effect;
mod evaluation;
mod filters;
mod levels;
mod lines;
mod outgoing;
mod overrides;
mod tables;

use crate::facts::Deployment;
use crate::plan::Change;
use crate::postfix::{Postfix, Service};
use crate::{Check, NotYet, Remedy, Server};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[
    &lines::PFX_001,
    &lines::PFX_002,
    &lines::PFX_003,
    &levels::PFX_004,
    &effect::PFX_005,
    &effect::PFX_006,
    &effect::PFX_007,
    &overrides::PFX_008,
    &filters::PFX_009,
    &filters::PFX_010,
    &filters::PFX_011,
    &filters::PFX_012,
    &filters::PFX_013,
    &outgoing::PFX_014,
    &outgoing::PFX_015,
    &outgoing::PFX_016,
    &delivery::PFX_017,
    &delivery::PFX_018,
    &classes::PFX_019,
    &delivery::PFX_020,
    &levels::PFX_021,
    &levels::PFX_022,
    &levels::PFX_023,
    &tables::PFX_024,
    &tables::PFX_025,
    &delivery::PFX_026,
    &evaluation::PFX_027,
    &evaluation::PFX_028,
    &evaluation::PFX_030,
    &classes::PFX_031,
    &tables::PFX_032,
];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[NotYet {
    id: "PFX-029",
    title: "Forged Authentication-Results with our id are not removed",
    because: "each of OpenDKIM, OpenDMARC, Rspamd and amavis strips them under other conditions, which are proven only by a mail \
              that was sent in",
}];

/// What mends main.cf: assignments that go, and those that come.
fn mend(advice: &str, remove: &[&str], add: &[&str], parameter: &str) -> Remedy {
    let name = |line: &str| line.split_once('=').map(|(name, _)| name.trim().to_owned());
    let added: Vec<_> = add.iter().filter_map(|line| name(line)).collect();
    let gone = remove.iter().filter_map(|line| name(line)).filter(|name| !added.contains(name));
    let gone = gone.map(|name| Change::unset(&name));
    Remedy::new(advice)
        .changes(gone.chain(add.iter().filter_map(|line| Change::assigned(line))))
        .prove(format!("postconf -h {parameter}"))
}

/// What a person has to decide or to install before main.cf can be changed.
fn advise(server: &Server<'_>, advice: &str, add: &[&str], parameter: &str) -> Remedy {
    let dms = server.facts.about.deployment == Deployment::DockerMailserver;
    let (target, apply) = if dms {
        ("docker-data/dms/config/postfix-main.cf", "docker compose up -d --force-recreate")
    } else {
        ("/etc/postfix/main.cf", "postfix reload")
    };
    let remedy = Remedy::new(advice);
    let remedy = if add.is_empty() { remedy } else { remedy.add(target, add) };
    remedy.apply(apply).prove(format!("postconf -h {parameter}"))
}

/// What mends a service of master.cf: options that go, and those that come.
fn mend_service(
    server: &Server<'_>,
    service: &Service,
    advice: &str,
    remove: &[&str],
    add: &[&str],
) -> Remedy {
    let option = |line: &str| {
        let (name, value) = line.trim_start_matches("-o ").split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    };
    let added: Vec<_> = add.iter().filter_map(|line| option(line)).collect();
    let gone = remove.iter().filter_map(|line| option(line));
    let gone = gone.filter(|(name, _)| !added.iter().any(|(known, _)| known == name));
    let gone = gone.map(|(name, _)| Change::Override {
        service: service.key(),
        value: instead(server, &name),
        name,
    });
    let added = added.iter().map(|(name, value)| Change::overriding(service.key(), name, value));
    Remedy::new(advice).changes(gone.chain(added)).prove(format!("postconf -P '{}'", service.key()))
}

/// What takes the place of an option that goes: docker-mailserver's own master.cf comes back with each container, so there the
/// value of main.cf is said again.
fn instead(server: &Server<'_>, name: &str) -> Option<String> {
    match server.facts.about.deployment {
        Deployment::DockerMailserver => Some(server.postfix().ok()?.in_main(name).ok()?.value),
        Deployment::Plain => None,
    }
}

/// The services that others reach.
fn reachable<'p>(postfix: &'p Postfix<'_>) -> impl Iterator<Item = &'p Service> {
    postfix.smtpd().filter(|service| !postfix.loopback_only(service))
}

/// `a`, `a and b`, `a, b and c`.
fn and(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
