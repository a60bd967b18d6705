//! The control socket: HTTP/1.1 and JSON over a unix socket, between the daemon and the command line.
//!
//! The daemon gives [`serve`] a [`Handler`] and publishes what happens through [`Server::events`]; a command uses [`call`]
//! and [`follow`]. Any HTTP client will do as well: `curl --unix-socket /run/mailward/control http://mailward/v1/status`.
//!
//! Who may connect is the file's mode, which the kernel checks; who may change something is checked once more, see [`serve`].
//! Every wait and every size is bounded, see [`Limits`]. This crate knows no command of Mailward.
#![forbid(unsafe_code)]

mod client;
mod error;
mod events;
mod message;
mod patience;
mod query;
mod server;
mod socket;

pub use client::{call, follow};
pub use error::WebError;
pub use events::{EVENTS, Events};
pub use message::{Handler, Method, Peer, Request, Response};
pub use query::with_query;
pub use server::{Limits, Server, serve};
