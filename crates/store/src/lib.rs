//! What Mailward remembers: bans and why, offences, logins, counts per hour, allowlist, cursors.
//!
//! One contract over an embedded SQLite in WAL mode. Whatever follows from a batch of log lines is one [`Batch`] and one
//! transaction, together with the cursors behind those lines: after a crash the lines since the last commit are read
//! again, so that every line counts once. A batch that holds a ban is on the disk when [`Store::commit`] returns; announce
//! a ban only then.
//!
//! Nothing here reads a clock. Disk full and corruption are errors to go on from, see [`StoreError`].
#![forbid(unsafe_code)]

mod allowlist;
mod audits;
mod bans;
mod batch;
mod codes;
mod column;
mod commit;
mod counts;
mod cursors;
mod error;
pub mod fail2ban;
mod health;
mod inpath;
pub mod integrity;
mod ledger;
mod logins;
mod offences;
mod open;
mod proofs;
mod retain;
mod schema;
mod signals;
mod tasks;

pub use allowlist::Allowed;
pub use audits::Audits;
pub use bans::{BanFilter, Chain, Lift, PastBan, Standing};
pub use batch::{Batch, Counter, CursorAt, Decided, Lifted, Login, Recorded, Tally};
pub use error::StoreError;
pub use health::Size;
pub use inpath::{AccountRow, InPath, InPathBatch, SeenRow};
pub use logins::PastLogins;
pub use offences::PastOffence;
pub use open::Store;
pub use proofs::{Proof, Proofs};
pub use retain::{Pruned, Retention};
pub use signals::PastSignal;
pub use tasks::{Run, Tasks};
