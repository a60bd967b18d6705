//! What can go wrong with the gate.

use std::io;

use crate::Endpoint;

/// Why the gate cannot be opened or asked.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// Somebody else listens there.
    #[error(
        "cannot listen on {endpoint}: another program does. Postgrey listens on port 10023, too: stop it, or set another \
         address below [policy] or [login] in mailward.toml. See who it is: ss -ltnp; ss -lxp"
    )]
    Taken {
        /// Where.
        endpoint: Endpoint,
    },
    /// The system refuses to listen there.
    #[error(
        "cannot listen on {endpoint}: {error}. Trying again does not help; set another place in mailward.toml, or \"none\""
    )]
    Listen {
        /// Where.
        endpoint: Endpoint,
        /// What the system says.
        error: io::Error,
    },
    /// Something that is no socket is in the way.
    #[error(
        "cannot listen on {endpoint}: the file there is no socket, and stays. Move it away, or set another place in mailward.toml"
    )]
    NoSocket {
        /// Where.
        endpoint: Endpoint,
    },
    /// No thread, or no runtime.
    #[error("cannot start the thread that answers Postfix and Dovecot: {0}. Trying again may help")]
    Thread(io::Error),
    /// It does not answer.
    #[error(
        "the thread that answers Postfix and Dovecot gave no answer within {seconds} s; see: journalctl -u mailward -n 50"
    )]
    Late {
        /// How long we waited.
        seconds: u64,
    },
}
