//! Whole logs of real mail servers: nothing unknown, every count as the incident's protocol has it, nobody forged.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use mailward_model::{Event, EventKind, Program, Reason};
use mailward_parse::split_lines;
use support::{fixture, parser, render};

const INCIDENT: &str = "dms-incident/docker-data/dms/mail-logs/mail.log";
const SAME_INCIDENT: &str = "dms-incident/variants/mail.log.rfc3164";

/// Each log, and the share of its lines that may be unknown.
const LOGS: [(&str, f64); 7] = [
    (INCIDENT, 0.0),
    (SAME_INCIDENT, 0.0),
    ("dms-incident/docker-data/dms/mail-logs/fail2ban.log", 0.0),
    ("dms-incident/variants/samples/debian12-dms15.1.log", 0.0),
    ("dms-incident/variants/samples/debian13-postfix3.10-dovecot2.4.log", 0.0),
    ("lab-real/mail.log", 0.001),
    ("lab-real/rfc3339-verbose/mail.log", 0.001),
];

/// Reads a log and hands every event over; tells how many there were.
fn each(path: &str, mut look: impl FnMut(&Event<'_>)) -> Option<u32> {
    let log = fixture(path)?;
    let mut parser = parser();
    let mut lines = 0;
    for line in split_lines(&log) {
        look(&parser.parse(line));
        lines += 1;
    }
    Some(lines)
}

#[test]
fn nothing_is_unknown() {
    for (path, allowed) in LOGS {
        let mut unknown = Vec::new();
        let Some(lines) = each(path, |event| {
            if event.kind == EventKind::Unknown {
                unknown.push(render(event));
            }
        }) else {
            continue;
        };
        let share = unknown.len() as f64 / f64::from(lines);
        unknown.truncate(20);
        assert!(share <= allowed, "{path}: {share} unknown:\n{}", unknown.join("\n"));
    }
}

/// What the incident's protocol says, and which events it is about.
struct Count {
    what: &'static str,
    of: fn(&Event<'_>) -> bool,
    count: usize,
    sources: usize,
    first: &'static str,
    last: &'static str,
}

const fn count(
    what: &'static str,
    of: fn(&Event<'_>) -> bool,
    (count, sources): (usize, usize),
    first: &'static str,
    last: &'static str,
) -> Count {
    Count { what, of, count, sources, first, last }
}

fn is_probed(event: &Event<'_>) -> bool {
    event.address().is_some_and(|address| address.to_string().starts_with("203.0.113."))
}

fn rejected(event: &Event<'_>, reason: Reason) -> bool {
    event.kind == EventKind::Rejected && event.reason == reason
}

/// In the order of `expected.json`; times are UTC.
const EXPECTED: [Count; 14] = [
    count(
        "tls_probe",
        |e| e.program == Program::Smtpd && e.kind == EventKind::TlsFailed && is_probed(e),
        (40, 24),
        "2025-10-09T23:33:30.394633Z",
        "2025-10-09T23:54:24.080344Z",
    ),
    count(
        "pregreet",
        |e| e.kind == EventKind::Pregreet,
        (6, 1),
        "2025-10-09T23:35:07.510083Z",
        "2025-10-09T23:51:09.140861Z",
    ),
    count(
        "smtp_auth_bruteforce",
        |e| {
            e.program == Program::Smtpd
                && e.kind == EventKind::LoginFailed
                && e.service.bytes() == b"submission"
        },
        (6, 1),
        "2025-10-09T23:40:05.363365Z",
        "2025-10-09T23:41:16.274276Z",
    ),
    count(
        "smtp_auth_spray",
        |e| {
            e.program == Program::Smtpd
                && e.kind == EventKind::LoginFailed
                && e.service.bytes() == b"submissions"
        },
        (8, 8),
        "2025-10-09T23:34:53.264157Z",
        "2025-10-09T23:53:14.822903Z",
    ),
    count(
        "dnsbl_reject",
        |e| rejected(e, Reason::DnsblListed) && e.object.bytes() == b"zen.spamhaus.org",
        (7, 5),
        "2025-10-09T23:35:37.041592Z",
        "2025-10-09T23:52:27.440907Z",
    ),
    count(
        "postscreen_hangup",
        |e| e.kind == EventKind::ScreenHangup && e.detail.bytes().starts_with(b"tests before"),
        (4, 4),
        "2025-10-09T23:34:35.813950Z",
        "2025-10-09T23:50:42.489458Z",
    ),
    count(
        "relay_denied",
        |e| rejected(e, Reason::RelayDenied),
        (2, 1),
        "2025-10-09T23:36:46.304004Z",
        "2025-10-09T23:48:22.264887Z",
    ),
    count(
        "helo_rejected",
        |e| rejected(e, Reason::HeloRefused),
        (2, 1),
        "2025-10-09T23:38:50.418025Z",
        "2025-10-09T23:51:50.373317Z",
    ),
    count(
        "sender_domain_unknown",
        |e| rejected(e, Reason::SenderDomain),
        (2, 1),
        "2025-10-09T23:37:56.284064Z",
        "2025-10-09T23:47:10.244445Z",
    ),
    count(
        "spf_reject",
        |e| e.program == Program::Smtpd && rejected(e, Reason::SpfFail),
        (1, 1),
        "2025-10-09T23:44:31.331535Z",
        "2025-10-09T23:44:31.331535Z",
    ),
    count(
        "auth_on_port_25",
        |e| {
            e.kind == EventKind::Disconnect
                && e.reason == Reason::CredentialsRefused
                && e.service.bytes() == b"smtp"
        },
        (2, 1),
        "2025-10-09T23:39:36.445277Z",
        "2025-10-09T23:48:50.448814Z",
    ),
    count(
        "imap_tls_probe",
        |e| e.program == Program::DovecotLogin && e.kind == EventKind::TlsFailed,
        (2, 1),
        "2025-10-09T23:38:59.400000Z",
        "2025-10-09T23:46:01.400000Z",
    ),
    count(
        "non_smtp_command",
        |e| e.kind == EventKind::NonSmtpCommand,
        (1, 1),
        "2025-10-09T23:41:01.172169Z",
        "2025-10-09T23:41:01.172169Z",
    ),
    count(
        "too_many_errors",
        |e| e.kind == EventKind::TooManyErrors,
        (1, 1),
        "2025-10-09T23:50:15.324421Z",
        "2025-10-09T23:50:15.324421Z",
    ),
];

#[test]
fn the_incident_counts_as_its_protocol_says() {
    for Count { what, of, count, sources, first, last } in EXPECTED {
        let (mut times, mut addresses) = (Vec::new(), BTreeSet::new());
        let found = each(INCIDENT, |event| {
            if of(event) {
                times.push(event.time.to_string());
                addresses.insert(event.address());
            }
        });
        if found.is_none() {
            return;
        }
        let got = (times.len(), addresses.len(), times.first().cloned(), times.last().cloned());
        assert_eq!(got, (count, sources, Some(first.to_owned()), Some(last.to_owned())), "{what}");
    }
}

#[test]
fn the_incident_has_its_honest_users_too() {
    let mut counts = BTreeMap::new();
    let found = each(INCIDENT, |event| {
        *counts.entry((event.program, event.kind, event.reason)).or_insert(0_u32) += 1;
        if event.kind == EventKind::MessageBegun && !event.user.is_empty() {
            *counts.entry((event.program, EventKind::LoginSucceeded, Reason::None)).or_insert(0) += 1;
        }
    });
    if found.is_none() {
        return;
    }
    let mut of = |program, kind, reason| counts.remove(&(program, kind, reason)).unwrap_or(0);
    assert_eq!(of(Program::DovecotLogin, EventKind::LoginSucceeded, Reason::None), 83, "imap_ok");
    assert_eq!(of(Program::Smtpd, EventKind::LoginSucceeded, Reason::None), 13, "smtp_auth_ok");
    // 40 probes, one phone that aborts, one old mail server.
    let tls = [Reason::TlsLost, Reason::TlsReset, Reason::TlsProtocol]
        .map(|reason| of(Program::Smtpd, EventKind::TlsFailed, reason));
    assert_eq!(tls, [27, 6, 9]);
    // Five of a harvester, three of a newsletter.
    assert_eq!(of(Program::Smtpd, EventKind::Rejected, Reason::RecipientUnknown), 8);
    assert_eq!(of(Program::DovecotLogin, EventKind::LoginAborted, Reason::NoAuthAttempt), 3, "imap_no_auth");
}

#[test]
fn the_same_incident_in_the_old_format_says_the_same() {
    let collect = |path| {
        let mut said = Vec::new();
        each(path, |event| said.push(render(event)))?;
        Some(said)
    };
    let (Some(new), Some(old)) = (collect(INCIDENT), collect(SAME_INCIDENT)) else { return };
    // The lines of a container's start have no place in the old format.
    let differing = new.iter().zip(&old).filter(|(new, old)| new != old).count();
    assert_eq!((new.len(), differing), (old.len(), 0));
}

#[test]
fn bans_of_fail2ban() {
    let (mut bans, mut restored, mut found) = (0, 0, 0);
    let path = "dms-incident/docker-data/dms/mail-logs/fail2ban.log";
    let lines = each(path, |event| match event.kind {
        EventKind::PeerBanned if event.detail.bytes().starts_with(b"Restore") => restored += 1,
        EventKind::PeerBanned => bans += 1,
        EventKind::PeerFound => found += 1,
        _ => {}
    });
    if lines.is_some() {
        assert_eq!((bans, restored, found), (41, 38, 94));
    }
}

/// 203.0.113.40 sent nothing at all; an attacker put it into every field that he could reach.
#[test]
fn the_victim_of_injection_is_never_a_client() {
    let victim: IpAddr = "203.0.113.40".parse().unwrap();
    for path in ["lab-real/mail.log", "lab-real/rfc3339-verbose/mail.log"] {
        let mut forged = Vec::new();
        each(path, |event| {
            if event.address() == Some(victim) || event.relay_address == Some(victim) {
                forged.push(render(event));
            }
        });
        assert!(forged.is_empty(), "{path}:\n{}", forged.join("\n"));
    }
}
