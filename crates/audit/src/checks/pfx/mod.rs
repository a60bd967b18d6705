//! Postfix configuration.

use crate::{Check, NotYet};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[
    NotYet {
        id: "PFX-001",
        title: "Configuration does not load, or postfix check warns",
        because: "nobody has written it",
    },
    NotYet {
        id: "PFX-002",
        title: "Parameter that Postfix does not know (typo, invented, wrong program)",
        because: "nobody has written it",
    },
    NotYet { id: "PFX-003", title: "Same parameter assigned twice", because: "nobody has written it" },
    NotYet {
        id: "PFX-004",
        title: "compatibility_level absent or older than the software: old defaults stay in force",
        because: "nobody has written it",
    },
    NotYet {
        id: "PFX-005",
        title: "A rule that can never act (after permit/reject, empty map, warn_if_reject left in)",
        because: "nobody has written it",
    },
    NotYet {
        id: "PFX-006",
        title: "Setting written for a daemon that is not in the path (postscreen parameters while port 25 runs smtpd; greylisting address never called)",
        because: "nobody has written it",
    },
    NotYet {
        id: "PFX-007",
        title: "No early filter on port 25: neither postscreen nor equivalent greet test",
        because: "nobody has written it",
    },
    NotYet {
        id: "PFX-008",
        title: "master.cf override weakens a sound main.cf value",
        because: "nobody has written it",
    },
    NotYet {
        id: "PFX-009",
        title: "Internal service (re-injection 10025/10026, policy, LMTP) listens beyond loopback",
        because: "nobody has written it",
    },
    NotYet {
        id: "PFX-010",
        title: "content_filter/re-injection accepts without own restrictions and relays",
        because: "nobody has written it",
    },
    NotYet {
        id: "PFX-011",
        title: "Filter fails open: milter_default_action = accept, or content filter bypass",
        because: "nobody has written it",
    },
    NotYet {
        id: "PFX-012",
        title: "Milter or filter configured but not answering",
        because: "nobody has written it",
    },
    NotYet {
        id: "PFX-013",
        title: "Outgoing mail by-passes the signer (milter missing on submission or in non_smtpd_milters)",
        because: "nobody has written it",
    },
    NotYet {
        id: "PFX-014",
        title: "Outgoing TLS off (smtp_tls_security_level empty/none)",
        because: "nobody has written it",
    },
    NotYet {
        id: "PFX-015",
        title: "Outgoing DANE or MTA-STS not validated",
        because: "nobody has written it",
    },
    NotYet {
        id: "PFX-016",
        title: "Credentials to the relay host sent without verified TLS",
        because: "nobody has written it",
    },
    NotYet {
        id: "PFX-017",
        title: "Aliases may run commands or write files more widely than needed",
        because: "nobody has written it",
    },
    NotYet {
        id: "PFX-018",
        title: "Virtual delivery may use system uids (virtual_minimum_uid < 100, static 0)",
        because: "nobody has written it",
    },
    NotYet {
        id: "PFX-019",
        title: "Domain is both in mydestination and in virtual or relay classes",
        because: "nobody has written it",
    },
    NotYet {
        id: "PFX-020",
        title: "always_bcc, sender_bcc_maps, recipient_bcc_maps copy mail to an outside address",
        because: "nobody has written it",
    },
    NotYet {
        id: "PFX-021",
        title: "Test switches left on: soft_bounce, debug_peer_list, debug_peer_level, verbose -v services, warn_if_reject",
        because: "nobody has written it",
    },
    NotYet {
        id: "PFX-022",
        title: "Queue life time extreme (under 1 day or over 7)",
        because: "nobody has written it",
    },
    NotYet {
        id: "PFX-023",
        title: "Postmaster is not told of errors, or nobody reads it",
        because: "nobody has written it",
    },
    NotYet {
        id: "PFX-024",
        title: "Lookup table older than its source (postmap not run), or source missing",
        because: "nobody has written it",
    },
    NotYet {
        id: "PFX-025",
        title: "Lookup over the network in clear (MySQL, PostgreSQL, LDAP)",
        because: "nobody has written it",
    },
    NotYet { id: "PFX-026", title: "Forwarding outside without SRS", because: "nobody has written it" },
    NotYet { id: "PFX-027", title: "Inbound SPF not evaluated", because: "nobody has written it" },
    NotYet {
        id: "PFX-028",
        title: "Inbound DKIM/DMARC not evaluated, or evaluated without effect",
        because: "nobody has written it",
    },
    NotYet {
        id: "PFX-029",
        title: "Forged Authentication-Results with our id are not removed",
        because: "nobody has written it",
    },
    NotYet {
        id: "PFX-030",
        title: "Bounces generated after acceptance (after-queue filter rejects by bounce, autoresponder to forged senders)",
        because: "nobody has written it",
    },
    NotYet {
        id: "PFX-031",
        title: "Host is not a mail server by role but listens to the network",
        because: "nobody has written it",
    },
    NotYet {
        id: "PFX-032",
        title: "Access map blocks by address range that is far too wide or stale (/8, whole provider), or a file of blocks that nothing reads",
        because: "nobody has written it",
    },
];
