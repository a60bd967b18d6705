//! TLS 1.3 alone where clients log in, as far as the log shows nobody who would be locked out. Port 25 is left as it is: whom weak TLS
//! is refused there sends without any.

use super::{Change, asking};
use crate::Server;
use crate::facts::LoggedHabit;
use crate::postfix::{Role, Version};

/// What ends at TLS 1.2 and below where clients log in; why it cannot be ended yet.
pub(super) fn changes(server: &Server<'_>) -> Result<Vec<Change>, String> {
    let log = &server.facts.log;
    if log.lines == 0 {
        return Err(
            "No log was read, so nobody knows which TLS clients speak; read a few weeks of it first."
                .to_owned(),
        );
    }
    let behind: Vec<String> = log.habits.iter().filter(|habit| is_behind(habit)).map(told).collect();
    if !behind.is_empty() {
        return Err(format!(
            "The log shows who would be locked out: {}. Renew their mail programs first.",
            behind.join("; ")
        ));
    }
    let mut changes = Vec::new();
    if let Ok(postfix) = server.postfix() {
        // Postfix 3.6 learned to name the least version.
        let least = postfix.version().is_ok_and(|version| version >= Version(3, 6, 0));
        let value = if least { ">=TLSv1.3" } else { "!SSLv2,!SSLv3,!TLSv1,!TLSv1.1,!TLSv1.2" };
        changes.extend(asking::of_role(server, Role::Submission, "smtpd_tls_mandatory_protocols", value));
    }
    if let Ok(dovecot) = server.dovecot()
        && dovecot.setting("ssl_min_protocol") != Some("TLSv1.3")
    {
        changes.push(Change::dovecot(&[], "ssl_min_protocol", "TLSv1.3"));
    }
    Ok(changes)
}

/// Whether somebody logs in with less.
fn is_behind(habit: &LoggedHabit) -> bool {
    matches!(habit.kind.as_str(), "tls-1.2" | "old-tls") && habit.service != "smtp"
}

fn told(habit: &LoggedHabit) -> String {
    format!("{} over {} ({})", habit.distinct, habit.service, habit.examples.join(", "))
}
