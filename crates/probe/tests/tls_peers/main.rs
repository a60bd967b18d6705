//! The same facts as testssl.sh and SSLyze, from the same servers, in a fraction of the time. Takes minutes, all but seconds of
//! which are theirs:
//!
//! ```text
//! apt-get install testssl.sh; python3 -m venv v; v/bin/pip install sslyze
//! SSLYZE=v/bin/sslyze cargo test --release -p mailward-probe --test tls_peers -- --ignored --nocapture
//! ```

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that cannot go on fails"
)]

mod peers;
#[path = "../tls/servers.rs"]
mod servers;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::{Duration, Instant};

use mailward_audit::facts::{Group, Known, MailProtocol, Suite, SuiteClass, TlsPort, TlsVersion};
use peers::{Told, sslyze, testssl};
use servers::{Pki, can_run, dovecot, free_port, look, postfix};

const RSA: &[&str] = &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
const EC: &[&str] = &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
const HARDENED: &str = "smtpd_tls_mandatory_protocols = >=TLSv1.2\nsmtpd_tls_mandatory_ciphers = high\n\
    tls_high_cipherlist = ECDHE+AESGCM:ECDHE+CHACHA20\ntls_preempt_cipherlist = yes\ntls_eecdh_auto_curves = X25519 prime256v1";

/// What is looked at.
struct Place {
    name: &'static str,
    service: MailProtocol,
    port: u16,
    starttls: bool,
}

#[test]
#[ignore = "takes minutes: run it with testssl.sh and SSLyze installed"]
fn the_same_facts_as_testssl_and_sslyze() {
    let Some((testssl_path, sslyze_path)) = peers::installed().filter(|_| can_run()) else { return };
    let (rsa, ec) = (Pki::new(RSA), Pki::new(EC));
    let ports: Vec<_> = (0..7).map(|_| free_port()).collect();
    let [plain, wrapped, hard_plain, hard_wrapped, imap, imaps, pop3] = ports.as_slice() else {
        panic!("seven ports")
    };
    let _postfix = postfix(&rsa, *plain, *wrapped, "");
    let _hardened = postfix(&ec, *hard_plain, *hard_wrapped, HARDENED);
    let _dovecot = dovecot(&rsa, *imap, *imaps, *pop3, "");
    let places = [
        (
            &rsa,
            Place {
                name: "Dovecot of Debian, IMAP, implicit TLS",
                service: MailProtocol::Imap,
                port: *imaps,
                starttls: false,
            },
        ),
        (
            &ec,
            Place {
                name: "Postfix hardened, ECDSA, implicit TLS",
                service: MailProtocol::Smtp,
                port: *hard_wrapped,
                starttls: false,
            },
        ),
        (
            &rsa,
            Place {
                name: "Postfix of Debian, STARTTLS",
                service: MailProtocol::Smtp,
                port: *plain,
                starttls: true,
            },
        ),
    ];
    let mut disagreements = Vec::new();
    for (pki, place) in places {
        let began = Instant::now();
        let few = look(pki, place.service, place.port, place.starttls, 25);
        let few_took = began.elapsed();
        let began = Instant::now();
        let full = look(pki, place.service, place.port, place.starttls, 400);
        let full_took = began.elapsed();
        let (theirs, theirs_took) =
            timed(|| testssl(&testssl_path, place.service, place.port, place.starttls));
        let (others, others_took) = timed(|| sslyze(&sslyze_path, place.service, place.port, place.starttls));
        eprintln!(
            "\n{}: ours {few_took:?} with {} connections, {full_took:?} with {}; testssl.sh {theirs_took:?}, SSLyze {others_took:?}",
            place.name, few.connections, full.connections
        );
        assert!(few.connections <= 25);
        assert!(
            few_took < theirs_took && few_took < others_took && full_took < theirs_took,
            "{}: slower",
            place.name
        );
        is_no_less(&few, &full);
        for (peer, told) in [("testssl.sh", &theirs), ("SSLyze", &others)] {
            disagreements.extend(
                compare(&place, peer, &full, told)
                    .into_iter()
                    .map(|what| format!("{}: {peer}: {what}", place.name)),
            );
        }
    }
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    (work(), began.elapsed())
}

/// What is said with 25 connections is what is said with 400, as far as it goes.
fn is_no_less(few: &TlsPort, full: &TlsPort) {
    assert_eq!(few.versions, full.versions);
    for (version, suites) in &few.suites {
        let all = &full.suites[version];
        assert!(suites.accepted.iter().all(|suite| all.accepted.contains(suite)));
        let classes = all.accepted.iter().filter_map(|suite| suite.class());
        assert!(!classes.into_iter().any(|class| suites.refused.contains(&class)));
    }
    assert!(few.groups.accepted.iter().all(|group| full.groups.accepted.contains(group)));
    assert!(few.groups.refused.iter().all(|group| !full.groups.accepted.contains(group)));
}

/// A row for each fact; what is left after a handshake by `openssl s_client` has decided.
fn compare(place: &Place, peer: &str, ours: &TlsPort, told: &Told) -> Vec<String> {
    let mut rows: Vec<(String, String, String)> = Vec::new();
    for (version, accepted) in &told.versions {
        let own = ours.versions.get(version).and_then(|known| known.known().copied());
        rows.push((version.to_string(), format!("{}", own == Some(true)), accepted.to_string()));
    }
    for (what, theirs) in &told.facts {
        rows.push(((*what).to_owned(), fact(ours, what), theirs.clone()));
    }
    if let Some(group) = &told.groups {
        let own = ours.groups.accepted.iter().filter(|group| told.knows(**group));
        rows.push((
            "groups".to_owned(),
            words(own.map(ToString::to_string)),
            words(group.iter().map(ToString::to_string)),
        ));
    }
    let mut wrong = Vec::new();
    for (version, theirs) in &told.suites {
        let own: BTreeSet<_> = ours
            .suites
            .get(version)
            .map(|suites| suites.accepted.iter().copied().collect())
            .unwrap_or_default();
        let whole = ours.suites.get(version).is_some_and(|suites| suites.complete);
        let missed: Vec<_> = theirs.difference(&own).filter(|_| whole).collect();
        let more: Vec<_> = own.difference(theirs).filter(|suite| told.asks(**suite)).collect();
        eprintln!(
            "  {peer:<10} {version} suites: {} here, {} there{}",
            own.len(),
            theirs.len(),
            if whole || own.is_empty() { "" } else { ", where not all were asked for" }
        );
        for (suite, here) in
            missed.iter().map(|suite| (**suite, false)).chain(more.iter().map(|suite| (**suite, true)))
        {
            let decided = shakes_hands(place, *version, suite);
            eprintln!("    {suite}: {} here, {} there, openssl s_client: {decided}", here, !here);
            if decided != here {
                wrong.push(format!("{version} {suite}: {here} here"));
            }
        }
    }
    for (what, own, theirs) in rows {
        eprintln!("  {peer:<10} {what:<22} {own:<66} {theirs}");
        if own != theirs {
            wrong.push(format!("{what}: {own} here, {theirs} there"));
        }
    }
    wrong
}

fn words(words: impl Iterator<Item = String>) -> String {
    words.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" ")
}

/// Our fact in the words of the table.
fn fact(port: &TlsPort, what: &str) -> String {
    let yes = |known: &Known<bool>| known.known().map_or_else(|| "unknown".to_owned(), ToString::to_string);
    match what {
        "certificate" => port.leaf().expect("a certificate").sha256.clone(),
        "key bits" => port.leaf().expect("a certificate").key.bits.to_string(),
        "heartbleed" => (port.heartbleed != Known::Is(0)).to_string(),
        "early CCS" => yes(&port.early_ccs),
        "ROBOT" => matches!(port.robot, Known::Is(Some(_))).to_string(),
        "secure renegotiation" => yes(&port.secure_renegotiation),
        "compression" => yes(&port.compression),
        "master secret" => yes(&port.extended_master_secret),
        "ticket lifetime" => port.ticket_lifetime.known().copied().flatten().unwrap_or(0).to_string(),
        "finite-field groups" => {
            let finite = |group: &&Group| (256..=260).contains(&group.0);
            words(port.groups.accepted.iter().filter(finite).map(ToString::to_string))
        }
        other => panic!("no fact {other}"),
    }
}

/// Asks a third one.
fn shakes_hands(place: &Place, version: TlsVersion, suite: Suite) -> bool {
    let all = Command::new("/usr/bin/openssl")
        .args(["ciphers", "-V", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"])
        .output()
        .expect("openssl");
    let all = String::from_utf8_lossy(&all.stdout).into_owned();
    let [high, low] = suite.0.to_be_bytes();
    let number = format!("0x{high:02X},0x{low:02X}");
    let Some(name) =
        all.lines().find(|line| line.contains(&number)).and_then(|line| line.split_whitespace().nth(2))
    else {
        panic!("{suite}: openssl does not know it, so it cannot decide");
    };
    let flag = match version {
        TlsVersion::Tls10 => "-tls1",
        TlsVersion::Tls11 => "-tls1_1",
        _ => "-tls1_2",
    };
    let mut command = Command::new("/usr/bin/openssl");
    command.args([
        "s_client",
        flag,
        "-cipher",
        &format!("{name}:@SECLEVEL=0"),
        "-connect",
        &format!("127.0.0.1:{}", place.port),
    ]);
    if place.starttls {
        command.args(["-starttls", &place.service.to_string()]);
    }
    let out = command.stdin(std::process::Stdio::null()).output().expect("openssl");
    String::from_utf8_lossy(&out.stdout).contains(&format!("Cipher is {name}"))
}

/// Classes are what our 25 connections decide; nothing is both.
#[test]
fn classes_cover_every_suite() {
    let by_class: BTreeMap<_, usize> =
        SuiteClass::ALL.into_iter().map(|class| (class, class.suites().count())).collect();
    assert_eq!(by_class.values().sum::<usize>(), Suite::all().count());
    assert!(by_class.values().all(|count| *count > 0), "{by_class:?}");
}
