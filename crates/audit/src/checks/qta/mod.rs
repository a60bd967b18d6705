//! Quota and space.

use crate::{Check, NotYet};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[
    NotYet {
        id: "QTA-001",
        title: "Quota switched on but no limit defined",
        because: "nobody has written it",
    },
    NotYet { id: "QTA-002", title: "Mailboxes without limit", because: "nobody has written it" },
    NotYet { id: "QTA-003", title: "Sum of limits exceeds the disk", because: "nobody has written it" },
    NotYet { id: "QTA-004", title: "Mailbox above 95 %", because: "nobody has written it" },
    NotYet {
        id: "QTA-005",
        title: "Over-quota only noticed after acceptance (bounces to strangers)",
        because: "nobody has written it",
    },
    NotYet {
        id: "QTA-006",
        title: "Space or inodes: mail store, queue, log above 85 % (M), 95 % (H); queue below 1.5 × message_size_limit",
        because: "nobody has written it",
    },
    NotYet {
        id: "QTA-007",
        title: "No warning to users before they are full",
        because: "nobody has written it",
    },
];
