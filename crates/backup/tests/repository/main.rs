//! Repositories on a disk: what restic says of them, what a Maildir looks like that was in use, what damage leads to.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking"
)]

mod crash;
mod damage;
mod live;
mod make;
mod restic;
mod round_trip;
