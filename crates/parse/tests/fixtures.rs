//! Whole logs of real mail servers.

mod support;

use std::collections::BTreeMap;

use mailward_model::EventKind;
use mailward_parse::split_lines;
use support::{fixture, parser, render};

const LOGS: [(&str, f64); 7] = [
    ("dms-incident/docker-data/dms/mail-logs/mail.log", 0.0),
    ("dms-incident/docker-data/dms/mail-logs/fail2ban.log", 0.0),
    ("dms-incident/variants/mail.log.rfc3164", 0.0),
    ("dms-incident/variants/samples/debian12-dms15.1.log", 0.0),
    ("dms-incident/variants/samples/debian13-postfix3.10-dovecot2.4.log", 0.0),
    ("lab-real/mail.log", 0.001),
    ("lab-real/rfc3339-verbose/mail.log", 0.001),
];

#[test]
fn known_shares() {
    let mut bad = Vec::new();
    for (path, allowed) in LOGS {
        let Some(log) = fixture(path) else { continue };
        let mut parser = parser();
        let (mut lines, mut unknown) = (0, BTreeMap::<String, Vec<String>>::new());
        for line in split_lines(&log) {
            lines += 1;
            let event = parser.parse(line);
            if event.kind == EventKind::Unknown {
                unknown.entry(event.program.to_string()).or_default().push(render(&event));
            }
        }
        for (program, events) in &unknown {
            eprintln!("{path}: {program}: {} unknown of {lines}", events.len());
            if std::env::var_os("SHOW").is_some() {
                events.iter().take(40).for_each(|event| eprintln!("    {event}"));
            }
        }
        let share = unknown.values().map(Vec::len).sum::<usize>() as f64 / f64::from(lines);
        if share > allowed {
            bad.push((path, share));
        }
    }
    assert!(bad.is_empty(), "more unknown lines than allowed: {bad:?}");
}
