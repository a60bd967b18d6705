//! View models as an evening on a small server makes them.

mod digest;

use mailward_model::Timestamp;
use mailward_report::accounts::{AccountList, AccountRow, Mark, SessionList, SessionRow};
use mailward_report::attacks::{
    AccountCount, Attack, AttackReport, Banned, Decision, KindCount, Logins, NetworkCount, ProgramLines,
    SourceCount, Timeline, Window,
};
use mailward_report::bans::{BanList, BanRow, Dropped};
use mailward_report::explain::{
    ChainStep, DecisionView, EventView, Explanation, OffenceView, SignalView, WindowFill,
};
use mailward_report::incident::{
    BadLogin, IncidentList, IncidentRow, PlaceRow, Timeline as Story, TimelineStep,
};
use mailward_report::status::{
    BanCounts, BudgetStatus, FirewallStatus, HealthFinding, Remembered, SourceStatus, Status,
};
use mailward_report::top::{Top, TopRow};
use mailward_report::{At, Severity, Tally};

pub(crate) use digest::{digest, no_digest};

/// So many seconds after 2025-10-10 01:33:02.1 in the zone of the tests.
fn at(secs: u64) -> At {
    At(Timestamp::from_micros(1_760_052_782_100_000 + secs as i64 * 1_000_000))
}

fn tally<const N: usize>(counts: [(&str, u64); N]) -> Tally {
    counts.into_iter().collect()
}

fn names<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(str::to_owned).into()
}

fn probes() -> Tally {
    let ones = [104, 119, 126, 141, 150, 158, 167, 175, 189, 214, 231, 247].map(|host| (host, 1));
    let twos = [17, 22, 28, 3, 41, 56, 63, 77, 88, 9, 91].map(|host| (host, 2));
    let all = [(134, 6)].into_iter().chain(twos).chain(ones);
    all.map(|(host, count)| (format!("203.0.113.{host}"), count)).collect()
}

fn attack(
    id: &str,
    title: &str,
    kind: &str,
    severity: Severity,
    per_source: Tally,
    times: (u64, u64),
) -> Attack {
    Attack {
        id: id.into(),
        title: title.into(),
        kind: kind.into(),
        severity,
        count: per_source.total(),
        distinct_sources: per_source.len() as u64,
        first: Some(at(times.0)),
        last: Some(at(times.1)),
        per_source,
        ..Attack::default()
    }
}

fn the_attacks() -> Vec<Attack> {
    let spray = (0..8).map(|n| (format!("198.51.100.{}", 160 + 7 * n), 1)).collect();
    vec![
        Attack {
            per_account: tally([("nova@example.org", 5), ("admin@example.org", 3)]),
            distinct_passwords: Some(2),
            by_reason: tally([("wrong-password", 8)]),
            by_service: tally([("submissions", 8)]),
            note: "One try per address stays below every limit for one address: only the account shows it."
                .into(),
            ..attack(
                "smtp_auth_spray",
                "Many sources guess at one account",
                "auth-failure",
                Severity::High,
                spray,
                (111, 1_212),
            )
        },
        Attack {
            by_reason: tally([
                ("tls-lost", 26),
                ("tls-reset", 6),
                ("tls-protocol", 3),
                ("tls-version", 3),
                ("tls-http", 2),
            ]),
            by_service: tally([("submissions", 40)]),
            source_network: Some("203.0.113.0/24".into()),
            interval_seconds_mean: Some(32.1),
            note:
                "A campaign from one /24. Somebody logs in from 203.0.113.200: never ban the whole network."
                    .into(),
            ..attack(
                "tls_probe",
                "TLS handshakes broken off or garbled",
                "tls-probe",
                Severity::Medium,
                probes(),
                (28, 1_282),
            )
        },
        Attack {
            per_account: tally([
                ("admin@example.org", 1),
                ("info\u{1b}[31m", 1),
                ("a|b`<b>x</b>", 1),
                ("sales@example.org", 3),
            ]),
            by_service: tally([("submission", 6)]),
            ..attack(
                "smtp_auth_bruteforce",
                "Password guessing",
                "auth-failure",
                Severity::Medium,
                tally([("198.51.100.23", 6)]),
                (423, 494),
            )
        },
        attack(
            "pregreet",
            "Talks before the greeting",
            "pregreet",
            Severity::Low,
            tally([("198.51.100.134", 6)]),
            (125, 1_087),
        ),
        attack(
            "dnsbl_reject",
            "Listed by a blocklist",
            "dnsbl",
            Severity::Info,
            tally([("198.51.100.130", 2), ("198.51.100.137", 2), ("198.51.100.135", 1)]),
            (155, 1_165),
        ),
    ]
}

fn the_innocents() -> Vec<Attack> {
    let innocent = |id: &str, title: &str, source: &str, count, note: &str| Attack {
        note: note.into(),
        ..attack(id, title, "", Severity::Info, tally([(source, count)]), (190, 794))
    };
    vec![
        innocent(
            "misconfigured_client",
            "A device with an old password",
            "192.0.2.77",
            3,
            "the same wrong password each time, for an existing account",
        ),
        innocent(
            "legitimate_sender_user_unknown",
            "A newsletter to a former user",
            "192.0.2.26",
            3,
            "a real mail server that also delivers",
        ),
        innocent(
            "benign_tls_abort",
            "A phone that broke off TLS once",
            "192.0.2.40",
            1,
            "it logged in three seconds later",
        ),
    ]
}

fn the_sources() -> Vec<SourceCount> {
    let source = |address: &str, count, kinds, first, last| SourceCount {
        address: address.into(),
        count,
        kinds,
        first: Some(at(first)),
        last: Some(at(last)),
        ..SourceCount::default()
    };
    let by = |secs, rule: &str, after| Some(Banned { time: at(secs), rule: rule.into(), after });
    vec![
        SourceCount {
            banned: by(411, "tls-probe-fast", 3),
            ..source("203.0.113.134", 6, tally([("tls-probe", 6)]), 28, 1_282)
        },
        SourceCount {
            banned: by(447, "auth-failure-fast", 3),
            ..source("198.51.100.23", 7, tally([("auth-failure", 6), ("auth-probe", 1)]), 423, 494)
        },
        SourceCount {
            banned: by(510, "pregreet", 3),
            ..source("198.51.100.134", 6, tally([("pregreet", 6)]), 125, 1_087)
        },
        SourceCount {
            protected: Some("a private or container address".into()),
            ..source("172.20.0.1", 4, tally([("auth-failure", 4)]), 200, 300)
        },
        source("2001:db8:1234:5678:9abc:def0:1234:5678", 2, tally([("dnsbl", 2)]), 155, 1_165),
        source("198.51.100.130", 2, tally([("dnsbl", 2)]), 155, 1_165),
    ]
}

pub(crate) fn attacks() -> AttackReport {
    let counts: Vec<_> = (0..76_u64)
        .map(|n| {
            (
                at(28 + (n * n * 7) % 1_254),
                ["tls-probe", "auth-failure", "pregreet", "dnsbl", "tls-probe"][(n % 5) as usize],
                1,
            )
        })
        .collect();
    let kind = |kind: &str, count, sources| KindCount { kind: kind.into(), count, sources };
    let decision = |secs, target: &str, hours: u64, rule: &str, reason: &str, prevented| Decision {
        time: at(secs),
        target: target.into(),
        seconds: hours * 3_600,
        rule: rule.into(),
        reason: reason.into(),
        prevented,
    };
    let account = |account: &str, failures, sources, logins| AccountCount {
        account: account.into(),
        failures,
        sources,
        logins,
        first: Some(at(111)),
        last: Some(at(1_212)),
    };
    AttackReport {
        inputs: names(["docker-data/dms/mail-logs/mail.log"]),
        window: Window { first: Some(at(0)), last: Some(at(1_281)), lines: 2_571, bytes: 448_937 },
        programs: vec![
            ProgramLines { program: "smtpd".into(), lines: 1_204, unknown: 0 },
            ProgramLines { program: "dovecot-login".into(), lines: 211, unknown: 1 },
        ],
        attacks: the_attacks(),
        not_attacks: the_innocents(),
        by_kind: vec![
            kind("tls-probe", 40, 24),
            kind("auth-failure", 14, 9),
            kind("dnsbl", 7, 5),
            kind("pregreet", 6, 1),
        ],
        sources: 49,
        by_source: the_sources(),
        by_network: vec![
            NetworkCount {
                network: "203.0.113.0/24".into(),
                count: 40,
                sources: 24,
                kinds: tally([("tls-probe", 40)]),
                logins: 3,
            },
            NetworkCount {
                network: "198.51.100.0/24".into(),
                count: 36,
                sources: 25,
                kinds: tally([("auth-failure", 14), ("dnsbl", 7), ("pregreet", 6), ("policy", 1)]),
                logins: 0,
            },
        ],
        by_account: vec![
            account("nova@example.org", 6, 6, 12),
            account("admin@example.org", 4, 4, 0),
            account("info\u{1b}[31m\u{202e}gro", 1, 1, 0),
            account(&"a-very-long-login-name-that-an-attacker-made-up-".repeat(5), 1, 1, 0),
        ],
        by_hour: Timeline::hourly(counts.iter().copied()),
        timeline: Timeline::fitting(counts),
        logins: Logins {
            imap_ok: 83,
            smtp_auth_ok: 13,
            distinct_addresses: 7,
            addresses: tally([
                ("192.0.2.43", 40),
                ("2001:db8:40::7", 31),
                ("203.0.113.200", 20),
                ("172.20.0.10", 5),
            ]),
            ..Logins::default()
        },
        decisions: vec![
            decision(411, "203.0.113.134", 24, "tls-probe-fast", "3 tls-probe in 10m", 3),
            decision(447, "198.51.100.23", 1, "auth-failure-fast", "3 auth-failure in 10m", 3),
            decision(510, "198.51.100.134", 24, "pregreet", "3 pregreet in 1h", 3),
        ],
        refusals: vec![decision(
            300,
            "172.20.0.1",
            1,
            "auth-failure-fast",
            "a private or container address, which may stand for many clients",
            0,
        )],
    }
}

pub(crate) fn no_attacks() -> AttackReport {
    AttackReport { inputs: names(["-"]), ..AttackReport::default() }
}

fn ban(target: &str, from: u64, hours: Option<u64>, by: &str, step: u32, reason: &str) -> BanRow {
    BanRow {
        target: target.into(),
        from: at(from),
        until: hours.map(|hours| at(from + hours * 3_600)),
        origin: "rule".into(),
        by: by.into(),
        step,
        reason: reason.into(),
        in_kernel: Some(true),
        dropped: Some(Dropped { packets: 412, bytes: 24_720 }),
    }
}

fn some_bans() -> Vec<BanRow> {
    vec![
        ban("198.51.100.134", 90_510, Some(24), "pregreet", 1, "3 pregreet in 1h"),
        ban("198.51.100.23", 90_447, Some(6), "auth-failure-fast", 2, "3 auth-failure in 10m"),
        BanRow {
            origin: "operator".into(),
            dropped: None,
            in_kernel: Some(false),
            ..ban("2001:db8:bad::/48", 4_000, None, "root", 0, "spam \u{1b}[5mcampaign")
        },
    ]
}

pub(crate) fn bans() -> BanList {
    BanList { now: at(91_000), mode: "enforce".into(), total: 212, bans: some_bans() }
}

pub(crate) fn no_bans() -> BanList {
    BanList { now: at(91_000), mode: "dry-run".into(), ..BanList::default() }
}

pub(crate) fn status() -> Status {
    let source = |name: &str, lines, lag_ms| SourceStatus {
        name: name.into(),
        lines,
        lag_ms,
        last_line: Some(at(90_999)),
        ..SourceStatus::default()
    };
    Status {
        now: at(91_000),
        version: "0.1.0".into(),
        mode: "enforce".into(),
        pid: 812,
        uptime_seconds: 273_600,
        memory_bytes: 13_400_000,
        sources: vec![source("/var/log/mail.log", 1_483_204, 1)],
        lines: 1_483_204,
        lines_per_second: 6.23,
        programs: vec![
            ProgramLines { program: "smtpd".into(), lines: 1_200_000, unknown: 0 },
            ProgramLines { program: "dovecot-auth".into(), lines: 283_204, unknown: 7 },
        ],
        offences_24h: tally([("auth-failure", 1_271), ("tls-probe", 412), ("pregreet", 60), ("policy", 1)]),
        logins_24h: 1_902,
        bans: BanCounts { addresses: 209, networks: 3, last_24h: 48 },
        last_bans: some_bans(),
        firewall: FirewallStatus {
            enabled: true,
            table: "inet mailward".into(),
            elements: 212,
            desired: 212,
            dropped: Dropped { packets: 48_211, bytes: 2_900_000 },
            repairs: 2,
            last_repair: Some(at(50_000)),
        },
        budget: BudgetStatus {
            bans_this_minute: 2,
            bans_per_minute: 1_000,
            active_bans: 212,
            active_bans_most: 500_000,
            ipv4_addresses: 720,
            ipv4_addresses_most: 1 << 20,
            refused: 0,
        },
        never_banned: 31,
        remembered: Remembered { sources: 5_120, capacity: 1_000_000, evicted: 0 },
        findings: vec![],
    }
}

pub(crate) fn status_in_trouble() -> Status {
    let mut status = status();
    status.mode = "dry-run".into();
    status.sources.push(SourceStatus {
        name: "/srv/mail/docker-data/dms/mail-logs/mail.log".into(),
        trouble: Some("no such file; waiting for it".into()),
        ..SourceStatus::default()
    });
    status.firewall.elements = 14;
    status.budget.refused = 19;
    status.findings = vec![
        HealthFinding {
            id: "source.missing".into(),
            severity: Severity::High,
            title: "A log that should be read is not there".into(),
            detail: "/srv/mail/docker-data/dms/mail-logs/mail.log: no such file. It is read as soon as it appears.".into(),
            remedy: "mailward init --force".into(),
        },
        HealthFinding {
            id: "parse.drift".into(),
            severity: Severity::Medium,
            title: "dovecot-auth writes lines that are not understood".into(),
            detail: "7 of 283,204 since the start, none of them before yesterday: a new version?".into(),
            remedy: "mailward parse --unknown /var/log/mail.log".into(),
        },
    ];
    status
}

fn failure(secs: u64, number: u64) -> ChainStep {
    ChainStep {
        time: at(secs),
        place: format!("/var/log/mail.log:{number}"),
        line: format!(
            "2025-10-10T01:40:{:02}.363365+02:00 mail postfix/submission/smtpd[1204]: warning: unknown[198.51.100.23]: SASL LOGIN authentication failed: (reason unavailable), sasl_username=info",
            secs - 420
        ),
        event: Some(EventView {
            event: "login-failed".into(),
            program: "smtpd".into(),
            service: "submission".into(),
            reason: "credentials-refused".into(),
            fields: vec![("method".into(), "LOGIN".into()), ("user".into(), "info\u{1b}[31m".into())],
        }),
        offence: Some(OffenceView {
            kind: "auth-failure".into(),
            count: 1,
            weight: "full".into(),
            account: Some("info".into()),
        }),
        ..ChainStep::default()
    }
}

pub(crate) fn banned() -> Explanation {
    let last = ChainStep {
        signals: vec![SignalView {
            rule: "auth-failure-fast".into(),
            title: "A password guesser at work".into(),
            subject: "198.51.100.23".into(),
            count: 3,
            threshold: 3,
            window_seconds: 600,
        }],
        decisions: vec![DecisionView {
            banned: true,
            target: "198.51.100.23".into(),
            seconds: Some(3_600),
            why: "3 auth-failure in 10m, first ban".into(),
        }],
        ..failure(452, 1_031)
    };
    Explanation {
        subject: "198.51.100.23".into(),
        now: at(1_300),
        mode: "enforce".into(),
        ban: Some(ban("198.51.100.23", 452, Some(1), "auth-failure-fast", 1, "3 auth-failure in 10m")),
        offences: tally([("auth-failure", 3)]),
        first: Some(at(423)),
        last: Some(at(452)),
        chain: vec![failure(423, 1_002), failure(437, 1_017), last],
        earlier: vec![],
        outlook: "The next ban would be for 6h: it is the second step of the ladder.".into(),
        ..Explanation::default()
    }
}

pub(crate) fn allowed() -> Explanation {
    Explanation {
        subject: "192.0.2.77".into(),
        now: at(1_300),
        mode: "enforce".into(),
        offences: tally([("auth-failure", 1)]),
        first: Some(at(190)),
        last: Some(at(794)),
        logins: tally([("sales@example.org", 12)]),
        last_login: Some(at(20)),
        chain: vec![ChainStep {
            decisions: vec![DecisionView {
                target: "192.0.2.77".into(),
                why: "somebody logs in from there: judged with ten times the patience".into(),
                ..DecisionView::default()
            }],
            ..failure(430, 900)
        }],
        left_out: 4,
        windows: vec![WindowFill {
            rule: "auth-failure-fast".into(),
            count: 1,
            threshold: 30,
            window_seconds: 600,
        }],
        outlook: "The same wrong password again does not count again.".into(),
        ..Explanation::default()
    }
}

pub(crate) fn unknown() -> Explanation {
    Explanation {
        subject: "192.0.2.99".into(),
        now: at(1_300),
        mode: "enforce".into(),
        ..Explanation::default()
    }
}

pub(crate) fn top() -> Top {
    let row = |name: &str, count, banned| TopRow {
        name: name.into(),
        count,
        kinds: tally([("auth-failure", count)]),
        last: Some(at(90_990)),
        banned,
    };
    Top {
        now: at(91_000),
        window_seconds: 3_600,
        lines_per_second: 31.4,
        offences: 412,
        bans: 212,
        packets_per_second: Some(8.25),
        by_kind: tally([("auth-failure", 300), ("tls-probe", 112)]),
        by_source: vec![row("198.51.100.23", 31, true), row("2001:db8:1:2::5", 7, false)],
        by_network: vec![row("198.51.100.0/24", 120, false)],
        by_account: tally([("admin@example.org", 200), ("root", 31)]),
        last_bans: some_bans(),
    }
}

pub(crate) fn accounts() -> AccountList {
    let row = |name: &str, state: &str, scheme: &str, last: Option<u64>, marks: &[(&str, &str)]| AccountRow {
        name: name.into(),
        state: state.into(),
        scheme: scheme.into(),
        last: last.map(at),
        marks: marks
            .iter()
            .map(|(check, word)| Mark { check: (*check).into(), word: (*word).into() })
            .collect(),
        place: "/etc/dovecot/users:1".into(),
    };
    AccountList {
        now: at(86_400),
        from: Some(at(0)),
        accounts: vec![
            row("nora@example.org", "open", "ARGON2ID", Some(80_000), &[]),
            row(
                "test@example.org",
                "open",
                "PLAIN",
                None,
                &[("ACC-001", "readable"), ("ACC-007", "role or test"), ("ACC-008", "dormant")],
            ),
            row("quinn@example.org", "disabled", "SHA512-CRYPT", Some(600), &[]),
            row("helpdesk", "master", "SHA512-CRYPT", None, &[]),
            row("db@example.net\u{1b}[2J", "elsewhere", "", None, &[]),
        ],
        notes: vec!["/etc/dovecot/more cannot be read".into()],
    }
}

pub(crate) fn sessions() -> SessionList {
    let row = |account: &str, service: &str, program: &str, client: &str, pid| SessionRow {
        account: account.into(),
        service: service.into(),
        program: program.into(),
        client: client.into(),
        pid,
    };
    SessionList {
        sessions: vec![
            row("nora@example.org", "imap", "dovecot", "203.0.113.21", 171),
            row("nora@example.org", "submission", "postfix", "203.0.113.21:49153", 172),
            row("", "submissions", "postfix", "[2001:db8:600d::21]:49154", 176),
        ],
        notes: Vec::new(),
    }
}

/// A stolen password, used from elsewhere in the night.
pub(super) fn story() -> Story {
    let step =
        |from: u64, to: u64, what: &str, count: u64, place: &str, text: &str, bad: bool| TimelineStep {
            time: at(from),
            last: at(to),
            what: what.into(),
            count,
            place: place.into(),
            text: text.into(),
            bad,
        };
    let (home, elsewhere) = ("203.0.113.0/24", "198.51.100.0/24");
    Story {
        subject: "rosa@example.org".into(),
        now: at(90_000),
        logs: Some((at(0), at(89_000))),
        first_bad: Some(BadLogin {
            time: at(40_000),
            address: "198.51.100.66".into(),
            why: "600 recipients within an hour; from nowhere else were there more than 3".into(),
        }),
        places: vec![
            PlaceRow {
                name: home.into(),
                first: at(100),
                last: at(80_000),
                logins: 31,
                failures: 1,
                messages: 4,
                recipients: 6,
                why: String::new(),
            },
            PlaceRow {
                name: elsewhere.into(),
                first: at(40_000),
                last: at(40_130),
                logins: 200,
                failures: 0,
                messages: 200,
                recipients: 600,
                why: "600 recipients within an hour; from nowhere else were there more than 3".into(),
            },
        ],
        recipients: tally([("shop1.example", 280), ("shop2.example", 160), ("partner.example", 4)]),
        steps: vec![
            step(100, 3_000, "login", 3, home, "imap", false),
            step(2_000, 2_000, "sent", 1, home, "", false),
            step(40_000, 40_130, "login", 200, elsewhere, "submission", true),
            step(40_000, 40_130, "sent", 200, elsewhere, "", true),
            step(
                40_090,
                40_130,
                "refused",
                175,
                elsewhere,
                "Recipient address rejected: too many messages",
                true,
            ),
            step(41_000, 41_000, "contained", 1, "", "by root; 12 message(s) held", false),
        ],
        left_out: 3,
        notes: Vec::new(),
    }
}

pub(super) fn incidents() -> IncidentList {
    let row = |id: &str, account: &str, closed| IncidentRow {
        id: id.into(),
        account: account.into(),
        begun: at(41_000),
        by: "root".into(),
        held: 12,
        closed,
    };
    IncidentList {
        now: at(90_000),
        incidents: vec![
            row("20251010-113302", "rosa@example.org", None),
            row("20250910-080000", "sam@example.net", Some(at(50_000))),
        ],
    }
}
