//! What is to survive a restart, handed on a few times a second: answers never wait for the disk.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use mailward_decide::{Fingerprint, SeenChange, Sent, Taken};
use mailward_model::Account;
use tokio::time::{Instant, sleep};

use crate::State;

/// What is to be kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Whom the greylist has seen, in the order in which that happened.
    pub seen: Vec<SeenChange>,
    /// What accounts have sent.
    pub accounts: HashMap<Account, Sent>,
    /// What clients have taken of their limits, in the order in which that happened.
    pub rates: Vec<(Fingerprint, Taken)>,
}

impl Changes {
    /// Whether there is nothing to keep.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty() && self.accounts.is_empty() && self.rates.is_empty()
    }

    fn take(state: &mut State) -> Self {
        Self {
            seen: state.policy.greylist_mut().take_changes(),
            accounts: state.policy.outgoing_mut().take_changes().into_iter().collect(),
            rates: state.policy.take_rates(),
        }
    }

    /// Appends what came later. While the disk stands still, the oldest are given up: what is in memory is not lost by that.
    fn append(&mut self, later: Self) -> u64 {
        self.seen.extend(later.seen);
        self.rates.extend(later.rates);
        self.accounts.extend(later.accounts);
        give_up(&mut self.seen) + give_up(&mut self.rates)
    }
}

/// Takes the oldest of too many; tells how many.
fn give_up<T>(waiting: &mut Vec<T>) -> u64 {
    let too_many = waiting.len().saturating_sub(MOST);
    waiting.drain(..too_many);
    too_many as u64
}

/// How often changes are handed on: less than a second may be lost with the process.
const PERIOD: Duration = Duration::from_millis(200);
/// Changes that wait for a disk that stands still.
const MOST: usize = 200_000;
/// How long the end waits for the disk.
const PATIENCE: Duration = Duration::from_secs(3);

type Keep = Box<dyn FnMut(Changes) -> Result<(), Changes> + Send>;

/// Hands on what is to be kept.
pub(crate) struct Ledger {
    keep: RefCell<Keep>,
    waiting: RefCell<Changes>,
}

impl Ledger {
    pub(crate) fn new(keep: Keep) -> Self {
        Self { keep: RefCell::new(keep), waiting: RefCell::default() }
    }

    /// Hands on, again and again.
    pub(crate) async fn keep_up(&self, state: &RefCell<State>) {
        loop {
            sleep(PERIOD).await;
            self.hand_on(state);
        }
    }

    /// Hands on the last of it.
    pub(crate) async fn close(&self, state: &RefCell<State>) {
        let deadline = Instant::now() + PATIENCE;
        while !self.hand_on(state) && Instant::now() < deadline {
            sleep(PERIOD / 20).await;
        }
    }

    /// Tells whether all of it was taken.
    fn hand_on(&self, state: &RefCell<State>) -> bool {
        let mut waiting = self.waiting.borrow_mut();
        let mut state = state.borrow_mut();
        let lost = waiting.append(Changes::take(&mut state));
        state.stats.not_kept += lost;
        if waiting.is_empty() {
            return true;
        }
        match (self.keep.borrow_mut())(std::mem::take(&mut *waiting)) {
            Ok(()) => true,
            Err(back) => {
                *waiting = back;
                false
            }
        }
    }
}
