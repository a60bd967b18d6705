//! Cases of the DANE family.

use mailward_audit::facts::Answer;

use super::dns::{but, port, with, with_answer, zone};
use crate::Case;

/// The cases, by id.
pub(crate) const CASES: &[Case] = &[
    Case {
        id: "DAN-001",
        fails: || but(zone(), |facts| facts.tls = vec![port("mail.example.org", 'c')]),
        shows: "does not match",
        passes: zone,
    },
    Case {
        id: "DAN-002",
        fails: || {
            with_answer(
                zone(),
                "TLSA _25._tcp.mail.example.org",
                Answer::of([
                    "3 1 1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                    "3 1 1 bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
                ]),
            )
        },
        shows: "published and not signed",
        passes: zone,
    },
    Case {
        id: "DAN-003",
        fails: || {
            with(
                zone(),
                "TLSA _25._tcp.mail.example.org",
                &["1 1 1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"],
            )
        },
        shows: "usage 0 and 1",
        passes: zone,
    },
    Case {
        id: "DAN-004",
        fails: || {
            with(
                zone(),
                "TLSA _25._tcp.mail.example.org",
                &["3 1 1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"],
            )
        },
        shows: "one TLSA record only",
        passes: zone,
    },
    Case {
        id: "DAN-005",
        fails: || {
            with(
                zone(),
                "TLSA _25._tcp.mail.example.org",
                &[
                    "2 1 1 dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd",
                    "2 1 1 ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
                ],
            )
        },
        shows: "lacks the CA",
        passes: || {
            with(
                zone(),
                "TLSA _25._tcp.mail.example.org",
                &["2 1 1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"],
            )
        },
    },
    Case {
        id: "DAN-006",
        fails: || with(zone(), "TLSA _25._tcp.mail.example.org", &[]),
        shows: "signed and has no TLSA",
        passes: zone,
    },
    Case {
        id: "DAN-007",
        fails: || {
            with_answer(
                zone(),
                "TLSA _25._tcp.mail.example.org",
                Answer {
                    ttl: 604_800,
                    authenticated: true,
                    ..Answer::of([
                        "3 1 1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                        "3 1 1 bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
                    ])
                },
            )
        },
        shows: "604800 s",
        passes: zone,
    },
];
