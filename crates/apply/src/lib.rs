//! Carries out a plan: prepared (every file before and after), tried on a copy by the server's own programs, written, put in force,
//! proved; or everything is as it was. A journal makes that hold whatever ends this process, at any instruction.
//!
//! What may fail for want of space is made beside the files that it will replace before the first of them is touched; from
//! then on there are renames alone, forth and back.
#![forbid(unsafe_code)]

mod carry;
mod diff;
mod disk;
mod error;
mod history;
mod prepared;
mod prove;
mod reload;
mod site;
mod staging;
mod state;

pub use carry::{Done, apply, tried};
pub use diff::{Diff, diffs};
pub use error::{ApplyError, Complaint};
pub use history::{Entry, History, Recovered, Stage};
pub use prepared::{File, Prepared, VERSION};
pub use prove::Witness;
pub use site::Site;
pub use state::{Content, Rights, State};
