//! Incidents: an account that somebody else uses is contained, looked into, and given back to its owner.

mod contain;
mod record;
mod timeline;

pub(crate) use contain::{Contained, Queue, close, contain};
pub(crate) use record::{Folder, Record};
pub(crate) use timeline::{Subject, Teller};
