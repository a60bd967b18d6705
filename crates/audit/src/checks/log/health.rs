//! What the log itself shows of its quality.

use crate::check::{could_not_tell, pass};
use crate::facts::{Known, LogHealth};
use crate::{Check, Finding, Judged, Outcome, Remedy, Server, Severity, Untold};

fn health<'a>(server: &Server<'a>) -> Result<&'a LogHealth, Untold> {
    if server.facts.log.health == Known::Unasked {
        return could_not_tell("no mail log was found or named");
    }
    let health = server.facts.log.health.get()?;
    if health.lines == 0 {
        return could_not_tell(format!("{} is empty", health.path));
    }
    Ok(health)
}

pub(super) static LOG_004: Check = Check {
    id: "LOG-004",
    title: "Lines of the log were lost",
    severity: Severity::Medium,
    why: "A flood of attempts makes the logger throw lines away, so the attack hides itself and no ban follows.",
    proof: "Lines in which rsyslog or journald says that it suppressed or lost messages.",
    fix: "Raise the limits: SysSock.RateLimit.Interval of imuxsock, RateLimitIntervalSec and RateLimitBurst of journald.",
    references: &["journald.conf(5) RateLimitIntervalSec", "rsyslog: imuxsock"],
    judge: log_004,
};

fn log_004(server: &Server<'_>) -> Judged {
    let health = health(server)?;
    if health.lost.is_empty() {
        return pass(format!("no line of {} speaks of lost ones", health.path));
    }
    let finding = Finding::new(Severity::Medium, "", "The logger threw lines of the mail log away");
    let finding = health
        .lost
        .iter()
        .take(3)
        .fold(finding, |finding, line| finding.seen(health.path.clone(), line.clone()));
    let remedy = Remedy::new("Let the loggers take what comes.")
        .add(
            "/etc/systemd/journald.conf.d/rate.conf",
            &["[Journal]", "RateLimitIntervalSec=30s", "RateLimitBurst=100000"],
        )
        .add("/etc/rsyslog.d/00-rate.conf", &["module(load=\"imuxsock\" SysSock.RateLimit.Interval=\"0\")"])
        .apply("systemctl restart systemd-journald rsyslog")
        .prove(format!("grep -cE 'lost due to rate|Suppressed' {}", health.path));
    Ok(Outcome::from(finding.remedy(remedy)))
}

pub(super) static LOG_005: Check = Check {
    id: "LOG-005",
    title: "Times in the log lack year and zone, or the clock is not in step",
    severity: Severity::Low,
    why: "Events of several machines, of the hour that a clock change repeats, or of last year cannot be put in order; wrong clocks also break \
          TLS and DKIM.",
    proof: "The form of the times in the mail log, and what `timedatectl` says of synchronisation.",
    fix: "Let rsyslog write RFC 3339 (its default template without `RSYSLOG_TraditionalFileFormat`), and run chrony or systemd-timesyncd.",
    references: &["RFC 3339", "CIS Controls v8 8.4"],
    judge: log_005,
};

fn log_005(server: &Server<'_>) -> Judged {
    let health = health(server);
    let clock = server.facts.output("timedatectl show").ok();
    let mut finding = Finding::new(Severity::Low, "", "The times of the log cannot be relied on");
    let old = matches!(&health, Ok(health) if health.time == "rfc3164");
    if let (true, Ok(health)) = (old, &health) {
        finding = finding
            .cause("RSYSLOG_TraditionalFileFormat")
            .seen(health.path.clone(), "times such as `Oct 10 01:33:12`: no year, no zone");
    }
    let adrift = clock.is_some_and(|clock| clock.contains("NTPSynchronized=no"));
    if adrift {
        finding = finding.seen("timedatectl show", "NTPSynchronized=no");
    }
    if !old && !adrift {
        let health = health?;
        return pass(format!(
            "times of {} are {}",
            health.path,
            if health.time.is_empty() { "of an own form" } else { &health.time }
        ));
    }
    let remedy = Remedy::new("Write whole times, and keep the clock in step.")
        .edit("/etc/rsyslog.conf", &["$ActionFileDefaultTemplate RSYSLOG_TraditionalFileFormat"], &[])
        .apply("systemctl restart rsyslog; apt-get install chrony")
        .prove("timedatectl show -p NTPSynchronized; tail -1 /var/log/mail.log");
    Ok(Outcome::from(finding.remedy(remedy)))
}

pub(super) static LOG_006: Check = Check {
    id: "LOG-006",
    title: "Passwords stand in the log",
    severity: Severity::High,
    why: "Logs are read by more people and programs than passwords may be, and are kept and copied for months.",
    proof: "Lines with a password in clear, or with SASL credentials that decode to a name and a password; only the place is shown.",
    fix: "Switch auth_debug_passwords off, set auth_verbose_passwords to sha1:6 or no, take debug_peer_list and -v away; delete the lines and \
          change the passwords.",
    references: &["Dovecot: auth_verbose_passwords, auth_debug_passwords", "Postfix DEBUG_README"],
    judge: log_006,
};

fn log_006(server: &Server<'_>) -> Judged {
    let health = health(server)?;
    if health.secrets.is_empty() {
        return pass(format!("no password in {} lines of {}", health.lines, health.path));
    }
    let finding = Finding::new(Severity::High, "", format!("Passwords stand in {}", health.path));
    let places = health.secrets.iter().take(5);
    let finding = places
        .fold(finding, |finding, (line, kind)| finding.seen(format!("{}:{line}", health.path), kind.clone()));
    let remedy =
        Remedy::new("Switch the debugging off that writes them, delete the log, and change the passwords.")
            .add(
                "/etc/dovecot/conf.d/99-log.conf",
                &["auth_debug_passwords = no", "auth_verbose_passwords = sha1:6"],
            )
            .apply("doveadm reload")
            .prove("doveconf auth_debug_passwords auth_verbose_passwords");
    Ok(Outcome::from(finding.remedy(remedy)))
}

/// Above this, events are overlooked.
const UNKNOWN_PER_CENT: u64 = 5;

pub(super) static LOG_007: Check = Check {
    id: "LOG-007",
    title: "Many lines of the log are in a form that Mailward does not know",
    severity: Severity::Info,
    why: "What is not understood is not watched: an attack may be in these lines.",
    proof: "The share of lines of mail programs that the parser could not read: more than five per cent.",
    fix: "Update Mailward; if that does not help, send it the shapes of these lines.",
    references: &[],
    judge: log_007,
};

fn log_007(server: &Server<'_>) -> Judged {
    let Some(unknown) = server.facts.log.unknown.known().copied() else {
        return could_not_tell("no log was parsed");
    };
    let lines = server.facts.log.lines;
    let share = unknown.saturating_mul(100).checked_div(lines);
    let Some(share) = share else { return could_not_tell("the log is empty") };
    if share <= UNKNOWN_PER_CENT {
        return pass(format!("{unknown} of {lines} lines are not known ({share} %)"));
    }
    let finding =
        Finding::new(Severity::Info, "", format!("{share} per cent of the log's lines are not understood"));
    let shapes = server.facts.log.unknown_shapes.iter().take(10);
    let finding =
        shapes.fold(finding, |finding, shape| finding.seen(server.facts.log.path.clone(), shape.clone()));
    let remedy = Remedy::new("Update Mailward.")
        .apply("mailward --version")
        .prove(format!("mailward parse --stats {}", server.facts.log.path));
    Ok(Outcome::from(
        finding.seen(server.facts.log.path.clone(), format!("{unknown} of {lines} lines")).remedy(remedy),
    ))
}

/// A hole must be this long, and this many lines must be missing at the usual rate.
const HOLE: i64 = 6 * 3600;
const MISSING: i64 = 500;

pub(super) static LOG_008: Check = Check {
    id: "LOG-008",
    title: "The log has a hole",
    severity: Severity::Medium,
    why: "Either the server stood still, or somebody took lines away.",
    proof: "At least six hours without a line, in which 500 or more would have been written at the log's usual rate.",
    fix: "See in the journal whether the machine, the logger or Postfix was down, and look for an intruder if none was.",
    references: &["CIS Controls v8 8.11"],
    judge: log_008,
};

fn log_008(server: &Server<'_>) -> Judged {
    let health = health(server)?;
    let silent: i64 = health.gaps.iter().map(|gap| gap.seconds).sum();
    let lines = i64::try_from(health.lines).unwrap_or(i64::MAX);
    let missing =
        |seconds: i64| lines.saturating_mul(seconds).checked_div((health.span - silent).max(1)).unwrap_or(0);
    let holes: Vec<_> =
        health.gaps.iter().filter(|gap| gap.seconds >= HOLE && missing(gap.seconds) >= MISSING).collect();
    let Some(longest) = holes.first() else {
        return pass(format!("no hole in {} lines over {} hours", health.lines, health.span / 3600));
    };
    let finding = Finding::new(
        Severity::Medium,
        "",
        format!("{} is silent for {} hours", health.path, longest.seconds / 3600),
    );
    let finding = holes.iter().take(5).fold(finding, |finding, gap| {
        finding.seen(
            health.path.clone(),
            format!(
                "nothing between {} and {}; about {} lines at the usual rate",
                gap.from,
                gap.to,
                missing(gap.seconds)
            ),
        )
    });
    let remedy = Remedy::new("Find out what happened then.")
        .apply(format!("journalctl --since '{}' --until '{}'", longest.from, longest.to))
        .prove("last -x reboot shutdown | head");
    Ok(Outcome::from(finding.remedy(remedy)))
}
