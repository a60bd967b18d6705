//! Where messages go.

use std::path::PathBuf;

use mailward_host::run::RunError;

use crate::mail::Mail;
use crate::web::Web;
use crate::{Message, command, mail, web};

/// Where messages go, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Channel {
    /// As mail.
    Mail(Mail),
    /// To a web service.
    Web(Web),
    /// To a program by absolute path with its arguments, on its standard input.
    Command(Vec<String>),
}

/// Why a message did not go. No text has a secret in it.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Something in the configuration cannot be used.
    #[error("{0}")]
    Setting(String),
    /// The file of a secret cannot be read, or others can.
    #[error("{}: {why}", path.display())]
    Secret {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The mail server did not take it.
    #[error("{server} did not take the mail: {why}; it is tried again")]
    Mail {
        /// The server.
        server: String,
        /// What it, or the way to it, said.
        why: String,
    },
    /// The web service did not take it.
    #[error("{host} did not take the message: {why}; it is tried again")]
    Web {
        /// The service's host.
        host: String,
        /// What it, or the way to it, said.
        why: String,
    },
    /// The program could not be run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The program failed.
    #[error("{program} ended with {status}: {said}; it is tried again")]
    Command {
        /// The program.
        program: String,
        /// How it ended.
        status: String,
        /// The last that it said.
        said: String,
    },
}

impl Channel {
    /// Sends a message; when this returns, somebody else is responsible for it.
    ///
    /// # Errors
    /// [`SendError`]; trying again may help.
    pub fn send(&self, message: &Message, host: &str) -> Result<(), SendError> {
        match self {
            Self::Mail(mail) => mail::send(mail, message, host),
            Self::Web(web) => web::send(web, message),
            Self::Command(words) => command::send(words, message),
        }
    }
}
