//! Cases of the DMARC family.

use mailward_audit::Facts;
use mailward_audit::facts::{Account, Known, Usage};

use super::dns::{KEY, but, key, with, zone};
use crate::Case;

/// dmarc@example.org is an account, and this one logged in during a month.
fn logged_in(name: &str) -> Facts {
    but(zone(), |facts| {
        let account = Account { name: "dmarc@example.org".to_owned(), ..Account::default() };
        facts.accounts = Known::Is(vec![account]);
        facts.reports = Known::Absent;
        facts.usage = Known::Is(Usage {
            from: 1_769_644_800,
            to: 1_772_236_800,
            by_service: [("imap".to_owned(), 9)].into(),
            last: [(name.to_owned(), 1_772_000_000)].into(),
        });
    })
}

/// The cases, by id.
pub(crate) const CASES: &[Case] = &[
    Case {
        id: "DMR-001",
        fails: || with(zone(), "TXT _dmarc.example.org", &[]),
        shows: "no DMARC record holds for example.org",
        passes: zone,
    },
    Case {
        id: "DMR-002",
        fails: || with(zone(), "TXT _dmarc.example.org", &["v=DMARC1; p=none", "v=DMARC1; p=reject"]),
        shows: "has 2 DMARC records",
        passes: zone,
    },
    Case {
        id: "DMR-003",
        fails: || with(zone(), "TXT _dmarc.example.org", &["v=DMARC1; p=none rua=mailto:dmarc@example.org"]),
        shows: "p=none rua=mailto:dmarc@example.org is not none",
        passes: zone,
    },
    Case {
        id: "DMR-004",
        fails: || with(zone(), "TXT _dmarc.example.org", &["v=DMARC1; p=none; rua=mailto:dmarc@example.org"]),
        shows: "policy for example.org is none",
        passes: zone,
    },
    Case {
        id: "DMR-005",
        fails: || {
            with(zone(), "TXT _dmarc.example.org", &["v=DMARC1; p=reject; pct=50; rua=mailto:d@example.org"])
        },
        shows: "pct=50",
        passes: zone,
    },
    Case {
        id: "DMR-006",
        fails: || {
            with(zone(), "TXT _dmarc.example.org", &["v=DMARC1; p=reject; sp=none; rua=mailto:d@example.org"])
        },
        shows: "sp=none under p=reject",
        passes: zone,
    },
    Case {
        id: "DMR-007",
        fails: || with(zone(), "TXT _dmarc.example.org", &["v=DMARC1; p=reject"]),
        shows: "asks for no reports",
        passes: zone,
    },
    Case {
        id: "DMR-008",
        fails: || {
            with(
                with(
                    zone(),
                    "TXT _dmarc.example.org",
                    &["v=DMARC1; p=reject; rua=mailto:r@reports.example.net"],
                ),
                "MX reports.example.net",
                &["10 mx.example.net"],
            )
        },
        shows: "example.org._report._dmarc.reports.example.net",
        passes: || {
            with(
                with(
                    zone(),
                    "TXT _dmarc.example.org",
                    &["v=DMARC1; p=reject; rua=mailto:r@reports.example.net"],
                ),
                "TXT example.org._report._dmarc.reports.example.net",
                &["v=DMARC1"],
            )
        },
    },
    Case {
        id: "DMR-009",
        fails: || {
            with(zone(), "TXT _dmarc.example.org", &["v=DMARC1; p=reject; rua=mailto:r@gone.example.org"])
        },
        shows: "neither MX nor address",
        passes: zone,
    },
    Case {
        id: "DMR-010",
        fails: || with(zone(), "TXT example.org", &["v=spf1 mx -all", "v=DMARC1; p=reject"]),
        shows: "stands at example.org",
        passes: zone,
    },
    Case {
        id: "DMR-011",
        fails: || {
            with(
                but(
                    with(
                        zone(),
                        "TXT _dmarc.example.org",
                        &["v=DMARC1; p=reject; adkim=s; rua=mailto:d@example.org"],
                    ),
                    |facts| {
                        facts.dns.signing =
                            Known::Is(vec![key("mail.example.org", "mail", KEY, &["*@example.org"])]);
                    },
                ),
                "TXT mail._domainkey.mail.example.org",
                &[&format!("v=DKIM1; p={KEY}")],
            )
        },
        shows: "wants exact alignment",
        passes: zone,
    },
    Case {
        id: "DMR-012",
        fails: || {
            with(zone(), "TXT _dmarc.example.org", &["v=DMARC1; p=reject; ri=3600; rua=mailto:d@example.org"])
        },
        shows: "ri=3600",
        passes: zone,
    },
    Case {
        id: "DMR-013",
        fails: || {
            with(
                with(
                    with(with(zone(), "MX example.org", &["0 ."]), "TXT example.org", &["v=spf1 a -all"]),
                    "TXT _dmarc.example.org",
                    &["v=DMARC1; p=reject; rua=mailto:d@mail.example.org"],
                ),
                "TXT _smtp._tls.example.org",
                &[],
            )
        },
        shows: "v=spf1 -all",
        passes: || with(with(zone(), "MX example.org", &["0 ."]), "TXT example.org", &["v=spf1 -all"]),
    },
    Case {
        id: "DMR-014",
        fails: || logged_in("alice@example.org"),
        shows: "nobody reads dmarc@example.org",
        passes: || logged_in("dmarc@example.org"),
    },
];
