//! What was said on a port of SMTP, IMAP, POP3 or ManageSieve.

use serde::{Deserialize, Serialize};

/// A conversation with a port.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Talk {
    /// The name or address that was connected to.
    pub host: String,
    /// The address that answered.
    pub address: String,
    /// The port.
    pub port: u16,
}
