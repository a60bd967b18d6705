//! Versions.

use crate::{Check, NotYet};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[
    NotYet {
        id: "VER-001",
        title: "Postfix branch no longer maintained upstream *and* not by the distribution",
        because: "nobody has written it",
    },
    NotYet {
        id: "VER-002",
        title: "Known flaw in this Postfix build that the configuration does not offset",
        because: "nobody has written it",
    },
    NotYet { id: "VER-003", title: "Dovecot: as VER-001/002", because: "nobody has written it" },
    NotYet {
        id: "VER-004",
        title: "OpenSSL, ClamAV, rspamd, SpamAssassin, amavis, opendkim/opendmarc, fail2ban: known flaw or end of life",
        because: "nobody has written it",
    },
    NotYet {
        id: "VER-005",
        title: "Pending security updates; running process still maps the deleted old library",
        because: "nobody has written it",
    },
    NotYet { id: "VER-006", title: "Operating system out of support", because: "nobody has written it" },
    NotYet {
        id: "VER-007",
        title: "Our own data tables (versions, lists, suffixes) are old",
        because: "nobody has written it",
    },
];
