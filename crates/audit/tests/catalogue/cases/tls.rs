//! Cases of the TLS family.

use mailward_audit::Facts;
use mailward_audit::facts::{
    Certificate, CertificateKey, Chain, DhGroup, Group, Known, Listener, MailProtocol, Preference, Suite,
    SuiteClass, Suites, TlsPort, TlsVersion, Trust,
};

use crate::Case;
use crate::build::{dovecot, file, nothing, postfix, postfix_master, said};

/// 2026-01-01.
pub(crate) const JANUARY: i64 = 1_767_225_600;
const DAY: i64 = 86_400;

/// A certificate of a public authority, of ninety days since February.
pub(crate) fn leaf() -> Certificate {
    Certificate {
        subject: "CN=mail.example.org".to_owned(),
        common_name: "mail.example.org".to_owned(),
        issuer: "C=US, O=Authority, CN=R1".to_owned(),
        names: vec!["mail.example.org".to_owned(), "imap.example.org".to_owned()],
        not_before: JANUARY + 31 * DAY,
        not_after: JANUARY + 121 * DAY,
        key: CertificateKey {
            kind: "EC".to_owned(),
            bits: 256,
            curve: "P-256".to_owned(),
            spki_sha256: "5a".repeat(32),
            flaw: Known::Is(None),
        },
        signature: "sha256WithRSAEncryption".to_owned(),
        usages: vec!["serverAuth".to_owned()],
        issuer_url: Some("http://r1.authority.example/".to_owned()),
        sha256: "c1".repeat(32),
        ..Certificate::default()
    }
}

/// The authority's certificate.
pub(crate) fn intermediate() -> Certificate {
    Certificate {
        subject: "C=US, O=Authority, CN=R1".to_owned(),
        common_name: "R1".to_owned(),
        issuer: "C=US, O=Authority, CN=Root".to_owned(),
        not_before: JANUARY - 900 * DAY,
        not_after: JANUARY + 900 * DAY,
        authority: true,
        signature: "sha256WithRSAEncryption".to_owned(),
        sha256: "c2".repeat(32),
        ..leaf()
    }
}

/// A port with nothing wrong about it.
fn port(port: u16, service: MailProtocol, starttls: bool) -> TlsPort {
    let new = |version: &TlsVersion| *version >= TlsVersion::Tls12;
    let strong = [0xc02b, 0xc02c, 0xc02f, 0xc030].map(Suite).to_vec();
    let refused =
        |keep: SuiteClass| SuiteClass::ALL.into_iter().filter(|class| *class != keep).collect::<Vec<_>>();
    let accepted = [Group::X25519, Group(23)];
    let chain = |sni| Chain {
        sni,
        certificates: vec![leaf(), intermediate()],
        trust: Known::Is(Trust { trusted: true, reason: String::new() }),
    };
    TlsPort {
        host: "mail.example.org".to_owned(),
        address: "192.0.2.1".to_owned(),
        port,
        service,
        starttls,
        offered: Known::Is(true),
        versions: TlsVersion::ALL.into_iter().map(|version| (version, Known::Is(new(&version)))).collect(),
        suites: [
            (
                TlsVersion::Tls12,
                Suites { accepted: strong, refused: refused(SuiteClass::EcdheRsa), complete: true },
            ),
            (
                TlsVersion::Tls13,
                Suites { accepted: vec![Suite(0x1302)], refused: refused(SuiteClass::Tls13), complete: true },
            ),
        ]
        .into(),
        preference: Known::Is(Preference::Server),
        groups: mailward_audit::facts::Groups {
            accepted: accepted.to_vec(),
            refused: Group::all().filter(|group| !accepted.contains(group)).collect(),
        },
        sha1_signature: Known::Is(false),
        secure_renegotiation: Known::Is(true),
        compression: Known::Is(false),
        fallback_scsv: Known::Absent,
        extended_master_secret: Known::Is(true),
        heartbeat: Known::Is(false),
        heartbleed: Known::Is(0),
        early_ccs: Known::Is(false),
        robot: Known::Absent,
        early_data: Known::Is(0),
        ticket_lifetime: Known::Is(Some(7200)),
        starttls_injected: if starttls { Known::Is(0) } else { Known::Absent },
        asks_client_certificate: Known::Is(false),
        stapled: Known::Is(None),
        chains: vec![chain(true), chain(false)],
        connections: 17,
        ..TlsPort::default()
    }
}

/// A server with five ports, each of them changed.
pub(crate) fn ports(change: impl Fn(&mut TlsPort)) -> Facts {
    let mut facts = dovecot(postfix(""), "");
    facts.tls = [
        port(25, MailProtocol::Smtp, true),
        port(587, MailProtocol::Smtp, true),
        port(465, MailProtocol::Smtp, false),
        port(143, MailProtocol::Imap, true),
        port(993, MailProtocol::Imap, false),
    ]
    .into();
    facts.tls.iter_mut().for_each(change);
    facts
}

pub(crate) fn sound() -> Facts {
    ports(|_| ())
}

fn accept(port: &mut TlsPort, version: TlsVersion, suites: &[u16]) {
    port.versions.insert(version, Known::Is(true));
    port.suites.entry(version).or_default().accepted.extend(suites.iter().copied().map(Suite));
}

/// All ports accept these suites with TLS 1.2.
fn with_suites(suites: &'static [u16]) -> Facts {
    ports(|port| accept(port, TlsVersion::Tls12, suites))
}

fn with_dh(bits: u32, known_as: Option<&str>) -> Facts {
    ports(|port| {
        accept(port, TlsVersion::Tls12, &[0x009e]);
        port.dh.push(DhGroup { bits, known_as: known_as.map(str::to_owned), suite: Some(Suite(0x009e)) });
    })
}

fn with_openssl(facts: Facts, version: &str) -> Facts {
    said(
        facts,
        "openssl version",
        &format!("OpenSSL {version} 8 Apr 2025 (Library: OpenSSL {version} 8 Apr 2025)\n"),
    )
}

fn with_listeners(open: &[u16]) -> Facts {
    let mut facts = nothing();
    let listener = |port: &u16| Listener {
        protocol: "tcp".to_owned(),
        address: "0.0.0.0".to_owned(),
        port: *port,
        program: String::new(),
    };
    facts.host.listeners = Known::Is(open.iter().map(listener).collect());
    facts
}

/// Nobody looked at ports; main.cf and Dovecot's settings tell.
fn by_settings(main_cf: &str, dovecot_conf: &str) -> Facts {
    dovecot(postfix(main_cf), dovecot_conf)
}

const NEW_ONLY: &str = "smtpd_tls_protocols = >=TLSv1.2\nsmtpd_tls_mandatory_protocols = >=TLSv1.2\n";

/// The cases, by id.
pub(crate) const CASES: &[Case] = &[
    Case {
        id: "TLS-001",
        fails: || ports(|port| accept(port, TlsVersion::Ssl3, &[0x002f])),
        shows: "ServerHello of SSL 3.0 with TLS_RSA_WITH_AES_128_CBC_SHA",
        passes: sound,
    },
    Case {
        id: "TLS-001",
        fails: || by_settings("smtpd_tls_protocols = !SSLv2\n", ""),
        shows: "smtpd_tls_protocols = !SSLv2",
        passes: || by_settings(NEW_ONLY, ""),
    },
    Case {
        id: "TLS-002",
        fails: || {
            ports(|port| {
                if port.port == 587 {
                    accept(port, TlsVersion::Tls10, &[0x002f]);
                }
            })
        },
        shows: "TLS 1.0 or TLS 1.1 is accepted at port 587 (smtp, STARTTLS).",
        passes: sound,
    },
    Case {
        id: "TLS-002",
        fails: || by_settings("smtpd_tls_mandatory_protocols = !SSLv2, !SSLv3\n", ""),
        shows: "smtpd_tls_mandatory_protocols = !SSLv2, !SSLv3",
        passes: || by_settings(NEW_ONLY, ""),
    },
    Case {
        id: "TLS-002",
        fails: || by_settings(NEW_ONLY, "ssl_min_protocol = TLSv1\n"),
        shows: "ssl_min_protocol = TLSv1",
        passes: || by_settings(NEW_ONLY, "ssl_min_protocol = TLSv1.2\n"),
    },
    Case {
        id: "TLS-003",
        fails: || {
            let mut facts = by_settings("smtpd_tls_protocols = >=TLSv1.2, <=TLSv1.2\n", "");
            facts.tls = sound().tls;
            facts
                .tls
                .iter_mut()
                .for_each(|port| _ = port.versions.insert(TlsVersion::Tls13, Known::Is(false)));
            facts
        },
        shows: "smtpd_tls_protocols = >=TLSv1.2, <=TLSv1.2",
        passes: sound,
    },
    Case {
        id: "TLS-004",
        fails: || by_settings("smtpd_tls_protocols = >=TLSv1.3\n", ""),
        shows: "smtpd_tls_protocols = >=TLSv1.3",
        passes: sound,
    },
    Case { id: "TLS-005", fails: || with_suites(&[0x0002]), shows: "TLS_RSA_WITH_NULL_SHA", passes: sound },
    Case {
        id: "TLS-006",
        fails: || with_suites(&[0x0034]),
        shows: "TLS_DH_anon_WITH_AES_128_CBC_SHA",
        passes: sound,
    },
    Case {
        id: "TLS-007",
        fails: || with_suites(&[0x0003]),
        shows: "TLS_RSA_EXPORT_WITH_RC4_40_MD5",
        passes: sound,
    },
    Case {
        id: "TLS-008",
        fails: || with_suites(&[0x0005]),
        shows: "TLS_RSA_WITH_RC4_128_SHA",
        passes: sound,
    },
    Case {
        id: "TLS-009",
        fails: || with_suites(&[0x000a]),
        shows: "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
        passes: sound,
    },
    Case {
        id: "TLS-010",
        fails: || with_suites(&[0xc013]),
        shows: "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
        passes: sound,
    },
    Case {
        id: "TLS-011",
        fails: || with_suites(&[0x009c]),
        shows: "TLS_RSA_WITH_AES_128_GCM_SHA256",
        passes: sound,
    },
    Case {
        id: "TLS-011",
        fails: || {
            let mut facts = by_settings("tls_medium_cipherlist = ALL\n", "");
            facts.tls = with_suites(&[0x009c]).tls;
            facts
        },
        shows: "cause: \"tls_medium_cipherlist = ALL\"",
        passes: sound,
    },
    Case {
        id: "TLS-012",
        fails: || with_dh(1024, Some("modp1024 (RFC 2409)")),
        shows: "a prime of 1024 bits",
        passes: || with_dh(2048, Some("ffdhe2048 (RFC 7919)")),
    },
    Case {
        id: "TLS-013",
        fails: || with_dh(2048, None),
        shows: "an unpublished prime of 2048 bits",
        passes: || with_dh(2048, Some("ffdhe2048 (RFC 7919)")),
    },
    Case {
        id: "TLS-014",
        fails: || ports(|port| port.groups.accepted.push(Group(21))),
        shows: "secp224r1",
        passes: sound,
    },
    Case {
        id: "TLS-015",
        fails: || with_openssl(sound(), "3.5.0"),
        shows: "OpenSSL 3.5",
        passes: || with_openssl(ports(|port| port.groups.accepted.push(Group::X25519_MLKEM768)), "3.5.0"),
    },
    Case {
        id: "TLS-016",
        fails: || {
            ports(|port| {
                accept(port, TlsVersion::Tls12, &[0x000a]);
                port.preference = Known::Is(Preference::Client);
            })
        },
        shows: "The client chooses",
        passes: || with_suites(&[0x000a]),
    },
    Case {
        id: "TLS-017",
        fails: || ports(|port| port.secure_renegotiation = Known::Is(false)),
        shows: "renegotiation_info is missing",
        passes: sound,
    },
    Case {
        id: "TLS-018",
        fails: || with_openssl(postfix(""), "1.1.1"),
        shows: "OpenSSL 1.1",
        passes: || with_openssl(postfix("tls_ssl_options = NO_RENEGOTIATION\n"), "1.1.1"),
    },
    Case {
        id: "TLS-018",
        fails: || with_openssl(postfix("tls_ssl_options = NO_COMPRESSION\n"), "1.1.1"),
        shows: "NO_COMPRESSION",
        passes: || with_openssl(postfix(""), "3.0.15"),
    },
    Case {
        id: "TLS-019",
        fails: || ports(|port| port.compression = Known::Is(true)),
        shows: "DEFLATE",
        passes: sound,
    },
    Case {
        id: "TLS-020",
        fails: || ports(|port| port.fallback_scsv = Known::Is(false)),
        shows: "TLS_FALLBACK_SCSV was ignored",
        passes: || ports(|port| port.fallback_scsv = Known::Is(true)),
    },
    Case {
        id: "TLS-021",
        fails: || ports(|port| port.early_data = Known::Is(16_384)),
        shows: "16384 bytes",
        passes: sound,
    },
    Case {
        id: "TLS-022",
        fails: || ports(|port| port.extended_master_secret = Known::Is(false)),
        shows: "extended_master_secret is missing",
        passes: sound,
    },
    Case {
        id: "TLS-023",
        fails: || ports(|port| port.sha1_signature = Known::Is(true)),
        shows: "SHA-1",
        passes: sound,
    },
    Case {
        id: "TLS-024",
        fails: || ports(|port| port.heartbleed = Known::Is(16_000)),
        shows: "16000 bytes of memory",
        passes: sound,
    },
    Case {
        id: "TLS-025",
        fails: || ports(|port| port.early_ccs = Known::Is(true)),
        shows: "before the key exchange",
        passes: sound,
    },
    Case {
        id: "TLS-026",
        fails: || {
            ports(|port| {
                port.robot = Known::Is(Some("NoZero: alert 51, but a right padding: alert 20".to_owned()));
            })
        },
        shows: "alert 51",
        passes: || ports(|port| port.robot = Known::Is(None)),
    },
    Case {
        id: "TLS-027",
        fails: || {
            ports(|port| {
                if port.port == 143 {
                    accept(port, TlsVersion::Ssl2, &[]);
                }
            })
        },
        shows: "SSL 2.0 is accepted at port 143 (imap, STARTTLS) with the key of port 25",
        passes: sound,
    },
    Case {
        id: "TLS-028",
        fails: || {
            ports(|port| {
                if port.port == 143 {
                    port.offered = Known::Is(false);
                }
            })
        },
        shows: "STARTTLS is not offered at port 143 (imap, STARTTLS).",
        passes: sound,
    },
    Case {
        id: "TLS-028",
        fails: || postfix("smtpd_tls_security_level = none\n"),
        shows: "smtpd_tls_security_level = none",
        passes: || by_settings("", ""),
    },
    Case {
        id: "TLS-029",
        fails: || {
            ports(|port| {
                if port.starttls {
                    port.starttls_injected = Known::Is(1);
                }
            })
        },
        shows: "1 answer after the handshake",
        passes: sound,
    },
    Case {
        id: "TLS-030",
        fails: || with_listeners(&[25, 587, 143, 993]),
        shows: "465 (submissions)",
        passes: || with_listeners(&[25, 587, 465, 993]),
    },
    Case {
        id: "TLS-031",
        fails: || postfix("smtpd_tls_security_level = encrypt\n"),
        shows: "smtpd_tls_security_level = encrypt",
        passes: || postfix(""),
    },
    Case {
        id: "TLS-032",
        fails: || {
            ports(|port| {
                if port.port == 465 {
                    port.offered = Known::Is(false);
                    port.plain_greeting = Known::Is("220 mail.example.org ESMTP".to_owned());
                }
            })
        },
        shows: "220 mail.example.org ESMTP",
        passes: sound,
    },
    Case {
        id: "TLS-032",
        fails: || postfix_master("", "  -o smtpd_tls_wrappermode=yes\n", ""),
        shows: "smtpd_tls_wrappermode = no",
        passes: || postfix(""),
    },
    Case {
        id: "TLS-033",
        fails: || postfix("tls_high_cipherlist = HIGH:@SECLEVEL=0\n"),
        shows: "@SECLEVEL=0",
        passes: || by_settings("", ""),
    },
    Case {
        id: "TLS-033",
        fails: || {
            file(
                postfix("tls_config_file = /etc/postfix/openssl.cnf\n"),
                "/etc/postfix/openssl.cnf",
                "[tls]\nCipherString = DEFAULT:@SECLEVEL=1\n",
            )
        },
        shows: "/etc/postfix/openssl.cnf:2",
        passes: || {
            file(
                postfix("tls_config_file = /etc/postfix/openssl.cnf\n"),
                "/etc/postfix/openssl.cnf",
                "[tls]\nMinProtocol = TLSv1.2\n",
            )
        },
    },
    Case {
        id: "TLS-034",
        fails: || {
            ports(|port| {
                if port.port == 587 {
                    accept(port, TlsVersion::Tls10, &[0x002f]);
                }
            })
        },
        shows: "TLS is weaker than at other ports of the same program at port 587",
        passes: || {
            ports(|port| {
                if port.port == 25 {
                    accept(port, TlsVersion::Tls10, &[0x002f]);
                }
            })
        },
    },
    Case {
        id: "TLS-035",
        fails: || ports(|port| port.asks_client_certificate = Known::Is(true)),
        shows: "CertificateRequest",
        passes: sound,
    },
    Case {
        id: "TLS-035",
        fails: || postfix("smtpd_tls_ask_ccert = yes\n"),
        shows: "smtpd_tls_ask_ccert = yes",
        passes: || postfix(""),
    },
    Case {
        id: "TLS-036",
        fails: || ports(|port| port.ticket_lifetime = Known::Is(Some(7 * 86_400))),
        shows: "168 hours",
        passes: sound,
    },
    Case {
        id: "TLS-037",
        fails: || postfix("smtpd_tls_loglevel = 1\n"),
        shows: "smtp_tls_loglevel = 0",
        passes: || postfix("smtpd_tls_loglevel = 1\nsmtp_tls_loglevel = 1\n"),
    },
];
