//! The committed files are fresh, and the answer key agrees with the log.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;

use serde_json::Value;

use super::files;

fn generated() -> (String, Value) {
    let [(_, log), (_, truth), _] = files().unwrap();
    (log, serde_json::from_str(&truth).unwrap())
}

#[test]
fn the_committed_files_are_what_the_generator_writes() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/incident");
    for (name, text) in files().unwrap() {
        let path = dir.join(name);
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == text, "{} is stale; say: cargo xtask incident", path.display());
    }
}

#[test]
fn lines_are_in_order_and_within_half_an_hour() {
    let (log, truth) = generated();
    let stamps: Vec<&str> = log.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert!(stamps.is_sorted());
    assert!((2_000..=3_000).contains(&stamps.len()), "{}", stamps.len());
    assert_eq!(truth["window"]["lines"], stamps.len());
    assert_eq!(truth["window"]["first"], stamps[0]);
    let first: jiff::Timestamp = stamps[0].parse().unwrap();
    let last: jiff::Timestamp = stamps[stamps.len() - 1].parse().unwrap();
    let minutes = (last - first).get_minutes() + (last - first).get_seconds() / 60;
    assert!((25..=35).contains(&minutes), "{minutes}");
}

/// Counts decisive lines in the log by another way than the generator, and compares.
#[test]
fn the_answer_key_counts_what_the_log_says() {
    let (log, truth) = generated();
    for (attack, decisive) in [
        ("tls-probes", "submissions/smtpd SSL_accept error from unknown[192.0.2."),
        ("pregreet", "PREGREET "),
        ("sasl-brute-force", "postfix/submission/smtpd SASL LOGIN authentication failed"),
        ("sasl-spray", "postfix/submissions/smtpd SASL LOGIN authentication failed"),
        ("imap-brute-force", "(auth failed, 3 attempts"),
        ("dnsbl", "blocked using zen.spamhaus.org"),
        ("relay-probe", "Relay access denied"),
        ("helo-abuse", "Helo command rejected"),
        ("user-harvest", "helo=<pool126.spam.example>"),
        ("foreign-protocol", "non-SMTP command"),
        ("forged-sender", "no-such-domain.example>: Sender address rejected"),
    ] {
        let parts: Vec<&str> = decisive.splitn(2, "smtpd ").collect();
        let hits = log.lines().filter(|line| match parts.as_slice() {
            [program, text] if !program.is_empty() && decisive.contains("smtpd ") => {
                line.contains(&format!("{program}smtpd[")) && line.contains(text)
            }
            _ => line.contains(decisive),
        });
        let hits: Vec<&str> = hits.collect();
        let campaign = &truth["attacks"][attack];
        assert_eq!(campaign["count"], hits.len(), "{attack}");
        let sources = campaign["sources"].as_object().unwrap();
        let sum: u64 = sources.values().map(|count| count.as_u64().unwrap()).sum();
        assert_eq!(sum, hits.len() as u64, "{attack}");
        for source in sources.keys() {
            assert!(hits.iter().any(|line| line.contains(source.as_str())), "{attack}: {source}");
        }
        let stamp = |line: &&str| line.split(' ').next().unwrap().to_owned();
        assert_eq!(campaign["first"], stamp(hits.first().unwrap()), "{attack}");
        assert_eq!(campaign["last"], stamp(hits.last().unwrap()), "{attack}");
    }
}

#[test]
fn nobody_is_both_attacker_and_innocent() {
    let (log, truth) = generated();
    let never: BTreeSet<IpAddr> =
        truth["never_ban"].as_array().unwrap().iter().map(|v| v.as_str().unwrap().parse().unwrap()).collect();
    let mut owners: BTreeMap<IpAddr, &str> = BTreeMap::new();
    for (attack, campaign) in truth["attacks"].as_object().unwrap() {
        for source in campaign["sources"].as_object().unwrap().keys() {
            let source = source.parse().unwrap();
            assert!(!never.contains(&source), "{attack}: {source}");
            assert_eq!(owners.insert(source, attack), None, "{source}");
        }
    }
    for address in never {
        assert!(log.contains(&address.to_string()), "{address} does nothing");
    }
    assert!(truth["innocents"].as_array().unwrap().len() >= 8);
}

#[test]
fn no_attacker_ever_logs_in() {
    let (log, truth) = generated();
    let attackers: BTreeSet<&str> = truth["attacks"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|campaign| campaign["sources"].as_object().unwrap().keys().map(String::as_str))
        .collect();
    for line in log.lines().filter(|line| line.contains("Login: user=") || line.contains("sasl_method=")) {
        assert!(!attackers.iter().any(|address| line.contains(&format!("[{address}]"))), "{line}");
        assert!(!attackers.iter().any(|address| line.contains(&format!("rip={address},"))), "{line}");
    }
}
