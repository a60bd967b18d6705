//! Cases of the RPT family.

use mailward_audit::Facts;
use mailward_audit::facts::{DmarcReport, DmarcRow, Known, Reports, TlsPolicyReport, TlsReport};

use crate::Case;
use crate::build::nothing;

/// 2026-02-28, the day before the facts were collected, and 30 days earlier.
const YESTERDAY: i64 = 1_772_236_800;
const MONTH_AGO: i64 = YESTERDAY - 30 * 86_400;

fn own() -> DmarcRow {
    DmarcRow {
        source: "192.0.2.25".to_owned(),
        count: 500,
        disposition: "none".to_owned(),
        dkim: true,
        spf: true,
        header_from: "example.org".to_owned(),
        signatures: vec![("example.org".to_owned(), "mail".to_owned(), "pass".to_owned())],
        senders: vec![("example.org".to_owned(), "pass".to_owned())],
    }
}

fn forged(count: u64) -> DmarcRow {
    DmarcRow {
        source: "203.0.113.9".to_owned(),
        count,
        dkim: false,
        spf: false,
        signatures: Vec::new(),
        senders: vec![("other.example".to_owned(), "fail".to_owned())],
        ..own()
    }
}

fn with(reports: Reports) -> Facts {
    let mut facts = nothing();
    facts.dns.addresses = vec!["192.0.2.25".to_owned()];
    facts.reports = Known::Is(Reports { place: "/var/mail/reports".to_owned(), ..reports });
    facts
}

fn dmarc(policy: &str, rows: Vec<DmarcRow>) -> Facts {
    let report = DmarcReport {
        organisation: "receiver.example".to_owned(),
        id: "1".to_owned(),
        domain: "example.org".to_owned(),
        begin: MONTH_AGO,
        end: YESTERDAY,
        policy: policy.to_owned(),
        subdomain_policy: String::new(),
        rows,
    };
    with(Reports { dmarc: vec![report], ..Reports::default() })
}

fn tls(kind: Option<&str>) -> Facts {
    let details: Vec<_> =
        kind.into_iter().map(|kind| (kind.to_owned(), "mail.example.org".to_owned(), 7)).collect();
    let policy = TlsPolicyReport {
        domain: "example.org".to_owned(),
        kind: "sts".to_owned(),
        successes: 90,
        failures: details.len() as u64 * 7,
        details,
    };
    let report = TlsReport {
        organisation: "sender.example".to_owned(),
        policies: vec![policy],
        ..TlsReport::default()
    };
    with(Reports { tls: vec![report], ..Reports::default() })
}

/// The cases, by id.
pub(crate) const CASES: &[Case] = &[
    Case {
        id: "RPT-001",
        fails: || dmarc("none", vec![own(), forged(80)]),
        shows: "203.0.113.0/24",
        passes: || dmarc("none", vec![own(), forged(5)]),
    },
    Case {
        id: "RPT-002",
        fails: || dmarc("reject", vec![DmarcRow { dkim: false, ..own() }]),
        shows: "no DKIM",
        passes: || dmarc("reject", vec![own()]),
    },
    Case {
        id: "RPT-003",
        fails: || {
            let senders = vec![("newsletter.example".to_owned(), "pass".to_owned())];
            dmarc("none", vec![own(), DmarcRow { senders, ..forged(40) }])
        },
        shows: "newsletter.example",
        passes: || dmarc("none", vec![own(), forged(40)]),
    },
    Case {
        id: "RPT-004",
        fails: || dmarc("reject", vec![DmarcRow { header_from: "pay.example.org".to_owned(), ..forged(30) }]),
        shows: "pay.example.org",
        passes: || {
            let refused = DmarcRow {
                disposition: "reject".to_owned(),
                header_from: "pay.example.org".to_owned(),
                ..forged(30)
            };
            dmarc("reject", vec![refused])
        },
    },
    Case {
        id: "RPT-005",
        fails: || tls(Some("certificate-expired")),
        shows: "certificate-expired",
        passes: || tls(None),
    },
    Case {
        id: "RPT-006",
        fails: || {
            let mut facts = dmarc("none", vec![own()]);
            facts.about.taken = "2026-04-01T12:00:00Z".to_owned();
            facts
        },
        shows: "32 days ago",
        passes: || dmarc("none", vec![own()]),
    },
    Case {
        id: "RPT-007",
        fails: || {
            with(Reports {
                refused: vec![("a.xml".to_owned(), "it declares a document type".to_owned())],
                ..Reports::default()
            })
        },
        shows: "a.xml",
        passes: || dmarc("none", vec![own()]),
    },
    Case {
        id: "RPT-008",
        fails: || dmarc("none", vec![own()]),
        shows: "p=quarantine",
        passes: || dmarc("reject", vec![own()]),
    },
];
