//! The audit of a docker-mailserver during an incident, through a stand-in for `docker exec`: everything that is known to be wrong
//! with it is found, with its severity; what is known to be right passes; and nothing is found that is not so.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests fail as tests do, and a test that is skipped says so"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mailward_audit::{Facts, Finding, Judged, Outcome, Server, find, judge, services};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_mailward");

/// When the incident was over. The certificate is valid then.
const TAKEN: &str = "2025-10-10T00:00:00Z";

/// What has to be found: the fixture's name for it, our check, and what its finding is about.
const EXPECTED: &[(&str, &str, &str)] = &[
    ("dms.quota.none", "QTA-001", ""),
    ("dms.env.unknown", "DMS-001", "security"),
    ("dms.env.dangerous_if_applied", "DMS-001", "harmful if applied"),
    ("dms.spoof_protection.off", "DMS-005", ""),
    ("dms.submission.no_auth_rate_limit", "SMT-025", ""),
    ("dms.fail2ban.mode", "BAN-003", "no rule"),
    ("dms.fail2ban.double_count", "BAN-009", "double count"),
    ("dms.dovecot_cf.no_effect", "DMS-013", "dovecot.cf without effect"),
    ("dms.config.unread_file", "DMS-002", "spamassassin/local.cf"),
    ("dms.amavis.no_zst", "AVS-004", ""),
    ("dms.dnsbl.dead_zone", "REP-003", ""),
    ("dms.dnsbl.unfiltered", "REP-006", ""),
    ("dms.healthcheck.weak", "DMS-014", "health check"),
    ("dms.password.weak", "ACC-004", ""),
    ("dms.accounts.hash_cost", "ACC-003", ""),
    ("dms.alias_login", "ACC-007", "aliases"),
    ("dms.network.ipv6", "BAN-008", "ipv6"),
    ("dms.logs.copytruncate", "LOG-002", "copytruncate"),
];

/// The same for the files of the published fix.
const OVERLAY: &[(&str, &str, &str)] = &[
    ("dms.config.unread_file", "DMS-002", "fail2ban-filter.cf"),
    ("fail2ban.jail.filter_missing", "BAN-004", "postfix-ssl"),
    ("fail2ban.threshold.per_address", "BAN-003", "threshold postfix-ssl"),
    ("dms.config.unread_file", "DMS-002", "postfix-reject-cidr.cf"),
    ("postfix.override.fatal", "PFX-001", ""),
    ("postfix.override.unused_parameter", "PFX-002", ""),
];

/// What the fixture does not list and is so all the same, with the reason.
const ALSO_TRUE: &[(&str, &str, &str)] = &[
    ("ACC-007", "", "admin@, sales@ and info@ are accounts"),
    (
        "SMT-023",
        "",
        "example.net has neither postmaster@ nor abuse@; postfix-virtual.cf names example.org's only",
    ),
    ("ACC-020", "", "passwords are all there is: one passdb, no OAuth2, no passwords per device"),
    (
        "BAN-003",
        "threshold",
        "eight guessers with one attempt each: no limit per address stops them (attacks.smtp_auth_spray)",
    ),
    (
        "BAN-006",
        "single addresses",
        "2001:db8:bad:1::17 and 2001:db8:bad:2::5 are banned as single addresses",
    ),
    ("DOV-008", "", "port 143 is published beside 993"),
    (
        "PFX-011",
        "milter_default_action",
        "milter_default_action = accept: DKIM and DMARC are not asked while a milter is down",
    ),
    ("PFX-015", "", "smtp_tls_security_level = may without any policy per destination"),
    (
        "QTA-006",
        "/var/log/mail",
        "the log's mount is a directory of the machine that runs the test, and that may be full",
    ),
    ("QTA-006", "/var/mail", "so is the mount of mail"),
    ("SMT-008", "", "smtpd_etrn_restrictions is empty and fast_flush_domains its default: ETRN is answered"),
];

/// What the overlay adds and the fixture does not list.
const OVERLAY_ALSO_TRUE: &[(&str, &str, &str)] = &[(
    "DMS-002",
    "postfix-main.cf not in force",
    "the captured container was created before the overlay: its limits are not in postconf -n",
)];

/// What is known to be right, and the check that must say so.
const RIGHT: &[(&str, &[&str])] = &[
    ("tls.min_version", &["TLS-001", "TLS-002"]),
    ("tls.submission_encrypted", &["SMT-004", "SMT-005", "SMT-020", "TLS-032"]),
    ("queue.empty", &["QUE-001", "QUE-002", "QUE-003"]),
    ("postscreen.greet", &["PFX-007"]),
    ("relay.closed", &["SMT-001", "SMT-002", "SMT-030", "DMS-004"]),
    ("smtp_smuggling.closed", &["SMT-014"]),
    // Valid, not about to end, with the server's name, and with the key that belongs to it: all of it told by the files.
    ("tls.certificate", &["CRT-001", "CRT-002", "CRT-004", "CRT-007", "CRT-014"]),
    // The guessers' bans are in the loaded firewall, and nobody who logs in or delivers is banned.
    ("bans", &["BAN-005", "BAN-010"]),
];

/// What is known to be right, and is only told where ports or the DNS are asked: it must not fail.
const NOT_WRONG: &[(&str, &[&str])] = &[
    // The authority is the fixture's own.
    ("tls.certificate", &["CRT-003"]),
    ("dkim.keys", &["DKM-001", "DKM-002", "DKM-009"]),
];

fn fixture() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/dms-incident");
    let there = path.is_dir();
    if !there {
        eprintln!("SKIPPED: {} is not there", path.display());
    }
    there.then_some(path)
}

/// The fixture unpacked, with the published fix over it or without, and what the audit collects of it.
fn collected(fixture: &Path, overlay: bool) -> Facts {
    let scratch = tempfile::tempdir().unwrap();
    let tree = scratch.path().join("mail");
    run(Command::new("/bin/sh").arg(fixture.join("tools/unpack.sh")).arg(&tree));
    if overlay {
        for entry in fs::read_dir(tree.join("overlay-published-fix/config")).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), tree.join("docker-data/dms/config").join(entry.file_name())).unwrap();
        }
    }
    let facts = scratch.path().join("facts.json");
    let docker = format!("{} exec -i mailserver", tree.join("tools/fake-docker.sh").display());
    run(Command::new(PROGRAM)
        .args([
            "audit",
            "--offline",
            "--guess-passwords",
            "--fail-on",
            "never",
            "--skip",
            "QUE-001",
            "--output",
        ])
        .arg(scratch.path().join("report.txt"))
        .arg("--save-facts")
        .arg(&facts)
        .arg("--compose")
        .arg(tree.join("compose.yaml"))
        .arg("--prefix")
        .arg(docker)
        .arg("--log")
        .arg(tree.join("docker-data/dms/mail-logs/mail.log")));
    let mut facts: Facts = serde_json::from_slice(&fs::read(&facts).unwrap()).unwrap();
    facts.about.taken = TAKEN.to_owned();
    facts
}

fn run(command: &mut Command) {
    let said = command.output().unwrap();
    assert!(said.status.success(), "{command:?}: {}", String::from_utf8_lossy(&said.stderr));
}

/// All findings, with their checks' ids.
fn findings(facts: &Facts) -> Vec<(&'static str, Finding)> {
    judge(facts, |_| true)
        .findings()
        .into_iter()
        .map(|(check, finding)| (check.id, finding.clone()))
        .collect()
}

/// The severities that the fixture gives its findings: name, file where several have one name, severity.
fn severities(fixture: &Path, pointer: &str) -> Vec<(String, String, String)> {
    let expected: Value = serde_json::from_slice(&fs::read(fixture.join("expected.json")).unwrap()).unwrap();
    let text =
        |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let list = expected.pointer(pointer).and_then(Value::as_array).unwrap();
    list.iter().map(|value| (text(value, "id"), text(value, "file"), text(value, "severity"))).collect()
}

fn check(
    fixture: &Path,
    facts: &Facts,
    expected: &[(&str, &str, &str)],
    pointer: &str,
) -> Vec<(&'static str, String)> {
    let found = findings(facts);
    let mut told = Vec::new();
    let wanted = severities(fixture, pointer);
    assert_eq!(wanted.len(), expected.len(), "the table has every finding of {pointer}");
    let mut missing = Vec::new();
    for (name, id, subject) in expected {
        let (_, _, severity) = wanted
            .iter()
            .find(|(wanted, file, _)| {
                wanted == name && (file.is_empty() || file == subject || *id != "DMS-002")
            })
            .unwrap_or_else(|| panic!("{name} is not in {pointer}"));
        if find(id).is_none() {
            eprintln!("SKIPPED: {name}: there is no check {id} yet");
            continue;
        }
        let hit = found.iter().find(|(check, finding)| {
            check == id
                && (subject.is_empty() || finding.subject == *subject)
                && finding.severity.name() == severity
        });
        match hit {
            Some((check, finding)) => told.push((*check, finding.subject.clone())),
            None => {
                let near: Vec<String> = found
                    .iter()
                    .filter(|(check, _)| check == id)
                    .map(|(_, finding)| format!("{} {:?}", finding.severity, finding.subject))
                    .collect();
                missing.push(format!("{name}: no {severity} {id} {subject:?}, only {near:?}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    told
}

/// Findings that nobody expects and nobody gave a reason for.
fn surplus(facts: &Facts, told: &[(&'static str, String)], also: &[&[(&str, &str, &str)]]) -> Vec<String> {
    findings(facts)
        .into_iter()
        .filter(|(id, finding)| {
            let expected = told.iter().any(|(check, subject)| check == id && *subject == finding.subject);
            let true_too = also
                .iter()
                .copied()
                .flatten()
                .any(|(check, subject, _)| check == id && *subject == finding.subject);
            !expected && !true_too
        })
        .map(|(id, finding)| format!("{id} {} {:?}: {}", finding.severity, finding.subject, finding.summary))
        .collect()
}

#[test]
fn the_incident_is_understood() {
    let Some(fixture) = fixture() else { return };
    let facts = collected(&fixture, false);
    let told = check(&fixture, &facts, EXPECTED, "/config_findings");
    let surplus = surplus(&facts, &told, &[ALSO_TRUE]);
    assert!(surplus.is_empty(), "{surplus:#?}");
    for (name, ids) in RIGHT {
        for id in *ids {
            let judged = judged(&facts, id);
            assert!(matches!(judged, Ok(Outcome::Pass(_))), "{name}: {id} {judged:?}");
        }
    }
    for (name, ids) in NOT_WRONG {
        for id in *ids {
            let judged = judged(&facts, id);
            assert!(!matches!(judged, Ok(Outcome::Fail(_))), "{name}: {id} {judged:?}");
        }
    }
    the_certificate_is_told(&fixture, &facts);
    everything_runs(&fixture, &facts);
    nobody_came_in(&fixture, &facts);
}

/// What the fixture says of something that is right.
fn right(fixture: &Path, id: &str) -> Value {
    let expected: Value = serde_json::from_slice(&fs::read(fixture.join("expected.json")).unwrap()).unwrap();
    let all = expected.get("positive_findings").and_then(Value::as_array).unwrap();
    all.iter().find(|value| value.get("id").and_then(Value::as_str) == Some(id)).unwrap().clone()
}

/// The report shows whose certificate it is and how long it holds.
fn the_certificate_is_told(fixture: &Path, facts: &Facts) {
    let told = right(fixture, "tls.certificate");
    let told = told.get("evidence").and_then(Value::as_str).unwrap();
    let Ok(Outcome::Pass(shown)) = judged(facts, "CRT-001") else { panic!("CRT-001") };
    for part in ["mail.example.org", "CN=E7", "2025-10-09", "2026-01-07"] {
        assert!(told.contains(part) && shown.contains(part), "{part}: {shown}");
    }
}

/// What the configuration turned on is what supervisor says is running.
fn everything_runs(fixture: &Path, facts: &Facts) {
    let told = right(fixture, "services.running");
    let told = told.get("evidence").and_then(Value::as_str).unwrap();
    let names = told.split_once(": ").unwrap().1.strip_suffix(" RUNNING").unwrap();
    let running = services(&Server::new(facts)).unwrap();
    assert!(running.iter().all(|service| service.running), "{running:?}");
    for name in names.split(' ') {
        assert!(running.iter().any(|service| service.name == name), "{name}: {running:?}");
    }
}

fn judged(facts: &Facts, id: &str) -> Judged {
    let audit = judge(facts, |check| check.id == id);
    audit.results.into_iter().next().unwrap_or_else(|| panic!("there is no check {id}")).judged
}

/// Those who logged in are the users of the fixture, and no attacker is among them.
fn nobody_came_in(fixture: &Path, facts: &Facts) {
    let expected: Value = serde_json::from_slice(&fs::read(fixture.join("expected.json")).unwrap()).unwrap();
    let users: BTreeSet<&str> = expected
        .pointer("/logins/addresses")
        .and_then(Value::as_array)
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let logins: BTreeSet<&str> = facts.log.logins.iter().map(|source| source.address.as_str()).collect();
    assert_eq!(logins, users);
    let attacks = expected.get("attacks").and_then(Value::as_object).unwrap().values();
    let attackers =
        attacks.filter_map(|attack| attack.get("per_source")?.as_object()).flat_map(|sources| sources.keys());
    let inside: Vec<&String> = attackers.filter(|address| logins.contains(address.as_str())).collect();
    assert!(inside.is_empty(), "{inside:?}");
}

#[test]
fn the_published_fix_is_found_not_to_work() {
    let Some(fixture) = fixture() else { return };
    let facts = collected(&fixture, true);
    let mut told = check(&fixture, &facts, EXPECTED, "/config_findings");
    told.extend(check(&fixture, &facts, OVERLAY, "/overlay_findings/findings"));
    let surplus = surplus(&facts, &told, &[ALSO_TRUE, OVERLAY_ALSO_TRUE]);
    assert!(surplus.is_empty(), "{surplus:#?}");
}

/// The command by itself says what the audit's table says.
#[test]
fn the_incident_was_stopped_by_hardly_anybody() {
    let Some(fixture) = fixture() else { return };
    let scratch = tempfile::tempdir().unwrap();
    let tree = scratch.path().join("mail");
    run(Command::new("/bin/sh").arg(fixture.join("tools/unpack.sh")).arg(&tree));
    let docker = format!("{} exec -i mailserver", tree.join("tools/fake-docker.sh").display());
    let said = Command::new(PROGRAM)
        .args(["coverage", "--format", "json", "--prefix", &docker, "--compose"])
        .arg(tree.join("compose.yaml"))
        .arg(tree.join("docker-data/dms/mail-logs/mail.log"))
        .output()
        .unwrap();
    assert_eq!(said.status.code(), Some(1), "{}", String::from_utf8_lossy(&said.stderr));
    let report: Value = serde_json::from_slice(&said.stdout).unwrap();
    let rows = report.get("coverage").and_then(Value::as_array).unwrap();
    let row = |attack: &str| {
        let row = rows.iter().find(|row| row.get("attack").and_then(Value::as_str) == Some(attack)).unwrap();
        ["seen", "sources", "others"].map(|name| row.get(name).and_then(Value::as_u64).unwrap())
    };
    // tls_probe and imap_tls_probe: no jail counts them. Of the guessers, fail2ban banned two.
    assert_eq!(row("Failed TLS handshakes"), [42, 25, 0]);
    assert_eq!(row("Failed logins"), [15, 10, 2]);
}
