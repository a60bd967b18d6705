//! What logs and received reports hold.

use serde::{Deserialize, Serialize};

/// What logs and received reports hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogFacts {
    /// The log that was read; empty if none was.
    pub path: String,
}
