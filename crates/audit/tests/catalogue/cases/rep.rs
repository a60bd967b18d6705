//! Cases of the reputation family.

use mailward_audit::Facts;
use mailward_audit::facts::{Answer, Known, Queue, Queued};

use super::dns::{but, with, zone};
use crate::{Case, build};

/// With other lists in main.cf.
fn lists(changes: &str) -> Facts {
    but(zone(), |facts| facts.said = build::postfix(&format!("{changes}\n")).said)
}

/// The cases, by id.
pub(crate) const CASES: &[Case] = &[
    Case {
        id: "REP-001",
        fails: || with(zone(), "A 34.216.184.93.zen.spamhaus.org", &["127.0.0.3"]),
        shows: "93.184.216.34 is listed by zen.spamhaus.org",
        passes: zone,
    },
    Case {
        id: "REP-002",
        fails: || with(zone(), "A example.org.dbl.spamhaus.org", &["127.0.1.2"]),
        shows: "example.org is listed by dbl.spamhaus.org",
        passes: zone,
    },
    Case {
        id: "REP-003",
        fails: || lists("postscreen_dnsbl_sites = zen.spamhaus.org=127.0.0.[2..11] dnsbl.sorbs.net"),
        shows: "closed June 2024",
        passes: zone,
    },
    Case {
        id: "REP-004",
        fails: || with(zone(), "A 1.0.0.127.bl.spamcop.net", &["127.0.0.2"]),
        shows: "bl.spamcop.net lists every address",
        passes: zone,
    },
    Case {
        id: "REP-005",
        fails: || {
            with(
                lists("postscreen_dnsbl_sites = zen.spamhaus.org*3"),
                "A 2.0.0.127.zen.spamhaus.org",
                &["127.255.255.254"],
            )
        },
        shows: "refuses this resolver",
        passes: zone,
    },
    Case {
        id: "REP-006",
        fails: || lists("postscreen_dnsbl_sites = zen.spamhaus.org*3, list.dnswl.org*-2"),
        shows: "zen.spamhaus.org=127.0.0.[2..11]*3",
        passes: zone,
    },
    Case {
        id: "REP-007",
        fails: || {
            lists(
                "smtpd_client_restrictions = permit_mynetworks, reject_rbl_client dnsbl-3.uceprotect.net=127.0.0.2",
            )
        },
        shows: "lists whole providers",
        passes: zone,
    },
    Case {
        id: "REP-008",
        fails: || {
            lists(
                "postscreen_dnsbl_sites = zen.spamhaus.org=127.0.0.[2..11]\nsmtpd_client_restrictions = reject_rbl_client zen.spamhaus.org=127.0.0.[2..11]",
            )
        },
        shows: "by postscreen and again by smtpd",
        passes: zone,
    },
    Case {
        id: "REP-009",
        fails: || {
            but(zone(), |facts| {
                facts.dns.answers.insert(
                    "A 2.0.0.127.zen.spamhaus.org".to_owned(),
                    Known::Is(Answer { millis: 4000, ..Answer::of(["127.0.0.2"]) }),
                );
            })
        },
        shows: "4000 ms",
        passes: zone,
    },
    Case {
        id: "REP-010",
        fails: || {
            but(zone(), |facts| {
                let reason = "host mx.example.net[192.0.2.9] said: 550 5.7.1 Service unavailable, client blocked using zen.spamhaus.org";
                facts.host.queue = Known::Is(Queue {
                    messages: vec![Queued { reason: reason.to_owned(), ..Queued::default() }],
                    corrupt: 0,
                });
            })
        },
        shows: "mx.example.net",
        passes: zone,
    },
];
