//! Mail protocol clients that connect from a chosen address and can misbehave.
//!
//! They work in the namespace of the calling thread: [`crate::Lab::enter`] first.

mod base64;
mod conn;
mod imap;
mod pop3;
mod sieve;
mod smtp;
mod syn;
mod tls;

pub use base64::base64;
pub use conn::{Conn, Refusal, Times, Trouble};
pub use imap::Imap;
pub use pop3::Pop3;
pub use sieve::Sieve;
pub(crate) use smtp::letter;
pub use smtp::{Reply, Smtp};
pub use syn::{Reach, reach};
pub use tls::{Trust, client_hello, tls10_hello};

/// A connection in which one logs in with name and password.
pub trait Mailbox {
    /// Tries a password; whether it was the right one.
    ///
    /// # Errors
    /// When the connection breaks.
    fn login(&mut self, user: &str, password: &str) -> Result<bool, Trouble>;
}
