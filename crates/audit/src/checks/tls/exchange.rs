//! Groups, primes and signatures of the key exchange.

use super::{Fix, openssl, outcome, see};
use crate::check::not_applicable;
use crate::facts::{Group, Known, TlsPort, TlsVersion};
use crate::{Check, Judged, Server, Severity};

pub(super) static TLS_012: Check = Check {
    id: "TLS-012",
    title: "Finite-field DH with fewer than 2048 bits",
    severity: Severity::High,
    why: "For a prime of 1024 bits the work that breaks every session at once has been within reach of large organisations since 2015 (Logjam).",
    proof: "The length of the prime in ServerKeyExchange, for suites in which the server proves who it is.",
    fix: "Take own DH parameters out: Postfix and Dovecot 2.4 choose well by themselves; or offer no DHE at all.",
    references: &["RFC 9325 section 4.1", "CVE-2015-4000"],
    judge: tls_012,
};

pub(super) static TLS_013: Check = Check {
    id: "TLS-013",
    title: "A DH group that nobody knows",
    severity: Severity::Low,
    why: "A group of one's own may be weak in ways that do not show; the published ones were looked at by many.",
    proof: "The prime in ServerKeyExchange, compared with those of RFC 7919 and RFC 3526.",
    fix: "Use ffdhe3072, or ECDHE only.",
    references: &["RFC 7919", "RFC 3526"],
    judge: tls_013,
};

pub(super) static TLS_014: Check = Check {
    id: "TLS-014",
    title: "Weak elliptic curves are accepted",
    severity: Severity::Medium,
    why: "Curves of 224 bits and fewer give less than what is held to be safe today, and no client needs them.",
    proof: "Hellos that offer only curves of 224 bits and fewer; one of them is chosen.",
    fix: "Take own lists of curves out, or list X25519, prime256v1 and secp384r1.",
    references: &[
        "RFC 8422",
        "https://english.ncsc.nl/publications/publications/2021/january/19/it-security-guidelines-for-transport-layer-security-2.1",
    ],
    judge: tls_014,
};

pub(super) static TLS_015: Check = Check {
    id: "TLS-015",
    title: "No post-quantum group although the library has one",
    severity: Severity::Info,
    why: "Sessions recorded today can be read when there are large quantum computers, unless their keys were exchanged with a hybrid group.",
    proof: "A hello that offers hybrid groups only is refused, and OpenSSL is 3.5 or newer.",
    fix: "Put X25519MLKEM768 first in the list of groups.",
    references: &["RFC 9846", "https://docs.openssl.org/3.5/man3/SSL_CTX_set1_curves/"],
    judge: tls_015,
};

pub(super) static TLS_023: Check = Check {
    id: "TLS-023",
    title: "Handshakes signed with SHA-1 are accepted",
    severity: Severity::Medium,
    why: "Who can make SHA-1 collide, which costs some ten thousand euros, may one day forge the server's part of a handshake.",
    proof: "A hello of TLS 1.2 whose signature algorithms are SHA-1 and MD5 only is answered with a signature.",
    fix: "Raise the library's security level to 2, or list SignatureAlgorithms in the configuration that tls_config_file names.",
    references: &["RFC 9155"],
    judge: tls_023,
};

const OWN_GROUP: Fix = Fix {
    advice: "Take own DH parameters out, so that a published group of good length is used.",
    postfix: &["smtpd_tls_dh1024_param_file = auto"],
    dovecot: &[("ssl_cipher_list", "ECDHE+AESGCM:ECDHE+CHACHA20")],
};

const CURVES: Fix = Fix {
    advice: "Offer the three usual curves only.",
    postfix: &["tls_eecdh_auto_curves = X25519 prime256v1 secp384r1"],
    dovecot: &[("ssl_curve_list", "X25519:prime256v1:secp384r1")],
};

const HYBRID: Fix = Fix {
    advice: "Put the hybrid group first.",
    postfix: &["tls_eecdh_auto_curves = X25519MLKEM768 X25519 prime256v1 secp384r1"],
    dovecot: &[("ssl_curve_list", "X25519MLKEM768:X25519:prime256v1:secp384r1")],
};

const NO_SHA1: Fix = Fix {
    advice: "In the file that tls_config_file names, set SignatureAlgorithms = ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA384:RSA+SHA384 (Postfix 3.9 and newer); in Dovecot, take @SECLEVEL out of ssl_cipher_list.",
    postfix: &[],
    dovecot: &[],
};

fn tls_012(server: &Server<'_>) -> Judged {
    let seen = see(server, |port| {
        let short = authenticated(port).find(|group| group.bits < 2048);
        match short {
            Some(group) => Ok(Some(format!("a prime of {} bits with {}", group.bits, suite(group)))),
            None => without_dhe(port),
        }
    })?;
    outcome(
        server,
        &TLS_012,
        &seen,
        (Severity::High, Severity::Medium),
        "Keys are exchanged with a DH prime below 2048 bits",
        OWN_GROUP,
    )
}

fn tls_013(server: &Server<'_>) -> Judged {
    let seen = see(server, |port| {
        let own = authenticated(port).find(|group| group.known_as.is_none());
        match own {
            Some(group) => {
                Ok(Some(format!("an unpublished prime of {} bits with {}", group.bits, suite(group))))
            }
            None => without_dhe(port),
        }
    })?;
    outcome(
        server,
        &TLS_013,
        &seen,
        (Severity::Low, Severity::Low),
        "Keys are exchanged in a DH group that nobody published",
        OWN_GROUP,
    )
}

/// Groups of suites in which the server proves who it is; without that no prime is long enough.
fn authenticated(port: &TlsPort) -> impl Iterator<Item = &crate::facts::DhGroup> {
    port.dh.iter().filter(|group| group.suite.is_none_or(|suite| !suite.is_anonymous()))
}

fn suite(group: &crate::facts::DhGroup) -> String {
    group.suite.map_or_else(|| "DHE".to_owned(), |suite| suite.to_string())
}

/// Right if every accepted DHE suite was met, or there is none.
fn without_dhe(port: &TlsPort) -> Result<Option<String>, crate::Untold> {
    let dhe = |suite: crate::facts::Suite| suite.class().is_some_and(crate::facts::SuiteClass::is_dhe);
    let met = port.suites(dhe)?;
    if met.is_empty() || authenticated(port).next().is_some() {
        return Ok(None);
    }
    Err(port.unlearnt("the DH group"))
}

fn tls_014(server: &Server<'_>) -> Judged {
    let seen = see(server, |port| {
        let weak: Vec<_> = port
            .groups
            .accepted
            .iter()
            .filter(|group| group.is_weak_curve())
            .map(ToString::to_string)
            .collect();
        let refused = |group: Group| port.groups.refused.contains(&group);
        match weak.is_empty() {
            false => Ok(Some(weak.join(", "))),
            true if Group::all().filter(|group| group.is_weak_curve()).all(refused) => Ok(None),
            true => Err(port.unlearnt("the weak curves")),
        }
    })?;
    outcome(
        server,
        &TLS_014,
        &seen,
        (Severity::Medium, Severity::Low),
        "Elliptic curves of 224 bits or fewer are accepted",
        CURVES,
    )
}

fn tls_015(server: &Server<'_>) -> Judged {
    let seen = see(server, |port| {
        if !port.accepts(TlsVersion::Tls13)? {
            return not_applicable(format!("TLS 1.3 is not offered at {}", port.place()));
        }
        let groups = &port.groups;
        if groups.accepted.iter().any(|group| group.is_hybrid()) {
            return Ok(None);
        }
        if !groups.refused.contains(&Group::X25519_MLKEM768) {
            return Err(port.unlearnt("the hybrid groups"));
        }
        match openssl(server)? {
            (major, minor) if (major, minor) >= (3, 5) => {
                Ok(Some(format!("hybrid groups are refused; OpenSSL {major}.{minor} has them")))
            }
            (major, minor) => not_applicable(format!("OpenSSL {major}.{minor} has no hybrid groups")),
        }
    })?;
    outcome(
        server,
        &TLS_015,
        &seen,
        (Severity::Info, Severity::Info),
        "The post-quantum group X25519MLKEM768 is not accepted",
        HYBRID,
    )
}

fn tls_023(server: &Server<'_>) -> Judged {
    let seen = see(server, |port| match &port.sha1_signature {
        Known::Is(true) => Ok(Some("a hello that allows only SHA-1 and MD5 was answered".to_owned())),
        Known::Is(false) => Ok(None),
        Known::Absent => not_applicable(format!("no suite of TLS 1.2 is signed at {}", port.place())),
        _ => Err(port.unlearnt("the signature algorithms")),
    })?;
    outcome(
        server,
        &TLS_023,
        &seen,
        (Severity::Medium, Severity::Low),
        "Handshakes are signed with SHA-1 for clients that ask for it",
        NO_SHA1,
    )
}
