//! How threads of a test are told to end, even where the test fails: a scope waits for them.

use std::sync::atomic::{AtomicBool, Ordering};

/// Ends what looks at it as soon as it goes.
pub(crate) struct Stop<'a>(pub(crate) &'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
