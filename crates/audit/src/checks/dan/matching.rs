//! TLSA against the certificates that are served.

use super::{each_record, name, port};
use crate::check::not_applicable;
use crate::checks::dns::untold;
use crate::facts::{Certificate, TlsPort};
use crate::records::tlsa::Tlsa;
use crate::{Check, Evidence, Finding, Judged, Remedy, Server, Severity, Untold};

pub(super) static DAN_001: Check = Check {
    id: "DAN-001",
    title: "TLSA does not match the certificate that is served",
    severity: Severity::Critical,
    why: "Servers that follow DANE refuse to deliver, and there are many, all of the large German and Dutch providers among them.",
    proof: "TLSA of every exchanger against the chain on its port 25.",
    fix: "Publish the digest of the current key beside that of the next one.",
    references: &["RFC 7672 2.2", "RFC 7671 8.1"],
    judge: dan_001,
};

fn dan_001(server: &Server<'_>) -> Judged {
    each_record(server, "TLSA matches the certificates that are served", |_, host, records| {
        let usable: Vec<&Tlsa> = records.iter().filter(|record| record.unusable().is_none()).collect();
        if !usable.iter().any(|record| record.usage == 3) {
            return not_applicable(format!("no TLSA record of {host} names the server's own certificate"));
        }
        let port = port(server, host)?;
        if matched(&usable, port)? {
            return Ok(None);
        }
        Ok(Some(mismatch(
            Severity::Critical,
            host,
            &usable,
            port,
            "TLSA of the exchanger does not match its certificate",
        )?))
    })
}

fn mismatch(
    severity: Severity,
    host: &str,
    usable: &[&Tlsa],
    port: &TlsPort,
    what: &str,
) -> Result<Finding, Untold> {
    let leaf = port.leaf()?;
    let name = name(host);
    let served = format!("3 1 1 {}", leaf.key.spki_sha256);
    Ok(Finding::new(severity, host, format!("{what}: {host}"))
        .cause(format!("TLSA {name}"))
        .all_seen(
            usable
                .iter()
                .map(|record| Evidence { place: format!("dig TLSA {name}"), seen: record.to_string() }),
        )
        .seen(port.place(), format!("serves {served}"))
        .remedy(
            Remedy::new("Publish the served key now, and the next one before it is used.")
                .add("DNS", &[&format!("{name}. IN TLSA {served}")])
                .prove(format!("dig +short TLSA {name}")),
        ))
}

/// Whether any record matches.
fn matched(usable: &[&Tlsa], port: &TlsPort) -> Result<bool, Untold> {
    port.leaf()?;
    let mut unknown = false;
    for record in usable {
        for chain in &port.chains {
            let candidates = match record.usage {
                3 => chain.certificates.get(..1),
                _ => chain.certificates.get(..),
            };
            for certificate in candidates.unwrap_or_default() {
                match matches(record, certificate) {
                    Some(true) => return Ok(true),
                    Some(false) => {}
                    None => unknown = true,
                }
            }
        }
    }
    if unknown { untold("only SHA-256 digests of the served chain are known") } else { Ok(false) }
}

fn matches(record: &Tlsa, certificate: &Certificate) -> Option<bool> {
    let digest = match (record.selector, record.matching) {
        (0, 1) => &certificate.sha256,
        (1, 1) => &certificate.key.spki_sha256,
        _ => return None,
    };
    (!digest.is_empty()).then(|| digest.eq_ignore_ascii_case(&record.data))
}

pub(super) static DAN_005: Check = Check {
    id: "DAN-005",
    title: "TLSA names a CA that the server does not send",
    severity: Severity::High,
    why: "A `2 x x` record matches only certificates in the chain that is sent; without the CA's certificate delivery fails.",
    proof: "TLSA with usage 2 against the chain on port 25.",
    fix: "Serve the full chain with the CA's certificate, or publish `3 1 1`.",
    references: &["RFC 7672 3.1.2"],
    judge: dan_005,
};

fn dan_005(server: &Server<'_>) -> Judged {
    each_record(server, "the chain that is sent has the CA that TLSA names", |_, host, records| {
        let usable: Vec<&Tlsa> = records.iter().filter(|record| record.unusable().is_none()).collect();
        if usable.is_empty() || usable.iter().any(|record| record.usage != 2) {
            return not_applicable(format!("TLSA of {host} does not rest on a CA alone"));
        }
        let port = port(server, host)?;
        if matched(&usable, port)? {
            return Ok(None);
        }
        Ok(Some(mismatch(Severity::High, host, &usable, port, "the chain lacks the CA that TLSA names")?))
    })
}
