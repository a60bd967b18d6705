//! Collects [`Facts`](mailward_audit::Facts) about a mail server: what its programs say, its files, what its ports and the DNS
//! answer. Changes nothing, and every look has a deadline.
#![forbid(unsafe_code)]

pub mod accounts;
mod collect;
pub mod commands;
pub mod dns;
mod files;
mod filter;
mod host;
pub mod integrity;
mod log;
mod place;
pub mod reports;
mod saved;
mod secret;
pub mod talk;
pub mod tls;

pub use collect::{Options, collect, collect_accounts, collect_queue, collect_space};
pub use files::{Mask, Mount, Tree};
pub use filter::filter;
pub use place::{Call, Place, is_installed};
pub use saved::{Found, saved};
