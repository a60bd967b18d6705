//! The DNS of an audit against a real name server (nsd), with checkdmarc beside it.

#![expect(clippy::panic, reason = "a test that cannot go on fails")]

mod broken;
mod documents;
mod keys;
mod questions;
mod server;
