//! The services that the configuration turned on, and whether they run.

use crate::{Server, Untold};

/// A service that the configuration turned on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name: supervisor's program, systemd's unit.
    pub name: String,
    /// What turned it on: `ENABLE_AMAVIS='1'`, `multi-user.target.wants/postfix.service`.
    pub because: String,
    /// Whether it runs.
    pub running: bool,
    /// What shows it.
    pub seen: String,
}

/// Who starts services, and which of them are a mail server's.
///
/// # Errors
/// When neither supervisor nor systemd said what runs.
pub fn services(server: &Server<'_>) -> Result<Vec<Service>, Untold> {
    match server.dms() {
        Ok(_) => of_supervisor(server),
        Err(Untold::NotApplicable(_)) => of_systemd(server),
        Err(why) => Err(why),
    }
}

/// docker-mailserver 15: supervisor's programs and the variables that turn them on; those without one always run.
const PROGRAMS: &[(&str, &str)] = &[
    ("amavis", "ENABLE_AMAVIS"),
    ("clamav", "ENABLE_CLAMAV"),
    ("cron", ""),
    ("fail2ban", "ENABLE_FAIL2BAN"),
    ("getmail", "ENABLE_GETMAIL"),
    ("mta-sts-daemon", "ENABLE_MTA_STS"),
    ("opendkim", "ENABLE_OPENDKIM"),
    ("opendmarc", "ENABLE_OPENDMARC"),
    ("postfix", ""),
    ("postgrey", "ENABLE_POSTGREY"),
    ("postsrsd", "ENABLE_SRS"),
    ("rspamd", "ENABLE_RSPAMD"),
    ("rsyslog", ""),
    ("update-check", "ENABLE_UPDATE_CHECK"),
];

fn of_supervisor(server: &Server<'_>) -> Result<Vec<Service>, Untold> {
    let dms = server.dms()?;
    let status = server.facts.output("supervisorctl status")?;
    let state = |name: &str| status.lines().find(|line| line.split_whitespace().next() == Some(name));
    let service = |name: &str, because: String| {
        let line = state(name);
        Service {
            name: name.to_owned(),
            because,
            running: line.and_then(|line| line.split_whitespace().nth(1)) == Some("RUNNING"),
            seen: line.map_or_else(
                || "supervisor does not know it".to_owned(),
                |line| line.split_whitespace().skip(1).collect::<Vec<_>>().join(" "),
            ),
        }
    };
    let mut services = Vec::new();
    for (name, variable) in PROGRAMS {
        if variable.is_empty() {
            services.push(service(name, "docker-mailserver".to_owned()));
            continue;
        }
        let setting = dms.in_force(variable)?;
        if setting.is_on() {
            services.push(service(name, setting.seen));
        }
    }
    let smtp_only = dms.in_force("SMTP_ONLY")?;
    if !smtp_only.is_on() {
        services.push(service("dovecot", smtp_only.seen));
    }
    services.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(services)
}

/// Units of a mail server; one that is only a wrapper runs as another.
const UNITS: &[(&str, &[&str])] = &[
    ("amavis.service", &[]),
    ("clamav-daemon.service", &[]),
    ("clamav-freshclam.service", &[]),
    ("clamav-milter.service", &[]),
    ("dovecot.service", &[]),
    ("fail2ban.service", &[]),
    ("mailward.service", &[]),
    ("opendkim.service", &[]),
    ("opendmarc.service", &[]),
    ("postfix.service", &["postfix@-.service"]),
    ("postgrey.service", &[]),
    ("postsrsd.service", &[]),
    ("redis-server.service", &[]),
    ("rspamd.service", &[]),
    ("rsyslog.service", &[]),
    ("spamd.service", &[]),
    ("unbound.service", &[]),
];

const WANTS: &str = "/etc/systemd/system/multi-user.target.wants/";

fn of_systemd(server: &Server<'_>) -> Result<Vec<Service>, Untold> {
    let running = server
        .facts
        .output("systemctl list-units --type=service --state=running --no-pager --no-legend --plain")?;
    let runs = |unit: &str| running.lines().any(|line| line.split_whitespace().next() == Some(unit));
    let on = |unit: &str| {
        server.facts.files.get(&format!("{WANTS}{unit}")).is_some_and(|file| file.known().is_some())
    };
    let services: Vec<Service> = UNITS
        .iter()
        .filter(|(unit, _)| on(unit))
        .map(|(unit, others)| {
            let by = std::iter::once(unit).chain(*others).find(|unit| runs(unit));
            Service {
                name: unit.trim_end_matches(".service").to_owned(),
                because: format!("multi-user.target.wants/{unit}"),
                running: by.is_some(),
                seen: by.map_or_else(
                    || "not among the running units".to_owned(),
                    |unit| format!("{unit} is running"),
                ),
            }
        })
        .collect();
    if services.is_empty() {
        return crate::check::not_applicable("no unit of a mail server is turned on");
    }
    Ok(services)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Facts;
    use crate::facts::{Deployment, File, Known, Said};

    fn dms(settings: &str, status: &str) -> Facts {
        let mut facts = Facts::default();
        facts.about.deployment = Deployment::DockerMailserver;
        facts.said.insert("cat /etc/dms-settings".to_owned(), Known::Is(Said::ok(settings)));
        facts.said.insert("supervisorctl status".to_owned(), Known::Is(Said::ok(status)));
        facts
    }

    fn check(facts: &Facts, expected: &[(&str, bool)]) {
        let services = services(&Server::new(facts)).unwrap();
        let told: Vec<_> = services.iter().map(|service| (service.name.as_str(), service.running)).collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn supervisors_programs_are_those_of_the_environment() {
        let off = "ENABLE_AMAVIS='0'\nENABLE_OPENDKIM='0'\nENABLE_OPENDMARC='0'\nENABLE_UPDATE_CHECK='0'\n";
        let status =
            "cron RUNNING pid 1, uptime 0:01:00\npostfix FATAL Exited too quickly\nrsyslog RUNNING pid 2\n";
        check(
            &dms(&format!("{off}SMTP_ONLY='1'\n"), status),
            &[("cron", true), ("postfix", false), ("rsyslog", true)],
        );
        check(
            &dms(&format!("{off}ENABLE_FAIL2BAN='1'\n"), status),
            &[("cron", true), ("dovecot", false), ("fail2ban", false), ("postfix", false), ("rsyslog", true)],
        );
    }

    #[test]
    fn units_are_those_that_boot_wants() {
        let mut facts = Facts::default();
        let line = "systemctl list-units --type=service --state=running --no-pager --no-legend --plain";
        let running =
            "postfix@-.service loaded active running Postfix\nrspamd.service loaded active running Rspamd\n";
        facts.said.insert(line.to_owned(), Known::Is(Said::ok(running)));
        assert!(services(&Server::new(&facts)).is_err());
        for unit in ["postfix.service", "dovecot.service", "rspamd.service", "ssh.service"] {
            facts.files.insert(format!("{WANTS}{unit}"), Known::Is(File::of("")));
        }
        check(&facts, &[("dovecot", false), ("postfix", true), ("rspamd", true)]);
    }
}
