//! Encrypted, deduplicated backups in restic's repository format, so that restic reads them without us.
//!
//! [`Repository`] is where they lie, [`Repository::capture`] makes one of a [`Selection`], [`Repository::restore`] brings files back
//! into a place of their own, and [`Repository::verify`] proves that they are what was saved. What is worth saving on a mail server is
//! decided by the caller.
//!
//! The format, its encryption and its pruning are `rustic_core`'s. What touches the disk is ours, on both sides: `target` because a
//! target that vanished must not be taken for an empty one, and `source` because Dovecot's files have to be read in an order.

mod capture;
mod error;
mod find;
mod key;
mod meter;
mod repository;
mod restore;
mod retain;
mod source;
mod target;
mod tree;

pub use capture::{Captured, Selection};
pub use error::BackupError;
pub use find::{Message, Query};
pub use key::Key;
pub use meter::{Meter, Step};
pub use repository::{Repository, Snapshot};
pub use restore::{Restored, Verified};
pub use retain::{GRACE, Keep, Kept};
pub use tree::Entry;
