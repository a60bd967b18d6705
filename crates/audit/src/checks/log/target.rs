//! Where logs go.

use crate::check::{could_not_tell, not_applicable, pass};
use crate::facts::{FileKind, Known};
use crate::{Check, Finding, Judged, Outcome, Remedy, Server, Severity};

/// The current mail logs in files.
pub(super) fn mail_logs(server: &Server<'_>) -> Vec<String> {
    let names = ["mail.log", "maillog", "mail.info", "postfix.log", "dovecot.log"];
    let logs = server.facts.below("/var/log").filter(|(path, file)| {
        file.kind == FileKind::Regular && names.iter().any(|name| path.ends_with(&format!("/{name}")))
    });
    let own = server
        .postfix()
        .ok()
        .and_then(|postfix| postfix.explicit("maillog_file"))
        .filter(|path| path.starts_with('/'));
    let mut all: Vec<String> = logs.map(|(path, _)| path.to_owned()).chain(own).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Postfix writes a line a day at least: its own cleaning up.
const STALE: i64 = 3 * 24 * 3600;

pub(super) static LOG_001: Check = Check {
    id: "LOG-001",
    title: "The mail log is missing, empty or stands still",
    severity: Severity::High,
    why: "Without it no attack is seen, no ban follows, and nobody can tell what happened to a mail.",
    proof: "The files of /var/log and maillog_file: none exists while no journal runs either; all are empty; or the last change is three days \
            old while Postfix runs.",
    fix: "Let rsyslog or the journal take the facility mail, and point the tools there.",
    references: &["CIS Controls v8 8.2", "postlogd(8)", "Postfix MAILLOG_README"],
    judge: log_001,
};

fn log_001(server: &Server<'_>) -> Judged {
    if !matches!(server.facts.files.get("/var/log"), Some(Known::Is(_)))
        && server.facts.below("/var/log").next().is_none()
    {
        return could_not_tell("/var/log was not looked at");
    }
    let logs = mail_logs(server);
    let existing: Vec<_> =
        logs.iter().filter_map(|path| Some((path.as_str(), server.facts.file(path).ok()??))).collect();
    let runs = |name: &str| {
        server.facts.host.processes.known().map(|all| all.iter().any(|process| process.name == name))
    };
    let journal = runs("systemd-journal").unwrap_or(false) || runs("systemd-journald").unwrap_or(false);
    let missing = |seen: String| {
        Finding::new(Severity::High, "", "There is no mail log").seen("/var/log", seen).remedy(
            Remedy::new("Let a logger write the facility mail into a file, or let Postfix do so itself.")
                .add("/etc/rsyslog.d/50-mail.conf", &["mail.*  -/var/log/mail.log"])
                .apply("systemctl restart rsyslog && postfix reload")
                .prove("ls -l /var/log/mail.log"),
        )
    };
    if existing.is_empty() {
        if journal {
            return pass("mail programs log to the journal");
        }
        if server.facts.host.processes.known().is_none() {
            return could_not_tell("there is no mail log in a file, and whether a journal runs is not known");
        }
        return Ok(Outcome::from(missing(
            "none of mail.log, maillog, maillog_file exists, and no journal runs".to_owned(),
        )));
    }
    let rotated = |path: &str| {
        server.facts.file(&format!("{path}.1")).is_ok_and(|file| file.is_some_and(|file| file.size > 0))
    };
    if existing.iter().all(|(path, file)| file.size == 0 && !rotated(path)) && !journal {
        let names = existing.iter().map(|(path, _)| *path).collect::<Vec<_>>().join(", ");
        return Ok(Outcome::from(missing(format!("{names}: empty, and so is the log before"))));
    }
    let newest = existing.iter().max_by_key(|(_, file)| file.modified);
    let taken = server.facts.about.taken.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_second);
    if let (Some((path, file)), Ok(taken), Some(true), false) = (newest, taken, runs("master"), journal)
        && taken - file.modified > STALE
    {
        return Ok(Outcome::from(missing(format!(
            "{path} was written last {} days ago, and Postfix runs",
            (taken - file.modified) / 86_400
        ))));
    }
    pass(
        existing
            .iter()
            .map(|(path, file)| format!("{path}: {} bytes", file.size))
            .collect::<Vec<_>>()
            .join(", "),
    )
}

pub(super) static LOG_009: Check = Check {
    id: "LOG-009",
    title: "The log is on this machine only",
    severity: Severity::Info,
    why: "An intruder who becomes root erases the traces.",
    proof: "The configurations of rsyslog, syslog-ng and the journal name no other machine.",
    fix: "Send the log to another machine as well, over TLS.",
    references: &["CIS Controls v8 8.9", "RFC 5425"],
    judge: log_009,
};

fn log_009(server: &Server<'_>) -> Judged {
    let places = ["/etc/rsyslog.conf", "/etc/rsyslog.d/", "/etc/syslog-ng/"];
    let files =
        server.facts.files.iter().filter(|(path, _)| places.iter().any(|place| path.starts_with(place)));
    let texts: Vec<(&str, &str)> = files
        .filter_map(|(path, file)| Some((path.as_str(), file.known()?.text.known()?.as_str())))
        .collect();
    if texts.is_empty() {
        return could_not_tell("no configuration of rsyslog or syslog-ng was read");
    }
    let processes = server.facts.host.processes.known();
    let shippers = [
        "promtail",
        "filebeat",
        "vector",
        "fluent-bit",
        "journal-upload",
        "systemd-journal-upload",
        "alloy",
        "otelcol",
        "nxlog",
    ];
    if let Some(shipper) = processes
        .and_then(|all| all.iter().find(|process| shippers.iter().any(|name| process.name.starts_with(name))))
    {
        return pass(format!("{} runs, which sends logs elsewhere", shipper.name));
    }
    let line = texts.iter().find_map(|(path, text)| Some((path, text.lines().find(|line| is_remote(line))?)));
    if let Some((path, line)) = line {
        return pass(format!("{path}: {}", line.trim()));
    }
    let finding = Finding::new(Severity::Info, "", "The mail log is on this machine only").seen(
        texts.iter().map(|(path, _)| *path).take(3).collect::<Vec<_>>().join(", "),
        "no line sends to another machine",
    );
    let remedy = Remedy::new("Send the log to another machine too.")
        .add("/etc/rsyslog.d/60-remote.conf", &["mail.* action(type=\"omfwd\" target=\"log.example.org\" port=\"6514\" protocol=\"tcp\" StreamDriver=\"gtls\" StreamDriverMode=\"1\" StreamDriverAuthMode=\"x509/name\")"])
        .apply("systemctl restart rsyslog")
        .prove("logger -p mail.info mailward-test");
    if server.facts.about.remote {
        not_applicable("only the outside of the server was seen")
    } else {
        Ok(Outcome::from(finding.remedy(remedy)))
    }
}

/// `*.* @@log.example.org`, an action of omfwd or omrelp, a destination of syslog-ng.
fn is_remote(line: &str) -> bool {
    let line = line.trim();
    let target = line.split_whitespace().nth(1).is_some_and(|word| word.starts_with('@'));
    !line.starts_with('#')
        && (target
            || ["omfwd", "omrelp", "omhttp", "omelasticsearch", "network(", "syslog(\""]
                .iter()
                .any(|word| line.contains(word)))
}
