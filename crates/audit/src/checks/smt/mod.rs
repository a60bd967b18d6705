//! SMTP behaviour.

use crate::{Check, NotYet};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[
    NotYet {
        id: "SMT-001",
        title: "Open relay: outside sender to outside recipient accepted without login, on any service",
        because: "nobody has written it",
    },
    NotYet {
        id: "SMT-002",
        title: "Relay by sender address: access map OK/permit before reject_unauth_destination",
        because: "nobody has written it",
    },
    NotYet {
        id: "SMT-003",
        title: "Relay by destination: relay_domains or permit_mx_backup admits names we do not serve (com, *, $mydestination of a guest)",
        because: "nobody has written it",
    },
    NotYet { id: "SMT-004", title: "AUTH offered or accepted before TLS", because: "nobody has written it" },
    NotYet { id: "SMT-005", title: "AUTH on port 25", because: "nobody has written it" },
    NotYet {
        id: "SMT-006",
        title: "Obsolete or anonymous SASL mechanisms (ANONYMOUS C; NTLM, DIGEST-MD5, CRAM-MD5, APOP M)",
        because: "nobody has written it",
    },
    NotYet { id: "SMT-007", title: "VRFY answers", because: "nobody has written it" },
    NotYet { id: "SMT-008", title: "EXPN, ETRN, or DEBUG accepted", because: "nobody has written it" },
    NotYet {
        id: "SMT-009",
        title: "XCLIENT / XFORWARD offered to addresses that are not a trusted proxy",
        because: "nobody has written it",
    },
    NotYet {
        id: "SMT-010",
        title: "PROXY protocol header accepted from anyone",
        because: "nobody has written it",
    },
    NotYet { id: "SMT-011", title: "Banner tells product, version or OS", because: "nobody has written it" },
    NotYet {
        id: "SMT-012",
        title: "Banner/HELO name is not an FQDN, does not resolve, or differs from PTR and certificate",
        because: "nobody has written it",
    },
    NotYet {
        id: "SMT-013",
        title: "HELO not required, or malformed HELO accepted",
        because: "nobody has written it",
    },
    NotYet {
        id: "SMT-014",
        title: "SMTP smuggling: an end-of-data other than CRLF.CRLF is obeyed",
        because: "nobody has written it",
    },
    NotYet {
        id: "SMT-015",
        title: "Bare CR/LF lines accepted and passed on unchanged",
        because: "nobody has written it",
    },
    NotYet { id: "SMT-016", title: "Unauthorised pipelining accepted", because: "nobody has written it" },
    NotYet {
        id: "SMT-017",
        title: "Outsiders may send as our own domain (envelope)",
        because: "nobody has written it",
    },
    NotYet {
        id: "SMT-018",
        title: "Logged-in user may send as anyone (no sender/login match)",
        because: "nobody has written it",
    },
    NotYet {
        id: "SMT-019",
        title: "Submission port takes mail without login",
        because: "nobody has written it",
    },
    NotYet {
        id: "SMT-020",
        title: "Submission port takes commands without TLS",
        because: "nobody has written it",
    },
    NotYet {
        id: "SMT-021",
        title: "Unknown local recipients accepted (backscatter, accept-all)",
        because: "nobody has written it",
    },
    NotYet { id: "SMT-022", title: "Empty sender refused", because: "nobody has written it" },
    NotYet {
        id: "SMT-023",
        title: "postmaster@ or abuse@ refused or goes nowhere",
        because: "nobody has written it",
    },
    NotYet {
        id: "SMT-024",
        title: "No brake on address guessing: many bad RCPT or failed AUTH in one session",
        because: "nobody has written it",
    },
    NotYet {
        id: "SMT-025",
        title: "No limit on connections, messages, recipients or AUTH per client",
        because: "nobody has written it",
    },
    NotYet {
        id: "SMT-026",
        title: "Message size unlimited, or larger than mailbox/scanner allow",
        because: "nobody has written it",
    },
    NotYet {
        id: "SMT-027",
        title: "Submission leaks the user's address, client name or internal hosts in Received",
        because: "nobody has written it",
    },
    NotYet {
        id: "SMT-028",
        title: "Success DSN offered to strangers (confirms addresses)",
        because: "nobody has written it",
    },
    NotYet {
        id: "SMT-029",
        title: "MX not reachable, or greets so slowly that senders give up",
        because: "nobody has written it",
    },
    NotYet {
        id: "SMT-030",
        title: "Own network claims too wide: mynetworks holds public or container ranges, or is implied by mynetworks_style",
        because: "nobody has written it",
    },
];
