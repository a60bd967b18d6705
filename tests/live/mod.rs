//! What the tests of the whole daemon need: a network of their own, a mail log, the daemon, and what the kernel has.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub(crate) mod daemon;
pub(crate) mod kernel;
pub(crate) mod mail_log;
pub(crate) mod namespace;
pub(crate) mod random;
pub(crate) mod stop;
