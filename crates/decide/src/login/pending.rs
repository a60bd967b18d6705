//! Dovecot asks the same question twice for a login that succeeds, before it looks at the password and after. The two look alike;
//! but between two tries of a password there is always a report.

use std::collections::HashSet;

use foldhash::quality::RandomState;
use mailward_model::{Span, Timestamp};

/// Questions that no report followed yet, as digests of session or address, name and password.
#[derive(Debug, Default)]
pub struct Pending {
    young: HashSet<u64, RandomState>,
    old: HashSet<u64, RandomState>,
    turned: Timestamp,
}

impl Pending {
    /// How long a question is remembered, unless a flood of others follows. Dovecot gives a login up after three minutes, and delays it by 17 seconds.
    const MEMORY: Span = Span::from_mins(4);
    /// When both halves are older than that.
    const FORGOTTEN: Span = Span::from_mins(8);
    /// The most that are remembered in each half.
    const MOST: usize = 65_536;

    /// Notes a question; tells whether it was asked before, which means that the password was right.
    pub fn asked(&mut self, question: u64, now: Timestamp) -> bool {
        self.turn(now);
        let again = self.old.contains(&question);
        !self.young.insert(question) || again
    }

    /// A report followed.
    pub fn answered(&mut self, question: u64) {
        self.young.remove(&question);
        self.old.remove(&question);
    }

    fn turn(&mut self, now: Timestamp) {
        let past = now.since(self.turned);
        if past >= Self::MEMORY || self.young.len() >= Self::MOST {
            self.old = std::mem::take(&mut self.young);
            if past >= Self::FORGOTTEN {
                self.old.clear();
            }
            self.turned = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The oracle remembers every question with its time.
        #[test]
        fn a_question_is_known_until_its_report_and_not_for_ever(
            steps in proptest::collection::vec((0..6_u64, any::<bool>(), 0..60_u64), 1..200),
        ) {
            let (mut pending, mut asked, mut now) = (Pending::default(), std::collections::HashMap::new(), 0);
            for (question, is_report, later) in steps {
                now += later;
                if is_report {
                    pending.answered(question);
                    asked.remove(&question);
                    continue;
                }
                let known = pending.asked(question, Timestamp::from_secs(now as i64));
                match asked.insert(question, now) {
                    None => prop_assert!(!known),
                    Some(before) if now - before < Pending::MEMORY.secs() => prop_assert!(known),
                    Some(before) => prop_assert!(!known || now - before <= 3 * Pending::MEMORY.secs()),
                }
            }
        }
    }

    #[test]
    fn a_flood_of_questions_is_bounded() {
        let mut pending = Pending::default();
        for question in 0..1_000_000 {
            pending.asked(question, Timestamp::from_secs(0));
        }
        assert!(pending.young.len() + pending.old.len() <= 2 * Pending::MOST);
    }
}
