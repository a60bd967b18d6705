//! Mail accounts: their names, the files that hold them, their passwords, and what is to be said of each.
//!
//! Pure: a text goes in, a text comes out. What is read and written where is the binary's business.
#![forbid(unsafe_code)]

mod breached;
mod file;
mod hash;
mod limit;
mod listing;
mod name;
mod password;
mod policy;
mod sessions;

pub use breached::{Digest, in_range, in_sorted};
pub use file::{Accounts, Entry, Format, Refusal};
pub use hash::{HashError, Salt, Scheme};
pub use limit::{Limit, LimitError};
pub use listing::{Row, rows};
pub use name::{Name, NameError};
pub use password::{Entropy, Password, PasswordError};
pub use policy::{Policy, Weakness};
pub use sessions::{Connection, Session, Smtpd, connections, who};
