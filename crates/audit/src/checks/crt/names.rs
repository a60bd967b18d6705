//! Names and purposes of certificates.

use std::collections::BTreeMap;

use super::{describe, judge_each, leaves, of_ports, reissue};
use crate::check::{could_not_tell, not_applicable, pass};
use crate::checks::tls::{evidence, listed, looked, promised, see};
use crate::facts::{Certificate, MailProtocol, TlsPort};
use crate::{Check, Finding, Judged, Outcome, Server, Severity};

pub(super) static CRT_004: Check = Check {
    id: "CRT-004",
    title: "A certificate lacks names that clients use",
    severity: Severity::High,
    why: "A client that asks for a name which the certificate does not have refuses or warns; a server that verifies keeps its mail back.",
    proof: "subjectAltName of what each port serves, against the name asked for, myhostname and MX names at port 25, and targets of SRV records; of files against myhostname where no port was looked at.",
    fix: "Have a certificate issued with all names.",
    references: &["RFC 7817", "RFC 9525"],
    judge: crt_004,
};

pub(super) static CRT_012: Check = Check {
    id: "CRT-012",
    title: "A certificate has no subjectAltName",
    severity: Severity::Medium,
    why: "Clients no longer look at the common name, so for them the certificate has no name at all.",
    proof: "The certificate that is served has no names in subjectAltName.",
    fix: "Have it issued anew, with the names as subjectAltName.",
    references: &["RFC 9525 section 2"],
    judge: crt_012,
};

pub(super) static CRT_020: Check = Check {
    id: "CRT-020",
    title: "A certificate may not be used for what it is used for",
    severity: Severity::Low,
    why: "Clients that look at the extended key usage refuse a server's certificate without serverAuth, and public authorities no longer certify clients.",
    proof: "extendedKeyUsage of what is served, and of the file that smtp_tls_cert_file or smtp_tls_chain_files names.",
    fix: "Have it issued for servers, and take smtp_tls_cert_file out or use a private authority for it.",
    references: &["RFC 5280 section 4.2.1.12", "https://googlechrome.github.io/chromerootprogram/"],
    judge: crt_020,
};

pub(super) static CRT_021: Check = Check {
    id: "CRT-021",
    title: "Clients that ask for no name get a certificate with a wrong one",
    severity: Severity::Medium,
    why: "Many mail servers do not send the name they want (SNI), and get the default certificate.",
    proof: "Handshakes with and without a name: only the first gets a certificate that has it.",
    fix: "Make the certificate with the MX name the default one.",
    references: &["RFC 6066 section 3"],
    judge: crt_021,
};

fn is_name(host: &str) -> bool {
    host.parse::<std::net::IpAddr>().is_err() && host.contains('.')
}

/// The names by which clients reach a port, and who says so.
fn wanted(server: &Server<'_>, port: &TlsPort) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    let mut add = |name: &str, who: &str| {
        if is_name(name) {
            names.entry(name.trim_end_matches('.').to_ascii_lowercase()).or_insert_with(|| who.to_owned());
        }
    };
    add(&port.host, "the name asked for");
    if port.is_mx() {
        let own = server.postfix().ok().and_then(|postfix| postfix.value("myhostname"));
        add(own.as_deref().unwrap_or_default(), "myhostname");
    }
    for (question, answer) in &server.facts.dns.answers {
        let Some((kind, asked)) = question.split_once(' ') else { continue };
        let records = answer.known().map(|answer| answer.records.as_slice()).unwrap_or_default();
        let ours = |target: &&str| {
            server.facts.dns.hosts.iter().any(|host| host.eq_ignore_ascii_case(target.trim_end_matches('.')))
        };
        let service = service_of(port);
        for record in records {
            let target = record.rsplit(' ').next().filter(ours);
            let matches = kind == "MX" && port.is_mx()
                || kind == "SRV" && service.is_some_and(|service| asked.starts_with(service));
            if let Some(target) = target.filter(|_| matches) {
                add(target, question);
            }
        }
    }
    names
}

/// The SRV label of a port's service (RFC 6186, RFC 8314).
fn service_of(port: &TlsPort) -> Option<&'static str> {
    Some(match (port.service, port.starttls) {
        (MailProtocol::Smtp, false) => "_submissions._tcp",
        (MailProtocol::Smtp, true) if port.port != 25 => "_submission._tcp",
        (MailProtocol::Imap, false) => "_imaps._tcp",
        (MailProtocol::Imap, true) => "_imap._tcp",
        (MailProtocol::Pop3, false) => "_pop3s._tcp",
        (MailProtocol::Pop3, true) => "_pop3._tcp",
        (MailProtocol::Sieve, _) => "_sieve._tcp",
        _ => return None,
    })
}

/// Certificates in files where no port was looked at: the server's own name is all that is known of what clients ask for.
fn named_in_files(server: &Server<'_>) -> Judged {
    let own = server.postfix()?.value("myhostname").filter(|name| is_name(name));
    let Some(own) = own else {
        return could_not_tell("no TLS port was looked at, and myhostname is no name");
    };
    let all = leaves(server)?;
    let is = |leaf: &Certificate| {
        let lacks = !leaf.names.is_empty() && !leaf.holds_for(&own);
        lacks.then(|| format!("lacks {own} (myhostname) among {}", leaf.names.join(", ")))
    };
    let places: Vec<_> = all.iter().map(|held| held.place.as_str()).collect();
    let shown = format!("{own} is in the certificates of {}; no port was looked at", places.join(", "));
    let remedy = || reissue("Have a certificate issued with all names.", "CRT-004");
    Ok(judge_each(server, &all, (Severity::Medium, Severity::Medium), is, remedy, &shown))
}

fn crt_004(server: &Server<'_>) -> Judged {
    if server.facts.tls.is_empty() {
        return named_in_files(server);
    }
    let seen = see(server, |port| {
        let leaf = port.leaf()?;
        let names = wanted(server, port);
        if names.is_empty() {
            return not_applicable(format!("no name is known for {}", port.place()));
        }
        // A certificate without names is a finding by itself.
        let missing: Vec<_> =
            names.iter().filter(|(name, _)| !leaf.names.is_empty() && !leaf.holds_for(name)).collect();
        let said = missing.iter().map(|(name, who)| format!("{name} ({who})")).collect::<Vec<_>>();
        Ok((!said.is_empty()).then(|| format!("{} missing among {}", said.join(", "), leaf.names.join(", "))))
    })?;
    if seen.weak.is_empty() {
        return pass("every certificate has the names that clients use");
    }
    let lenient = !promised(server);
    let severity = seen
        .weak
        .iter()
        .map(|(port, _)| if port.is_mx() && lenient { Severity::Medium } else { Severity::High });
    let severity = severity.max().unwrap_or(Severity::High);
    of_ports(
        &seen.weak,
        severity,
        "A certificate is served that lacks names which clients use",
        reissue("Have a certificate issued with all names.", "CRT-004"),
    )
}

fn crt_012(server: &Server<'_>) -> Judged {
    let all = leaves(server)?;
    let is =
        |certificate: &Certificate| certificate.names.is_empty().then(|| "has no subjectAltName".to_owned());
    let shown = all.first().map(|held| held.certificate.names.join(", ")).unwrap_or_default();
    let remedy = || reissue("Have it issued anew, with the names as subjectAltName.", "CRT-012");
    Ok(judge_each(server, &all, (Severity::Medium, Severity::Low), is, remedy, &format!("names: {shown}")))
}

fn may(certificate: &Certificate, usage: &str) -> bool {
    certificate.usages.is_empty() || certificate.usages.iter().any(|one| one == usage || one == "any")
}

fn crt_020(server: &Server<'_>) -> Judged {
    let mut findings = Vec::new();
    let all = leaves(server)?;
    let served: Vec<_> = all.into_iter().filter(|held| held.port.is_some()).collect();
    let is = |certificate: &Certificate| {
        (!may(certificate, "serverAuth")).then(|| "may not be used by a server".to_owned())
    };
    let remedy = || reissue("Have it issued for servers (serverAuth).", "CRT-020");
    if let Outcome::Fail(found) = judge_each(server, &served, (Severity::Low, Severity::Low), is, remedy, "")
    {
        findings.extend(found);
    }
    findings.extend(client_certificate(server));
    Ok(Outcome::of(findings, "every certificate may be used for what it is used for"))
}

/// The certificate that Postfix shows to other servers.
fn client_certificate(server: &Server<'_>) -> Option<Finding> {
    let postfix = server.postfix().ok()?;
    ["smtp_tls_cert_file", "smtp_tls_chain_files"].iter().find_map(|parameter| {
        let value = postfix.explicit(parameter)?;
        let paths = crate::postfix::elements(&value);
        let mut certificates =
            paths.iter().filter_map(|path| server.facts.certificates.get(*path)?.known()?.first());
        let leaf = certificates.find(|leaf| !may(leaf, "clientAuth"))?;
        let written = format!("{parameter} = {value}");
        let finding = Finding::new(
            Severity::Low,
            *parameter,
            format!("Postfix shows other servers a certificate that is not for clients ({parameter})."),
        );
        let finding = finding
            .cause(written.clone())
            .seen(postfix.place(parameter), written)
            .all_seen([evidence("certificate", &describe(leaf))]);
        Some(finding.remedy(reissue("Take the parameter out: servers do not ask for it.", "CRT-020")))
    })
}

fn crt_021(server: &Server<'_>) -> Judged {
    looked(server)?;
    let seen = see(server, |port| {
        let leaf = |sni: bool| {
            port.chains.iter().find(|chain| chain.sni == sni).and_then(|chain| chain.certificates.first())
        };
        let (Some(with), Some(without)) = (leaf(true), leaf(false)) else {
            return Err(port.unlearnt("the certificate without a name asked for"));
        };
        let wrong = is_name(&port.host) && with.holds_for(&port.host) && !without.holds_for(&port.host);
        Ok(wrong.then(|| format!("without a name asked for: {}", listed(without.names.iter().cloned()))))
    })?;
    if seen.weak.is_empty() {
        return pass("clients that ask for no name get the same names");
    }
    of_ports(
        &seen.weak,
        Severity::Medium,
        "Clients that ask for no name get a certificate with another one",
        reissue("Make the certificate with the MX name the default one.", "CRT-021"),
    )
}
