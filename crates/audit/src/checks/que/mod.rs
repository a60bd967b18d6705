//! Queue.

use crate::{Check, NotYet};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[
    NotYet { id: "QUE-001", title: "Deferred queue large or old", because: "nobody has written it" },
    NotYet { id: "QUE-002", title: "Active queue stuck", because: "nobody has written it" },
    NotYet { id: "QUE-003", title: "Forgotten mail in hold", because: "nobody has written it" },
    NotYet { id: "QUE-004", title: "Corrupt queue files", because: "nobody has written it" },
    NotYet {
        id: "QUE-005",
        title: "One login or host fills the queue (compromise)",
        because: "nobody has written it",
    },
    NotYet {
        id: "QUE-006",
        title: "Mostly bounces to strangers (backscatter)",
        because: "nobody has written it",
    },
];
