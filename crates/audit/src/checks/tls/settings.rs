//! Settings around TLS: library, client certificates, tickets, log.

use super::{Fix, edits, evidence, openssl, outcome, see, upper};
use crate::check::{could_not_tell, not_applicable, pass};
use crate::facts::Known;
use crate::postfix::{Role, elements};
use crate::{Check, Evidence, Finding, Judged, Remedy, Server, Severity};

pub(super) static TLS_018: Check = Check {
    id: "TLS-018",
    title: "Clients may renegotiate without limit",
    severity: Severity::Low,
    why: "A renegotiation costs the server many times what it costs the client, so a few of them in a row are a cheap attack.",
    proof: "The version of OpenSSL, which refuses it by itself since 3.0, and NO_RENEGOTIATION in tls_ssl_options.",
    fix: "Set tls_ssl_options = NO_RENEGOTIATION, or update to OpenSSL 3.",
    references: &["CVE-2011-1473", "https://www.postfix.org/postconf.5.html#tls_ssl_options"],
    judge: tls_018,
};

pub(super) static TLS_033: Check = Check {
    id: "TLS-033",
    title: "The security level of the TLS library is lowered",
    severity: Severity::Medium,
    why: "Below level 1 the library takes keys and hashes that it knows to be broken, for every connection.",
    proof: "`@SECLEVEL=0` or `1` in cipher lists, OPENSSL_CONF in import_environment, and what tls_config_file names.",
    fix: "Take the exception out, and mend the client that needed it.",
    references: &["NIST SP 800-52r2 section 3.3"],
    judge: tls_033,
};

pub(super) static TLS_035: Check = Check {
    id: "TLS-035",
    title: "Every client is asked for a certificate",
    severity: Severity::Low,
    why: "Some senders break off when they are asked for a certificate, and clients that could send anonymously no longer can.",
    proof: "CertificateRequest in the handshake; without one, smtpd_tls_ask_ccert and smtpd_tls_req_ccert of public services.",
    fix: "Set smtpd_tls_ask_ccert = no; ask on a port for partners only.",
    references: &["https://www.postfix.org/TLS_README.html#server_vrfy_client"],
    judge: tls_035,
};

pub(super) static TLS_036: Check = Check {
    id: "TLS-036",
    title: "Session tickets live longer than a day",
    severity: Severity::Low,
    why: "As long as a ticket's key is kept, who steals it reads the sessions of all tickets made with it, forward secrecy or not.",
    proof: "The lifetime in the ticket that the server gives.",
    fix: "Set smtpd_tls_session_cache_timeout to an hour; in Dovecot set ssl_options = no_ticket.",
    references: &["RFC 9325 section 3.4"],
    judge: tls_036,
};

pub(super) static TLS_037: Check = Check {
    id: "TLS-037",
    title: "The log does not say how connections were encrypted",
    severity: Severity::Low,
    why: "Before old versions are switched off somebody has to know who still needs them, and only the log tells.",
    proof: "The effective smtpd_tls_loglevel and smtp_tls_loglevel.",
    fix: "Set both to 1, never above.",
    references: &["https://www.postfix.org/postconf.5.html#smtpd_tls_loglevel"],
    judge: tls_037,
};

const NO_RENEGOTIATION: Fix =
    Fix { advice: "Refuse renegotiation.", postfix: &["tls_ssl_options = NO_RENEGOTIATION"], dovecot: &[] };
const ASK_NOBODY: Fix = Fix {
    advice: "Ask nobody.",
    postfix: &["smtpd_tls_ask_ccert = no", "smtpd_tls_req_ccert = no"],
    dovecot: &[("ssl_server_request_client_cert", "no")],
};
const SHORT_TICKETS: Fix = Fix {
    advice: "Shorten the lifetime of tickets.",
    postfix: &["smtpd_tls_session_cache_timeout = 3600s"],
    dovecot: &[("ssl_options", "no_ticket")],
};
const LOG: Fix = Fix {
    advice: "Log one line for each connection.",
    postfix: &["smtpd_tls_loglevel = 1", "smtp_tls_loglevel = 1"],
    dovecot: &[],
};

fn tls_018(server: &Server<'_>) -> Judged {
    let (major, minor) = openssl(server)?;
    if major >= 3 {
        return pass(format!("OpenSSL {major}.{minor} refuses renegotiation by clients"));
    }
    let options = server.postfix()?.in_main("tls_ssl_options")?;
    let written = format!("tls_ssl_options = {}", options.written);
    if elements(&options.value).iter().any(|option| option.eq_ignore_ascii_case("NO_RENEGOTIATION")) {
        return pass(format!("{}: {written}", options.place));
    }
    let summary =
        format!("Postfix with OpenSSL {major}.{minor} lets clients renegotiate as often as they like.");
    let finding =
        Finding::new(Severity::Low, "", summary).cause(written.clone()).seen(options.place, written);
    Ok(finding.remedy(edits(server, "TLS-018", true, false, NO_RENEGOTIATION)).into())
}

fn tls_033(server: &Server<'_>) -> Judged {
    let mut seen = Vec::new();
    let postfix = server.postfix();
    if let Ok(postfix) = postfix {
        for (name, value) in postfix.set() {
            let exports = name == "import_environment" && value.contains("OPENSSL_CONF");
            if (name.starts_with("tls_") && lowers(value)) || exports {
                seen.push(evidence(&postfix.place(name), &format!("{name} = {value}")));
            }
        }
        if let Some(file) = postfix.explicit("tls_config_file").filter(|file| file.starts_with('/')) {
            seen.extend(in_file(server, &file)?);
        }
    }
    let dovecot = server.dovecot();
    if let Ok(dovecot) = dovecot {
        let lists = dovecot.values("ssl_cipher_list").into_iter().filter(|value| lowers(value.value));
        seen.extend(lists.map(|value| {
            evidence(
                &dovecot.place_in(&value.scope, "ssl_cipher_list"),
                &format!("ssl_cipher_list = {}", value.value),
            )
        }));
    }
    match (postfix, dovecot) {
        (Err(why), Err(_)) => Err(why),
        _ if seen.is_empty() => pass("no cipher list, file or environment lowers it"),
        _ => {
            let cause = seen.first().map(|seen| seen.seen.clone()).unwrap_or_default();
            let finding =
                Finding::new(Severity::Medium, "", "The security level of the TLS library is lowered.")
                    .cause(cause);
            let remedy = Remedy::new("Take the exception out, and mend the client that needed it.")
                .apply("postfix reload && doveadm reload");
            Ok(finding.all_seen(seen).remedy(remedy.prove("mailward audit --only TLS-033")).into())
        }
    }
}

/// Whether a cipher list lowers the level below 2, which is the default since OpenSSL 3.2 and of Debian before.
fn lowers(value: &str) -> bool {
    let value = value.to_ascii_uppercase().replace(' ', "");
    value.contains("@SECLEVEL=0") || value.contains("@SECLEVEL=1")
}

fn in_file(server: &Server<'_>, path: &str) -> Result<Vec<Evidence>, crate::Untold> {
    let text = server.facts.text(path)?.unwrap_or_default();
    let low =
        text.lines().enumerate().filter(|(_, line)| lowers(line) && !line.trim_start().starts_with('#'));
    Ok(low.map(|(number, line)| evidence(&format!("{path}:{}", number + 1), line.trim())).collect())
}

fn tls_035(server: &Server<'_>) -> Judged {
    if !server.facts.tls.is_empty() {
        let seen = see(server, |port| match &port.asks_client_certificate {
            Known::Is(asks) => Ok(asks.then(|| "CertificateRequest in the handshake".to_owned())),
            _ => Err(port.unlearnt("whether a certificate is asked for")),
        })?;
        return outcome(
            server,
            &TLS_035,
            &seen,
            (Severity::Low, Severity::Low),
            "Every client is asked for a certificate",
            ASK_NOBODY,
        );
    }
    let postfix = server.postfix()?;
    let mut seen = Vec::new();
    for service in
        postfix.smtpd().filter(|service| matches!(postfix.role(service), Role::Mx | Role::Submission))
    {
        for parameter in ["smtpd_tls_ask_ccert", "smtpd_tls_req_ccert"] {
            if postfix.is_on(service, parameter)? {
                let value = postfix.in_service(service, parameter)?;
                seen.push((
                    postfix.label(service),
                    evidence(&value.place, &format!("{parameter} = {}", value.written)),
                ));
            }
        }
    }
    let Some((label, first)) = seen.first() else { return pass("Postfix asks no client for a certificate") };
    let summary = format!("{} asks every client for a certificate.", upper(label));
    let finding = Finding::new(Severity::Low, "", summary).cause(first.seen.clone());
    let finding = finding.all_seen(seen.iter().map(|(_, seen)| seen.clone()));
    Ok(finding.remedy(edits(server, "TLS-035", true, false, ASK_NOBODY)).into())
}

fn tls_036(server: &Server<'_>) -> Judged {
    let seen = see(server, |port| match &port.ticket_lifetime {
        Known::Is(Some(seconds)) if *seconds > 86_400 => {
            Ok(Some(format!("a ticket lives {} hours", seconds / 3600)))
        }
        Known::Is(_) => Ok(None),
        Known::Unasked => {
            not_applicable(format!("TLS 1.2, whose tickets tell, is not offered at {}", port.place()))
        }
        _ => Err(port.unlearnt("the lifetime of session tickets")),
    })?;
    outcome(
        server,
        &TLS_036,
        &seen,
        (Severity::Low, Severity::Low),
        "Session tickets live for more than a day",
        SHORT_TICKETS,
    )
}

fn tls_037(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let mut silent = Vec::new();
    for parameter in ["smtpd_tls_loglevel", "smtp_tls_loglevel"] {
        let level = postfix.in_main(parameter)?;
        let written = format!("{parameter} = {}", level.written);
        match level.value.parse::<u32>() {
            Ok(0) => silent.push((parameter, evidence(&level.place, &written))),
            Ok(_) => {}
            Err(_) => return could_not_tell(format!("{written} is no number")),
        }
    }
    let Some((_, first)) = silent.first() else { return pass("both log levels are 1 or more") };
    let finding = Finding::new(Severity::Low, "", "Postfix does not log how connections are encrypted.")
        .cause(first.seen.clone());
    let finding = finding.all_seen(silent.iter().map(|(_, seen)| seen.clone()));
    Ok(finding.remedy(edits(server, "TLS-037", true, false, LOG)).into())
}
