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

/// What mends main.cf: lines out, lines in, and the commands for it. On docker-mailserver the override file stands in for main.cf.
fn mend(server: &Server<'_>, advice: &str, remove: &[&str], add: &[&str], parameter: &str) -> Remedy {
    let dms = server.facts.about.deployment == Deployment::DockerMailserver;
    let (target, apply) = if dms {
        ("docker-data/dms/config/postfix-main.cf", "docker compose up -d --force-recreate")
    } else {
        ("/etc/postfix/main.cf", "postfix reload")
    };
    let remove = if dms { &[] } else { remove };
    Remedy::new(advice).edit(target, remove, add).apply(apply).prove(format!("postconf -h {parameter}"))
}

/// What mends a service of master.cf.
fn mend_service(
    server: &Server<'_>,
    service: &Service,
    advice: &str,
    remove: &[&str],
    add: &[&str],
) -> Remedy {
    let dms = server.facts.about.deployment == Deployment::DockerMailserver;
    if !dms {
        let remedy = Remedy::new(advice).edit("/etc/postfix/master.cf", remove, add);
        return remedy.apply("postfix reload").prove(format!("postconf -P '{}'", service.key()));
    }
    let line = |option: &&str| option.trim_start_matches("-o ").to_owned();
    let add: Vec<String> = add.iter().map(|option| format!("{}/{}", service.key(), line(option))).collect();
    let add: Vec<&str> = add.iter().map(String::as_str).collect();
    Remedy::new(advice)
        .edit("docker-data/dms/config/postfix-master.cf", &[], &add)
        .apply("docker compose up -d --force-recreate")
        .prove(format!("docker exec mailserver postconf -P '{}'", service.key()))
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
