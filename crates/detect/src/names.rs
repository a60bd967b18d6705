//! Account names that were seen lately: the same few log in all day, and need not be checked and copied each time.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use mailward_model::{Account, Text};

/// A name for each of the last bits of a hash, the latest.
#[derive(Debug)]
pub(crate) struct Names {
    latest: Vec<Option<Account>>,
    hasher: RandomState,
}

impl Names {
    /// How many are kept, at most 254 bytes each.
    const MOST: usize = 4_096;

    pub(crate) fn new() -> Self {
        Self { latest: vec![None; Self::MOST], hasher: RandomState::default() }
    }

    /// What [`Account::of`] gives.
    pub(crate) fn account(&mut self, user: Text<'_>) -> Option<Account> {
        let place = self.hasher.hash_one(user.bytes()) as usize % Self::MOST;
        let latest = self.latest.get_mut(place)?;
        if latest.as_ref().is_none_or(|known| known.name().as_bytes() != user.bytes()) {
            *latest = Some(Account::of(user)?);
        }
        latest.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_they_would_be_without() {
        let mut names = Names::new();
        let users: Vec<_> =
            (0..20_000).map(|n| format!("{}-{}@example.org", ["ann", "Bob", ""][n % 3], n / 7)).collect();
        for user in users.iter().map(String::as_str).chain(["", "(unavailable)", "(Unavailable)"]) {
            for _ in 0..2 {
                assert_eq!(names.account(user.into()), Account::of(user.into()), "{user}");
            }
        }
    }
}
