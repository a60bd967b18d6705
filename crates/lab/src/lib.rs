//! Development only: a real mail host, its users and its attackers, in network namespaces.
//!
//! [`Lab::up`] makes four namespaces: the Internet's router with its DNS, the mail host with Debian's Postfix and
//! Dovecot, honest users, attackers. Nothing in them has a route to the outside. The mail host also has mount, pid,
//! uts and ipc namespaces of its own, so that a program under test finds an ordinary mail server at the ordinary places
//! and whatever it does there is gone when the lab goes down.
//!
//! Read in this order: [`topology`] (who lives where), [`host`] (the machines), [`client`] (protocol clients that can
//! misbehave), [`attack`] and [`legit`] (what is done with them), [`matrix`] (all of it at once).
#![forbid(unsafe_code)]

pub mod attack;
pub mod bans;
pub mod cli;
pub mod client;
pub mod host;
pub mod incident;
pub mod legit;
pub mod matrix;
pub mod topology;

pub use host::{Guest, Lab, LogFormat, Options, Program, missing};
