//! Names, addresses, trust.

use crate::{Check, NotYet};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[
    NotYet {
        id: "DNS-001",
        title: "Receiving domain without MX (implicit A)",
        because: "nobody has written it",
    },
    NotYet { id: "DNS-002", title: "MX points to a CNAME", because: "nobody has written it" },
    NotYet { id: "DNS-003", title: "MX name has no address", because: "nobody has written it" },
    NotYet {
        id: "DNS-004",
        title: "MX resolves to private, loopback or documentation space",
        because: "nobody has written it",
    },
    NotYet {
        id: "DNS-005",
        title: "MX target is an IP literal or invalid host name",
        because: "nobody has written it",
    },
    NotYet {
        id: "DNS-006",
        title: "Null MX together with other MX, or on a domain that sends and receives",
        because: "nobody has written it",
    },
    NotYet {
        id: "DNS-007",
        title: "No PTR for a sending address (each family)",
        because: "nobody has written it",
    },
    NotYet { id: "DNS-008", title: "PTR does not resolve back (FCrDNS)", because: "nobody has written it" },
    NotYet { id: "DNS-009", title: "PTR looks dynamic or generic", because: "nobody has written it" },
    NotYet {
        id: "DNS-010",
        title: "HELO name has no address or not this server's",
        because: "nobody has written it",
    },
    NotYet {
        id: "DNS-011",
        title: "IPv6 used for sending without PTR/SPF, or MX without IPv6",
        because: "nobody has written it",
    },
    NotYet { id: "DNS-012", title: "Mail domain or MX zone not signed", because: "nobody has written it" },
    NotYet {
        id: "DNS-013",
        title: "Signature broken (bogus): validating senders cannot deliver",
        because: "nobody has written it",
    },
    NotYet { id: "DNS-014", title: "Signatures end soon", because: "nobody has written it" },
    NotYet {
        id: "DNS-015",
        title: "One name server only, or all in one network",
        because: "nobody has written it",
    },
    NotYet {
        id: "DNS-016",
        title: "Name servers disagree (serial, MX set, SPF) or are lame",
        because: "nobody has written it",
    },
    NotYet { id: "DNS-017", title: "No CAA", because: "nobody has written it" },
    NotYet {
        id: "DNS-018",
        title: "CAA excludes the CA in use: next renewal fails",
        because: "nobody has written it",
    },
    NotYet {
        id: "DNS-019",
        title: "Wildcard MX/TXT answers for every subdomain",
        because: "nobody has written it",
    },
    NotYet {
        id: "DNS-020",
        title: "Service records missing or lead to cleartext (_imap, _pop3, _submission on 25)",
        because: "nobody has written it",
    },
    NotYet {
        id: "DNS-021",
        title: "Dangling name: MX, SPF include, DKIM/MTA-STS/autodiscover CNAME to a name that nobody owns",
        because: "nobody has written it",
    },
    NotYet {
        id: "DNS-022",
        title: "Server resolves through a public resolver or one that does not validate",
        because: "nobody has written it",
    },
    NotYet {
        id: "DNS-023",
        title: "Recursive resolver on the mail host answers the world",
        because: "nobody has written it",
    },
    NotYet {
        id: "DNS-024",
        title: "Second MX is weaker (no TLS, no filter, accepts unknown recipients)",
        because: "nobody has written it",
    },
    NotYet {
        id: "DNS-025",
        title: "Route of the MX prefix not covered by a valid ROA",
        because: "nobody has written it",
    },
    NotYet {
        id: "DNS-026",
        title: "Resolver on the server does not answer, or takes over a second",
        because: "nobody has written it",
    },
];
