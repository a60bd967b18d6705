//! Cases of the SPF family.

use mailward_audit::Facts;
use mailward_audit::facts::{DmarcReport, DmarcRow, Known, Reports};

use super::dns::{but, with, zone};
use crate::Case;

/// A month of reports in which this address sent all mail; the record includes a provider at 198.51.100.0/24.
fn reported(source: &str) -> Facts {
    let facts = with(zone(), "TXT example.org", &["v=spf1 mx include:_spf.provider.example -all"]);
    let facts = with(facts, "TXT _spf.provider.example", &["v=spf1 ip4:198.51.100.0/24 -all"]);
    let row = DmarcRow { source: source.to_owned(), count: 500, ..DmarcRow::default() };
    let report = DmarcReport {
        domain: "example.org".to_owned(),
        begin: 1_769_644_800,
        end: 1_772_236_800,
        rows: vec![row],
        ..DmarcReport::default()
    };
    but(facts, |facts| facts.reports = Known::Is(Reports { dmarc: vec![report], ..Reports::default() }))
}

/// The cases, by id.
pub(crate) const CASES: &[Case] = &[
    Case {
        id: "SPF-001",
        fails: || with(zone(), "TXT example.org", &["site-verification=1"]),
        shows: "example.org has no SPF record",
        passes: zone,
    },
    Case {
        id: "SPF-002",
        fails: || with(zone(), "TXT example.org", &["v=spf1 mx -all", "v=spf1 a ~all"]),
        shows: "has 2 SPF records",
        passes: zone,
    },
    Case {
        id: "SPF-003",
        fails: || with(zone(), "TXT example.org", &["v=spf1 mx ipv4:192.0.2.1 -all"]),
        shows: "`ipv4:192.0.2.1` at octet 11: no such mechanism",
        passes: zone,
    },
    Case {
        id: "SPF-004",
        fails: || {
            with(zone(), "TXT example.org", &[&format!("v=spf1 {}mx -all", "a:mail.example.org ".repeat(10))])
        },
        shows: "mx in the record of example.org",
        passes: zone,
    },
    Case {
        id: "SPF-005",
        fails: || {
            with(
                zone(),
                "TXT example.org",
                &["v=spf1 mx a:x.example.net a:y.example.net a:z.example.net -all"],
            )
        },
        shows: "A and AAAA z.example.net",
        passes: zone,
    },
    Case {
        id: "SPF-006",
        fails: || with(zone(), "TXT example.org", &["v=spf1 mx ?all"]),
        shows: "says nothing about strangers (`?all`)",
        passes: zone,
    },
    Case {
        id: "SPF-007",
        fails: || with(zone(), "TXT example.org", &["v=spf1 mx ptr -all"]),
        shows: "uses ptr",
        passes: zone,
    },
    Case {
        id: "SPF-008",
        fails: || with(zone(), "TXT example.org", &["v=spf1 mx include:gone.example.net -all"]),
        shows: "gone.example.net has no SPF record",
        passes: zone,
    },
    Case {
        id: "SPF-009",
        fails: || with(zone(), "TXT example.org", &["v=spf1 ip4:192.0.2.1 -all"]),
        shows: "does not let 93.184.216.34 send",
        passes: zone,
    },
    Case {
        id: "SPF-010",
        fails: || with(zone(), "TXT example.org", &["v=spf1 mx ip4:93.184.0.0/15 -all"]),
        shows: "ip4:93.184.0.0/15",
        passes: zone,
    },
    Case {
        id: "SPF-011",
        fails: || with(zone(), "TXT mail.example.org", &[]),
        shows: "mail.example.org, which the server says in HELO, has no SPF",
        passes: zone,
    },
    Case {
        id: "SPF-012",
        fails: || with(zone(), "TXT example.org", &["v=spf1 mx -all ip4:192.0.2.1"]),
        shows: "`ip4:192.0.2.1` in the SPF record",
        passes: zone,
    },
    Case {
        id: "SPF-013",
        fails: || with(zone(), "TXT example.org", &["v=spf1 mx -all", &"x".repeat(600)]),
        shows: "over 512",
        passes: zone,
    },
    Case {
        id: "SPF-014",
        fails: || {
            with(
                with(zone(), "A www.example.org", &["93.184.216.80"]),
                "TXT _dmarc.example.org",
                &["v=DMARC1; p=none; rua=mailto:d@example.org"],
            )
        },
        shows: "www.example.org does not send",
        passes: zone,
    },
    Case {
        id: "SPF-015",
        fails: || with(zone(), "TYPE99 example.org", &["v=spf1 mx -all"]),
        shows: "nobody reads",
        passes: zone,
    },
    Case {
        id: "SPF-016",
        fails: || reported("93.184.216.34"),
        shows: "include:_spf.provider.example: none of the sources",
        passes: || reported("198.51.100.7"),
    },
];
