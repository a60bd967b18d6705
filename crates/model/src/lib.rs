//! The vocabulary of Mailward as types that cannot be wrong; nothing here does anything.
//!
//! Line → [`Event`] → [`Offence`] → [`Signal`] → [`Ban`]. Core types are deliberately not serialisable: each edge owns
//! the documents it writes.
#![forbid(unsafe_code)]

mod ban;
mod event;
mod named;
mod network;
mod offence;
mod program;
mod reason;
mod signal;
mod text;
mod time;

pub use ban::{Ban, Origin};
pub use event::{Client, Event, EventKind, Stage, Tls};
pub use network::{Network, NetworkError, canonical};
pub use offence::{Account, Guess, Offence, OffenceKind, Weight};
pub use program::Program;
pub use reason::Reason;
pub use signal::{RuleId, Signal, Subject};
pub use text::Text;
pub use time::{Span, Timestamp};
