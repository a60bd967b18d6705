//! Rules about the tree that no compiler and no linter knows. Each tells every place that breaks it at once.
//!
//! `arrows` holds the cut into rooms, `manifests` the dependencies, `code` the budgets and names, `documents` what the
//! documents say about the tree.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod arrows;
mod code;
mod documents;
mod manifests;
mod tree;

/// Fails with every finding, or not at all.
fn none(findings: &[String], rule: &str) {
    assert!(findings.is_empty(), "{rule}:\n  {}\n", findings.join("\n  "));
}
