//! TLS 1.3 alone where clients log in, as far as the log shows nobody who would be locked out. Port 25 is left as it is: whom weak TLS
//! is refused there sends without any.

use super::{Change, asking};
use crate::Server;
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
    if let Some(behind) = who(server, &["tls-1.2", "old-tls"]) {
        return Err(format!(
            "The log shows who would be locked out: {behind}. Renew their mail programs first."
        ));
    }
    let silent = silent(server);
    if !silent.is_empty() {
        return Err(format!(
            "The log does not say which TLS clients speak. Have it logged, and read a few weeks of it first: {}.",
            silent.join("; ")
        ));
    }
    if let Some(unknown) = who(server, &["tls-unknown"]) {
        return Err(format!(
            "Older lines of the log do not say which TLS these speak: {unknown}. Wait until they are in newer ones."
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

/// What has to be set so that the log says which TLS is spoken by those who log in.
fn silent(server: &Server<'_>) -> Vec<String> {
    let mut silent = Vec::new();
    if let Ok(postfix) = server.postfix() {
        let submission = postfix.smtpd().filter(|service| postfix.role(service) == Role::Submission);
        let level = |service| postfix.in_service(service, "smtpd_tls_loglevel").map(|level| level.value);
        let mut levels = submission.map(|service| level(service).unwrap_or_default());
        if levels.any(|level| !level.parse::<u8>().is_ok_and(|level| level > 0)) {
            silent.push("smtpd_tls_loglevel = 1 in Postfix".to_owned());
        }
    }
    if let Ok(dovecot) = server.dovecot() {
        let version = if dovecot.is_modern() { "%{ssl_security}" } else { "%k" };
        let elements = dovecot.setting("login_log_format_elements").unwrap_or_default();
        if !elements.contains(version) {
            silent.push(format!("{version} in login_log_format_elements of Dovecot"));
        }
    }
    silent
}

/// Who logs in so, as the log shows; port 25 does not count.
fn who(server: &Server<'_>, kinds: &[&str]) -> Option<String> {
    let habits = server.facts.log.habits.iter();
    let own = habits.filter(|habit| kinds.contains(&&*habit.kind) && habit.service != "smtp");
    let told: Vec<String> = own
        .map(|habit| format!("{} over {} ({})", habit.distinct, habit.service, habit.examples.join(", ")))
        .collect();
    (!told.is_empty()).then(|| told.join("; "))
}
