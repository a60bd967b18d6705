//! Digests of a week in which something happened, and of one in which nothing did.

use mailward_report::Severity;
use mailward_report::digest::{Change, Count, Digest, Need};

use super::{at, tally};

const HOUR: u64 = 3_600;

pub(crate) fn digest() -> Digest {
    let need = |severity, title: &str, text: &str, next: &str, hour| Need {
        severity,
        title: title.into(),
        text: text.into(),
        next: next.into(),
        since: at(hour * HOUR),
    };
    let change =
        |by: &str, text: &str, hour| Change { at: at(hour * HOUR), by: by.into(), text: text.into() };
    let attempts = [
        31_u64, 44, 38, 120, 640, 410, 95, 52, 47, 61, 58, 40, 39, 220, 180, 66, 51, 43, 48, 37, 41, 55, 60,
        49, 44, 46, 39, 42,
    ];
    Digest {
        host: "mx.example.org".into(),
        period: "week".into(),
        from: at(0),
        to: at(168 * HOUR),
        needs: vec![
            need(
                Severity::High,
                "imap.example.org: A certificate ends soon",
                "the certificate of port 993 ends in 6 days, and nothing has renewed it",
                "mailward audit --explain CRT-002",
                120,
            ),
            need(
                Severity::Medium,
                "space of /var/mail (mail) will be used up",
                "12 % free; full in 9 days",
                "df -h; df -i; du -xh / | sort -h | tail",
                150,
            ),
        ],
        failed: vec![change("backup", "cannot reach the repository: <connection refused>", 160)],
        changes: vec![
            change(
                "dns",
                "changed: TXT example.org\n- v=spf1 mx -all\n+ v=spf1 mx include:_spf.example.net -all",
                90,
            ),
            change("audit", "1 new, 2 fixed since the last audit; 7 findings, 301 checks passed", 26),
        ],
        offences: tally([
            ("auth-failure", 2_104),
            ("auth-probe", 388),
            ("tls-probe", 141),
            ("relay-probe", 12),
            ("pregreet", 3),
        ]),
        timeline: attempts
            .iter()
            .enumerate()
            .map(|(step, count)| Count { at: at(step as u64 * 6 * HOUR), count: *count })
            .collect(),
        bans: 87,
        holding: 41,
        networks: tally([("198.51.100.0/24", 21), ("203.0.113.0/24", 9), ("2001:db8:a1::/48", 4)]),
    }
}

pub(crate) fn no_digest() -> Digest {
    Digest {
        host: "mx.example.org".into(),
        period: "day".into(),
        from: at(0),
        to: at(24 * HOUR),
        ..Digest::default()
    }
}
