//! Cases of the MTA-STS family.

use mailward_audit::Facts;
use mailward_audit::facts::{AnnouncedPolicy, Fetched, Known, TlsPort};

use super::dns::{ENFORCED, POLICY, but, policy, port, with, zone};
use crate::Case;

/// With another document at the policy's place.
fn fetched(document: Fetched) -> Facts {
    but(zone(), |facts| {
        facts.dns.fetched.insert(POLICY.to_owned(), Known::Is(document));
    })
}

/// An earlier audit found this id and policy.
fn remembered(id: &str, text: &str) -> Facts {
    but(zone(), |facts| {
        let policy = AnnouncedPolicy {
            id: id.to_owned(),
            text: text.to_owned(),
            taken: "2026-01-01T00:00:00Z".to_owned(),
        };
        facts.dns.earlier_policies.insert("example.org".to_owned(), policy);
    })
}

/// The cases, by id.
pub(crate) const CASES: &[Case] = &[
    Case {
        id: "STS-001",
        fails: || with(with(zone(), "TXT _mta-sts.example.org", &[]), "TLSA _25._tcp.mail.example.org", &[]),
        shows: "neither MTA-STS nor DANE",
        passes: zone,
    },
    Case {
        id: "STS-002",
        fails: || with(zone(), "TXT _mta-sts.example.org", &["v=STSv1; id=2026-01-01"]),
        shows: "id=2026-01-01 is not 1 to 32",
        passes: zone,
    },
    Case {
        id: "STS-003",
        fails: || fetched(Fetched { certificate: "certificate expired".to_owned(), ..Fetched::default() }),
        shows: "certificate expired",
        passes: zone,
    },
    Case {
        id: "STS-004",
        fails: || fetched(policy(&ENFORCED.replace("mail.example", "mx.example"))),
        shows: "does not name mail.example.org",
        passes: zone,
    },
    Case {
        id: "STS-005",
        fails: || {
            but(zone(), |facts| {
                facts.tls =
                    vec![TlsPort { host: "mail.example.org".to_owned(), ..port("old.example.org", 'a') }];
            })
        },
        shows: "it holds for old.example.org",
        passes: zone,
    },
    Case {
        id: "STS-006",
        fails: || {
            but(with(zone(), "TXT _mta-sts.example.org", &["v=STSv1; id=20250101000000;"]), |facts| {
                facts
                    .dns
                    .fetched
                    .insert(POLICY.to_owned(), Known::Is(policy(&ENFORCED.replace("enforce", "testing"))));
            })
        },
        shows: "still `testing`",
        passes: zone,
    },
    Case {
        id: "STS-007",
        fails: || fetched(policy(&ENFORCED.replace("604800", "3600"))),
        shows: "3600 seconds",
        passes: zone,
    },
    Case {
        id: "STS-008",
        fails: || remembered("20260101000000Z", &ENFORCED.replace("enforce", "testing")),
        shows: "under the same id 20260101000000Z",
        passes: || remembered("20250101000000Z", &ENFORCED.replace("enforce", "testing")),
    },
];
