//! Paths as texts.

use std::path::{Component, Path, PathBuf};

/// A path without `.` and `..`, by its text alone: no link on the way is followed, and nothing has to be there.
#[must_use]
pub fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => _ = plain.pop(),
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}
