//! Cipher suites.

use super::versions::with_causes;
use super::{Fix, Seen, evidence, outcome, see};
use crate::check::not_applicable;
use crate::facts::{MailProtocol, Preference, Suite, SuiteClass, TlsPort, TlsVersion};
use crate::{Check, Evidence, Judged, Server, Severity, Untold};

pub(super) static TLS_005: Check = Check {
    id: "TLS-005",
    title: "Cipher suites without encryption are offered",
    severity: Severity::Critical,
    why: "A session with a NULL suite looks like TLS to both ends, and everybody on the way reads it.",
    proof: "Hellos that offer the NULL suites; one of them is chosen.",
    fix: "Take own cipher lists out, or exclude eNULL.",
    references: &["RFC 9325 section 4.1"],
    judge: |server| {
        offered(server, &TLS_005, class(&[SuiteClass::Null]), (Severity::Critical, Severity::High), NO_WEAK)
    },
};

pub(super) static TLS_006: Check = Check {
    id: "TLS-006",
    title: "Anonymous cipher suites are offered",
    severity: Severity::High,
    why: "With an anonymous suite nobody proves to be the server, so anybody on the way can be it and read the password; at port 25, where senders do not verify anyway, Postfix means it so.",
    proof: "Hellos that offer the anonymous suites; one of them is chosen.",
    fix: "Exclude aNULL where clients log in.",
    references: &["RFC 7435", "https://www.postfix.org/TLS_README.html"],
    judge: tls_006,
};

pub(super) static TLS_007: Check = Check {
    id: "TLS-007",
    title: "Export-grade or single-DES cipher suites are offered",
    severity: Severity::Critical,
    why: "Keys of 40 and 56 bits are found within hours, and an attacker between the ends can make better clients use them (FREAK, Logjam).",
    proof: "Hellos that offer suites with EXPORT, DES and RC2; one of them is chosen.",
    fix: "Take own cipher lists out, and use the grade high or medium.",
    references: &["RFC 9325 section 4.1", "CVE-2015-0204", "CVE-2015-4000"],
    judge: |server| {
        let weak = class(&[SuiteClass::Export, SuiteClass::Des]);
        offered(server, &TLS_007, weak, (Severity::Critical, Severity::High), NO_WEAK)
    },
};

pub(super) static TLS_008: Check = Check {
    id: "TLS-008",
    title: "RC4 is offered",
    severity: Severity::High,
    why: "What RC4 encrypts many times, such as a password at every login, can be computed from the ciphertext.",
    proof: "Hellos that offer the RC4 suites; one of them is chosen.",
    fix: "Exclude RC4.",
    references: &["RFC 7465"],
    judge: |server| {
        offered(server, &TLS_008, class(&[SuiteClass::Rc4]), (Severity::High, Severity::Medium), NO_WEAK)
    },
};

pub(super) static TLS_009: Check = Check {
    id: "TLS-009",
    title: "Ciphers with blocks of 64 bits are offered",
    severity: Severity::Medium,
    why: "After some hundred gigabytes under one key, blocks of 3DES or IDEA repeat and tell parts of the text (Sweet32); long IMAP sessions get there.",
    proof: "Hellos that offer suites with 3DES and IDEA; one of them is chosen.",
    fix: "Exclude 3DES.",
    references: &["RFC 9325 section 4.1", "CVE-2016-2183"],
    judge: |server| {
        offered(server, &TLS_009, class(&[SuiteClass::Block64]), (Severity::Medium, Severity::Low), NO_WEAK)
    },
};

pub(super) static TLS_010: Check = Check {
    id: "TLS-010",
    title: "Cipher suites without authenticated encryption are offered in TLS 1.2",
    severity: Severity::Low,
    why: "CBC suites were broken again and again through their padding; every client of TLS 1.2 of the last ten years has GCM or ChaCha20.",
    proof: "The suites that TLS 1.2 chooses when only suites without an AEAD are offered.",
    fix: "Offer AEAD suites only, once the log shows that no client needs others.",
    references: &["RFC 9325 section 4.2"],
    judge: tls_010,
};

pub(super) static TLS_011: Check = Check {
    id: "TLS-011",
    title: "Key exchange without forward secrecy is offered",
    severity: Severity::Medium,
    why: "Whoever records sessions today and gets the certificate's key in some years reads all of them.",
    proof: "Hellos that offer suites with static RSA or DH; one of them is chosen.",
    fix: "Exclude kRSA.",
    references: &["RFC 9325 section 4.1"],
    judge: |server| {
        offered(server, &TLS_011, class(&[SuiteClass::Static]), (Severity::Medium, Severity::Low), NO_STATIC)
    },
};

pub(super) static TLS_016: Check = Check {
    id: "TLS-016",
    title: "The client chooses the cipher although weak ones are offered",
    severity: Severity::Low,
    why: "While weak suites are offered, the server's order is what keeps clients that could do better from using them.",
    proof: "Two hellos with the same suites in opposite order, when suites other than ephemeral ones with an AEAD are offered.",
    fix: "Let the server choose, or offer strong suites only.",
    references: &["RFC 9325 section 4.2.1"],
    judge: tls_016,
};

const NO_WEAK: Fix = Fix {
    advice: "Use the ciphers that Postfix and Dovecot have by themselves, and take own cipher lists out.",
    postfix: &["smtpd_tls_exclude_ciphers = eNULL, EXPORT, LOW, DES, 3DES, RC2, RC4, IDEA, MD5"],
    dovecot: &[(
        "ssl_cipher_list",
        "ALL:!kRSA:!SRP:!kDHd:!DSS:!aNULL:!eNULL:!EXPORT:!DES:!3DES:!MD5:!PSK:!RC4:!ADH:!LOW@STRENGTH",
    )],
};

const NO_ANONYMOUS: Fix = Fix {
    advice: "Exclude anonymous suites where TLS is required, which is where clients log in.",
    postfix: &["smtpd_tls_mandatory_exclude_ciphers = aNULL"],
    dovecot: NO_WEAK.dovecot,
};

const NO_STATIC: Fix = Fix {
    advice: "Exclude the key exchange under the certificate's own key.",
    postfix: &["smtpd_tls_exclude_ciphers = kRSA", "smtpd_tls_mandatory_exclude_ciphers = aNULL, kRSA"],
    dovecot: NO_WEAK.dovecot,
};

const ONLY_AEAD: Fix = Fix {
    advice: "Offer AEAD suites only, once the log shows that no client needs others.",
    postfix: &["smtpd_tls_mandatory_ciphers = high", "tls_high_cipherlist = ECDHE+AESGCM:ECDHE+CHACHA20"],
    dovecot: &[("ssl_cipher_list", "ECDHE+AESGCM:ECDHE+CHACHA20")],
};

const SERVER_CHOOSES: Fix = Fix {
    advice: "Let the server choose.",
    postfix: &["tls_preempt_cipherlist = yes"],
    dovecot: &[("ssl_server_prefer_ciphers", "server")],
};

fn class(classes: &'static [SuiteClass]) -> impl Fn(Suite) -> bool {
    move |suite| suite.class().is_some_and(|class| classes.contains(&class))
}

/// Fails where one of the suites is accepted.
fn offered(
    server: &Server<'_>,
    check: &'static Check,
    is: impl Fn(Suite) -> bool,
    severities: (Severity, Severity),
    fix: Fix,
) -> Judged {
    let seen = see(server, |port| Ok(shown(&port.suites(&is)?)))?;
    let causes = causes(server, &seen);
    Ok(with_causes(outcome(server, check, &seen, severities, &accepts(&seen, is), fix)?, causes))
}

/// Settings of one's own that choose suites; without any, the defaults are the cause.
fn causes(server: &Server<'_>, seen: &Seen<'_>) -> Vec<Evidence> {
    let smtp =
        |wanted: bool| seen.weak.iter().any(|(port, _)| (port.service == MailProtocol::Smtp) == wanted);
    let mut causes = Vec::new();
    if let Some(postfix) = server.postfix().ok().filter(|_| smtp(true)) {
        let set = CIPHER_PARAMETERS.iter().filter_map(|name| Some((name, postfix.explicit(name)?)));
        causes.extend(set.map(|(name, value)| evidence(&postfix.place(name), &format!("{name} = {value}"))));
    }
    if let Some(dovecot) = server.dovecot().ok().filter(|_| smtp(false)) {
        let own = dovecot.explicit("ssl_cipher_list");
        causes.extend(
            own.map(|_| evidence(&dovecot.place("ssl_cipher_list"), &dovecot.line("ssl_cipher_list"))),
        );
    }
    causes
}

const CIPHER_PARAMETERS: [&str; 9] = [
    "tls_export_cipherlist",
    "tls_low_cipherlist",
    "tls_medium_cipherlist",
    "tls_high_cipherlist",
    "tls_null_cipherlist",
    "smtpd_tls_ciphers",
    "smtpd_tls_mandatory_ciphers",
    "smtpd_tls_exclude_ciphers",
    "smtpd_tls_mandatory_exclude_ciphers",
];

/// `TLS_RSA_WITH_NULL_SHA is accepted`.
fn accepts(seen: &Seen<'_>, is: impl Fn(Suite) -> bool) -> String {
    let met =
        seen.weak.iter().filter_map(|(port, _)| port.suites(&is).ok()).flatten().map(|(_, suite)| suite);
    let met: std::collections::BTreeSet<_> = met.collect();
    let names: Vec<_> = met.iter().take(3).map(ToString::to_string).collect();
    let more = if met.len() > 3 { " and others like these" } else { "" };
    match names.as_slice() {
        [one] => format!("{one} is accepted"),
        _ => format!("{}{more} are accepted", names.join(", ")),
    }
}

fn shown(suites: &[(TlsVersion, Suite)]) -> Option<String> {
    let all: Vec<_> = suites.iter().map(|(version, suite)| format!("{version} {suite}")).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

fn tls_006(server: &Server<'_>) -> Judged {
    let seen = see(server, |port| Ok(shown(&port.suites(Suite::is_anonymous)?)))?;
    let says = accepts(&seen, Suite::is_anonymous);
    // Whoever verifies the certificate does not offer anonymous suites, so DANE and MTA-STS change nothing at port 25.
    let all_mx = seen.weak.iter().all(|(port, _)| port.is_mx());
    let severities = if all_mx { (Severity::Info, Severity::Info) } else { (Severity::High, Severity::Info) };
    outcome(server, &TLS_006, &seen, severities, &says, NO_ANONYMOUS)
}

fn tls_010(server: &Server<'_>) -> Judged {
    let plain = |suite: Suite| {
        matches!(
            suite.class(),
            Some(
                SuiteClass::Static | SuiteClass::EcdheRsaCbc | SuiteClass::EcdheEcdsaCbc | SuiteClass::DheCbc
            )
        ) && !suite.is_aead()
    };
    let seen = see(server, |port| {
        if !port.accepts(TlsVersion::Tls12)? {
            return not_applicable(format!("TLS 1.2 is refused at {}", port.place()));
        }
        let met = port.suites(plain)?.into_iter().filter(|(version, _)| *version == TlsVersion::Tls12);
        Ok(shown(&met.collect::<Vec<_>>()))
    })?;
    outcome(server, &TLS_010, &seen, (Severity::Low, Severity::Info), &accepts(&seen, plain), ONLY_AEAD)
}

fn tls_016(server: &Server<'_>) -> Judged {
    let seen = see(server, |port| match (port.preference.get(), weak_suites(port)?) {
        (_, weak) if weak.is_empty() => not_applicable(format!("every suite is good at {}", port.place())),
        (Ok(Preference::Server), _) => Ok(None),
        (Ok(Preference::Client), weak) => {
            let weak = shown(&weak).unwrap_or_default();
            Ok(Some(format!(
                "offered in both orders, the client's first suite was chosen each time; offered are {weak}"
            )))
        }
        (Err(why), _) => Err(why),
    })?;
    let says = "The client chooses among suites of which some are weak";
    outcome(server, &TLS_016, &seen, (Severity::Low, Severity::Info), says, SERVER_CHOOSES)
}

/// Suites that a client should not use if it can do better.
fn weak_suites(port: &TlsPort) -> Result<Vec<(TlsVersion, Suite)>, Untold> {
    let good = |suite: Suite| suite.is_aead() && suite.is_forward_secret() && !suite.is_anonymous();
    port.suites(|suite| !good(suite) && suite.class() != Some(SuiteClass::Tls13))
}
