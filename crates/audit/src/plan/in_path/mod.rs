//! The mail server asks Mailward: Postfix about mail, Dovecot about logins. These plans mend no finding of the audit; somebody wishes
//! them.

mod dovecot;
mod postfix;

use crate::Untold;

pub use dovecot::{LoginGuard, login_guard};
pub use postfix::policy_service;

/// What hinders such a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// Nothing is known of the server's settings.
    Untold(Untold),
    /// It asks another policy server already.
    Another(String),
    /// It is in a container, and Mailward listens on the loopback of the host.
    OtherHost,
}
