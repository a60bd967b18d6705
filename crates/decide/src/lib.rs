//! Signals into bans: never-ban list, ladder of growing times, budget.
//!
//! Pure: time and lists are parameters. The only way to a ban that `enforce` accepts leads through
//! [`NeverBan::clear`], which mints [`Cleared`].
#![forbid(unsafe_code)]

mod bans;
pub mod login;
mod never_ban;
mod settings;

pub use bans::{Bans, Decision, Limit, Usage};
pub use never_ban::{Cleared, NeverBan, Protected, Protection};
pub use settings::{Budget, Ladder};
