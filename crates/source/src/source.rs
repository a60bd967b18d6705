//! One source of lines, of whatever kind.

use std::fmt;
use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::Duration;

use crate::SourceError;
use crate::file::LogFile;
use crate::journal::Journal;
use crate::pipe::Stdin;
use crate::watch::Watches;
use crate::watched::Watched;

/// A source as it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spec {
    /// A log file, with all its rotations.
    File(PathBuf),
    /// The systemd journal.
    Journal {
        /// What journalctl(1) is to show, such as `SYSLOG_FACILITY=2` or `_SYSTEMD_UNIT=dovecot.service`; none is all.
        matches: Vec<String>,
        /// Another place than the system's own.
        directory: Option<PathBuf>,
    },
    /// Standard input, to its end.
    Stdin,
}

/// Where to begin in a source that has no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With what is there: the log file without its history, the whole journal.
    Beginning,
    /// With what comes.
    End,
}

/// How a source is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It is read.
    Reading,
    /// The file is not there; it is read as soon as it is.
    Missing,
    /// It cannot be read, for this reason; it is tried again.
    Failed(String),
    /// Nothing more comes.
    Ended,
}

/// What is known of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceStatus {
    /// Its name: the path, `journal` or `stdin`.
    pub source: String,
    /// How it is.
    pub state: State,
    /// Bytes that are in the file and not yet read.
    pub lag: u64,
    /// How many lines were given out.
    pub lines: u64,
    /// How many bytes were given out.
    pub bytes: u64,
    /// How many rotations were seen.
    pub rotations: u64,
    /// How many lines were longer than [`LINE_MAX`](crate::LINE_MAX), and were cut.
    pub cut: u64,
    /// How often lines may have been lost because a file was truncated, removed or damaged before it was read to its end.
    pub lost: u64,
    /// Why, the last time.
    pub note: Option<String>,
}

impl Spec {
    /// The name that the cursor is stored under.
    #[must_use]
    pub fn name(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Journal { matches, directory } => {
                f.write_str("journal")?;
                directory.iter().try_for_each(|directory| write!(f, ":{}", directory.display()))?;
                matches.iter().try_for_each(|filter| write!(f, " {filter}"))
            }
            Self::Stdin => f.write_str("stdin"),
        }
    }
}

/// How long to go without looking, where the kernel tells of changes: it does not tell of those through another mount of an
/// overlay or another hard link's directory.
const SELDOM: Duration = Duration::from_secs(10);
/// The same where it tells nothing.
const OFTEN: Duration = Duration::from_secs(1);

/// A source at work.
pub(crate) struct Source {
    pub(crate) name: String,
    kind: Kind,
    lines: u64,
    bytes: u64,
}

enum Kind {
    File { file: Box<LogFile>, watched: Watched, trouble: Option<String> },
    Journal(Journal),
    Stdin(Stdin),
}

impl Source {
    pub(crate) fn open(spec: &Spec, cursor: Option<String>, start: Start) -> Result<Self, SourceError> {
        let name = spec.name();
        let kind = match spec {
            Spec::File(path) => {
                let parsed = cursor.as_deref().map(str::parse).transpose();
                let text = || cursor.clone().unwrap_or_default();
                let cursor = parsed.map_err(|_| SourceError::Cursor { name: name.clone(), text: text() })?;
                Kind::File {
                    file: Box::new(LogFile::new(path, cursor, start)),
                    watched: Watched::default(),
                    trouble: None,
                }
            }
            Spec::Journal { matches, directory } => {
                Kind::Journal(Journal::new(matches, directory.as_deref(), cursor, start))
            }
            Spec::Stdin => Kind::Stdin(Stdin::default()),
        };
        Ok(Self { name, kind, lines: 0, bytes: 0 })
    }

    /// The next lines, in this part of the buffer.
    pub(crate) fn look(&mut self, buffer: &mut [u8], watches: &mut Option<Watches>) -> Option<Range<usize>> {
        match &mut self.kind {
            Kind::Journal(journal) => journal.look(buffer),
            Kind::Stdin(stdin) => stdin.look(buffer),
            Kind::File { file, watched, trouble } => loop {
                let found = file.look(buffer);
                *trouble = found.as_ref().err().map(|error| explain(file, error));
                if let Ok(Some(lines)) = found {
                    return Some(lines);
                }
                // What was written before a watch was there is seen by looking once more.
                if !watched.renew(file, watches.as_mut()) {
                    return None;
                }
            },
        }
    }

    pub(crate) fn count(&mut self, lines: u64, bytes: u64) {
        self.lines += lines;
        self.bytes += bytes;
    }

    pub(crate) fn cursor(&self) -> String {
        match &self.kind {
            Kind::File { file, .. } => file.cursor().to_string(),
            Kind::Journal(journal) => journal.cursor(),
            Kind::Stdin(_) => String::new(),
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(&self.kind, Kind::Stdin(stdin) if stdin.ended)
    }

    /// What to wait for, where it is not inotify.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.kind {
            Kind::File { .. } => None,
            Kind::Journal(journal) => journal.fd(),
            Kind::Stdin(stdin) => (!stdin.ended).then(rustix::stdio::stdin),
        }
    }

    /// How long it may be left alone.
    pub(crate) fn patience(&self) -> Option<Duration> {
        match &self.kind {
            Kind::File { watched, trouble, .. } => {
                Some(if watched.is_blind() || trouble.is_some() { OFTEN } else { SELDOM })
            }
            Kind::Journal(journal) => journal.patience(),
            Kind::Stdin(_) => None,
        }
    }

    pub(crate) fn status(&self) -> SourceStatus {
        let mut status = SourceStatus {
            source: self.name.clone(),
            state: State::Reading,
            lag: 0,
            lines: self.lines,
            bytes: self.bytes,
            rotations: 0,
            cut: 0,
            lost: 0,
            note: None,
        };
        match &self.kind {
            Kind::File { file, trouble, .. } => {
                let missing = if file.live().is_none() { State::Missing } else { State::Reading };
                status.state = trouble.clone().map_or(missing, State::Failed);
                status.lag = file.lag();
                status.rotations = file.tally.rotations;
                status.cut = file.tally.cut;
                status.lost = file.tally.lost;
                status.note.clone_from(&file.tally.note);
            }
            Kind::Journal(journal) => {
                let trouble = journal.trouble().map(str::to_owned);
                status.state = trouble.map_or(State::Reading, State::Failed);
                status.cut = journal.cut();
            }
            Kind::Stdin(stdin) => {
                let state = if stdin.ended { State::Ended } else { State::Reading };
                status.state = stdin.trouble.clone().map_or(state, State::Failed);
                status.cut = stdin.cut();
            }
        }
        status
    }
}

fn explain(file: &LogFile, error: &io::Error) -> String {
    let path = file.path().display();
    format!(
        "cannot read {path}: {error}; it is tried again each second. `namei -l {path}` shows who may read it"
    )
}
