//! The DNS of an audit against a real name server (nsd), with checkdmarc beside it.

#![expect(clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]
#![expect(clippy::print_stderr, reason = "what was skipped, and how long it took")]

mod broken;
mod dnssec;
mod documents;
mod keys;
mod questions;
mod server;
