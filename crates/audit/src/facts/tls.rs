//! What a TLS port does.

use serde::{Deserialize, Serialize};

/// What a TLS port was found to do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TlsPort {
    /// The name or address that was connected to.
    pub host: String,
    /// The address that answered.
    pub address: String,
    /// The port.
    pub port: u16,
}
