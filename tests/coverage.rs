//! `mailward coverage` from the command line: who is counted as stopped, who by nobody, and the exit code.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail as tests do")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

/// Two who guess passwords, of whom Mailward's rules would ban the first, and one who is refused anyway.
fn facts(processes: &Value) -> Value {
    let source = |address: &str, count: u64, mailward: Option<u64>| json!({ "address": address, "count": count, "mailward": mailward });
    json!({
        "about": { "host": "mail.example.org" },
        "host": { "processes": processes },
        "log": { "path": "/var/log/mail.log", "attacks": [
            { "kind": "auth-failure", "title": "Failed logins", "count": 9, "distinct": 2, "refused": false,
              "sources": [source("203.0.113.1", 8, Some(1_772_000_000)), source("198.51.100.2", 1, None)] },
            { "kind": "dnsbl", "title": "Clients on block lists", "count": 3, "distinct": 1, "refused": true,
              "sources": [source("192.0.2.3", 3, None)] },
        ]},
    })
}

fn coverage(directory: &Path, facts: &Value, args: &[&str]) -> Output {
    let (file, config) = (directory.join("facts.json"), directory.join("mailward.toml"));
    std::fs::write(&file, facts.to_string()).unwrap();
    std::fs::write(&config, "").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailward"));
    command.arg("--config").arg(&config).arg("coverage").arg("--facts").arg(&file).args(args);
    command.env("COLUMNS", "80").output().unwrap()
}

fn check(processes: &Value, guard: &Value, nobody: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    let output = coverage(directory.path(), &facts(processes), &["--format", "json"]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(&report["guard"], guard);
    let row = &report["coverage"][0];
    let unstopped = row["unstopped"].as_array().unwrap();
    let addresses: Vec<_> = unstopped.iter().map(|source| source["address"].as_str().unwrap()).collect();
    assert_eq!(addresses, nobody);
    assert_eq!(row["by"], if nobody.len() == 1 { json!(["Mailward"]) } else { json!([]) });
    assert_eq!(
        (&row["nobody"], &row["mailward"], &row["others"]),
        (&json!(nobody.len()), &json!(1), &json!(0))
    );
}

#[test]
fn rules_stop_somebody_where_the_guard_runs() {
    let guard = json!({ "is": [{ "name": "mailward", "command": "/usr/local/bin/mailward guard" }] });
    let other = json!({ "is": [{ "name": "mailward", "command": "/usr/local/bin/mailward coverage" }] });
    check(&guard, &json!(true), &["198.51.100.2"]);
    check(&other, &json!(false), &["203.0.113.1", "198.51.100.2"]);
    check(&json!("unasked"), &Value::Null, &["198.51.100.2"]);
}

#[test]
fn people_are_told_who_is_stopped_by_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let output = coverage(directory.path(), &facts(&json!({ "is": [] })), &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    for part in ["Coverage of mail.example.org", "does not run here", "Failed logins", "203.0.113.1 (8)"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // What is refused anyway is in the table, and is no gap.
    assert!(text.contains("refused anyway") && !text.contains("192.0.2.3"), "{text}");
}

#[test]
fn without_gaps_the_exit_code_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let mut refused = facts(&json!({ "is": [] }));
    refused["log"]["attacks"].as_array_mut().unwrap().remove(0);
    assert_eq!(coverage(directory.path(), &refused, &[]).status.code(), Some(0));
    refused["log"]["attacks"] = json!([]);
    let output = coverage(directory.path(), &refused, &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8(output.stdout).unwrap().contains("No attack was found"));
}

#[test]
fn without_a_log_nothing_is_claimed() {
    let directory = tempfile::tempdir().unwrap();
    let output = coverage(directory.path(), &json!({}), &[]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("mailward coverage /var/log/mail.log"), "{said}");
}
