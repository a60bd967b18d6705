//! Where chains lead, and what is in them.

use super::{of_ports, reissue};
use crate::check::pass;
use crate::checks::tls::{Seen, promised, see};
use crate::facts::{Certificate, Chain, TlsPort};
use crate::{Check, Judged, Remedy, Server, Severity, Untold};

pub(super) static CRT_003: Check = Check {
    id: "CRT-003",
    title: "A certificate does not lead to a trusted root",
    severity: Severity::High,
    why: "Mail programs warn or refuse, users learn to accept any certificate, and servers that verify (MTA-STS) keep their mail back.",
    proof: "The chain as sent, verified with the system's store and what --ca adds; at port 25 only MTA-STS and DANE make it matter.",
    fix: "Use a certificate of a public authority, by ACME.",
    references: &["RFC 7817", "RFC 8461 section 4.2"],
    judge: crt_003,
};

pub(super) static CRT_005: Check = Check {
    id: "CRT-005",
    title: "An intermediate certificate is missing",
    severity: Severity::High,
    why: "Some clients find the missing link by themselves and most do not, so it works for the one who tests it and fails for others.",
    proof: "The certificate is of an authority that says where its own certificate is, and the chain as sent leads nowhere.",
    fix: "Serve fullchain.pem instead of cert.pem.",
    references: &["RFC 8446 section 4.4.2"],
    judge: crt_005,
};

pub(super) static CRT_006: Check = Check {
    id: "CRT-006",
    title: "A chain is out of order, or has certificates that do not belong to it",
    severity: Severity::Low,
    why: "Clients that read the chain strictly do not find the way through it, and each superfluous certificate makes every handshake longer.",
    proof: "Each certificate of the chain as sent has to be the issuer of the one before it, and the root is not sent.",
    fix: "Build the file anew: the server's certificate, then each issuer, without the root.",
    references: &["RFC 5246 section 7.4.2", "RFC 8446 section 4.4.2"],
    judge: crt_006,
};

/// Whether a chain leads nowhere although its authority is one that publishes its certificates.
fn lacks_intermediate(chain: &Chain) -> bool {
    let Some(leaf) = chain.certificates.first() else { return false };
    let sent = chain.certificates.iter().skip(1).any(|other| other.subject == leaf.issuer);
    !leaf.self_signed && !sent && leaf.issuer_url.is_some()
}

fn untrusted(port: &TlsPort) -> Result<Option<(&Chain, &str)>, Untold> {
    let chain = port.chain()?;
    let trust = chain.trust.get()?;
    Ok((!trust.trusted).then_some((chain, trust.reason.as_str())))
}

fn crt_003(server: &Server<'_>) -> Judged {
    let seen = see(server, |port| {
        let untrusted = untrusted(port)?.filter(|(chain, _)| !lacks_intermediate(chain));
        Ok(untrusted.map(|(chain, reason)| shown(chain, reason)))
    })?;
    let remedy = || {
        reissue(
            "Get a certificate of a public authority by ACME; docker-mailserver: SSL_TYPE=letsencrypt.",
            "CRT-003",
        )
    };
    split(
        server,
        &seen,
        (Severity::High, Severity::Info),
        "A certificate is served that no trusted root vouches for",
        remedy,
    )
}

fn crt_005(server: &Server<'_>) -> Judged {
    let seen = see(server, |port| {
        let untrusted = untrusted(port)?.filter(|(chain, _)| lacks_intermediate(chain));
        Ok(untrusted.map(|(chain, reason)| shown(chain, reason)))
    })?;
    let remedy = || {
        Remedy::new("Serve the whole chain: fullchain.pem instead of cert.pem.")
            .add("/etc/postfix/main.cf", &["smtpd_tls_chain_files = /etc/letsencrypt/live/NAME/privkey.pem, /etc/letsencrypt/live/NAME/fullchain.pem"])
            .add("/etc/dovecot/local.conf", &["ssl_cert = </etc/letsencrypt/live/NAME/fullchain.pem"])
            .apply("postfix reload && doveadm reload")
            .prove("mailward audit --only CRT-005")
    };
    split(
        server,
        &seen,
        (Severity::High, Severity::Medium),
        "A chain is served without its intermediate certificate",
        remedy,
    )
}

/// One finding, whose severity is that of the worst port.
fn split(
    server: &Server<'_>,
    seen: &Seen<'_>,
    (client, mx): (Severity, Severity),
    says: &str,
    remedy: impl Fn() -> Remedy,
) -> Judged {
    if seen.weak.is_empty() {
        return pass("every chain leads to a trusted root");
    }
    let lenient = !promised(server);
    let severity = seen.weak.iter().map(|(port, _)| if port.is_mx() && lenient { mx } else { client }).max();
    of_ports(&seen.weak, severity.unwrap_or(client), says, remedy())
}

fn shown(chain: &Chain, reason: &str) -> String {
    let leaf = chain.certificates.first();
    let (subject, issuer) =
        leaf.map(|leaf| (leaf.subject.as_str(), leaf.issuer.as_str())).unwrap_or_default();
    let own = if leaf.is_some_and(|leaf| leaf.self_signed) {
        "signed by itself".to_owned()
    } else {
        format!("signed by {issuer}")
    };
    format!("{subject}, {own}, {} sent: {reason}", count(chain.certificates.len()))
}

fn count(certificates: usize) -> String {
    if certificates == 1 { "1 certificate".to_owned() } else { format!("{certificates} certificates") }
}

fn crt_006(server: &Server<'_>) -> Judged {
    let seen = see(server, |port| Ok(disorder(&port.chain()?.certificates)))?;
    if seen.weak.is_empty() {
        return pass("every chain is in order");
    }
    let remedy =
        Remedy::new("Build the file anew: the server's certificate, then each issuer, without the root.");
    of_ports(
        &seen.weak,
        Severity::Low,
        "A chain is served that is not in order",
        remedy.apply("postfix reload && doveadm reload").prove("mailward audit --only CRT-006"),
    )
}

fn disorder(chain: &[Certificate]) -> Option<String> {
    let pairs = chain.iter().zip(chain.iter().skip(1));
    for (place, (one, next)) in pairs.enumerate() {
        if one.self_signed || one.issuer != next.subject {
            return Some(format!(
                "certificate {} ({}) is not the issuer of the one before it",
                place + 2,
                next.subject
            ));
        }
        if next.self_signed {
            return Some(format!(
                "certificate {} ({}) is a root, which clients have",
                place + 2,
                next.subject
            ));
        }
    }
    None
}
