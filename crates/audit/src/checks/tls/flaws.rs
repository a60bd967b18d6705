//! Flaws of libraries, and protections that are missing.

use super::{Fix, outcome, see};
use crate::check::{not_applicable, pass};
use crate::facts::{Known, TlsPort, TlsVersion};
use crate::{Check, Finding, Judged, Remedy, Server, Severity, Untold};

pub(super) static TLS_017: Check = Check {
    id: "TLS-017",
    title: "Renegotiation is not bound to the session",
    severity: Severity::High,
    why: "Somebody between the ends can put commands of his own in front of those of a client, in its session.",
    proof: "The ServerHello lacks renegotiation_info although the client sent it.",
    fix: "Update the TLS library.",
    references: &["RFC 5746", "CVE-2009-3555"],
    judge: |server| {
        flag(
            server,
            &TLS_017,
            |port| negated(&port.secure_renegotiation),
            "renegotiation_info is missing in ServerHello",
            "Renegotiation is not bound to the session (RFC 5746)",
            (Severity::High, Severity::High),
        )
    },
};

pub(super) static TLS_019: Check = Check {
    id: "TLS-019",
    title: "TLS compression is on",
    severity: Severity::Medium,
    why: "How long a compressed text is tells what is in it to one who can add to it (CRIME).",
    proof: "A hello that offers DEFLATE is answered with it.",
    fix: "Switch compression off in the TLS library.",
    references: &["RFC 9325 section 3.3", "CVE-2012-4929"],
    judge: |server| {
        let seen = see(server, |port| Ok(shown(old(port, &port.compression)?, "DEFLATE was chosen")))?;
        outcome(
            server,
            &TLS_019,
            &seen,
            (Severity::Medium, Severity::Medium),
            "TLS compression is on",
            NO_COMPRESSION,
        )
    },
};

pub(super) static TLS_020: Check = Check {
    id: "TLS-020",
    title: "Clients can be driven to old TLS versions",
    severity: Severity::Low,
    why: "Somebody between the ends breaks handshakes until the client tries an older version; a server that knows the signal refuses that.",
    proof: "A hello of an older version with TLS_FALLBACK_SCSV is answered as if nothing were wrong.",
    fix: "Switch versions before TLS 1.2 off.",
    references: &["RFC 7507"],
    judge: |server| {
        let seen = see(server, |port| match &port.fallback_scsv {
            Known::Is(true) => Ok(None),
            Known::Is(false) => Ok(Some("TLS_FALLBACK_SCSV was ignored".to_owned())),
            Known::Absent => {
                not_applicable(format!("there is no older version to fall back to at {}", port.place()))
            }
            _ => Err(port.unlearnt("the answer to TLS_FALLBACK_SCSV")),
        })?;
        outcome(
            server,
            &TLS_020,
            &seen,
            (Severity::Low, Severity::Low),
            "Clients that were driven to an old version are not refused",
            super::versions::ONLY_NEW,
        )
    },
};

pub(super) static TLS_021: Check = Check {
    id: "TLS-021",
    title: "Early data is accepted",
    severity: Severity::Medium,
    why: "Early data of TLS 1.3 can be sent a second time by anybody who recorded it, and a mail command executed twice is a mail sent twice.",
    proof: "A ticket of TLS 1.3 that allows early data.",
    fix: "Switch early data off; neither Postfix nor Dovecot switches it on, so look for a proxy in front of them.",
    references: &["RFC 8446 section 8"],
    judge: |server| {
        let seen = see(server, |port| match port.accepts(TlsVersion::Tls13)? {
            false => not_applicable(format!("TLS 1.3 is not offered at {}", port.place())),
            true => match port.early_data.get()? {
                0 => Ok(None),
                bytes => Ok(Some(format!("a ticket allows {bytes} bytes of early data"))),
            },
        })?;
        outcome(
            server,
            &TLS_021,
            &seen,
            (Severity::Medium, Severity::Medium),
            "Early data is accepted",
            UPDATE,
        )
    },
};

pub(super) static TLS_022: Check = Check {
    id: "TLS-022",
    title: "The master secret is not bound to the handshake",
    severity: Severity::Low,
    why: "Two sessions can be made to share their keys, which undoes what renegotiation and client certificates promise.",
    proof: "The ServerHello of TLS 1.2 lacks extended_master_secret although the client sent it.",
    fix: "Update the TLS library.",
    references: &["RFC 7627"],
    judge: |server| {
        flag(
            server,
            &TLS_022,
            |port| negated(&port.extended_master_secret),
            "extended_master_secret is missing in ServerHello",
            "The master secret is not bound to the handshake (RFC 7627)",
            (Severity::Low, Severity::Low),
        )
    },
};

pub(super) static TLS_024: Check = Check {
    id: "TLS-024",
    title: "Heartbleed",
    severity: Severity::Critical,
    why: "Everybody who can connect reads the server's memory: keys, passwords, mail.",
    proof: "A heartbeat that claims to be longer than it is; how many bytes come back is counted, and what is in them is not looked at.",
    fix: "Update OpenSSL, then replace keys, certificates and passwords.",
    references: &["CVE-2014-0160"],
    judge: |server| {
        let seen = see(server, |port| {
            let leaked = port.heartbleed.get();
            let leaked = leaked.map_err(|_| port.unlearnt("the answer to a malformed heartbeat"));
            leaked.map(|bytes| (*bytes > 0).then(|| format!("{bytes} bytes of memory came back")))
        })?;
        outcome(
            server,
            &TLS_024,
            &seen,
            (Severity::Critical, Severity::Critical),
            "Everybody reads the memory of the server (Heartbleed)",
            UPDATE,
        )
    },
};

pub(super) static TLS_025: Check = Check {
    id: "TLS-025",
    title: "ChangeCipherSpec is taken before there is a key",
    severity: Severity::High,
    why: "Somebody between the ends makes both use keys that he knows (CVE-2014-0224).",
    proof: "ChangeCipherSpec right after ServerHelloDone: a library that was mended refuses it.",
    fix: "Update OpenSSL.",
    references: &["CVE-2014-0224"],
    judge: |server| {
        flag(
            server,
            &TLS_025,
            |port| port.early_ccs.clone(),
            "ChangeCipherSpec was taken before the key exchange",
            "ChangeCipherSpec is taken before there is a key",
            (Severity::High, Severity::High),
        )
    },
};

pub(super) static TLS_026: Check = Check {
    id: "TLS-026",
    title: "Answers tell a right RSA padding from a wrong one (ROBOT)",
    severity: Severity::High,
    why: "With some ten thousand questions anybody decrypts a recorded session, or signs in the server's name.",
    proof: "Five paddings of the RSA key exchange, one right and four wrong; the answers differ, twice.",
    fix: "Exclude kRSA, and update the TLS library.",
    references: &["CVE-2017-13099", "https://robotattack.org/"],
    judge: |server| {
        let seen = see(server, |port| match &port.robot {
            Known::Is(told) => Ok(told.clone()),
            Known::Absent => not_applicable(format!("no suite exchanges keys under RSA at {}", port.place())),
            _ => Err(port.unlearnt("the answers to RSA paddings")),
        })?;
        outcome(
            server,
            &TLS_026,
            &seen,
            (Severity::High, Severity::High),
            "Answers tell a right RSA padding from a wrong one",
            NO_RSA,
        )
    },
};

pub(super) static TLS_027: Check = Check {
    id: "TLS-027",
    title: "A key is shared with a service that speaks SSL 2.0 (DROWN)",
    severity: Severity::High,
    why: "The service with SSL 2.0 decrypts sessions of all others that have its key.",
    proof: "The public keys of all ports that were looked at, one of which accepts SSL 2.0.",
    fix: "Switch SSL 2.0 off, then make a new key.",
    references: &["CVE-2016-0800"],
    judge: tls_027,
};

pub(super) static TLS_029: Check = Check {
    id: "TLS-029",
    title: "Commands sent together with STARTTLS are executed inside of TLS",
    severity: Severity::High,
    why: "Somebody between the ends puts commands in front of a client's encrypted ones, and so has its mail sent to him.",
    proof: "STARTTLS and another command in one packet; the other is answered after the handshake.",
    fix: "Update the mail server, or take the proxy out that does it.",
    references: &["CVE-2011-0411", "CVE-2021-33515"],
    judge: |server| {
        let seen = see(server, |port| match &port.starttls_injected {
            Known::Is(0) => Ok(None),
            Known::Is(1) => Ok(Some("1 answer after the handshake to a command sent before it".to_owned())),
            Known::Is(count) => {
                Ok(Some(format!("{count} answers after the handshake to commands sent before it")))
            }
            Known::Absent => not_applicable(format!("there is no STARTTLS at {}", port.place())),
            _ => Err(port.unlearnt("commands sent with STARTTLS")),
        })?;
        outcome(
            server,
            &TLS_029,
            &seen,
            (Severity::High, Severity::High),
            "Commands that were sent in the clear are executed inside of TLS",
            UPDATE,
        )
    },
};

const UPDATE: Fix = Fix {
    advice: "Install the distribution's updates and restart the mail server.",
    postfix: &[],
    dovecot: &[],
};

const NO_COMPRESSION: Fix = Fix {
    advice: "Switch compression off.",
    postfix: &["tls_ssl_options = NO_COMPRESSION"],
    dovecot: &[("ssl_options", "no_compression")],
};

const NO_RSA: Fix = Fix {
    advice: "Exclude the RSA key exchange, and update the TLS library.",
    postfix: &["smtpd_tls_exclude_ciphers = kRSA", "smtpd_tls_mandatory_exclude_ciphers = aNULL, kRSA"],
    dovecot: &[("ssl_cipher_list", "ECDHE+AESGCM:ECDHE+CHACHA20")],
};

/// Fails where a fact about TLS 1.2 and before holds.
fn flag(
    server: &Server<'_>,
    check: &'static Check,
    fact: impl Fn(&TlsPort) -> Known<bool>,
    seen_as: &str,
    says: &str,
    severities: (Severity, Severity),
) -> Judged {
    let seen = see(server, |port| Ok(shown(old(port, &fact(port))?, seen_as)))?;
    outcome(server, check, &seen, severities, says, UPDATE)
}

/// A fact that only versions before TLS 1.3 can have.
fn old(port: &TlsPort, fact: &Known<bool>) -> Result<bool, Untold> {
    if let Known::Is(fact) = fact {
        return Ok(*fact);
    }
    let all = TlsVersion::ALL.into_iter().filter(|version| *version < TlsVersion::Tls13);
    let any = all.map(|version| port.accepts(version)).collect::<Result<Vec<_>, _>>()?;
    if any.contains(&true) {
        return Err(port.unlearnt("what TLS 1.2 does"));
    }
    not_applicable(format!("only TLS 1.3 is offered at {}", port.place()))
}

fn negated(fact: &Known<bool>) -> Known<bool> {
    match fact {
        Known::Is(fact) => Known::Is(!fact),
        other => other.clone(),
    }
}

fn shown(weak: bool, as_what: &str) -> Option<String> {
    weak.then(|| as_what.to_owned())
}

fn tls_027(server: &Server<'_>) -> Judged {
    let ports = super::looked(server)?;
    let mut old = Vec::new();
    for port in &ports {
        if port.accepts(TlsVersion::Ssl2)? {
            old.push(*port);
        }
    }
    if old.is_empty() {
        return pass("no port accepts SSL 2.0");
    }
    let key = |port: &TlsPort| port.leaf().ok().map(|leaf| leaf.key.spki_sha256.clone());
    let old_keys: Vec<_> = old.iter().filter_map(|port| key(port)).collect();
    let shares = |port: &&TlsPort| key(port).is_some_and(|key| old_keys.contains(&key));
    let sharing: Vec<_> = ports.iter().copied().filter(|port| !old.contains(port)).filter(shares).collect();
    if sharing.is_empty() && !old_keys.is_empty() {
        return pass("no other port has the key of a port that accepts SSL 2.0");
    }
    let summary = format!(
        "SSL 2.0 is accepted at {} with the key of {}.",
        super::places(old.iter().copied()),
        super::places(sharing.iter().copied())
    );
    let finding =
        Finding::new(Severity::High, "", summary)
            .all_seen(old.iter().map(|port| super::evidence(&port.place(), "SSL 2.0 is accepted")))
            .all_seen(sharing.iter().map(|port| {
                super::evidence(&port.place(), &format!("key {}", key(port).unwrap_or_default()))
            }));
    Ok(finding
        .remedy(
            Remedy::new("Switch SSL 2.0 off, make a new key and have it certified.")
                .prove("mailward audit --only TLS-027"),
        )
        .into())
}
