//! What Dovecot writes about logins.

use super::set;
use crate::check::pass;
use crate::dovecot::{Dovecot, is_yes};
use crate::{Check, Evidence, Finding, Judged, Server, Severity};

pub(super) static DOV_004: Check = Check {
    id: "DOV-004",
    title: "Passwords are written to the log",
    severity: Severity::High,
    why: "A wrong password is mostly the right one with a typing error, or that of another account; whoever reads the log, or its backup, can use it.",
    proof: "The effective auth_debug_passwords and auth_verbose_passwords.",
    fix: "Set both to no (or auth_verbose_passwords = sha1:6, which tells guesses apart without telling them), delete the logs, and have those passwords changed.",
    references: &[
        "NIST SP 800-63B section 5.1.1.2",
        "https://doc.dovecot.org/2.4.1/core/summaries/settings.html#auth_verbose_passwords",
    ],
    judge: dov_004,
};

pub(super) static DOV_005: Check = Check {
    id: "DOV-005",
    title: "Failed logins are not logged well enough to act on",
    severity: Severity::Medium,
    why: "Without the account, the reason and the address of each failed login, guessing cannot be told from a phone with an old password, and nothing can be banned.",
    proof: "The effective auth_verbose, and whether login_log_format_elements still names the client's address.",
    fix: "Set auth_verbose = yes.",
    references: &["https://doc.dovecot.org/2.4.1/core/summaries/settings.html#auth_verbose"],
    judge: dov_005,
};

pub(super) static DOV_022: Check = Check {
    id: "DOV-022",
    title: "Debug logging is left on",
    severity: Severity::Low,
    why: "It fills the disk, slows logins, hides what matters, and writes names and paths of users that nobody needs there.",
    proof: "The effective mail_debug, auth_debug and verbose_ssl (2.3), mail_debug and log_debug (2.4).",
    fix: "Switch it off when the trouble is found.",
    references: &["https://doc.dovecot.org/2.4.1/core/summaries/settings.html#log_debug"],
    judge: dov_022,
};

/// How bad a value of `auth_verbose_passwords` is: `plain`, `plain:3`, `yes` are readable; an unsalted whole SHA-1 can be looked up.
fn verbosity(value: &str) -> Option<Severity> {
    match value {
        "no" | "" => None,
        "sha1" => Some(Severity::Medium),
        _ if value.starts_with("sha1:") => {
            let kept = value.split(':').nth(1).and_then(|kept| kept.parse().ok()).unwrap_or(40_u32);
            (kept > 16).then_some(Severity::Medium)
        }
        _ => Some(Severity::High),
    }
}

fn dov_004(server: &Server<'_>) -> Judged {
    let dovecot = server.dovecot()?;
    let mut worst = None;
    let mut seen = Vec::new();
    for name in ["auth_debug_passwords", "auth_verbose_passwords"] {
        for value in dovecot.values(name) {
            let severity = match name {
                "auth_debug_passwords" => is_yes(value.value).then_some(Severity::High),
                _ => verbosity(value.value),
            };
            if let Some(severity) = severity {
                worst = worst.max(Some(severity));
                seen.push((
                    name,
                    Evidence {
                        place: dovecot.place_in(&value.scope, name),
                        seen: format!("{name} = {}", value.value),
                    },
                ));
            }
        }
    }
    let (Some(severity), Some((name, _))) = (worst, seen.first()) else {
        return pass(format!(
            "auth_verbose_passwords = {}",
            dovecot.setting("auth_verbose_passwords").unwrap_or("no")
        ));
    };
    let name = *name;
    let what: Vec<_> = seen.iter().map(|(_, evidence)| evidence.seen.clone()).collect();
    let finding = Finding::new(severity, "", format!("given passwords go to the log ({})", what.join(", ")))
        .cause(name)
        .all_seen(seen.into_iter().map(|(_, evidence)| evidence));
    let remedy = set(
        server,
        dovecot,
        name,
        "no",
        "Stop logging passwords, delete the logs that hold them, and have the passwords in them changed.",
    );
    Ok(finding.remedy(remedy).into())
}

/// Whether login lines name the client's address: `%r`, `%{rip}`, `%{remote_ip}`.
fn names_address(dovecot: &Dovecot) -> bool {
    let elements = dovecot.setting("login_log_format_elements").unwrap_or_default();
    ["%r", "%{rip}", "%{remote_ip}"].iter().any(|address| elements.contains(address))
}

fn dov_005(server: &Server<'_>) -> Judged {
    let dovecot = server.dovecot()?;
    let (verbose, address) = (dovecot.is_on("auth_verbose"), names_address(dovecot));
    if verbose && address {
        return pass("auth_verbose = yes, and login lines name the client's address");
    }
    let (severity, summary, name, value) = if address {
        // The line at the end of a connection still tells of failures, with the address.
        (
            Severity::Low,
            "a failed login leaves one line when the connection ends, without the reason (auth_verbose = no)",
            "auth_verbose",
            "yes",
        )
    } else {
        let elements = dovecot.default("login_log_format_elements").unwrap_or_default();
        (
            Severity::Medium,
            "login lines do not name the client's address",
            "login_log_format_elements",
            elements,
        )
    };
    let finding =
        Finding::new(severity, "", summary).cause(name).seen(dovecot.place(name), dovecot.line(name));
    Ok(finding
        .remedy(set(
            server,
            dovecot,
            name,
            value,
            "Have every failed login logged with account, reason and address.",
        ))
        .into())
}

fn dov_022(server: &Server<'_>) -> Judged {
    let dovecot = server.dovecot()?;
    let mut seen = Vec::new();
    for name in ["mail_debug", "auth_debug", "verbose_ssl", "log_debug"] {
        for value in dovecot.values(name) {
            let on = if name == "log_debug" { !value.value.is_empty() } else { is_yes(value.value) };
            if on {
                seen.push((
                    name,
                    Evidence {
                        place: dovecot.place_in(&value.scope, name),
                        seen: format!("{name} = {}", value.value),
                    },
                ));
            }
        }
    }
    let Some((name, _)) = seen.first() else { return pass("no debug logging") };
    let name = *name;
    let what: Vec<_> = seen.iter().map(|(_, evidence)| evidence.seen.clone()).collect();
    let finding =
        Finding::new(Severity::Low, "", format!("Dovecot logs for debugging ({})", what.join(", ")))
            .cause(name)
            .all_seen(seen.into_iter().map(|(_, evidence)| evidence));
    let off = if name == "log_debug" { "" } else { "no" };
    Ok(finding.remedy(set(server, dovecot, name, off, "Switch debug logging off.")).into())
}
