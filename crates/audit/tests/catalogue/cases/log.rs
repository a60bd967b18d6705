//! Cases of the LOG family.

use mailward_audit::Facts;
use mailward_audit::facts::{File, FileKind, Known, LogGap, LogHealth, Process};

use crate::Case;
use crate::build::{dms, file, nothing, said};

/// A log of a hundred thousand lines over a hundred hours.
fn health(change: fn(&mut LogHealth)) -> Facts {
    let mut health = LogHealth {
        path: "/var/log/mail.log".to_owned(),
        lines: 100_000,
        time: "rfc3339".to_owned(),
        span: 360_000,
        ..LogHealth::default()
    };
    change(&mut health);
    let mut facts = nothing();
    facts.log.health = Known::Is(health);
    facts
}

fn sound() -> Facts {
    health(|_| {})
}

fn hole(hours: i64) -> Facts {
    let mut facts = sound();
    if let Known::Is(health) = &mut facts.log.health {
        health.gaps.push(LogGap { from: "a".to_owned(), to: "b".to_owned(), seconds: hours * 3600 });
    }
    facts
}

fn unknown(lines: u64) -> Facts {
    let mut facts = nothing();
    facts.log.lines = 1000;
    facts.log.unknown = Known::Is(lines);
    facts
}

/// A machine on which these programs run, with or without a mail log.
fn machine(programs: &[&str], log: bool) -> Facts {
    let mut facts = if log { file(nothing(), "/var/log/mail.log", "line\n") } else { nothing() };
    facts.files.insert(
        "/var/log".to_owned(),
        Known::Is(File { kind: FileKind::Directory, mode: 0o755, ..File::default() }),
    );
    let process = |name: &&str| Process { name: (*name).to_owned(), ..Process::default() };
    facts.host.processes = Known::Is(programs.iter().map(process).collect());
    facts
}

fn rotated(block: &str) -> Facts {
    let facts = file(nothing(), "/var/log/mail.log", "line\n");
    let facts = file(facts, "/etc/logrotate.conf", "weekly\nrotate 4\ninclude /etc/logrotate.d\n");
    file(facts, "/etc/logrotate.d/rsyslog", block)
}

const STOCK: &str = "/var/log/syslog\n/var/log/mail.log\n{\n\trotate 4\n\tweekly\n\tpostrotate\n\t\trotate 0\n\tendscript\n}\n";

/// The cases, by id.
pub(crate) const CASES: &[Case] = &[
    Case {
        id: "LOG-001",
        fails: || machine(&["master"], false),
        shows: "no journal runs",
        passes: || machine(&["master", "systemd-journal"], false),
    },
    Case {
        id: "LOG-001",
        fails: || machine(&["master"], true),
        shows: "Postfix runs",
        passes: || machine(&["rsyslogd"], true),
    },
    Case {
        id: "LOG-002",
        fails: || rotated("/var/log/syslog {\n  rotate 4\n}\n"),
        shows: "no block that covers the mail log",
        passes: || rotated(STOCK),
    },
    Case {
        id: "LOG-002",
        fails: || rotated(&STOCK.replace("rotate 4", "rotate 0")),
        shows: "/etc/logrotate.d/rsyslog:3",
        passes: || rotated("/var/log/mail.log {\n}\n"),
    },
    Case {
        id: "LOG-002",
        fails: || file(dms(), "/compose/mailserver.env", "LOGROTATE_INTERVAL=weekly\nLOGROTATE_COUNT=4\n"),
        shows: "copytruncate",
        passes: || rotated(STOCK),
    },
    Case {
        id: "LOG-003",
        fails: || rotated(&STOCK.replace("weekly", "daily").replace("rotate 4", "rotate 7")),
        shows: "only 8 days",
        passes: || rotated(STOCK),
    },
    Case {
        id: "LOG-004",
        fails: || {
            health(|health| {
                health.lost.push("rsyslogd: imuxsock: 120 messages lost due to rate-limiting".to_owned());
            })
        },
        shows: "120 messages lost",
        passes: sound,
    },
    Case {
        id: "LOG-005",
        fails: || health(|health| "rfc3164".clone_into(&mut health.time)),
        shows: "no year, no zone",
        passes: sound,
    },
    Case {
        id: "LOG-005",
        fails: || said(sound(), "timedatectl show", "NTP=yes\nNTPSynchronized=no\n"),
        shows: "NTPSynchronized=no",
        passes: || said(sound(), "timedatectl show", "NTP=yes\nNTPSynchronized=yes\n"),
    },
    Case {
        id: "LOG-006",
        fails: || health(|health| health.secrets.push((7, "AUTH PLAIN with its credentials".to_owned()))),
        shows: "/var/log/mail.log:7",
        passes: sound,
    },
    Case { id: "LOG-007", fails: || unknown(100), shows: "10 per cent", passes: || unknown(20) },
    Case { id: "LOG-008", fails: || hole(8), shows: "silent for 8 hours", passes: || hole(4) },
    Case {
        id: "LOG-009",
        fails: || file(nothing(), "/etc/rsyslog.conf", "mail.* -/var/log/mail.log\n#*.* @@log.example.org\n"),
        shows: "no line sends",
        passes: || file(nothing(), "/etc/rsyslog.conf", "*.* @@log.example.org:6514\n"),
    },
];
