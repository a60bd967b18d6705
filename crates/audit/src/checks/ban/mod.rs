//! Intrusion response and network exposure.

use crate::{Check, NotYet};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[
    NotYet { id: "BAN-001", title: "Nothing reacts to guessing", because: "nobody has written it" },
    NotYet {
        id: "BAN-002",
        title: "A rule's pattern matches none of the lines it is meant for",
        because: "nobody has written it",
    },
    NotYet {
        id: "BAN-003",
        title: "A class of attack in the log is covered by no rule (SSL_accept errors, PREGREET, SASL on submissions, Sieve, POP3)",
        because: "nobody has written it",
    },
    NotYet {
        id: "BAN-004",
        title: "Jail refers to a filter or log file that does not exist, or to one in a place the container never reads",
        because: "nobody has written it",
    },
    NotYet {
        id: "BAN-005",
        title: "Ban action cannot work (no NET_ADMIN, no nft/iptables, wrong chain for published container ports)",
        because: "nobody has written it",
    },
    NotYet {
        id: "BAN-006",
        title: "IPv6 not covered, or banned as single /128",
        because: "nobody has written it",
    },
    NotYet { id: "BAN-007", title: "Ignore list too wide", because: "nobody has written it" },
    NotYet {
        id: "BAN-008",
        title: "All clients appear as one address (container gateway, proxy): bans would cut off everybody",
        because: "nobody has written it",
    },
    NotYet {
        id: "BAN-009",
        title: "Ban time or window meaninglessly short, try count high, no growth for repeaters",
        because: "nobody has written it",
    },
    NotYet {
        id: "BAN-010",
        title: "Large mail providers or own monitoring banned",
        because: "nobody has written it",
    },
    NotYet {
        id: "BAN-011",
        title: "Firewall opens internal ports (24, 10024–10026, 11332–11334, 6379, 3306, 8891, 9000)",
        because: "nobody has written it",
    },
    NotYet {
        id: "BAN-012",
        title: "Container ports by-pass the host firewall (published past ufw)",
        because: "nobody has written it",
    },
    NotYet {
        id: "BAN-013",
        title: "Rate rule on port 25 that throttles all senders together (no per-source key), or accepts without ever dropping",
        because: "nobody has written it",
    },
];
