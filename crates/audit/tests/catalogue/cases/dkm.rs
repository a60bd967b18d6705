//! Cases of the DKIM family.

use mailward_audit::Facts;
use mailward_audit::facts::{Known, Process, SigningKey};

use super::dns::{KEY, OTHER_KEY, SHORT_KEY, but, key, with, zone};
use crate::{Case, build};

/// With other keys.
fn keys(keys: Vec<SigningKey>) -> Facts {
    but(zone(), |facts| facts.dns.signing = Known::Is(keys))
}

/// With a line more in opendkim.conf.
fn conf(line: &str) -> Facts {
    let sound = "Mode sv\nCanonicalization relaxed/simple\nOversignHeaders From\n";
    build::file(zone(), "/etc/opendkim.conf", &format!("{sound}{line}\n"))
}

/// The cases, by id.
pub(crate) const CASES: &[Case] = &[
    Case {
        id: "DKM-001",
        fails: || but(zone(), |facts| facts.dns.signing = Known::Absent),
        shows: "mail of example.org is not signed",
        passes: zone,
    },
    Case {
        id: "DKM-002",
        fails: || {
            with(
                keys(vec![key("example.org", "mail", SHORT_KEY, &["*@example.org"])]),
                "TXT mail._domainkey.example.org",
                &[&format!("v=DKIM1; p={SHORT_KEY}")],
            )
        },
        shows: "has 1024 bit",
        passes: zone,
    },
    Case {
        id: "DKM-003",
        fails: || keys(vec![key("example.org", "mail", OTHER_KEY, &["*@example.org"])]),
        shows: "is not the one that signs",
        passes: zone,
    },
    Case {
        id: "DKM-004",
        fails: || with(zone(), "TXT mail._domainkey.example.org", &[]),
        shows: "which is not published",
        passes: zone,
    },
    Case {
        id: "DKM-005",
        fails: || with(zone(), "TXT mail._domainkey.example.org", &["v=DKIM1; p="]),
        shows: "was revoked",
        passes: zone,
    },
    Case {
        id: "DKM-006",
        fails: || with(zone(), "TXT mail._domainkey.example.org", &["v=DKIM1; k=rsa; p=MIIBIjAN*gkq"]),
        shows: "p= is no base64",
        passes: zone,
    },
    Case {
        id: "DKM-007",
        fails: || with(zone(), "TXT mail._domainkey.example.org", &[&format!("v=DKIM1; t=y; p={KEY}")]),
        shows: "marked as a test",
        passes: zone,
    },
    Case {
        id: "DKM-008",
        fails: || {
            keys(vec![SigningKey {
                modified: 1_700_000_000,
                ..key("example.org", "mail", KEY, &["*@example.org"])
            }])
        },
        shows: "older than a year",
        passes: zone,
    },
    Case { id: "DKM-009", fails: || conf("SignatureAlgorithm rsa-sha1"), shows: "rsa-sha1", passes: zone },
    Case {
        id: "DKM-010",
        fails: || conf("BodyLengthDB refile:/etc/opendkim/lengths"),
        shows: "first part",
        passes: zone,
    },
    Case {
        id: "DKM-011",
        fails: || build::file(zone(), "/etc/opendkim.conf", "Mode sv\nCanonicalization relaxed/simple\n"),
        shows: "does not over-sign From",
        passes: zone,
    },
    Case {
        id: "DKM-012",
        fails: || build::file(zone(), "/etc/opendkim/TrustedHosts", "127.0.0.1\n0.0.0.0/0\n"),
        shows: "/etc/opendkim/TrustedHosts:2",
        passes: zone,
    },
    Case {
        id: "DKM-013",
        fails: || build::file(zone(), "/etc/opendkim.conf", "Mode sv\nOversignHeaders From\n"),
        shows: "not set: simple/simple",
        passes: zone,
    },
    Case {
        id: "DKM-014",
        fails: || {
            with(
                keys(vec![
                    key("example.org", "mail", KEY, &["*@example.org"]),
                    key("example.net", "mail", KEY, &["*@example.net"]),
                ]),
                "TXT mail._domainkey.example.net",
                &[&format!("v=DKIM1; p={KEY}")],
            )
        },
        shows: "shares its DKIM key with example.net",
        passes: zone,
    },
    Case {
        id: "DKM-015",
        fails: || {
            with(
                keys(vec![key("example.net", "mail", KEY, &["*@example.org"])]),
                "TXT mail._domainkey.example.net",
                &[&format!("v=DKIM1; p={KEY}")],
            )
        },
        shows: "mail of example.org is signed as example.net",
        passes: zone,
    },
    Case {
        id: "DKM-016",
        fails: || {
            but(zone(), |facts| {
                let process = |name: &str| Process { name: name.to_owned(), ..Process::default() };
                facts.host.processes = Known::Is(vec![process("opendkim"), process("rspamd")]);
                let rspamd = SigningKey {
                    table: "/var/lib/rspamd/dkim".to_owned(),
                    ..key("example.org", "mail", KEY, &["example.org"])
                };
                if let Known::Is(keys) = &mut facts.dns.signing {
                    keys.push(rspamd);
                }
            })
        },
        shows: "both handle DKIM",
        passes: zone,
    },
    Case {
        id: "DKM-017",
        fails: || {
            with(
                keys(vec![
                    key("example.org", "mail", KEY, &["*@example.org"]),
                    key("example.org", "old", OTHER_KEY, &[]),
                ]),
                "TXT old._domainkey.example.org",
                &[&format!("v=DKIM1; p={OTHER_KEY}")],
            )
        },
        shows: "nothing signs with it",
        passes: zone,
    },
    Case {
        id: "DKM-018",
        fails: || {
            keys(vec![SigningKey {
                round_trip: Known::Is(
                    "the private key does not hold together (InconsistentComponents)".to_owned(),
                ),
                ..key("example.org", "mail", KEY, &["*@example.org"])
            }])
        },
        shows: "does not hold together",
        passes: zone,
    },
];
