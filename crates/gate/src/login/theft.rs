//! Whether a password was right cannot be known at once where Dovecot names no session, as at Postfix's logins: two tries of one
//! wrong password at the same moment look like one of the right one. But then one of them fails on the password.

use std::collections::HashSet;
use std::time::Duration;

use foldhash::quality::RandomState;

/// Within what time Dovecot looks at a password and reports it: it delays failures, and so do we.
pub(super) const REPORTED: Duration = Duration::from_secs(30);

/// Passwords that were right, as it seems.
#[derive(Debug, Default)]
pub(super) struct Suspicions(HashSet<u64, RandomState>);

impl Suspicions {
    /// The most at a time.
    const MOST: usize = 1_024;

    /// Tells whether it is new.
    pub(super) fn suspect(&mut self, question: u64) -> bool {
        self.0.len() < Self::MOST && self.0.insert(question)
    }

    /// The password was wrong.
    pub(super) fn acquit(&mut self, question: u64) {
        self.0.remove(&question);
    }

    /// No time for objections any more: whether there was none.
    pub(super) fn is_confirmed(&mut self, question: u64) -> bool {
        self.0.remove(&question)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suspicion_holds_unless_the_password_was_wrong() {
        let mut suspicions = Suspicions::default();
        assert!(suspicions.suspect(1) && suspicions.suspect(2));
        assert!(!suspicions.suspect(1));
        suspicions.acquit(1);
        assert_eq!((suspicions.is_confirmed(1), suspicions.is_confirmed(2)), (false, true));
        assert!((10..1_000_000).filter(|question| suspicions.suspect(*question)).count() <= 1_024);
    }
}
