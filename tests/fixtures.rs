//! The commands on logs whose truth is known: the bundled incident always, others where they are beside the checkout.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "helpers of tests fail as tests do, and a test that is skipped says so"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn mailward(args: &[&str], log: &Path) -> Vec<u8> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailward"));
    // A configuration of this machine must not change what is tested.
    let empty = Path::new(env!("CARGO_TARGET_TMPDIR")).join("empty.toml");
    std::fs::write(
        &empty,
        "[never-ban]\nown-addresses = false\nmynetworks = false\noperator-session = false\n",
    )
    .unwrap();
    let output = command.arg("--config").arg(&empty).args(args).arg(log).output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn records(args: &[&str], log: &Path) -> Vec<Value> {
    let out = mailward(args, log);
    out.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

/// A folder of the fixtures beside the checkout, where they are.
fn beside(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures").join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: {name}: no ../shared/fixtures beside this checkout");
    None
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn instant(text: &str) -> jiff::Timestamp {
    text.parse().unwrap()
}

/// Every count, source, account and time of an analysis is as it is known to be.
fn check_incident(log: &Path, expected: &Value) {
    let report: Value = serde_json::from_slice(&mailward(&["analyze", "--format", "json"], log)).unwrap();
    for section in ["attacks", "not_attacks"] {
        let found: BTreeMap<&str, &Value> =
            report[section].as_array().unwrap().iter().map(|attack| (text(attack, "id"), attack)).collect();
        let known: BTreeMap<&String, &Value> = expected[section]
            .as_object()
            .unwrap()
            .iter()
            .filter(|(_, known)| known.get("count").is_some())
            .collect();
        let names = |all: Vec<&str>| all.into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
        assert_eq!(
            names(found.keys().copied().collect()),
            names(known.keys().map(|name| name.as_str()).collect()),
            "{section}"
        );
        for (id, known) in known {
            let found = found[id.as_str()];
            for key in ["count", "distinct_sources"] {
                if let Some(number) = known.get(key) {
                    assert_eq!(&found[key], number, "{id} {key}");
                }
            }
            for key in ["first", "last"] {
                if let Some(time) = known.get(key) {
                    assert_eq!(instant(text(found, key)), instant(time.as_str().unwrap()), "{id} {key}");
                }
            }
            for (ours, theirs) in [("per_source", "per_source"), ("per_account", "targets")] {
                if let Some(counts) = known.get(theirs) {
                    assert_eq!(&found[ours], counts, "{id} {theirs}");
                }
            }
        }
    }
    for key in ["imap_ok", "smtp_auth_ok"] {
        assert_eq!(report["logins"][key], expected["logins"][key], "{key}");
    }
    assert_eq!(
        report["logins"]["successful_login_from_attacking_address"],
        expected["logins"]["successful_login_from_attacking_address"]
    );
}

#[test]
fn the_analysis_of_an_incident_is_exact_and_its_traps_are_not_banned() {
    let Some(folder) = beside("dms-incident") else { return };
    let expected: Value =
        serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
    let log = folder.join("docker-data/dms/mail-logs/mail.log");
    check_incident(&log, &expected);
    let banned = banned(&log);
    let traps = [
        "192.0.2.77",
        "192.0.2.26",
        "192.0.2.40",
        "192.0.2.28",
        "192.0.2.41",
        "172.20.0.10",
        "203.0.113.200",
    ];
    for trap in traps {
        assert!(!is_banned(&banned, trap), "{trap}");
    }
    for source in expected["attacks"]["smtp_auth_spray"]["per_source"].as_object().unwrap().keys() {
        assert!(is_banned(&banned, source), "{source}");
    }
}

fn banned(log: &Path) -> Vec<mailward_model::Network> {
    let bans = records(&["replay"], log);
    bans.iter().filter(|r| text(r, "event") == "ban").map(|r| text(r, "target").parse().unwrap()).collect()
}

fn is_banned(banned: &[mailward_model::Network], address: &str) -> bool {
    let address: IpAddr = address.parse().unwrap();
    banned.iter().any(|network| network.contains(address))
}

/// Attacks that only the in-path services can tell from mail.
const IN_PATH: [&str; 2] = ["spam-bot", "spam-burst"];

#[test]
fn every_attack_in_a_recorded_log_is_banned_and_nobody_else() {
    for name in ["lab-real", "lab-real/rfc3339-verbose"] {
        let Some(folder) = beside(name) else { return };
        let labels: Value =
            serde_json::from_slice(&std::fs::read(folder.join("labels.json")).unwrap()).unwrap();
        let log = folder.join("mail.log");
        let banned = banned(&log);
        for (address, who) in labels["attackers"].as_object().unwrap() {
            let kind = text(who, "kind");
            // Of the injected log text only the sources that failed at something are guilty of anything.
            if address.contains('/') || IN_PATH.contains(&kind) || kind == "log-injection" {
                continue;
            }
            assert!(is_banned(&banned, address), "{name}: {kind} {address}");
        }
        for address in labels["never_ban"].as_array().unwrap() {
            assert!(!is_banned(&banned, address.as_str().unwrap()), "{name}: {address}");
        }
        let victim = text(&labels, "injected_victim");
        let offences = records(&["replay", "--all"], &log);
        assert!(!offences.iter().any(|record| text(record, "address") == victim), "{name}: a forged address");
    }
}

#[test]
fn samples_of_real_servers_parse_with_nothing_unknown() {
    let Some(folder) = beside("dms-incident/variants/samples") else { return };
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let unknown = records(&["parse", "--unknown"], &path);
        assert!(unknown.is_empty(), "{}: {unknown:?}", path.display());
    }
}

#[test]
fn a_replay_is_the_same_each_time() {
    let log = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/incident/mail.log");
    let first = mailward(&["replay", "--all"], &log);
    assert!(first.len() > 10_000);
    assert_eq!(first, mailward(&["replay", "--all"], &log));
}

#[test]
fn the_bundled_incident_is_judged_by_its_own_truth() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/incident");
    let truth: Value = serde_json::from_slice(&std::fs::read(folder.join("truth.json")).unwrap()).unwrap();
    let banned = banned(&folder.join("mail.log"));
    for innocent in truth["never_ban"].as_array().unwrap() {
        assert!(!is_banned(&banned, innocent.as_str().unwrap()), "{innocent}");
    }
    let offences = records(&["replay", "--all"], &folder.join("mail.log"));
    let committed: BTreeSet<(&str, &str)> =
        offences.iter().map(|record| (text(record, "kind"), text(record, "address"))).collect();
    for (name, attack) in truth["attacks"].as_object().unwrap() {
        for source in attack["sources"].as_object().unwrap().keys() {
            assert!(committed.contains(&(text(attack, "kind"), source)), "{name} {source}");
        }
    }
}
