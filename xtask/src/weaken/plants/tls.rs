//! Encryption: settings, certificates in files, and what the ports do.

use crate::weaken::Plant;
use crate::weaken::act::Act::{self, Append, Main, Run, Service, Write};
use crate::weaken::host::Look::Ports;

const CERT: &str = "/etc/ssl/lab/mail.pem";
const KEY: &str = "/etc/ssl/lab/mail.key";
const REQUEST: &str = "/etc/ssl/lab/mail.csr";
const OPENSSL: &str = "/usr/bin/openssl";
const NAMES: &str = "subjectAltName=DNS:mail.example.org,DNS:example.org,DNS:example.net";

/// The host's certificate again, signed by the lab's authority, with these options.
macro_rules! certificate {
    ($($option:expr),*) => {
        Run(CERT, &[
            OPENSSL, "req", "-x509", "-CA", "/etc/ssl/lab/ca.pem", "-CAkey", "/etc/ssl/lab/ca.key", "-noenc",
            "-addext", "basicConstraints=critical,CA:FALSE", "-out", CERT, $($option),*
        ])
    };
}

/// What configuration and files show.
pub(super) const STATIC: &[Plant] = &[
    Plant::new(
        "TLS-002",
        "TLS 1.0 for users",
        "smtpd_tls_mandatory_protocols",
        &[Main("smtpd_tls_mandatory_protocols = >=TLSv1")],
    ),
    Plant::new("TLS-037", "TLS is not in the log", "smtpd_tls_loglevel", &[Main("smtpd_tls_loglevel = 0")]),
    Plant::new(
        "TLS-033",
        "the library takes weak keys",
        "SECLEVEL=0",
        &[Append("/etc/dovecot/local.conf", "ssl_cipher_list = HIGH:!aNULL:!kRSA:@SECLEVEL=0\n")],
    ),
    Plant::new(
        "TLS-035",
        "every server is asked for a certificate",
        "smtpd_tls_ask_ccert",
        &[Main("smtpd_tls_ask_ccert = yes")],
    ),
    Plant::new(
        "CRT-001",
        "an expired certificate",
        CERT,
        &[
            Run(
                REQUEST,
                &[
                    OPENSSL,
                    "req",
                    "-new",
                    "-key",
                    KEY,
                    "-subj",
                    "/CN=mail.example.org",
                    "-addext",
                    NAMES,
                    "-out",
                    REQUEST,
                ],
            ),
            Run(
                CERT,
                &[
                    OPENSSL,
                    "x509",
                    "-req",
                    "-days",
                    "-1",
                    "-in",
                    REQUEST,
                    "-CA",
                    "/etc/ssl/lab/ca.pem",
                    "-CAkey",
                    "/etc/ssl/lab/ca.key",
                    "-copy_extensions",
                    "copy",
                    "-out",
                    CERT,
                ],
            ),
        ],
    ),
    Plant::new(
        "CRT-007",
        "a short key",
        "1024",
        &[
            Act::Mode(KEY, 0o600),
            certificate!(
                "-newkey",
                "rsa:1024",
                "-keyout",
                KEY,
                "-days",
                "30",
                "-subj",
                "/CN=mail.example.org",
                "-addext",
                NAMES
            ),
        ],
    ),
    Plant::new(
        "CRT-008",
        "a certificate signed with SHA-1",
        "SHA-1",
        &[certificate!(
            "-key",
            KEY,
            "-days",
            "30",
            "-sha1",
            "-subj",
            "/CN=mail.example.org",
            "-addext",
            NAMES
        )],
    ),
    Plant::new(
        "CRT-012",
        "a certificate with its name in the wrong place",
        "subjectAltName",
        &[certificate!("-key", KEY, "-days", "30", "-subj", "/CN=mail.example.org")],
    ),
    Plant::new(
        "CRT-014",
        "a key that is not the certificate's",
        KEY,
        &[Run(
            KEY,
            &[OPENSSL, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", KEY],
        )],
    ),
];

/// What the ports do.
pub(super) const LIVE: &[Plant] = &[
    Plant::new(
        "TLS-003",
        "no TLS 1.3 for users",
        "submission",
        &[Service("submission/inet/smtpd_tls_mandatory_protocols=>=TLSv1.2,<=TLSv1.2")],
    )
    .at(Ports),
    Plant::new("TLS-004", "no TLS 1.2 for other servers", "25", &[Main("smtpd_tls_protocols = >=TLSv1.3")])
        .at(Ports),
    Plant::new("TLS-028", "no STARTTLS for other servers", "25", &[Main("smtpd_tls_security_level = none")])
        .at(Ports),
    Plant::new(
        "TLS-030",
        "no submission inside of TLS",
        "465",
        &[Run("/etc/postfix/master.cf", &["/usr/sbin/postconf", "-MX", "submissions/inet"])],
    )
    .at(Ports),
    Plant::new(
        "TLS-031",
        "no mail without TLS",
        "smtpd_tls_security_level",
        &[Service("smtpd/pass/smtpd_tls_security_level=encrypt")],
    )
    .at(Ports),
    Plant::new(
        "TLS-032",
        "a submissions port that begins without TLS",
        "465",
        &[
            Service("submissions/inet/smtpd_tls_wrappermode=no"),
            Service("submissions/inet/smtpd_tls_security_level=encrypt"),
        ],
    )
    .at(Ports),
    Plant::new(
        "TLS-010",
        "suites without authenticated encryption",
        "AES_128_CBC_SHA",
        &[Append(
            "/etc/dovecot/local.conf",
            "ssl_cipher_list = ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE-ECDSA-AES128-SHA\n",
        )],
    )
    .at(Ports),
    Plant::new(
        "CRT-004",
        "a certificate of another name",
        "mail.example.org",
        &[certificate!(
            "-key",
            KEY,
            "-days",
            "30",
            "-subj",
            "/CN=other.example.org",
            "-addext",
            "subjectAltName=DNS:other.example.org"
        )],
    )
    .at(Ports),
    Plant::new(
        "CRT-015",
        "two certificates",
        "port 993",
        &[
            Write("/etc/ssl/lab/other.key", ""),
            Act::Mode("/etc/ssl/lab/other.key", 0o600),
            Run(
                "/etc/ssl/lab/other.pem",
                &[
                    OPENSSL,
                    "req",
                    "-x509",
                    "-CA",
                    "/etc/ssl/lab/ca.pem",
                    "-CAkey",
                    "/etc/ssl/lab/ca.key",
                    "-noenc",
                    "-newkey",
                    "ec",
                    "-pkeyopt",
                    "ec_paramgen_curve:P-256",
                    "-keyout",
                    "/etc/ssl/lab/other.key",
                    "-addext",
                    "basicConstraints=critical,CA:FALSE",
                    "-days",
                    "30",
                    "-subj",
                    "/CN=mail.example.org",
                    "-addext",
                    NAMES,
                    "-out",
                    "/etc/ssl/lab/other.pem",
                ],
            ),
            Append(
                "/etc/dovecot/local.conf",
                "ssl_cert = </etc/ssl/lab/other.pem\nssl_key = </etc/ssl/lab/other.key\n",
            ),
        ],
    )
    .at(Ports),
];
