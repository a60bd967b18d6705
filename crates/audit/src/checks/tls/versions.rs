//! Versions of TLS: what was accepted, or, where nobody looked, what the configuration lets through.

use super::{Fix, edits, evidence, looked, outcome, promised, see, severity, upper};
use crate::check::{could_not_tell, not_applicable};
use crate::facts::{MailProtocol, TlsPort, TlsVersion};
use crate::postfix::{Effective, Protocol, Protocols, Role};
use crate::{Check, Evidence, Finding, Judged, Outcome, Server, Severity, Untold};

pub(super) static TLS_001: Check = Check {
    id: "TLS-001",
    title: "SSL 2.0 or SSL 3.0 is offered",
    severity: Severity::Critical,
    why: "SSL 3.0 lets an attacker read parts of a session (POODLE), SSL 2.0 all of it.",
    proof: "Hellos of these versions in our own bytes, since libraries of today cannot speak them; without them, the effective protocol parameters of every service.",
    fix: "Allow TLS 1.2 and newer.",
    references: &["RFC 7568", "RFC 6176", "RFC 9325 section 3.1.1"],
    judge: |server| {
        old(server, &TLS_001, &[TlsVersion::Ssl2, TlsVersion::Ssl3], (Severity::Critical, Severity::High))
    },
};

pub(super) static TLS_002: Check = Check {
    id: "TLS-002",
    title: "TLS 1.0 or 1.1 is offered",
    severity: Severity::High,
    why: "These versions sign with SHA-1 and MD5 and have no authenticated encryption; every mail program of the last ten years does better.",
    proof: "Hellos of these versions; without them, the effective protocol parameters of every service.",
    fix: "Allow TLS 1.2 and newer; at port 25 look into the log first for senders that have nothing newer.",
    references: &["RFC 8996", "RFC 9325 section 3.1.1"],
    judge: |server| {
        old(server, &TLS_002, &[TlsVersion::Tls10, TlsVersion::Tls11], (Severity::High, Severity::Low))
    },
};

pub(super) static TLS_003: Check = Check {
    id: "TLS-003",
    title: "TLS 1.3 is not offered",
    severity: Severity::Medium,
    why: "TLS 1.3 hides certificates, has no weak suites left and needs a round trip less.",
    proof: "A hello of TLS 1.3 is refused; without one, an upper bound in the effective protocol parameters.",
    fix: "Take the upper bound out, or update the TLS library to OpenSSL 1.1.1 or newer.",
    references: &["RFC 8446", "RFC 9325 section 3.1.1"],
    judge: tls_003,
};

pub(super) static TLS_004: Check = Check {
    id: "TLS-004",
    title: "Port 25 refuses TLS 1.2",
    severity: Severity::Medium,
    why: "Senders without TLS 1.3 fall back to no encryption at all, or their mail does not come.",
    proof: "A hello of TLS 1.2 at port 25 is refused; without one, the effective smtpd_tls_protocols there.",
    fix: "Allow TLS 1.2 at port 25.",
    references: &["RFC 9325 section 3.1.1"],
    judge: tls_004,
};

pub(super) const ONLY_NEW: Fix = Fix {
    advice: "Allow TLS 1.2 and newer.",
    postfix: &["smtpd_tls_protocols = >=TLSv1.2", "smtpd_tls_mandatory_protocols = >=TLSv1.2"],
    dovecot: &[("ssl_min_protocol", "TLSv1.2")],
};

const WITH_NEW: Fix = Fix {
    advice: "Allow TLS 1.2 and everything newer.",
    postfix: &["smtpd_tls_protocols = >=TLSv1.2", "smtpd_tls_mandatory_protocols = >=TLSv1.2"],
    dovecot: &[("ssl_min_protocol", "TLSv1.2")],
};

/// Fails where a version that nobody needs is accepted.
fn old(
    server: &Server<'_>,
    check: &'static Check,
    old: &[TlsVersion],
    severities: (Severity, Severity),
) -> Judged {
    let look = |port: &TlsPort| {
        let mut met = Vec::new();
        for version in old {
            if port.accepts(*version)? {
                met.push(accepted(port, *version));
            }
        }
        Ok((!met.is_empty()).then(|| met.join("; ")))
    };
    let names: Vec<_> = old.iter().map(ToString::to_string).collect();
    match see(server, look) {
        Ok(seen) => {
            let causes = seen.weak.iter().filter_map(|(port, _)| cause(server, port)).collect::<Vec<_>>();
            let judged = outcome(
                server,
                check,
                &seen,
                severities,
                &format!("{} is accepted", names.join(" or ")),
                ONLY_NEW,
            )?;
            Ok(with_causes(judged, causes))
        }
        Err(Untold::CouldNotTell(why)) => by_settings(server, check, old, severities, &why),
        Err(other) => Err(other),
    }
}

fn accepted(port: &TlsPort, version: TlsVersion) -> String {
    let suite = port.suites.get(&version).and_then(|suites| suites.accepted.first());
    suite.map_or_else(
        || format!("ServerHello of {version}"),
        |suite| format!("ServerHello of {version} with {suite}"),
    )
}

/// The setting that lets the versions of a port through.
fn cause(server: &Server<'_>, port: &TlsPort) -> Option<Evidence> {
    if matches!(port.service, MailProtocol::Smtp) {
        let (_, effective, _) =
            postfix_protocols(server).ok()?.into_iter().find(|(of, ..)| *of == Some(port.port))?;
        return Some(evidence(&effective.place, &format!("{} = {}", effective.parameter, effective.written)));
    }
    let dovecot = server.dovecot().ok()?;
    Some(evidence(&dovecot.place("ssl_min_protocol"), &dovecot.line("ssl_min_protocol")))
}

/// With the settings that cause it.
pub(super) fn with_causes(judged: Outcome, mut causes: Vec<Evidence>) -> Outcome {
    let Outcome::Fail(mut findings) = judged else { return judged };
    causes.dedup();
    if let Some(finding) = findings.first_mut() {
        finding.cause = causes.first().map(|cause| cause.seen.clone()).unwrap_or_default();
        finding.evidence.extend(causes);
    }
    Outcome::Fail(findings)
}

/// The versions that each service of Postfix lets through, with its port.
fn postfix_protocols(server: &Server<'_>) -> Result<Vec<(Option<u16>, Effective, Protocols)>, Untold> {
    let postfix = server.postfix()?;
    let mut all = Vec::new();
    for service in postfix.smtpd().filter(|service| postfix.role(service) != Role::Internal) {
        if let Some((effective, protocols)) = postfix.tls_protocols(service)? {
            all.push((postfix.port(service), effective, protocols));
        }
    }
    Ok(all)
}

/// A service whose settings let a version through or keep it out.
struct Allowed {
    place: String,
    mx: bool,
    seen: String,
    versions: Vec<TlsVersion>,
    postfix: bool,
}

fn allowed(server: &Server<'_>) -> Result<Vec<Allowed>, Untold> {
    let postfix = postfix_protocols(server).map(|all| all.into_iter().map(of_postfix).collect::<Vec<_>>());
    let dovecot = of_dovecot(server);
    match (postfix, dovecot) {
        (Ok(postfix), Ok(dovecot)) => Ok(postfix.into_iter().chain(dovecot).collect()),
        (Ok(one), Err(Untold::NotApplicable(_))) | (Err(Untold::NotApplicable(_)), Ok(one)) => Ok(one),
        (Err(why), _) | (_, Err(why)) => Err(why),
    }
}

fn of_postfix((port, effective, protocols): (Option<u16>, Effective, Protocols)) -> Allowed {
    let place =
        port.map_or_else(|| effective.place.clone(), |port| format!("port {port}, {}", effective.place));
    let versions = TlsVersion::ALL.into_iter().zip(Protocol::ALL);
    let versions = versions.filter(|(_, protocol)| *protocol > Protocol::Ssl2 && protocols.allows(*protocol));
    Allowed {
        place,
        mx: port == Some(25),
        seen: format!("{} = {}", effective.parameter, effective.written),
        versions: versions.map(|(version, _)| version).collect(),
        postfix: true,
    }
}

fn of_dovecot(server: &Server<'_>) -> Result<Vec<Allowed>, Untold> {
    let dovecot = server.dovecot()?;
    if dovecot.setting("ssl") == Some("no") {
        return not_applicable("Dovecot has ssl = no");
    }
    let Some(least) = dovecot.setting("ssl_min_protocol") else {
        return could_not_tell("ssl_min_protocol of Dovecot is not known");
    };
    let first = match least.to_ascii_lowercase().as_str() {
        "any" | "sslv3" => TlsVersion::Ssl3,
        "tlsv1" => TlsVersion::Tls10,
        "tlsv1.1" => TlsVersion::Tls11,
        "tlsv1.2" => TlsVersion::Tls12,
        "tlsv1.3" => TlsVersion::Tls13,
        "latest" => TlsVersion::Tls13,
        other => return could_not_tell(format!("ssl_min_protocol is `{other}`")),
    };
    Ok(vec![Allowed {
        place: dovecot.place("ssl_min_protocol"),
        mx: false,
        seen: dovecot.line("ssl_min_protocol"),
        versions: TlsVersion::ALL.into_iter().filter(|version| *version >= first).collect(),
        postfix: false,
    }])
}

/// What the settings let through, where nobody tried it.
fn by_settings(
    server: &Server<'_>,
    check: &'static Check,
    old: &[TlsVersion],
    (client, mx): (Severity, Severity),
    why: &str,
) -> Judged {
    let all = allowed(server).map_err(|_| Untold::CouldNotTell(why.to_owned()))?;
    let weak: Vec<_> =
        all.iter().filter(|one| one.versions.iter().any(|version| old.contains(version))).collect();
    let Some(first) = weak.first() else {
        let seen: Vec<_> = all.iter().map(|one| format!("{}: {}", one.place, one.seen)).collect();
        return if seen.is_empty() { could_not_tell(why) } else { Ok(Outcome::Pass(seen.join("; "))) };
    };
    let lenient = !promised(server);
    let severity = weak.iter().map(|one| if one.mx && lenient { mx } else { client }).max().unwrap_or(client);
    let names: Vec<_> = old.iter().map(ToString::to_string).collect();
    let programs: Vec<_> = [(true, "Postfix"), (false, "Dovecot")]
        .iter()
        .filter(|(postfix, _)| weak.iter().any(|one| one.postfix == *postfix))
        .map(|(_, name)| *name)
        .collect();
    let summary = format!("{} lets {} through.", programs.join(" and "), names.join(" or "));
    let finding = Finding::new(severity, "", summary).cause(first.seen.clone());
    let finding = finding.all_seen(weak.iter().map(|one| evidence(&one.place, &one.seen)));
    let of = |postfix: bool| weak.iter().any(|one| one.postfix == postfix);
    Ok(finding.remedy(edits(server, check.id, of(true), of(false), ONLY_NEW)).into())
}

fn tls_003(server: &Server<'_>) -> Judged {
    let look = |port: &TlsPort| {
        let offered = port.accepts(TlsVersion::Tls13)?;
        Ok((!offered).then(|| "a hello of TLS 1.3 was refused".to_owned()))
    };
    match see(server, look) {
        Ok(seen) => {
            let causes = seen.weak.iter().filter_map(|(port, _)| cause(server, port)).collect();
            let severities = (Severity::Medium, Severity::Medium);
            Ok(with_causes(
                outcome(server, &TLS_003, &seen, severities, "TLS 1.3 is not offered", WITH_NEW)?,
                causes,
            ))
        }
        Err(Untold::CouldNotTell(why)) => bounded_above(server, &why),
        Err(other) => Err(other),
    }
}

/// A setting can only show that TLS 1.3 is off: whether the library has it is another matter.
fn bounded_above(server: &Server<'_>, why: &str) -> Judged {
    let all = allowed(server).map_err(|_| Untold::CouldNotTell(why.to_owned()))?;
    let bounded: Vec<_> = all.iter().filter(|one| !one.versions.contains(&TlsVersion::Tls13)).collect();
    let Some(first) = bounded.first() else { return could_not_tell(why) };
    let summary = format!("{} keeps TLS 1.3 out.", upper(&first.place));
    let finding = Finding::new(Severity::Medium, "", summary).cause(first.seen.clone());
    let finding = finding.all_seen(bounded.iter().map(|one| evidence(&one.place, &one.seen)));
    Ok(finding
        .remedy(edits(server, TLS_003.id, bounded.iter().any(|one| one.postfix), false, WITH_NEW))
        .into())
}

fn tls_004(server: &Server<'_>) -> Judged {
    if let Ok(ports) = looked(server)
        && let Some(port) = ports.into_iter().find(|port| port.is_mx())
        && let Ok(accepts) = port.accepts(TlsVersion::Tls12)
    {
        let Some(seen) = (!accepts).then_some("a hello of TLS 1.2 was refused") else {
            return Ok(Outcome::Pass(format!("TLS 1.2 is accepted at {}", port.place())));
        };
        let level = severity(server, port, Severity::Medium, Severity::Medium);
        let finding =
            Finding::new(level, "port 25", "Port 25 refuses TLS 1.2, which many senders have at most.");
        let finding = finding.seen(port.place(), seen).all_seen(cause(server, port));
        return Ok(finding.remedy(edits(server, TLS_004.id, true, false, WITH_NEW)).into());
    }
    let services = postfix_protocols(server)?;
    let Some((_, effective, protocols)) = services.into_iter().find(|(port, ..)| *port == Some(25)) else {
        return not_applicable("Postfix offers no TLS at port 25");
    };
    let written = format!("{} = {}", effective.parameter, effective.written);
    if protocols.allows(Protocol::Tls12) {
        return Ok(Outcome::Pass(format!("{}: {written}", effective.place)));
    }
    let finding = Finding::new(
        Severity::Medium,
        "port 25",
        "Port 25 refuses TLS 1.2, which many senders have at most.",
    );
    let finding = finding.cause(written.clone()).seen(effective.place, written);
    Ok(finding.remedy(edits(server, TLS_004.id, true, false, WITH_NEW)).into())
}
