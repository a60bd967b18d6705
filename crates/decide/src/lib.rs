//! Signals into bans: never-ban list, ladder of growing times, budget. And questions of the mail server into verdicts: greylist,
//! rates, lists.
//!
//! Pure: time and lists are parameters. The only way to a ban that `enforce` accepts leads through
//! [`NeverBan::clear`], which mints [`Cleared`].
#![forbid(unsafe_code)]

mod bans;
mod fingerprint;
mod geo;
mod greylist;
pub mod lists;
pub mod login;
mod never_ban;
mod outgoing;
pub mod policy;
mod rates;
mod seen;
mod settings;
pub mod spf;

pub use bans::{Bans, Decision, Limit, Usage};
pub use fingerprint::{Fingerprint, Secret};
pub use geo::{Country, NoCountry, Whereabouts};
pub use greylist::{Clients, Greylist, GreylistSettings, Origin, SeenChange, Standing, Triplet, normal};
pub use never_ban::{Cleared, NeverBan, Protected, Protection};
pub use outgoing::{Outgoing, OutgoingSettings, Over, Sent};
pub use rates::{Quota, Taken};
pub use seen::Seen;
pub use settings::{Budget, Ladder};
