//! Judges a mail server. [`Facts`] are what is so on it, collected elsewhere; [`Server`] understands them (the effective
//! Postfix and Dovecot configuration, docker-mailserver's tree, DNS); a [`Check`] looks at the server for one weakness;
//! [`judge()`] asks all of them.
//!
//! Pure: whatever a check needs to know of the world is a fact, the time included. So a server can be judged elsewhere, and
//! a test is a few lines of configuration.
#![forbid(unsafe_code)]

mod catalogue;
mod check;
mod checks;
pub mod dms;
pub mod dovecot;
pub mod facts;
pub mod fail2ban;
mod finding;
pub mod firewall;
pub mod integrity;
mod judge;
pub mod plan;
pub mod postfix;
pub mod questions;
pub mod records;
mod server;
mod services;
pub mod ucl;

pub use catalogue::{FAMILIES, Family, NotYet, find};
pub use check::{Check, Judged, Outcome, Untold};
pub use checks::crt::{TlsFile, tls_files};
pub use checks::sts::announced_policy;
pub use facts::{Facts, Known};
pub use finding::{Area, Edit, Evidence, Finding, Remedy, Severity};
pub use judge::{Audit, Result as CheckResult, judge};
pub use server::Server;
pub use services::{Service, services};
