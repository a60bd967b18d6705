//! How far it is: told to whoever shows it.

use std::sync::Arc;

use rustic_core::{Progress, ProgressBars, ProgressType, RusticProgress};

/// A step of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// So many bytes will be gone through.
    Total(u64),
    /// So many more were.
    Advance(u64),
}

/// Hears how far the work is.
#[derive(Clone)]
pub struct Meter(Option<Arc<dyn Fn(Step) + Send + Sync>>);

impl std::fmt::Debug for Meter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meter")
    }
}

impl Meter {
    /// Tells every step to `hear`.
    #[must_use]
    pub fn new(hear: impl Fn(Step) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hear)))
    }

    /// Nobody looks.
    #[must_use]
    pub fn silent() -> Self {
        Self(None)
    }

    pub(crate) fn tell(&self, step: Step) {
        if let Some(hear) = &self.0 {
            hear(step);
        }
    }
}

/// Bytes are what people want to see; counters and spinners of `rustic_core` come and go too fast.
impl ProgressBars for Meter {
    fn progress(&self, kind: ProgressType, _: &str) -> Progress {
        match kind {
            ProgressType::Bytes if self.0.is_some() => Progress::new(self.clone()),
            _ => Progress::hidden(),
        }
    }
}

impl RusticProgress for Meter {
    fn is_hidden(&self) -> bool {
        false
    }
    fn set_length(&self, bytes: u64) {
        self.tell(Step::Total(bytes));
    }
    fn set_title(&self, _: &str) {}
    fn inc(&self, bytes: u64) {
        self.tell(Step::Advance(bytes));
    }
    fn finish(&self) {}
}
