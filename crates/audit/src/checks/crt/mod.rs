//! Certificates and keys.

mod chain;
mod files;
mod life;
mod names;
mod strength;

use crate::checks::tls::{evidence, looked, places, severity};
use crate::facts::{Certificate, TlsPort};
use crate::{Check, Finding, Judged, NotYet, Outcome, Remedy, Server, Severity, Untold};

pub use files::{TlsFile, tls_files};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[
    &life::CRT_001,
    &life::CRT_002,
    &chain::CRT_003,
    &names::CRT_004,
    &chain::CRT_005,
    &chain::CRT_006,
    &strength::CRT_007,
    &strength::CRT_008,
    &life::CRT_009,
    &life::CRT_010,
    &life::CRT_011,
    &names::CRT_012,
    &files::CRT_013,
    &files::CRT_014,
    &files::CRT_015,
    &strength::CRT_016,
    &strength::CRT_017,
    &files::CRT_018,
    &files::CRT_019,
    &names::CRT_020,
    &names::CRT_021,
];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[];

/// A certificate, and where it is.
#[derive(Clone, Debug)]
struct Held<'a> {
    /// A port that serves it, or none for a file.
    port: Option<&'a TlsPort>,
    /// The port's name or the file's path.
    place: String,
    certificate: &'a Certificate,
}

/// The first certificates of all chains that are served or lie in the files that the configuration names.
///
/// # Errors
/// When none is known.
fn leaves<'a>(server: &Server<'a>) -> Result<Vec<Held<'a>>, Untold> {
    held(server, |certificates| certificates.get(..1).unwrap_or_default())
}

/// All certificates of those chains.
fn held<'a>(
    server: &Server<'a>,
    pick: impl Fn(&'a [Certificate]) -> &'a [Certificate],
) -> Result<Vec<Held<'a>>, Untold> {
    let ports = looked(server);
    let mut all = Vec::new();
    for port in ports.iter().flatten().copied() {
        for chain in &port.chains {
            let named = if chain.sni { "" } else { ", without a name asked for" };
            let of = |certificate| Held {
                port: Some(port),
                place: format!("{}{named}", port.place()),
                certificate,
            };
            all.extend(pick(&chain.certificates).iter().map(of));
        }
    }
    let files = server.facts.certificates.iter().filter_map(|(path, file)| Some((path, file.known()?)));
    for (path, certificates) in files {
        all.extend(pick(certificates).iter().map(|certificate| Held {
            port: None,
            place: path.clone(),
            certificate,
        }));
    }
    match (all.is_empty(), ports) {
        (false, _) => Ok(all),
        (true, Err(why)) => Err(why),
        (true, Ok(_)) => Err(Untold::CouldNotTell("no port showed its certificate".to_owned())),
    }
}

/// How bad it is where it is; a file is as bad as what clients see of it.
fn level(server: &Server<'_>, held: &[&Held<'_>], client: Severity, mx: Severity) -> Severity {
    let of = |held: &&Held<'_>| held.port.map_or(client, |port| severity(server, port, client, mx));
    // A file beside ports says nothing more than they do.
    let ports: Vec<_> = held.iter().filter(|held| held.port.is_some()).copied().collect();
    let telling = if ports.is_empty() { held.to_vec() } else { ports };
    telling.iter().map(of).max().unwrap_or(client)
}

/// One finding for each certificate that `is` says something of, with all places that have it.
fn judge_each(
    server: &Server<'_>,
    all: &[Held<'_>],
    (client, mx): (Severity, Severity),
    is: impl Fn(&Certificate) -> Option<String>,
    remedy: impl Fn() -> Remedy,
    shown: &str,
) -> Outcome {
    let mut done: Vec<&str> = Vec::new();
    let mut findings = Vec::new();
    for one in all {
        let Some(says) = is(one.certificate) else { continue };
        if done.contains(&one.certificate.sha256.as_str()) {
            continue;
        }
        done.push(&one.certificate.sha256);
        let same: Vec<_> =
            all.iter().filter(|other| other.certificate.sha256 == one.certificate.sha256).collect();
        let summary = format!("The certificate of {} {says}.", title(one.certificate));
        let finding = Finding::new(level(server, &same, client, mx), title(one.certificate), summary);
        let finding =
            finding.all_seen(same.iter().map(|held| evidence(&held.place, &describe(held.certificate))));
        findings.push(finding.remedy(remedy()));
    }
    Outcome::of(findings, shown)
}

/// Whose certificate it is.
fn title(certificate: &Certificate) -> String {
    let name = certificate.names.first().unwrap_or(&certificate.common_name);
    if name.is_empty() { certificate.subject.clone() } else { name.clone() }
}

/// A certificate in a line.
fn describe(certificate: &Certificate) -> String {
    let day = |seconds: i64| {
        jiff::Timestamp::from_second(seconds)
            .map_or_else(|_| seconds.to_string(), |time| time.strftime("%Y-%m-%d").to_string())
    };
    let key = &certificate.key;
    let kind = if key.curve.is_empty() {
        format!("{} {}", key.kind, key.bits)
    } else {
        format!("{} {}", key.kind, key.curve)
    };
    format!(
        "{}, from {}, valid {} to {}, {kind}, {}, SHA-256 {}",
        certificate.subject,
        certificate.issuer,
        day(certificate.not_before),
        day(certificate.not_after),
        certificate.signature,
        certificate.sha256.get(..16).unwrap_or(&certificate.sha256),
    )
}

/// When the facts were collected, seconds since 1970.
fn now(server: &Server<'_>) -> Result<i64, Untold> {
    let taken = &server.facts.about.taken;
    taken
        .parse::<jiff::Timestamp>()
        .map(jiff::Timestamp::as_second)
        .map_err(|_| Untold::CouldNotTell(format!("when the facts were collected is not known: `{taken}`")))
}

/// A finding about ports.
fn of_ports(ports: &[(&TlsPort, String)], severity: Severity, says: &str, remedy: Remedy) -> Judged {
    let summary = format!("{says} at {}.", places(ports.iter().map(|(port, _)| *port)));
    let finding = Finding::new(severity, "", summary);
    Ok(finding.all_seen(ports.iter().map(|(port, seen)| evidence(&port.place(), seen))).remedy(remedy).into())
}

/// What gets a new certificate.
fn reissue(advice: &str, id: &str) -> Remedy {
    Remedy::new(advice)
        .apply("certbot renew --force-renewal && postfix reload && doveadm reload")
        .prove(format!("mailward audit --only {id}"))
}
