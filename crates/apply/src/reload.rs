//! Telling programs of their new files: those alone that read one of them, each within a limit of time.

use std::path::Path;
use std::time::Duration;

use mailward_audit::plan::{Change, Program};
use mailward_host::run::Limits;

use crate::Site;
use crate::prepared::Prepared;
use crate::site::{Said, run_here};

/// A container is fetched, stopped and made anew within this time.
const CONTAINER: Limits = Limits { timeout: Duration::from_secs(300), max_output: 1 << 20 };

/// Parameters that Postfix reads once, when it starts (postconf(5): "a Postfix restart is required").
const AT_START: [&str; 3] = ["inet_interfaces", "inet_protocols", "proxy_interfaces"];

/// Tells all programs that a plan concerns; what a person has to do besides.
pub(crate) fn all(site: &Site<'_>, prepared: &Prepared) -> Result<Vec<String>, String> {
    let mut warnings = Vec::new();
    for program in prepared.programs() {
        let told = match program {
            Program::Postfix => postfix(site, prepared),
            Program::Dovecot => dovecot(site),
            Program::Container => container(site),
            Program::Fail2ban => fail2ban(site),
            Program::Systemd => systemd(site),
            // Each of them is started anew, and reads its files then.
            Program::Logrotate | Program::Nobody => Ok(None),
            other => unit(site, other),
        };
        warnings.extend(told?);
    }
    Ok(warnings)
}

type Told = Result<Option<String>, String>;

fn ran(site: &Site<'_>, words: &[&str]) -> Result<Said, String> {
    site.run(words).map_err(|error| error.to_string())
}

fn must(site: &Site<'_>, words: &[&str]) -> Told {
    let said = ran(site, words)?;
    if said.is_fine() { Ok(None) } else { Err(format!("`{}` failed: {}", words.join(" "), said.first())) }
}

/// Postfix that does not run reads its files when it is started.
fn postfix(site: &Site<'_>, prepared: &Prepared) -> Told {
    if !ran(site, &["postfix", "status"])?.is_fine() {
        return Ok(None);
    }
    let restarts = prepared.plan.steps.iter().any(
        |step| matches!(&step.change, Change::Parameter { name, .. } if AT_START.contains(&name.as_str())),
    );
    if !restarts {
        return must(site, &["postfix", "reload"]);
    }
    if has_systemd(site) {
        return must(site, &["systemctl", "restart", "postfix"]);
    }
    must(site, &["postfix", "stop"])?;
    must(site, &["postfix", "start"])
}

fn dovecot(site: &Site<'_>) -> Told {
    let said = ran(site, &["doveadm", "reload"])?;
    let is_down = said.err.contains("is not running") || said.err.contains("No such file or directory");
    if said.is_fine() || is_down {
        Ok(None)
    } else {
        Err(format!("`doveadm reload` failed: {}", said.first()))
    }
}

fn fail2ban(site: &Site<'_>) -> Told {
    if !ran(site, &["fail2ban-client", "ping"])?.is_fine() {
        return Ok(None);
    }
    must(site, &["fail2ban-client", "reload"])
}

/// Units are read again; one that runs keeps its old settings until it is started anew.
fn systemd(site: &Site<'_>) -> Told {
    if !has_systemd(site) {
        return Ok(None);
    }
    must(site, &["systemctl", "daemon-reload"])?;
    Ok(Some("units have new settings: start their services anew (`systemctl restart NAME`)".to_owned()))
}

/// Programs that systemd looks after.
fn unit(site: &Site<'_>, program: Program) -> Told {
    let units: &[&str] = match program {
        Program::Opendkim => &["opendkim"],
        Program::Opendmarc => &["opendmarc"],
        Program::Rspamd => &["rspamd"],
        Program::Spamassassin => &["spamd", "spamassassin"],
        Program::Amavis => &["amavis"],
        Program::Clamav => &["clamav-daemon"],
        Program::Rsyslog => &["rsyslog"],
        _ => &[],
    };
    if !has_systemd(site) {
        return Ok(units.first().map(|name| format!("{name} has new settings: start it anew")));
    }
    for name in units {
        // A unit that does not run reads its files when it is started.
        if ran(site, &["systemctl", "is-active", "--quiet", name])?.is_fine() {
            must(site, &["systemctl", "reload-or-restart", name])?;
        }
    }
    Ok(None)
}

/// sd_booted(3).
fn has_systemd(site: &Site<'_>) -> bool {
    !site.is_container() && Path::new("/run/systemd/system").is_dir()
}

/// docker-mailserver applies its volume when its container is made anew; a restart is not enough since v14.
fn container(site: &Site<'_>) -> Told {
    let Some(compose) = &site.compose else {
        return Ok(Some(
            "the container has new settings: make it anew (`docker compose up -d --force-recreate`)"
                .to_owned(),
        ));
    };
    let engine = site.prefix.first().map_or("docker", String::as_str);
    let file = compose.to_string_lossy();
    let words = [engine, "compose", "-f", &file, "up", "-d", "--force-recreate"];
    let said = run_here(&words, b"", CONTAINER).map_err(|error| error.to_string())?;
    if said.is_fine() { Ok(None) } else { Err(format!("`{}` failed: {}", words.join(" "), said.first())) }
}
