//! Cases of the reputation family.

use mailward_audit::facts::{Answer, Known, Queue, Queued};
use mailward_audit::plan::Layout;
use mailward_audit::{Facts, Outcome, Server, Severity, find};

use super::dns::{but, with, zone};
use crate::{Case, build};

/// With other lists in main.cf.
fn lists(changes: &str) -> Facts {
    but(zone(), |facts| {
        facts.said = build::postfix(&format!("postscreen_dnsbl_action = enforce\n{changes}\n")).said;
    })
}

/// The lists of docker-mailserver 15.1 with ENABLE_DNSBL=1: one of them is dead, three have no filter.
#[test]
fn the_lists_of_docker_mailserver() {
    let facts = lists(
        "postscreen_dnsbl_sites = zen.spamhaus.org=127.0.0.[2..11]*3 bl.mailspike.net=127.0.0.[2;14;13;12;11;10] \
         b.barracudacentral.org*2 bl.spameatingmonkey.net=127.0.0.2 dnsbl.sorbs.net psbl.surriel.com \
         list.dnswl.org=127.0.[0..255].0*-2 list.dnswl.org=127.0.[0..255].1*-3 list.dnswl.org=127.0.[0..255].[2..3]*-4",
    );
    let mut facts = facts;
    facts.dns = mailward_audit::facts::Dns::default();
    let found = |id: &str| {
        let Some((_, check)) = find(id) else { panic!("{id} is no check") };
        match (check.judge)(&Server::new(&facts)) {
            Ok(Outcome::Fail(findings)) => {
                let all = findings
                    .first()
                    .map(|finding| finding.evidence.iter().map(|seen| seen.seen.clone()).collect());
                (findings.iter().map(|finding| finding.severity).collect::<Vec<_>>(), all.unwrap_or_default())
            }
            other => panic!("{id}: {other:?}"),
        }
    };
    let (severity, seen): (_, Vec<String>) = found("REP-003");
    assert_eq!(
        (severity, seen),
        (vec![Severity::Medium], vec!["dnsbl.sorbs.net: closed June 2024".to_owned()])
    );
    let (severity, seen) = found("REP-006");
    assert_eq!(severity, [Severity::Low]);
    assert_eq!(seen, ["b.barracudacentral.org*2", "dnsbl.sorbs.net", "psbl.surriel.com"]);
}

#[test]
fn the_remedy_is_the_whole_setting() {
    let facts = lists(
        "smtpd_client_restrictions = permit_mynetworks, reject_rbl_client zen.spamhaus.org reject_rbl_client dnsbl.sorbs.net",
    );
    let Some((_, check)) = find("REP-006") else { panic!("REP-006") };
    let Ok(Outcome::Fail(findings)) = (check.judge)(&Server::new(&facts)) else { panic!("passes") };
    let (server, layout) = (Server::new(&facts), Layout::of(&facts));
    let edits: Vec<_> = findings.iter().flat_map(|finding| finding.remedy.shown(&layout, &server)).collect();
    let [edit] = edits.as_slice() else { panic!("{edits:?}") };
    assert_eq!(edit.target, "/etc/postfix/main.cf");
    assert_eq!(
        edit.add,
        ["smtpd_client_restrictions = permit_mynetworks, reject_rbl_client zen.spamhaus.org=127.0.0.[2..11]"]
    );
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
        fails: || {
            lists("postscreen_dnsbl_sites = zen.spamhaus.org=127.0.0.[2..11] dnsbl.sorbs.net=127.0.0.2")
        },
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
    Case {
        id: "REP-011",
        fails: || answering("smtpd_client_restrictions = permit_mynetworks"),
        shows: "zen.spamhaus.org=127.0.0.[2..11]*3, bl.spamcop.net=127.0.0.2*2, list.dnswl.org",
        passes: || {
            answering("smtpd_client_restrictions = reject_rbl_client zen.spamhaus.org=127.0.0.[2..11]")
        },
    },
];

/// A resolver that two lists answer truly, and one refuses.
fn answering(changes: &str) -> Facts {
    let tested = |facts, zone: &str, code| {
        let facts = with(facts, &format!("A 2.0.0.127.{zone}"), &[code]);
        with(facts, &format!("A 1.0.0.127.{zone}"), &[])
    };
    let facts = tested(lists(changes), "zen.spamhaus.org", "127.0.0.2");
    tested(tested(facts, "bl.spamcop.net", "127.0.0.2"), "psbl.surriel.com", "127.255.255.254")
}
