//! Bans as a Postfix CIDR table, for hosts where the kernel may not be touched, and as a second line.
//!
//! `postscreen_access_list = permit_mynetworks, cidr:/etc/postfix/mailward.cidr`, with
//! `postscreen_denylist_action = drop` (`postscreen_blacklist_action` before Postfix 3.6).
//!
//! Postfix reads a CIDR table when a process starts and does not look at it again: postscreen 3.7 let a client pass that
//! had been in the new file for seconds, and refused it after `postfix reload`. So whoever writes the table reloads
//! Postfix when [`Written::Replaced`] comes back, which takes 0.1 s and ends no session.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use mailward_decide::Cleared;
use mailward_host::atomic;
use mailward_model::{Network, Timestamp};

/// A file that lists who is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CidrTable {
    path: PathBuf,
}

/// What was done to the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It said so already and was not touched.
    Unchanged,
    /// It is new; Postfix has to be reloaded.
    Replaced,
}

/// Why the table could not be written.
#[derive(Debug, thiserror::Error)]
pub enum CidrTableError {
    /// The file is somebody else's.
    #[error(
        "{path} is not Mailward's: it does not begin with \"{HEADER}\". Name another file in the configuration, \
         or move this one away (mv {path} {path}.old)"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// It could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// It could not be replaced; the old one stays as it is.
    #[error(transparent)]
    Write(#[from] atomic::WriteError),
}

impl CidrTable {
    /// The table in this file.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the file list these bans, without those that are over at `now`. It is replaced at once or not at all, and
    /// keeps its owner and mode.
    ///
    /// # Errors
    /// Where a file of that name was not written by Mailward, or cannot be read or replaced.
    pub fn write(&self, bans: &[&Cleared], now: Timestamp) -> Result<Written, CidrTableError> {
        let text = text(bans, now);
        let mode = match std::fs::read(&self.path) {
            Ok(old) if old == text.as_bytes() => return Ok(Written::Unchanged),
            Ok(old) if !old.is_empty() && !old.starts_with(HEADER.as_bytes()) => {
                return Err(CidrTableError::Foreign { path: self.path.clone() });
            }
            Ok(_) => None,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Some(READABLE),
            Err(source) => return Err(CidrTableError::Read { path: self.path.clone(), source }),
        };
        atomic::write(&self.path, text.as_bytes(), mode)?;
        Ok(Written::Replaced)
    }
}

/// Sorted, so that the same bans are the same text.
fn text(bans: &[&Cleared], now: Timestamp) -> String {
    let active = bans.iter().map(|cleared| cleared.ban()).filter(|ban| ban.is_active(now));
    let mut targets: Vec<Network> = active.map(|ban| ban.target).collect();
    targets.sort_unstable();
    targets.dedup();
    let mut text = format!("{HEADER}\n# Changes made here are lost; see: mailward bans\n");
    for target in targets {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{target} reject");
    }
    text
}

/// How every file that we wrote begins.
const HEADER: &str = "# Written by Mailward.";
const READABLE: u32 = 0o644;
