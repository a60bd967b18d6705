//! DKIM.

use crate::{Check, NotYet};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[
    NotYet {
        id: "DKM-001",
        title: "Outgoing mail of a served domain is not signed",
        because: "nobody has written it",
    },
    NotYet {
        id: "DKM-002",
        title: "RSA key under 1024 bit (C), under 2048 (M)",
        because: "nobody has written it",
    },
    NotYet {
        id: "DKM-003",
        title: "Public key in DNS is not the private key in use",
        because: "nobody has written it",
    },
    NotYet {
        id: "DKM-004",
        title: "Selector of the signing table is absent in DNS",
        because: "nobody has written it",
    },
    NotYet {
        id: "DKM-005",
        title: "Key revoked (p= empty) but still used to sign",
        because: "nobody has written it",
    },
    NotYet {
        id: "DKM-006",
        title: "Key record malformed, several at one name, or split wrongly",
        because: "nobody has written it",
    },
    NotYet { id: "DKM-007", title: "t=y (test) left on", because: "nobody has written it" },
    NotYet {
        id: "DKM-008",
        title: "Key older than 12 months (6 recommended)",
        because: "nobody has written it",
    },
    NotYet { id: "DKM-009", title: "Signs with rsa-sha1", because: "nobody has written it" },
    NotYet {
        id: "DKM-010",
        title: "Body length tag l= used (content can be appended)",
        because: "nobody has written it",
    },
    NotYet {
        id: "DKM-011",
        title: "From, Subject, To, Date, Reply-To, MIME headers not signed or not over-signed",
        because: "nobody has written it",
    },
    NotYet {
        id: "DKM-012",
        title: "Strangers' mail gets our signature (InternalHosts/TrustedHosts too wide, rspamd sign_inbound)",
        because: "nobody has written it",
    },
    NotYet {
        id: "DKM-013",
        title: "simple/simple canonicalisation (breaks on trivial changes)",
        because: "nobody has written it",
    },
    NotYet {
        id: "DKM-014",
        title: "One key for several domains or tenants",
        because: "nobody has written it",
    },
    NotYet {
        id: "DKM-015",
        title: "Signing domain does not align with From",
        because: "nobody has written it",
    },
    NotYet {
        id: "DKM-016",
        title: "Two signers or verifiers active (opendkim and rspamd)",
        because: "nobody has written it",
    },
    NotYet {
        id: "DKM-017",
        title: "Old selectors still published with valid keys",
        because: "nobody has written it",
    },
    NotYet { id: "DKM-018", title: "Sign-then-verify round trip fails", because: "nobody has written it" },
];
