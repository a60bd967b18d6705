//! Cases of the QUE family.

use mailward_audit::Facts;
use mailward_audit::facts::{Known, Queue, Queued};

use crate::Case;
use crate::build::nothing;

/// The time of the facts, seconds since 1970.
const NOW: i64 = 1_772_366_400;

/// A queue of `count` messages of a sender, `age` seconds old, each to a domain of its own.
fn queue(name: &str, count: usize, age: i64, sender: &str) -> Facts {
    let message = |number: usize| Queued {
        queue: name.to_owned(),
        id: format!("4bXyz{number}"),
        arrived: NOW - age,
        sender: sender.to_owned(),
        recipients: vec![format!("someone@d{number}.example")],
        reason: "connect to mx.example[192.0.2.1]:25: Connection timed out".to_owned(),
        ..Queued::default()
    };
    of(Queue { messages: (0..count).map(message).collect(), corrupt: 0 })
}

fn of(queue: Queue) -> Facts {
    let mut facts = nothing();
    facts.host.queue = Known::Is(queue);
    facts
}

fn with_corrupt(corrupt: u64) -> Facts {
    of(Queue { messages: Vec::new(), corrupt })
}

const DAY: i64 = 24 * 3600;

/// The cases, by id.
pub(crate) const CASES: &[Case] = &[
    Case {
        id: "QUE-001",
        fails: || queue("deferred", 12, 3 * DAY, "a@example.org"),
        shows: "12 messages are deferred, 12 of them for more than a day",
        passes: || queue("deferred", 9, 3 * DAY, "a@example.org"),
    },
    Case {
        id: "QUE-001",
        fails: || queue("deferred", 101, 60, "a@example.org"),
        shows: "Connection timed out (101)",
        passes: || queue("active", 101, 60, "a@example.org"),
    },
    Case {
        id: "QUE-002",
        fails: || queue("active", 30, 2 * 3600, "a@example.org"),
        shows: "30 messages have been in the active queue",
        passes: || queue("active", 30, 60, "a@example.org"),
    },
    Case {
        id: "QUE-003",
        fails: || queue("hold", 1, 9 * DAY, "a@example.org"),
        shows: "the oldest for 9 days",
        passes: || queue("hold", 1, 3600, "a@example.org"),
    },
    Case { id: "QUE-004", fails: || with_corrupt(2), shows: "2 files", passes: || with_corrupt(0) },
    Case {
        id: "QUE-005",
        fails: || queue("deferred", 60, 60, "bob@example.org"),
        shows: "bob@example.org: 60 messages to 60 domains",
        passes: || queue("deferred", 40, 60, "bob@example.org"),
    },
    Case {
        id: "QUE-006",
        fails: || queue("deferred", 25, 60, ""),
        shows: "25 of the 25 messages",
        passes: || queue("deferred", 25, 60, "a@example.org"),
    },
];
