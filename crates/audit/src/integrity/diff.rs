//! The lines in which two texts differ, as `diff -u` shows them.

use similar::{ChangeTag, TextDiff};

/// A line of a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// It is in both.
    Same(String),
    /// It was there.
    Out(String),
    /// It is there now.
    In(String),
    /// Lines that are the same are left out here.
    Gap,
}

/// Lines that are shown around a difference.
const AROUND: usize = 2;

/// Longer texts are not compared line by line: that would take the square of their length.
const LONGEST: usize = 4_000;

/// What differs; none if a text is too long to tell.
#[must_use]
pub fn diff(before: &str, after: &str) -> Option<Vec<Line>> {
    if before.lines().count().max(after.lines().count()) > LONGEST {
        return None;
    }
    let diff = TextDiff::from_lines(before, after);
    let mut lines = Vec::new();
    for group in diff.grouped_ops(AROUND) {
        if !lines.is_empty() {
            lines.push(Line::Gap);
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let text = change.value().trim_end_matches(['\n', '\r']).to_owned();
            lines.push(match change.tag() {
                ChangeTag::Equal => Line::Same(text),
                ChangeTag::Delete => Line::Out(text),
                ChangeTag::Insert => Line::In(text),
            });
        }
    }
    Some(lines)
}
