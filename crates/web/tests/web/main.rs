//! The control socket against real clients, slow ones and hostile ones.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking"
)]

mod events;
mod limits;
mod place;
mod rights;
mod sockets;
mod stopping;
mod talking;
