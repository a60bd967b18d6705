//! docker-mailserver and containers.

use crate::{Check, NotYet};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[
    NotYet {
        id: "DMS-001",
        title: "Variable that DMS does not know (no effect): typo or invented",
        because: "nobody has written it",
    },
    NotYet {
        id: "DMS-002",
        title: "File in config/ that DMS never reads (fail2ban-filter.cf, postfix-reject-cidr.cf, spamassassin/local.cf …)",
        because: "nobody has written it",
    },
    NotYet {
        id: "DMS-003",
        title: "SSL_TYPE empty or self-signed on a public host",
        because: "nobody has written it",
    },
    NotYet {
        id: "DMS-004",
        title: "PERMIT_DOCKER widens the relay networks",
        because: "nobody has written it",
    },
    NotYet { id: "DMS-005", title: "SPOOF_PROTECTION off", because: "nobody has written it" },
    NotYet { id: "DMS-006", title: "ENABLE_FAIL2BAN=1 without NET_ADMIN", because: "nobody has written it" },
    NotYet {
        id: "DMS-007",
        title: "rspamd together with amavis/opendkim/opendmarc/policyd-spf",
        because: "nobody has written it",
    },
    NotYet {
        id: "DMS-008",
        title: "Image tag floating (latest, edge) or very old",
        because: "nobody has written it",
    },
    NotYet {
        id: "DMS-009",
        title: "Privileged container, docker socket mounted, or host network",
        because: "nobody has written it",
    },
    NotYet {
        id: "DMS-010",
        title: "Internal or cleartext ports published (110, 143, 10025, 11334)",
        because: "nobody has written it",
    },
    NotYet {
        id: "DMS-011",
        title: "Logs or state not on a volume (lost at re-creation: bans, Bayes, signatures, audit trail)",
        because: "nobody has written it",
    },
    NotYet {
        id: "DMS-012",
        title: "Host name is the bare mail domain or does not match MX/PTR/certificate",
        because: "nobody has written it",
    },
    NotYet { id: "DMS-013", title: "Override file weakens a DMS default", because: "nobody has written it" },
    NotYet {
        id: "DMS-014",
        title: "No restart policy, short stop time, or no health check",
        because: "nobody has written it",
    },
];
