//! TLS: protocol, cipher, key exchange.

use crate::{Check, NotYet};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[
    NotYet { id: "TLS-001", title: "SSLv2 or SSLv3 offered", because: "nobody has written it" },
    NotYet { id: "TLS-002", title: "TLS 1.0 or 1.1 offered", because: "nobody has written it" },
    NotYet { id: "TLS-003", title: "TLS 1.3 not offered", because: "nobody has written it" },
    NotYet { id: "TLS-004", title: "TLS 1.2 refused on the public MX", because: "nobody has written it" },
    NotYet { id: "TLS-005", title: "NULL (no encryption) suites offered", because: "nobody has written it" },
    NotYet { id: "TLS-006", title: "Anonymous (aNULL) suites offered", because: "nobody has written it" },
    NotYet {
        id: "TLS-007",
        title: "Export or below-112-bit suites (EXPORT, DES, RC2)",
        because: "nobody has written it",
    },
    NotYet { id: "TLS-008", title: "RC4 offered", because: "nobody has written it" },
    NotYet { id: "TLS-009", title: "64-bit-block ciphers (3DES, IDEA)", because: "nobody has written it" },
    NotYet {
        id: "TLS-010",
        title: "CBC or non-AEAD suites offered with TLS 1.2",
        because: "nobody has written it",
    },
    NotYet {
        id: "TLS-011",
        title: "Key exchange without forward secrecy (static RSA, static DH)",
        because: "nobody has written it",
    },
    NotYet { id: "TLS-012", title: "Finite-field DH below 2048 bit", because: "nobody has written it" },
    NotYet { id: "TLS-013", title: "DH group is self-made or unknown", because: "nobody has written it" },
    NotYet {
        id: "TLS-014",
        title: "Weak curve offered (below 224 bit: fail; P-224: phase out)",
        because: "nobody has written it",
    },
    NotYet {
        id: "TLS-015",
        title: "No post-quantum hybrid group though the library can (OpenSSL 3.5+)",
        because: "nobody has written it",
    },
    NotYet {
        id: "TLS-016",
        title: "Server does not enforce its cipher order while weak suites are offered",
        because: "nobody has written it",
    },
    NotYet { id: "TLS-017", title: "Insecure renegotiation (no RFC 5746)", because: "nobody has written it" },
    NotYet {
        id: "TLS-018",
        title: "Client may renegotiate without limit (TLS 1.2)",
        because: "nobody has written it",
    },
    NotYet { id: "TLS-019", title: "TLS compression", because: "nobody has written it" },
    NotYet {
        id: "TLS-020",
        title: "Fallback protection missing while several versions below 1.3 are on",
        because: "nobody has written it",
    },
    NotYet { id: "TLS-021", title: "0-RTT accepted", because: "nobody has written it" },
    NotYet {
        id: "TLS-022",
        title: "Extended master secret missing (TLS 1.2)",
        because: "nobody has written it",
    },
    NotYet {
        id: "TLS-023",
        title: "SHA-1 or MD5 accepted for the handshake signature",
        because: "nobody has written it",
    },
    NotYet { id: "TLS-024", title: "Heartbleed", because: "nobody has written it" },
    NotYet { id: "TLS-025", title: "CCS injection / Ticketbleed", because: "nobody has written it" },
    NotYet { id: "TLS-026", title: "ROBOT (RSA padding oracle)", because: "nobody has written it" },
    NotYet {
        id: "TLS-027",
        title: "Key shared with a service that speaks SSLv2 (DROWN)",
        because: "nobody has written it",
    },
    NotYet {
        id: "TLS-028",
        title: "STARTTLS not offered where it must be (25, 587, 143, 110, 4190)",
        because: "nobody has written it",
    },
    NotYet {
        id: "TLS-029",
        title: "Commands sent in the same packet as STARTTLS are executed after the handshake",
        because: "nobody has written it",
    },
    NotYet {
        id: "TLS-030",
        title: "Implicit-TLS ports missing (465, 993; 995 if POP3 is used)",
        because: "nobody has written it",
    },
    NotYet {
        id: "TLS-031",
        title: "Port 25 refuses plaintext (encrypt) for the whole Internet",
        because: "nobody has written it",
    },
    NotYet {
        id: "TLS-032",
        title: "Port named submissions/smtps is not implicit TLS (wrapper mode missing)",
        because: "nobody has written it",
    },
    NotYet {
        id: "TLS-033",
        title: "Security level of the library lowered (@SECLEVEL=0/1, own openssl.cnf, OPENSSL_CONF, tls_config_file)",
        because: "nobody has written it",
    },
    NotYet {
        id: "TLS-034",
        title: "Weaker TLS on one port, address or family than on the others",
        because: "nobody has written it",
    },
    NotYet {
        id: "TLS-035",
        title: "Certificate requested from every client on the public port (smtpd_tls_ask_ccert)",
        because: "nobody has written it",
    },
    NotYet {
        id: "TLS-036",
        title: "Session tickets outlive the day or tickets are never rotated",
        because: "nobody has written it",
    },
    NotYet {
        id: "TLS-037",
        title: "TLS not visible in logs (smtpd_tls_loglevel/smtp_tls_loglevel = 0)",
        because: "nobody has written it",
    },
];
