//! The TLS probe against real servers.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that cannot go on fails"
)]

mod servers;

use mailward_audit::facts::{Group, Known, MailProtocol, Preference, Suite, SuiteClass, TlsPort, TlsVersion};
use servers::{Pki, can_run, dovecot, free_port, look, postfix};

const RSA: &[&str] = &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
const EC: &[&str] = &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];

/// A Postfix that is looked at with STARTTLS and without.
fn postfix_with(key: &[&str], settings: &str, connections: u32) -> [TlsPort; 2] {
    let pki = Pki::new(key);
    let ports = [free_port(), free_port()];
    let _running = postfix(&pki, ports[0], ports[1], settings);
    [true, false]
        .map(|starttls| look(&pki, MailProtocol::Smtp, ports[usize::from(!starttls)], starttls, connections))
}

/// A Dovecot whose ports of IMAP with STARTTLS, IMAP without and POP3 with STARTTLS are looked at.
fn dovecot_with(key: &[&str], settings: &str, connections: u32) -> [TlsPort; 3] {
    let pki = Pki::new(key);
    let ports = [free_port(), free_port(), free_port()];
    let _running = dovecot(&pki, ports[0], ports[1], ports[2], settings);
    [
        look(&pki, MailProtocol::Imap, ports[0], true, connections),
        look(&pki, MailProtocol::Imap, ports[1], false, connections),
        look(&pki, MailProtocol::Pop3, ports[2], true, connections),
    ]
}

fn versions(port: &TlsPort) -> Vec<TlsVersion> {
    let accepted = port.versions.iter().filter(|(_, accepted)| **accepted == Known::Is(true));
    accepted.map(|(version, _)| *version).collect()
}

fn names(port: &TlsPort, version: TlsVersion) -> Vec<String> {
    let mut names: Vec<_> = port.suites[&version].accepted.iter().map(ToString::to_string).collect();
    names.sort();
    names
}

fn is_sound(port: &TlsPort) {
    assert!(port.connections <= 25, "{} connections on {}", port.connections, port.place());
    assert_eq!(port.stopped, None, "{}", port.place());
    assert_eq!(port.offered, Known::Is(true));
    assert_eq!(port.secure_renegotiation, Known::Is(true));
    assert_eq!(port.compression, Known::Is(false));
    assert_eq!(port.extended_master_secret, Known::Is(true));
    assert_eq!(port.heartbleed, Known::Is(0));
    assert_eq!(port.early_ccs, Known::Is(false));
    assert_eq!(port.early_data, Known::Is(0));
    assert_eq!(port.asks_client_certificate, Known::Is(false));
    assert_eq!(port.stapled, Known::Is(None));
    assert_eq!(port.starttls_injected, if port.starttls { Known::Is(0) } else { Known::Absent });
}

#[test]
fn postfix_of_debian() {
    if !can_run() {
        return;
    }
    for port in postfix_with(RSA, "", 25) {
        is_sound(&port);
        assert_eq!(
            versions(&port),
            [TlsVersion::Tls10, TlsVersion::Tls11, TlsVersion::Tls12, TlsVersion::Tls13]
        );
        assert_eq!(
            names(&port, TlsVersion::Tls13),
            ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
        );
        let suites = &port.suites[&TlsVersion::Tls12];
        let met: Vec<_> = suites.accepted.iter().filter_map(|suite| suite.class()).collect();
        use SuiteClass as C;
        assert_eq!(met, [C::Anonymous, C::Static, C::EcdheRsaCbc, C::EcdheRsa, C::DheCbc, C::Dhe]);
        assert_eq!(
            suites.refused,
            [C::Null, C::Export, C::Des, C::Rc4, C::Block64, C::EcdheEcdsaCbc, C::EcdheEcdsa]
        );
        assert_eq!(port.preference, Known::Is(Preference::Client));
        assert_eq!(port.sha1_signature, Known::Is(true));
        assert_eq!(port.fallback_scsv, Known::Is(true));
        assert_eq!(port.robot, Known::Is(None));
        assert!(matches!(port.ticket_lifetime, Known::Is(Some(7200))), "{:?}", port.ticket_lifetime);
        let groups: Vec<_> = port.dh.iter().map(|group| (group.bits, group.known_as.as_deref())).collect();
        assert_eq!(groups, [(1024, Some("modp1024 (RFC 2409)")), (2048, Some("modp2048 (RFC 3526)"))]);
        assert!(
            Group::all()
                .filter(|group| group.is_weak_curve())
                .all(|weak| port.groups.refused.contains(&weak))
        );
        has_certificate(&port, "RSA", 2048);
    }
}

fn has_certificate(port: &TlsPort, kind: &str, bits: u32) {
    for sni in [true, false] {
        let chain = port.chains.iter().find(|chain| chain.sni == sni).expect("a chain");
        let [leaf] = chain.certificates.as_slice() else { panic!("{:?}", chain.certificates) };
        assert_eq!((leaf.subject.as_str(), leaf.issuer.as_str()), ("CN=mail.example.org", "CN=Test CA"));
        assert_eq!(leaf.names, ["mail.example.org", "imap.example.org"]);
        assert_eq!((leaf.key.kind.as_str(), leaf.key.bits), (kind, bits));
        assert_eq!(leaf.usages, ["serverAuth"]);
        assert_eq!(leaf.life(), 90 * 86400);
        assert!(!leaf.self_signed && !leaf.must_staple && !leaf.authority);
        assert!(chain.trust.known().expect("trust").trusted, "{:?}", chain.trust);
    }
}

#[test]
fn postfix_hardened() {
    if !can_run() {
        return;
    }
    // With TLS from the first byte, the parameters with `mandatory` in their names count.
    let settings = "smtpd_tls_protocols = >=TLSv1.2\nsmtpd_tls_mandatory_protocols = >=TLSv1.2\nsmtpd_tls_mandatory_ciphers = high\ntls_preempt_cipherlist = yes\nsmtpd_tls_ciphers = high\n\
        tls_high_cipherlist = ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256\n\
        tls_eecdh_auto_curves = X25519 prime256v1";
    for port in postfix_with(EC, settings, 25) {
        is_sound(&port);
        assert_eq!(versions(&port), [TlsVersion::Tls12, TlsVersion::Tls13]);
        assert!(port.suites[&TlsVersion::Tls12].complete);
        assert_eq!(
            names(&port, TlsVersion::Tls12),
            [
                "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
                "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
                "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"
            ]
        );
        assert_eq!(port.preference, Known::Is(Preference::Server));
        assert_eq!(port.robot, Known::Absent);
        assert_eq!(port.dh, []);
        assert_eq!(all_groups(&port), ["secp256r1", "x25519"]);
        has_certificate(&port, "EC", 256);
    }
}

/// The accepted groups, when all are decided.
fn all_groups(port: &TlsPort) -> Vec<String> {
    let groups = &port.groups;
    let open: Vec<_> = Group::all()
        .filter(|group| !groups.accepted.contains(group) && !groups.refused.contains(group))
        .collect();
    assert!(open.is_empty(), "not decided: {open:?}");
    let mut names: Vec<_> = groups.accepted.iter().map(ToString::to_string).collect();
    names.sort();
    names
}

#[test]
fn dovecot_of_debian() {
    if !can_run() {
        return;
    }
    for port in dovecot_with(RSA, "", 25) {
        is_sound(&port);
        assert_eq!(versions(&port), [TlsVersion::Tls12, TlsVersion::Tls13]);
        assert_eq!(port.suites[&TlsVersion::Tls13].accepted.len(), 3);
        let suites = &port.suites[&TlsVersion::Tls12];
        assert!(suites.complete, "{suites:?}");
        assert_eq!(suites.accepted.len(), 11, "{suites:?}");
        assert!(suites.accepted.iter().all(|suite| suite.class().is_some_and(SuiteClass::is_ecdhe)));
        assert_eq!(port.preference, Known::Is(Preference::Client));
        assert_eq!(port.sha1_signature, Known::Is(false));
        for usual in [23, 24, 25, 29, 30] {
            assert!(port.groups.accepted.contains(&Group(usual)), "{:?}", port.groups);
        }
        has_certificate(&port, "RSA", 2048);
    }
}

#[test]
fn old_settings_are_seen() {
    if !can_run() {
        return;
    }
    let settings = "ssl_min_protocol = ANY\nssl_cipher_list = AES128-SHA:eNULL:ECDHE-RSA-AES128-SHA:@SECLEVEL=0\nssl_prefer_server_ciphers = yes\nssl_curve_list = P-224:P-256";
    let [port, ..] = dovecot_with(RSA, settings, 60);
    assert_eq!(
        port.suites(|suite| suite.class() == Some(SuiteClass::Null)).map(|met| met.is_empty()),
        Ok(false)
    );
    assert!(versions(&port).contains(&TlsVersion::Tls10), "{:?}", port.versions);
    assert!(port.groups.accepted.contains(&Group(21)), "{:?}", port.groups);
    assert!(port.suites[&TlsVersion::Tls12].accepted.contains(&Suite(0x002f)));
}

#[test]
fn no_starttls_and_no_tls() {
    if !can_run() {
        return;
    }
    let [starttls, _] = postfix_with(RSA, "smtpd_tls_security_level = none", 25);
    assert_eq!((starttls.offered, starttls.connections), (Known::Is(false), 1));
    let pki = Pki::new(RSA);
    let ports = [free_port(), free_port()];
    let _running = postfix(&pki, ports[0], ports[1], "");
    let plain = look(&pki, MailProtocol::Smtp, ports[0], false, 25);
    assert_eq!(plain.offered, Known::Is(false));
    assert!(plain.plain_greeting.known().expect("a greeting").starts_with("220 mail.example.org"));
    let nobody = look(&pki, MailProtocol::Smtp, free_port(), true, 25);
    assert!(nobody.stopped.expect("a reason").starts_with("no connection to 127.0.0.1:"));
}

/// A server that counts connections is left alone, and nothing is concluded from its refusals.
#[test]
fn a_421_ends_it() {
    if !can_run() {
        return;
    }
    let settings = "smtpd_client_connection_rate_limit = 8\nsmtpd_client_event_limit_exceptions =";
    let [port, _] = postfix_with(RSA, settings, 25);
    assert!(port.stopped.clone().expect("a reason").contains("421"), "{:?}", port.stopped);
    assert!(port.connections <= 9, "{}", port.connections);
    assert!(port.suites(|suite| suite.class() == Some(SuiteClass::Null)).is_err());
    assert!(matches!(port.robot, Known::Unread(_)));
}
