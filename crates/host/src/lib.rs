//! The machine: files, processes, clock.
//!
//! The one place that starts other programs (absolute path, argument list, clean environment, a limit on everything) and
//! that replaces files. It knows nothing of mail.
#![forbid(unsafe_code)]

pub mod atomic;
pub mod clock;
pub mod lock;
pub mod path;
pub mod priority;
pub mod process;
pub mod random;
pub mod run;
pub mod staged;
pub mod stream;
pub mod terminal;
pub mod user;
