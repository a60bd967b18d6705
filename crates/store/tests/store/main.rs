//! The store against the file system, the crash and an obvious oracle.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking"
)]

mod audits;
mod crash;
mod damage;
mod full_disk;
mod make;
mod opening;
mod oracle;
mod proofs;
mod retention;
mod round_trip;
