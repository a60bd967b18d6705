//! Broken records: our verdicts and checkdmarc's, in a table. Where they differ the table says why.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mailward_audit::facts::Fetched;
use mailward_audit::records::sts::{Policy, url};
use mailward_audit::{Facts, Finding, Known, Outcome, Server as Audited, Severity, find};
use mailward_probe::dns::{Plan, collect};

use crate::server::{Server, txt};

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/dns/broken.tsv");
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/dns/checkdmarc_verdicts.py");

/// A line of the table.
#[derive(Clone, Debug)]
struct Row {
    kind: String,
    name: String,
    ours: String,
    theirs: String,
    why: String,
    records: Vec<String>,
    json: String,
}

fn rows() -> Vec<Row> {
    let text = std::fs::read_to_string(TABLE).unwrap_or_else(|error| panic!("{TABLE}: {error}"));
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let fields: Vec<String> = line.split('\t').map(str::to_owned).collect();
            let [kind, name, ours, theirs, why, json] = fields.as_slice() else {
                panic!("not six fields: {line}")
            };
            let records = serde_json::from_str(json).unwrap_or_else(|error| panic!("{line}: {error}"));
            Row {
                kind: kind.clone(),
                name: name.clone(),
                ours: ours.clone(),
                theirs: theirs.clone(),
                why: why.clone(),
                records,
                json: json.clone(),
            }
        })
        .collect()
}

/// Where a kind's records stand.
fn owner(row: &Row) -> String {
    match row.kind.as_str() {
        "dmarc" => format!("_dmarc.{}", row.name),
        "mta-sts" => format!("_mta-sts.{}", row.name),
        "tls-rpt" => format!("_smtp._tls.{}", row.name),
        _ => row.name.clone(),
    }
}

fn zone(rows: &[Row]) -> String {
    let mut zone = String::new();
    let mut with_mx: Vec<&str> = vec!["many-mx.example"];
    for row in rows.iter().filter(|row| row.kind != "policy") {
        for record in &row.records {
            zone.push_str(&txt(&owner(row), record));
        }
        if !with_mx.contains(&row.name.as_str()) {
            with_mx.push(&row.name);
            let _ = writeln!(zone, "{}. IN MX 10 mail.example.", row.name);
        }
    }
    zone
}

/// Checks whose failing makes receivers drop a record of a kind.
const VOIDING: &[(&str, &[&str])] = &[
    ("spf", &["SPF-001", "SPF-002", "SPF-003", "SPF-004", "SPF-005", "SPF-008", "SPF-013"]),
    ("dmarc", &["DMR-001", "DMR-002", "DMR-003", "DMR-010"]),
    ("mta-sts", &["STS-002"]),
    ("policy", &["STS-003"]),
    ("tls-rpt", &["TRP-002"]),
];

/// The checks that fail for a row, or `valid`.
fn ours(row: &Row, collected: &Facts) -> String {
    let mut facts = collected.clone();
    facts.dns.domains = vec![row.name.clone()];
    if row.kind == "policy" {
        policy(row, &mut facts);
    }
    let server = Audited::new(&facts);
    let ids = VOIDING.iter().find(|(kind, _)| *kind == row.kind).map_or(&[][..], |(_, ids)| *ids);
    let failing: Vec<&str> = ids
        .iter()
        .copied()
        .filter(|id| {
            let Some((_, check)) = find(id) else { panic!("{id} is no check") };
            // A low finding leaves the record in force.
            let void = |finding: &Finding| finding.severity >= Severity::Medium;
            matches!((check.judge)(&server), Ok(Outcome::Fail(findings)) if findings.iter().any(void))
        })
        .collect();
    if failing.is_empty() { "valid".to_owned() } else { failing.join(" ") }
}

/// As if the policy had been fetched of a domain that announces one.
fn policy(row: &Row, facts: &mut Facts) {
    let body = row.records.concat();
    facts.dns.domains = vec!["sound.example".to_owned()];
    let fetched = Fetched {
        status: 200,
        content_type: "text/plain".to_owned(),
        body: body.clone(),
        ..Fetched::default()
    };
    facts.dns.fetched.insert(url("sound.example"), Known::Is(fetched));
    let address = mailward_audit::facts::Answer::of(["192.0.2.30"]);
    facts.dns.answers.insert("A mta-sts.sound.example".to_owned(), Known::Is(address));
    assert_eq!(Policy::read(&body), Policy::read(&body.replace('\r', "")), "line ends do not matter");
}

/// checkdmarc's verdicts; none, loudly, if it is not installed.
fn theirs(rows: &[Row], port: u16) -> Option<BTreeMap<(String, String), String>> {
    let python =
        std::env::var("MAILWARD_CHECKDMARC_PYTHON").unwrap_or_else(|_| "/usr/bin/python3".to_owned());
    let installed = Command::new(&python).args(["-c", "import checkdmarc"]).stderr(Stdio::null()).status();
    if !installed.is_ok_and(|status| status.success()) {
        eprintln!(
            "SKIPPED: {python} has no checkdmarc (python3 -m venv v; v/bin/pip install checkdmarc; MAILWARD_CHECKDMARC_PYTHON=v/bin/python)"
        );
        return None;
    }
    let mut child = Command::new(&python)
        .args([SCRIPT, &port.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{python}: {error}"));
    let mut input = child.stdin.take().unwrap_or_else(|| panic!("no input"));
    let lines: String = rows.iter().fold(String::new(), |mut lines, row| {
        let text = serde_json::to_string(&row.records.concat()).unwrap_or_default();
        let _ = writeln!(lines, "{}\t{}\t{text}", row.kind, row.name);
        lines
    });
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap_or_else(|error| panic!("{python}: {error}"));
    writer.join().unwrap_or_else(|_| panic!("writing")).unwrap_or_else(|error| panic!("{error}"));
    let text = String::from_utf8_lossy(&output.stdout);
    let verdicts = text.lines().filter_map(|line| {
        let mut fields = line.split('\t').map(str::to_owned);
        Some(((fields.next()?, fields.next()?), fields.next()?))
    });
    Some(verdicts.collect())
}

#[test]
fn verdicts_are_those_of_the_table_and_checkdmarc_agrees() {
    let rows = rows();
    assert!(rows.len() >= 90, "the table has {} rows", rows.len());
    let Some(server) = Server::start(&zone(&rows)) else { return };
    let mut domains: Vec<String> =
        rows.iter().filter(|row| row.kind != "policy").map(|row| row.name.clone()).collect();
    domains.sort();
    domains.dedup();
    let plan = Plan {
        resolver: Some(server.address),
        authoritative_port: server.address.port(),
        domains,
        deadline: Duration::from_secs(60),
        ..Plan::default()
    };
    let begun = Instant::now();
    let mut facts = Facts { dns: collect(&plan), ..Facts::default() };
    facts.about.taken = "2026-03-01T12:00:00Z".to_owned();
    let taken = begun.elapsed();
    let begun = Instant::now();
    let theirs = theirs(&rows, server.address.port());
    eprintln!("{} questions in {taken:?}; checkdmarc took {:?}", facts.dns.answers.len(), begun.elapsed());
    let judged: Vec<Row> = rows
        .iter()
        .map(|row| {
            let key = (row.kind.clone(), row.name.clone());
            let theirs = theirs.as_ref().map_or(Some(row.theirs.clone()), |all| all.get(&key).cloned());
            Row { ours: ours(row, &facts), theirs: theirs.unwrap_or_default(), ..row.clone() }
        })
        .collect();
    if std::env::var_os("MAILWARD_GOLDEN").is_some() {
        write(&judged);
        return;
    }
    for (row, judged) in rows.iter().zip(&judged) {
        assert_eq!((&row.ours, &row.theirs), (&judged.ours, &judged.theirs), "{} {}", row.kind, row.name);
        let agree = (judged.ours == "valid") == (judged.theirs == "valid");
        assert!(agree || row.why.len() > 20, "{} {}: why do they differ?", row.kind, row.name);
    }
}

fn write(rows: &[Row]) {
    let mut text = "# kind\tname\tours\tcheckdmarc\twhy they differ\trecords, each in JSON\n".to_owned();
    for row in rows {
        let _ = writeln!(
            text,
            "{}\t{}\t{}\t{}\t{}\t{}",
            row.kind, row.name, row.ours, row.theirs, row.why, row.json
        );
    }
    std::fs::write(TABLE, text).unwrap_or_else(|error| panic!("{TABLE}: {error}"));
}
