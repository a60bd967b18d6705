//! What is so on a server: what its programs said, its files, what its ports and the DNS answered. Collected by `probe`,
//! written by `audit --save-facts`, read by `audit --facts`. As raw as possible, so that a better understanding tomorrow can judge
//! what was collected today; never with a secret in it.
//!
//! Every field has a default that reads as "was not looked at", so that older and partial collections load.

mod accounts;
mod command;
mod dns;
mod file;
mod host;
mod known;
mod log;
mod mail;
mod reports;
mod tls;
mod trial;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use accounts::*;
pub use command::{LEARNED, Said};
pub use dns::*;
pub use file::{File, FileKind};
pub use host::*;
pub use known::Known;
pub use log::*;
pub use mail::*;
pub use reports::*;
pub use tls::*;
pub use trial::*;

/// What is so on a server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// When, where and how they were collected.
    pub about: About,
    /// What programs said, by command line without path and prefix: `postconf -n`, `doveconf -n`, `nft -j list ruleset`.
    pub said: BTreeMap<String, Known<Said>>,
    /// Files and directories by absolute path as the mail server's programs see it; a docker-mailserver's config volume is at
    /// `/tmp/docker-mailserver`, its compose file and environment file at their names under `/compose/`.
    pub files: BTreeMap<String, Known<File>>,
    /// The machine: listeners, processes, packages, space.
    pub host: Host,
    /// Accounts, without their secrets.
    pub accounts: Known<Vec<Account>>,
    /// How they are used.
    pub usage: Known<Usage>,
    /// What each TLS port was found to do.
    pub tls: Vec<TlsPort>,
    /// Certificates in files, by the path that the configuration names.
    pub certificates: BTreeMap<String, Known<Vec<Certificate>>>,
    /// Private keys in files, by path: their public halves.
    pub keys: BTreeMap<String, Known<CertificateKey>>,
    /// What was said on each port of SMTP, IMAP, POP3 and ManageSieve.
    pub talks: Vec<Talk>,
    /// Mail that was sent on purpose; empty unless the operator named an address for it.
    pub trials: Vec<Trial>,
    /// What the DNS answered.
    pub dns: Dns,
    /// What the logs hold.
    pub log: LogFacts,
    /// What others report about mail in our domains; absent where nobody says where reports are kept.
    pub reports: Known<Reports>,
}

/// When, where and how facts were collected.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct About {
    /// The version of Mailward that collected them.
    pub version: String,
    /// When, as RFC 3339 in UTC. Ages and expiries are judged against this time.
    pub taken: String,
    /// The host's own name (`uname -n` or the name probed from outside).
    pub host: String,
    /// What runs the mail server.
    pub deployment: Deployment,
    /// The command before every command: `docker exec -i mailserver`, empty for this very machine.
    pub prefix: Vec<String>,
    /// Whether `--active` allowed probes that leave a trace on the server.
    pub active: bool,
    /// Whether only the outside of the server was seen (`--remote`).
    pub remote: bool,
}

/// What runs the mail server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deployment {
    /// Postfix and Dovecot of the system.
    #[default]
    Plain,
    /// docker-mailserver.
    DockerMailserver,
}

impl Facts {
    /// What a command said, whatever its exit status.
    ///
    /// # Errors
    /// When it was not or could not be run.
    pub fn said(&self, command: &str) -> Result<&Said, crate::Untold> {
        match self.said.get(command) {
            Some(Known::Absent) => {
                let program = command.split(' ').next().unwrap_or(command);
                Err(crate::Untold::NotApplicable(format!("`{program}` is not installed here")))
            }
            Some(said) => said.get(),
            None => Err(crate::Untold::CouldNotTell(format!("`{command}` was not run"))),
        }
    }

    /// What a command printed when it succeeded.
    ///
    /// # Errors
    /// When it was not run or failed.
    pub fn output(&self, command: &str) -> Result<&str, crate::Untold> {
        let said = self.said(command)?;
        if said.status == Some(0) {
            return Ok(&said.stdout);
        }
        let first = said.stderr.lines().next().unwrap_or("it said nothing");
        Err(crate::Untold::CouldNotTell(format!("`{command}` failed: {first}")))
    }

    /// A file or directory; none if it is known not to exist.
    ///
    /// # Errors
    /// When it was not looked at or could not be.
    pub fn file(&self, path: &str) -> Result<Option<&File>, crate::Untold> {
        match self.files.get(path) {
            Some(Known::Absent) => Ok(None),
            Some(file) => file.get().map(Some),
            None => Err(crate::Untold::CouldNotTell(format!("{path} was not looked at"))),
        }
    }

    /// The text of a file; none if it is known not to exist.
    ///
    /// # Errors
    /// When it was not or could not be read.
    pub fn text(&self, path: &str) -> Result<Option<&str>, crate::Untold> {
        self.file(path)?.map(|file| file.text.get().map(String::as_str)).transpose()
    }

    /// The existing files below a directory, with their paths.
    pub fn below<'a>(&'a self, directory: &'a str) -> impl Iterator<Item = (&'a str, &'a File)> {
        let prefix = format!("{}/", directory.trim_end_matches('/'));
        self.files.iter().filter_map(move |(path, file)| match file {
            Known::Is(file) if path.starts_with(&prefix) => Some((path.as_str(), file)),
            _ => None,
        })
    }
}
