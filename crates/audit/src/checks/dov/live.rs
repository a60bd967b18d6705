//! What ports say before TLS, beside what the configuration says.

use super::cleartext::is_trusted;
use crate::check::{could_not_tell, pass};
use crate::facts::{MailService, Talk};
use crate::{Check, Evidence, Finding, Judged, Outcome, Remedy, Server, Severity};

/// What ports say of passwords in clear.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Ports that take them.
    pub(super) taking: Vec<Evidence>,
    /// Ports that refuse them.
    pub(super) refusing: Vec<String>,
}

/// What the ports of some services say of passwords in clear.
///
/// Dovecot takes a client with its own address, or one of a trusted network, for secured: what such a client hears is left out.
pub(super) fn heard(server: &Server<'_>, services: &[MailService]) -> Heard {
    let mut heard = Heard::default();
    for talk in
        server.facts.talks.iter().filter(|talk| services.contains(&talk.service) && !talk.implicit_tls)
    {
        let Some(offered) = talk.plain.known() else { continue };
        if host(&talk.source) == host(&talk.address) || is_trusted(server, &host(&talk.source)) {
            continue;
        }
        if takes(talk.service, offered) {
            heard
                .taking
                .push(Evidence { place: talk.place(), seen: format!("before TLS: {}", offered.join(", ")) });
        } else {
            heard.refusing.push(talk.place());
        }
    }
    heard
}

/// The address of `192.0.2.1:143`, `[2001:db8::1]:143` or a bare one.
fn host(address: &str) -> String {
    match address.parse::<std::net::SocketAddr>() {
        Ok(socket) => socket.ip().to_string(),
        Err(_) => address.trim_matches(['[', ']']).to_owned(),
    }
}

/// Whether capabilities say that a password is taken: RFC 9051 6.1.1 and 6.2.3, RFC 1939 and 5034, RFC 5804 1.7.
fn takes(service: MailService, offered: &[String]) -> bool {
    let sasl = Talk::offers(offered, "SASL").unwrap_or_default();
    let readable = sasl
        .iter()
        .any(|one| ["PLAIN", "LOGIN"].contains(&one.trim_matches('"').to_ascii_uppercase().as_str()));
    match service {
        MailService::Imap => {
            !offered.is_empty() && !offered.iter().any(|one| one.eq_ignore_ascii_case("LOGINDISABLED"))
        }
        MailService::Pop3 => readable || Talk::offers(offered, "USER").is_some(),
        _ => readable,
    }
}

/// The judgement of the configuration with what was heard: a port that takes a password decides; ports that refuse it
/// stand in for a configuration that is not known.
pub(super) fn joined(configured: Judged, heard: Heard, finding: impl FnOnce() -> Finding) -> Judged {
    match configured {
        Ok(Outcome::Fail(mut findings)) => {
            if let Some(first) = findings.first_mut() {
                first.evidence.extend(heard.taking);
            }
            Ok(Outcome::Fail(findings))
        }
        _ if !heard.taking.is_empty() => Ok(finding().all_seen(heard.taking).into()),
        Err(_) if !heard.refusing.is_empty() => {
            Ok(Outcome::Pass(format!("refused before TLS on {}", heard.refusing.join(", "))))
        }
        configured => configured,
    }
}

pub(super) static DOV_023: Check = Check {
    id: "DOV-023",
    title: "A failed login tells whether the account exists",
    severity: Severity::Low,
    why: "Who guesses passwords first finds out which accounts there are, and then spends all his guesses on those.",
    proof: "With --active and --deliver-to: a wrong password for the named account and for one that nobody has, at the IMAP port with TLS; the \
            answers are compared. Times are not: Dovecot itself puts later failures of an address off.",
    fix: "Have every failed login answered alike.",
    references: &["OWASP WSTG-IDNT-04"],
    judge: dov_023,
};

fn dov_023(server: &Server<'_>) -> Judged {
    let both = |talk: &'_ Talk| {
        Some((talk.tried("login-unknown-user")?.clone(), talk.tried("login-wrong-password")?.clone()))
    };
    let Some((talk, (unknown, wrong))) = server.facts.talks.iter().find_map(|talk| Some((talk, both(talk)?)))
    else {
        return could_not_tell("no wrong password was tried: that takes --active and --deliver-to ADDRESS");
    };
    if unknown.reply == wrong.reply {
        return pass(format!("{}: {}, for both", talk.place(), wrong.reply));
    }
    let finding =
        Finding::new(Severity::Low, talk.place(), "A failed login tells whether the account exists");
    let place = |what: &str| format!("{}, {what}", talk.place());
    Ok(finding
        .seen(place("an account that nobody has"), unknown.reply)
        .seen(place("a wrong password"), wrong.reply)
        .remedy(
            Remedy::new("Have every failed login answered alike.")
                .prove("mailward audit --active --deliver-to ADDRESS --only DOV-023"),
        )
        .into())
}
