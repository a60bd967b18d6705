//! What can go wrong, for the person at three in the morning.

use std::io;
use std::path::{Path, PathBuf};

use mailward_audit::plan::edit::Clash;

/// A plan that was not carried out, or not taken back.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Another process is at it.
    #[error(
        "another `mailward` (process {owner}) is changing this server; wait for its end and try again \
         (`ps -p {owner}` shows it)"
    )]
    Busy {
        /// Its number.
        owner: String,
    },
    /// The disk or the quota is full.
    #[error("no space left to write {path}; {end}. Free some (`df -h {directory}`) and try again")]
    Full {
        /// The file.
        path: PathBuf,
        /// Where the space is missing.
        directory: PathBuf,
        /// What became of the plan.
        end: &'static str,
    },
    /// Something else about a file.
    #[error(
        "cannot {doing} {path}: {source}; trying again helps once `namei -l {path}` shows rights that fit"
    )]
    Disk {
        /// The file.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A change has no file that lasts.
    #[error("{what} has no file that would keep it on this server; make it by hand")]
    Homeless {
        /// The change.
        what: String,
    },
    /// A file of the container that does not lie on this host.
    #[error(
        "{path} is inside of the container and would be lost with it; mount it from this host (`volumes:` in the Compose file) and try \
         again"
    )]
    Outside {
        /// The file, as the container sees it.
        path: String,
    },
    /// A symbolic link in what a container can write.
    #[error(
        "{path} is reached through a symbolic link, and whoever is in the container can turn it; replace the link by the file \
         (`ls -l {path}`) and try again"
    )]
    Link {
        /// The file.
        path: PathBuf,
    },
    /// A change cannot be made in its file.
    #[error(transparent)]
    Clash(#[from] Clash),
    /// What a program asked of this host is not there.
    #[error("there is no {kind} {name} on the server; make it first (`getent {kind} {name}` shows it)")]
    Nobody {
        /// `passwd` or `group`.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// Somebody changed a file since the plan was made.
    #[error(
        "{path} has changed since the plan was made; nothing was written. Make the plan again: `mailward harden plan`"
    )]
    Stale {
        /// The file.
        path: String,
    },
    /// Somebody changed the server since the plan was made.
    #[error(
        "`{command}` says something else than when the plan was made; nothing was written. Make the plan again: `mailward harden plan`"
    )]
    StaleServer {
        /// The command that shows it.
        command: String,
    },
    /// The server's own programs would not take it.
    #[error("{}", refused(.0))]
    Refused(Vec<Complaint>),
    /// A program that is needed cannot be run.
    #[error("cannot try the plan: {0}")]
    Program(String),
    /// It was taken back.
    #[error("the plan was taken back, every file is as it was: {because}")]
    TakenBack {
        /// Why.
        because: String,
    },
    /// It could not be taken back.
    #[error(
        "the plan failed ({because}), and could not be taken back in whole: {why}. Mend that; then any `mailward harden` command \
         finishes taking it back"
    )]
    Stuck {
        /// Why it failed.
        because: String,
        /// Why it could not be taken back.
        why: String,
    },
    /// Somebody changed a file since the plan was carried out.
    #[error(
        "{path} was changed by somebody else after plan {id}; nothing was taken back. Its content before the plan is {saved}: compare \
         (`diff {saved} {path}`), and change it by hand"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The plan.
        id: String,
        /// What it was before.
        saved: PathBuf,
    },
    /// A later plan touched the same file.
    #[error(
        "plan {later} changed {path} after plan {id}; take that back first: `mailward harden undo {later}`"
    )]
    Later {
        /// The plan to be taken back.
        id: String,
        /// The later one.
        later: String,
        /// The file.
        path: PathBuf,
    },
    /// There is nothing to be taken back.
    #[error("there is no plan{id} that could be taken back; `mailward harden history` lists them")]
    NoPlan {
        /// Its id with a blank before it, if one was given.
        id: String,
    },
    /// A stored plan that cannot be read.
    #[error(
        "{path} holds no plan of this version of Mailward: {why}; make it again with `mailward harden plan --save`"
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// What a program said against a new configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Complaint {
    /// File and line: `postfix-main.cf:3`.
    pub place: String,
    /// The line, without secrets where it could hold one; empty where none is to blame.
    pub line: String,
    /// What is wrong with it, in the program's words.
    pub says: String,
}

impl core::fmt::Display for Complaint {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.line.as_str() {
            "" => write!(f, "{}: {}", self.place, self.says),
            line => write!(f, "{}: `{line}`: {}", self.place, self.says),
        }
    }
}

fn refused(complaints: &[Complaint]) -> String {
    let lines: Vec<_> = complaints.iter().map(|complaint| format!("\n  {complaint}")).collect();
    format!(
        "the server's own programs refuse the new configuration, nothing was written:{}\nMend that line, or leave its change out (`--skip \
         ID`), and try again",
        lines.concat()
    )
}

impl ApplyError {
    /// What the system said of a file, before anything was changed.
    pub(crate) fn disk(path: &Path, doing: &'static str, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full {
                path: path.to_path_buf(),
                directory: path.parent().unwrap_or(path).to_path_buf(),
                end: "every file is as it was",
            },
            _ => Self::Disk { path: path.to_path_buf(), doing, source },
        }
    }
}
